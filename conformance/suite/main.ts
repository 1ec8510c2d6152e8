// `npm run conformance`: plays the suite against hosts over the network, and tells what held.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { allCases } from "../abi/all-cases.ts";
import type { Case } from "../abi/case.ts";
import { junitText } from "./junit.ts";
import { failureText, jsonText, Progress, tableText } from "./output.ts";
import { reportText } from "./report.ts";
import { isFlaky, type Run, runTarget } from "./run.ts";
import { envoy, headgate, type NetworkTarget, targetOf } from "./targets.ts";

const USAGE = `npm run conformance [-- FLAGS], or packed: proxy-wasm-conformance [FLAGS]

  --target TARGET  headgate, envoy, envoy=PATH or 'NAME=COMMAND with {config}'; may stand several times.
                   Default: all that are found
  --only PATTERN   regular expression over the names of cases
  --list           prints the cases and ends
  --json FILE      writes the results
  --junit FILE     writes them in the form of JUnit
  --report FILE    writes a page with a column for each host
  --jobs N         processes of a host at the same time, default 2
  --concurrency N  threads of a host that carry traffic, default 1
  --trace          prints with each failure all that the guest told, and the host's own trace`;

interface Options {
  readonly targets: readonly NetworkTarget[];
  readonly cases: readonly Case[];
  readonly list: boolean;
  readonly json: string | undefined;
  readonly junit: string | undefined;
  readonly report: string | undefined;
  readonly jobs: number;
  readonly concurrency: number;
  readonly trace: boolean;
}

function readOptions(args: readonly string[]): Options | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: { type: "string", multiple: true },
      only: { type: "string" },
      list: { type: "boolean", default: false },
      json: { type: "string" },
      junit: { type: "string" },
      report: { type: "string" },
      jobs: { type: "string", default: "2" },
      concurrency: { type: "string", default: "1" },
      trace: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return USAGE;
  const only = values.only === undefined ? undefined : new RegExp(values.only);
  const cases = allCases().filter((one) => only?.test(one.id) ?? true);
  if (cases.length === 0) {
    throw new Error(`--only ${values.only}: no case has such a name; --list shows all`);
  }
  return {
    targets: values.list ? [] : (values.target?.map(targetOf) ?? found()),
    cases,
    list: values.list,
    json: values.json,
    junit: values.junit,
    report: values.report,
    jobs: count("--jobs", values.jobs, "processes"),
    concurrency: count("--concurrency", values.concurrency, "threads"),
    trace: values.trace,
  };
}

function count(flag: string, text: string, what: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new Error(`${flag} ${text}: expected a number of ${what}, 1 or more`);
}

function found(): NetworkTarget[] {
  const hosts = [headgate(), envoy()].filter((one) => one !== undefined);
  if (hosts.length > 0) return hosts;
  throw new Error("no host is found: say --target, or set HEADGATE_BIN or ENVOY_BIN to one");
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === "string") {
    console.log(options);
    return;
  }
  if (options.list) {
    for (const one of options.cases) console.log(`${one.id}  ${one.verdict}`);
    return;
  }
  const runs: Run[] = [];
  for (const target of options.targets) {
    const progress = new Progress(target.name, options.cases.length);
    const run = await runTarget(target, options.cases, options, (one) => progress.note(one));
    progress.end();
    runs.push(run);
    for (const one of run.results) {
      if (one.problems.length > 0) console.log(failureText(one, options.trace));
    }
    console.log(tableText(run));
    const held = run.results.filter((one) => one.problems.length === 0).length;
    if (held < run.results.length) process.exitCode = 1;
  }
  if (options.json !== undefined) writeFileSync(options.json, jsonText(runs));
  if (options.junit !== undefined) writeFileSync(options.junit, junitText(runs));
  if (options.report !== undefined) {
    writeFileSync(options.report, reportText(runs, new Date().toISOString().slice(0, 10)));
  }
  for (const { target, results } of runs) {
    const held = results.filter((one) => one.problems.length === 0).length;
    const flaky = results.filter(isFlaky).length;
    console.log(`${target}: ${held} of ${results.length}${flaky > 0 ? `, ${flaky} flaky` : ""}`);
  }
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
});
