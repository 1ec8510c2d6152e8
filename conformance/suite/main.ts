// `npm run conformance`: plays the suite against hosts over the network, and tells what held.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { allCases } from "../abi/all-cases.ts";
import type { Case } from "../abi/case.ts";
import { type Batch, batchesOf, playBatch, type Result } from "./batch.ts";
import { CalloutServers } from "./callout-servers.ts";
import { junitText } from "./junit.ts";
import { failureText, Progress, tableText } from "./output.ts";
import { reportText } from "./report.ts";
import { envoy, headgate, type NetworkTarget, targetOf } from "./targets.ts";

const USAGE = `npm run conformance [-- FLAGS]

  --target TARGET  headgate, envoy, envoy=PATH or 'NAME=COMMAND with {config}'; may stand several times.
                   Default: all that are found
  --only PATTERN   regular expression over the names of cases
  --list           prints the cases and ends
  --json FILE      writes the results
  --junit FILE     writes them in the form of JUnit
  --report FILE    writes a page with a column for each host
  --jobs N         processes of a host at the same time, default 2
  --trace          prints with each failure all that the guest told`;

interface Options {
  readonly targets: readonly NetworkTarget[];
  readonly cases: readonly Case[];
  readonly list: boolean;
  readonly json: string | undefined;
  readonly junit: string | undefined;
  readonly report: string | undefined;
  readonly jobs: number;
  readonly trace: boolean;
}

/** What came of a run against one host. */
export interface Run {
  readonly target: string;
  readonly version: string;
  readonly results: readonly Result[];
  /** Cases that the adapter cannot play. */
  readonly left: readonly Case[];
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
      trace: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return USAGE;
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) {
    throw new Error(`--jobs ${values.jobs}: expected a number of processes, 1 or more`);
  }
  const only = values.only === undefined ? undefined : new RegExp(values.only);
  return {
    targets: values.list ? [] : (values.target?.map(targetOf) ?? found()),
    cases: allCases().filter((one) => only?.test(one.id) ?? true),
    list: values.list,
    json: values.json,
    junit: values.junit,
    report: values.report,
    jobs,
    trace: values.trace,
  };
}

function found(): NetworkTarget[] {
  const other = envoy();
  return other === undefined ? [headgate()] : [headgate(), other];
}

/** Plays cases against a host, in the order of the cases. */
export async function runTarget(
  target: NetworkTarget,
  cases: readonly Case[],
  jobs: number,
  onResult: (result: Result) => void,
): Promise<Run> {
  const isLeft = (one: Case): boolean => one.needs.some((need) => target.cannot.has(need));
  const playable = cases.filter((one) => !isLeft(one));
  const callouts = await CalloutServers.start();
  const results = new Map<Case, Result>();
  const playAll = async (batches: readonly Batch[], isLast: boolean): Promise<void> => {
    const waiting = [...batches];
    const lane = async (): Promise<void> => {
      for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
        await playBatch(batch, target, callouts, (result) => {
          results.set(result.case, result);
          if (isLast || result.problems.length === 0) onResult(result);
        });
      }
    };
    await Promise.all(Array.from({ length: jobs }, lane));
  };
  await playAll(batchesOf(playable), false);
  // A machine that is busy makes what is apart come together: what fails twice has failed.
  const failed = playable.filter((one) => results.get(one)?.problems.length !== 0);
  await playAll(batchesOf(failed), true);
  await callouts.stop();
  return {
    target: target.name,
    version: target.version,
    results: playable.map((one) => results.get(one) as Result),
    left: cases.filter(isLeft),
  };
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
    const run = await runTarget(target, options.cases, options.jobs, (one) => progress.note(one));
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
    console.log(`${target}: ${held} of ${results.length}`);
  }
}

function jsonText(runs: readonly Run[]): string {
  const plain = runs.map(({ target, version, results, left }) => ({
    target,
    version,
    cases: results.map((one) => ({
      id: one.case.id,
      verdict: one.case.verdict,
      holds: one.problems.length === 0,
      ...(one.problems.length === 0 ? {} : { problems: one.problems }),
    })),
    left: left.map((one) => one.id),
  }));
  return `${JSON.stringify(plain, null, 1)}\n`;
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
});
