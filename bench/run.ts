// `npm run bench`: CPU per request of Headgate beside nginx, HAProxy, Envoy and the floor.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cpuUsPerRequest } from "./arithmetic.ts";
import { buildFilter, FILTER_KINDS, type FilterKind } from "./filter/build.ts";
import { freePort, type Started, start, TICKS_PER_SECOND, usageOf } from "./processes.ts";
import {
  loadAverage,
  markdownTable,
  type Results,
  rowsOf,
  type Sample,
  textTable,
  writeResults,
} from "./report.ts";
import { again, allTargets, findBinary, type TargetSpec, upstreamCommand } from "./target.ts";
import { runWrk } from "./wrk.ts";

const USAGE = `node bench/run.ts [--quick] [--targets PATTERN] [--cases s64,b64,...] [--rounds 7]
    [--seconds 2] [--filter sdk|bare] [--markdown] [--list]

  --quick     3 rounds of 1 second, cases s64 and b64
  --targets   regular expression over the names of targets (see --list)
  --cases     s: 100 bytes, b: 64 KiB; then the number of connections
  --filter    the wasm filter: through the SDK (default), or on the bare ABI
  --markdown  print the tables as Markdown`;

const CASES = ["s1", "s64", "s1000", "b1", "b64", "b1000"] as const;
/** Of these the first that runs is measured twice. */
const TWICE = ["headgate", "nginx", "floor"] as const;
/** A run with more errors than this share of its requests measures something else. */
const ERROR_SHARE_MAX = 0.01;
const SKIP_LINES_MAX = 6;
const QUICK_CASES = ["s64", "b64"] as const;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly cases: readonly string[];
  readonly targets: RegExp;
  readonly filter: FilterKind;
  readonly isMarkdown: boolean;
  readonly isList: boolean;
}

interface Running extends Started {
  readonly spec: TargetSpec;
  readonly port: number;
}

function fail(message: string, code = 2): never {
  console.log(message);
  process.exit(code);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      targets: { type: "string", default: "." },
      cases: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      filter: { type: "string", default: "sdk" },
      markdown: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) fail(USAGE, 0);
  const cases = values.cases?.split(",") ?? (values.quick ? QUICK_CASES : CASES);
  for (const one of cases) if (!/^[sb]\d+$/.test(one)) fail(`not a case: ${one}\n\n${USAGE}`);
  const filter = FILTER_KINDS.find((kind) => kind === values.filter);
  return {
    rounds: positive(values.rounds, values.quick ? 3 : 7),
    seconds: positive(values.seconds, values.quick ? 1 : 2),
    cases,
    targets: new RegExp(values.targets),
    filter: filter ?? fail(`not a filter: ${values.filter}`),
    isMarkdown: values.markdown,
    isList: values.list,
  };
}

function positive(text: string | undefined, standard: number): number {
  const value = text === undefined ? standard : Number(text);
  return Number.isInteger(value) && value > 0 ? value : fail(`not a number above 0: ${text}`);
}

/** Those that were asked for and found. */
function chosenTargets(options: Options): TargetSpec[] {
  const chosen = allTargets().filter((spec) => options.targets.test(spec.name));
  for (const spec of chosen) {
    if (spec.binary === undefined) console.log(`SKIPPED ${spec.name}: not found (${spec.hint})`);
  }
  return chosen.filter((spec) => spec.binary !== undefined);
}

/** What all targets are started with. */
interface Common {
  readonly upstreamPort: number;
  readonly folder: string;
  readonly module: string;
}

/** Starts a target; one that does not start is skipped with its own words. */
async function startOne(spec: TargetSpec, common: Common): Promise<Running | undefined> {
  const { upstreamPort, module } = common;
  const port = await freePort();
  const folder = join(common.folder, spec.name.replace(/\W+/g, "-"));
  mkdirSync(folder);
  const setup = { port, adminPort: await freePort(), upstreamPort, folder, module };
  try {
    return { ...(await start(spec.command(setup), port)), spec, port };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    console.log(`SKIPPED ${spec.name}: ${text.split("\n").slice(0, SKIP_LINES_MAX).join("\n  ")}`);
    return undefined;
  }
}

/** Starts all, and one of them a second time: the A/A line. */
async function startAll(specs: readonly TargetSpec[], common: Common): Promise<Running[]> {
  const running: Running[] = [];
  for (const spec of specs) {
    const one = await startOne(spec, common);
    if (one !== undefined) running.push(one);
  }
  const twice = TWICE.flatMap((name) => running.filter((one) => one.spec.name === name))[0];
  const second = twice && (await startOne(again(twice.spec), common));
  return second === undefined ? running : [...running, second];
}

/** One run of wrk; undefined when it failed, which is said. */
async function measure(
  wrk: string,
  target: Running,
  caseId: string,
  seconds: number,
): Promise<Sample | undefined> {
  const url = `http://127.0.0.1:${target.port}/${caseId.charAt(0)}`;
  const before = usageOf(target.pid);
  try {
    const report = await runWrk(wrk, url, Number(caseId.slice(1)), seconds);
    const after = usageOf(target.pid);
    const ticks = after.ticks - before.ticks;
    const cpuUs = cpuUsPerRequest(ticks, TICKS_PER_SECOND, report.requests);
    if (cpuUs === undefined) throw new Error("no request was answered");
    if (report.errors > report.requests * ERROR_SHARE_MAX) {
      throw new Error(`${report.errors} errors in ${report.requests} requests: left out`);
    }
    return {
      cpuUs,
      requestsPerSecond: report.requestsPerSecond,
      p50Us: report.p50Us,
      p99Us: report.p99Us,
      residentBytes: after.residentBytes,
      errors: report.errors,
    };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    console.log(`${caseId} ${target.spec.name}: ${text}`);
    return undefined;
  }
}

/** All rounds of a case: each round plays every target once, and each begins with another one. */
async function runCase(
  wrk: string,
  targets: readonly Running[],
  caseId: string,
  options: Options,
): Promise<Record<string, (Sample | undefined)[]>> {
  const byTarget: Record<string, (Sample | undefined)[]> = {};
  for (const target of targets) byTarget[target.spec.name] = [];
  for (const target of targets) await measure(wrk, target, caseId, 1);
  for (let round = 0; round < options.rounds; round += 1) {
    for (let at = 0; at < targets.length; at += 1) {
      const target = targets[(at + round) % targets.length];
      if (target === undefined) continue;
      const sample = await measure(wrk, target, caseId, options.seconds);
      byTarget[target.spec.name]?.push(sample);
    }
  }
  return byTarget;
}

async function measureAll(wrk: string, options: Options, folder: string): Promise<void> {
  const specs = chosenTargets(options);
  if (specs.length === 0) fail("no target was found");
  const module = await buildFilter(options.filter);
  const upstreamPort = await freePort();
  const upstream = await start(upstreamCommand(upstreamPort, folder), upstreamPort);
  const targets = await startAll(specs, { upstreamPort, folder, module });
  const runs = options.cases.length * targets.length * options.rounds;
  const minutes = (runs * options.seconds + options.cases.length * targets.length) / 60;
  console.log(`${targets.length} targets, ${runs} runs, about ${minutes.toFixed(1)} minutes`);
  const results: Record<string, Results[string]> = {};
  for (const caseId of options.cases) {
    results[caseId] = await runCase(wrk, targets, caseId, options);
    const rows = rowsOf(results[caseId]);
    const table = options.isMarkdown ? markdownTable(rows) : textTable(rows);
    console.log(`\n${describeCase(caseId)}, load average ${loadAverage()}\n\n${table}`);
  }
  const { rounds, seconds, filter } = options;
  console.log(`\nwritten: ${writeResults(results, { rounds, seconds, filter })}`);
  for (const one of [...targets, upstream]) await one.stop();
}

function describeCase(caseId: string): string {
  const count = Number(caseId.slice(1));
  const size = caseId.startsWith("b") ? "64 KiB" : "100 bytes";
  return `${caseId}: ${count} connection${count === 1 ? "" : "s"}, ${size}`;
}

const options = readOptions();
if (options.isList) {
  for (const { name, binary } of allTargets()) console.log(`${name}: ${binary ?? "not found"}`);
} else {
  const wrk = findBinary("WRK_BIN", "wrk");
  if (wrk === undefined) fail("SKIPPED: no wrk (apt-get install wrk, or WRK_BIN)");
  const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));
  // A worker of nginx may run as another user and must read the file that the upstream serves.
  chmodSync(folder, 0o755);
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  await measureAll(wrk, options, folder);
}
