// `npm run bench`: CPU per request of Headgate beside nginx, HAProxy, Envoy and the floor.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runBodies } from "./bodies/run.ts";
import { type Binding, bindingOf } from "./binding.ts";
import { type BenchCase, CASE_FORMS, describeCase, parseCase } from "./cases.ts";
import { makeCertificates } from "./certificates.ts";
import { NATIVE_HEADERS } from "./configs.ts";
import { buildFilter, buildNativeFilters, FILTER_KINDS, type FilterKind } from "./filter/build.ts";
import { runHandshakes } from "./handshakes.ts";
import { freePort, type Started, start } from "./processes.ts";
import {
  loadAverage,
  markdownTable,
  type Results,
  rowsOf,
  type Sample,
  textTable,
  whereLine,
  writeResults,
} from "./report.ts";
import { filterCostTable, filterGroups, roundsForFile } from "./filter-costs.ts";
import { type GroupRounds, playGroups, roundsByTarget } from "./filter-rounds.ts";
import {
  again,
  allTargets,
  buildHeadgate,
  findBinary,
  nativeTargets,
  type Setup,
  type TargetSpec,
  upstreamCommand,
} from "./target.ts";
import { runSdks } from "./sdks/run.ts";
import { type LoadReport, takeSample } from "./sample.ts";
import { runWrk } from "./wrk.ts";

const USAGE = `node bench/run.ts [--quick] [--filters | --native | --sdks | --bodies] [--targets PATTERN] [--cases s64,b64,...] [--rounds 7]
    [--seconds 2] [--copies 3] [--free] [--filter sdk|bare] [--markdown] [--list]

  --quick     3 rounds of 1 second, cases s64 and b64
  --filters   filters of both sides, 27 rounds of s64, 0.2 s a play, and what each filter costs
  --copies    processes of each target of --filters and --native, in turns by rounds (3)
  --native    our filters beside Envoy's native ones of the same configuration, as --filters
  --free      all processes on all processors; else those of --filters, --native, --sdks, --bodies are apart
  --sdks      three filters in AssemblyScript, Rust, Go and C; with --markdown into the SDK's page
  --bodies    guests that read and change bodies, by size; --cases 1k,4k,16k,64k,256k,1m, --targets guests
  --targets   regular expression over the names of targets (see --list)
  --filter    the wasm filter: through the SDK (default), or on the bare ABI
  --markdown  print the tables as Markdown
  --cases     any of:${CASE_FORMS}`;

const CASES = ["s1", "s64", "s1000", "b1", "b64", "b1000"] as const;
/** Of these the first that runs is measured twice. */
const TWICE = ["headgate", "nginx", "floor"] as const;
const SKIP_LINES_MAX = 6;
/** A worker of nginx may run as another user and must read the file that the upstream serves. */
const FOLDER_MODE = 0o755;
/** V8 compiles what is hot meanwhile: after one second the first round cost up to twice as much. */
const WARM_SECONDS = 4;
/** Where microseconds count: so many requests, in at most so many times WARM_SECONDS. */
const WARM_REQUESTS = 80_000;
const WARM_PLAYS_MAX = 3;
/** Of wrk, and of looking at what was used, a play. */
const START_SECONDS = 0.1;
const QUICK_CASES = ["s64", "b64"] as const;
const FILTER_CASES = ["s64"] as const;
const FILTER_ROUNDS = 27;
const FILTER_COPIES = 3;
const SDK_ROUNDS = 9;
/** The machine's speed changes by the second: the shorter, the more alike. */
const FILTER_SECONDS = 0.2;
const OTHER_SECONDS = 0.3;
const FILTER_TARGETS = /^(headgate|envoy)( \d (wasm|native).*)?$/;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  /** Processes of each target. */
  readonly copies: number;
  readonly cases: readonly BenchCase[];
  readonly targets: RegExp;
  readonly filter: FilterKind;
  /** What each filter costs is told, too. */
  readonly isFilters: boolean;
  /** Only our own filters and Envoy's native ones. */
  readonly isNative: boolean;
  /** Nobody is bound to a processor. */
  readonly isFree: boolean;
  /** Not this bench at all, but sdks/run.ts. */
  readonly isSdks: boolean;
  /** Nor this, but bodies/run.ts. */
  readonly isBodies: boolean;
  readonly bodySizes: readonly string[] | undefined;
  readonly isQuick: boolean;
  readonly isMarkdown: boolean;
  readonly isList: boolean;
}

interface Running extends Started {
  readonly spec: TargetSpec;
  readonly setup: Setup;
}

/** Processes of one target, of which there is always the first. */
type Copies = readonly [Running, ...Running[]];

/** The clients that make the load. */
interface Clients {
  /** Its command, with what binds it to a processor. */
  readonly wrk: readonly string[];
  /** Header lines of each request. */
  readonly headers: readonly string[];
  /** Undefined where there is none: cases of handshakes are skipped then. */
  readonly openssl: string | undefined;
}

function fail(message: string, code = 2): never {
  console.log(message);
  process.exit(code);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      filters: { type: "boolean", default: false },
      native: { type: "boolean", default: false },
      sdks: { type: "boolean", default: false },
      bodies: { type: "boolean", default: false },
      targets: { type: "string" },
      cases: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      copies: { type: "string" },
      filter: { type: "string", default: "sdk" },
      free: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) fail(USAGE, 0);
  const isFilters = values.filters || values.native;
  const usual = isFilters ? FILTER_CASES : values.quick ? QUICK_CASES : CASES;
  const asked = values.cases?.split(",");
  const ids = values.bodies ? [] : (asked ?? usual);
  const cases = ids.map((id) => parseCase(id) ?? fail(`not a case: ${id}\n\n${USAGE}`));
  const filter = FILTER_KINDS.find((kind) => kind === values.filter);
  const isOther = values.sdks || values.bodies;
  const isShort = isFilters || isOther;
  const usualSeconds = isFilters ? FILTER_SECONDS : isOther ? OTHER_SECONDS : values.quick ? 1 : 2;
  const usualRounds = isFilters ? FILTER_ROUNDS : values.quick ? 3 : isOther ? SDK_ROUNDS : 7;
  return {
    rounds: positive(values.rounds, usualRounds),
    seconds: positive(values.seconds, usualSeconds),
    copies: isFilters ? positive(values.copies, FILTER_COPIES) : 1,
    cases,
    targets:
      values.targets === undefined && values.filters
        ? FILTER_TARGETS
        : new RegExp(values.targets ?? "."),
    filter: filter ?? fail(`not a filter: ${values.filter}`),
    isFilters,
    isNative: values.native,
    isFree: values.free || !isShort,
    isSdks: values.sdks,
    isBodies: values.bodies,
    bodySizes: asked,
    isQuick: values.quick,
    isMarkdown: values.markdown,
    isList: values.list,
  };
}

function positive(text: string | undefined, standard: number): number {
  const value = text === undefined ? standard : Number(text);
  return value > 0 ? value : fail(`not a number above 0: ${text}`);
}

/** Those that were asked for and found. */
function chosenTargets(options: Options): TargetSpec[] {
  const all = options.isNative ? nativeTargets() : allTargets();
  const chosen = all.filter((spec) => options.targets.test(spec.name));
  for (const spec of chosen) {
    if (spec.binary === undefined) console.log(`SKIPPED ${spec.name}: not found (${spec.hint})`);
  }
  return chosen.filter((spec) => spec.binary !== undefined);
}

/** What all targets are started with. */
type Common = Pick<Setup, "upstreamPort" | "folder" | "module" | "protocols" | "certificates">;

/** Starts a target; one that does not start is skipped with its own words. */
async function startOne(
  spec: TargetSpec,
  common: Common,
  binding: Binding,
): Promise<Running | undefined> {
  const folder = mkdtempSync(join(common.folder, spec.name.replace(/\W+/g, "-")));
  chmodSync(folder, FOLDER_MODE);
  const ports = { http: await freePort(), tls: await freePort(), tcp: await freePort() };
  const setup = { ...common, ports, adminPort: await freePort(), folder };
  try {
    return {
      ...(await start([...binding.target, ...spec.command(setup)], ports.http)),
      spec,
      setup,
    };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    console.log(`SKIPPED ${spec.name}: ${text.split("\n").slice(0, SKIP_LINES_MAX).join("\n  ")}`);
    return undefined;
  }
}

/** Starts all, and one of them a second time: the A/A line. */
async function startAll(
  specs: readonly TargetSpec[],
  common: Common,
  binding: Binding,
): Promise<Running[]> {
  const running: Running[] = [];
  for (const spec of specs) {
    const one = await startOne(spec, common, binding);
    if (one !== undefined) running.push(one);
  }
  const twice = TWICE.flatMap((name) => running.filter((one) => one.spec.name === name))[0];
  const second = twice && (await startOne(again(twice.spec), common, binding));
  return second === undefined ? running : [...running, second];
}

/** `count` processes of each target, with what runs already. */
async function startCopies(
  running: readonly Running[],
  count: number,
  common: Common,
  binding: Binding,
): Promise<Copies[]> {
  const all: Copies[] = [];
  for (const first of running) {
    const copies: [Running, ...Running[]] = [first];
    for (let more = 1; more < count; more += 1) {
      const one = await startOne(first.spec, common, binding);
      if (one !== undefined) copies.push(one);
    }
    all.push(copies);
  }
  return all;
}

/** One run of one client; undefined when it failed, which is said. */
async function measure(
  clients: Clients,
  target: Running,
  one: BenchCase,
  seconds: number,
): Promise<Sample | undefined> {
  try {
    const port = target.setup.ports[one.protocol];
    return await takeSample(target.pid, () => load(clients, port, one, seconds));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    console.log(`${one.id} ${target.spec.name}: ${text}`);
    return undefined;
  }
}

async function load(
  { wrk, headers, openssl }: Clients,
  port: number,
  one: BenchCase,
  seconds: number,
): Promise<LoadReport> {
  if (one.kind === "requests") {
    const scheme = one.protocol === "tls" ? "https" : "http";
    const url = `${scheme}://127.0.0.1:${port}/${one.size}`;
    return runWrk(wrk, url, one.connections, seconds, headers);
  }
  const { handshakes, perSecond } = await runHandshakes(openssl ?? "", port, one, seconds);
  const unknown = { p50Us: Number.NaN, p99Us: Number.NaN, errors: 0 };
  return { requests: handshakes, requestsPerSecond: perSecond, ...unknown };
}

/** All rounds of a case: each round plays every target once, and each begins with another one. */
async function runCase(
  clients: Clients,
  targets: readonly Running[],
  one: BenchCase,
  options: Options,
): Promise<Record<string, (Sample | undefined)[]>> {
  const byTarget: Record<string, (Sample | undefined)[]> = {};
  for (const target of targets) byTarget[target.spec.name] = [];
  for (const target of targets) await measure(clients, target, one, WARM_SECONDS);
  for (let round = 0; round < options.rounds; round += 1) {
    for (let at = 0; at < targets.length; at += 1) {
      const target = targets[(at + round) % targets.length];
      if (target === undefined) continue;
      const sample = await measure(clients, target, one, options.seconds);
      byTarget[target.spec.name]?.push(sample);
    }
  }
  return byTarget;
}

/** On a busy machine four seconds are few requests, and V8 counts those. */
async function warm(clients: Clients, target: Running, one: BenchCase): Promise<void> {
  let requests = 0;
  for (let play = 0; play < WARM_PLAYS_MAX && requests < WARM_REQUESTS; play += 1) {
    const sample = await measure(clients, target, one, WARM_SECONDS);
    requests += (sample?.requestsPerSecond ?? 0) * WARM_SECONDS;
  }
}

/** A case of --filters and --native: see filter-rounds.ts. */
async function runGroups(
  clients: Clients,
  targets: readonly Copies[],
  one: BenchCase,
  options: Options,
): Promise<GroupRounds> {
  const byName = new Map(targets.map((copies) => [copies[0].spec.name, copies]));
  const groups = filterGroups(new Set(byName.keys()));
  for (const target of targets.flat()) await warm(clients, target, one);
  return playGroups(groups, options.rounds, (name, round) => {
    const copies = byName.get(name) as Copies;
    const target = copies[round % copies.length] ?? copies[0];
    return measure(clients, target, one, options.seconds);
  });
}

async function measureAll(found: Clients, options: Options, folder: string): Promise<void> {
  const specs = chosenTargets(options);
  if (specs.length === 0) fail("no target was found");
  const module = await buildFilter(options.filter);
  await buildNativeFilters();
  const protocols = new Set(options.cases.map((one) => one.protocol));
  const certificates = protocols.has("tls") ? await makeCertificates(folder) : undefined;
  const upstreamPort = await freePort();
  const binding = bindingOf(options.isFree);
  const command = [...binding.client, ...upstreamCommand(upstreamPort, folder)];
  const upstream = await start(command, upstreamPort);
  const common = { upstreamPort, folder, module, protocols, certificates };
  const targets = await startAll(specs, common, binding);
  const copies = await startCopies(targets, options.copies, common, binding);
  const clients = { ...found, wrk: [...binding.client, ...found.wrk] };
  const playsOf = (one: BenchCase): Running[] =>
    targets.filter(({ spec }) => spec.protocols.includes(one.protocol));
  const names = new Set(targets.map(({ spec }) => spec.name));
  const inGroups = filterGroups(names).reduce((sum, group) => sum + group.targets.length * 2, 0);
  const plays = options.cases.reduce(
    (sum, one) => sum + (options.isFilters ? inGroups : playsOf(one).length),
    0,
  );
  const warmed = options.isFilters ? copies.flat().length : plays;
  const warmSeconds = warmed * (WARM_SECONDS + START_SECONDS);
  const roundSeconds = plays * (options.seconds + START_SECONDS);
  const minutes = (warmSeconds + options.rounds * roundSeconds) / 60;
  console.log(
    `${targets.length} targets, ${plays * options.rounds} runs, about ${minutes.toFixed(1)} minutes`,
  );
  const results: Record<string, Results[string]> = {};
  const groupRounds: Record<string, unknown> = {};
  for (const one of options.cases) {
    const targetsOfCase = playsOf(one);
    const copiesOfCase = copies.filter(([first]) => targetsOfCase.includes(first));
    const groups = options.isFilters
      ? await runGroups(clients, copiesOfCase, one, options)
      : undefined;
    results[one.id] =
      groups === undefined
        ? await runCase(clients, targetsOfCase, one, options)
        : roundsByTarget(groups);
    const rows = rowsOf(results[one.id] ?? {});
    const table = options.isMarkdown ? markdownTable(rows) : textTable(rows);
    console.log(`\n${describeCase(one)}, load average ${loadAverage()}\n\n${table}`);
    if (groups === undefined) continue;
    groupRounds[one.id] = roundsForFile(groups);
    console.log(`\n${filterCostTable(groups, options.copies)}`);
  }
  if (options.isMarkdown) console.log(`\n${whereLine()}`);
  const { rounds, seconds, copies: processes, filter } = options;
  const facts = { rounds, seconds, copies: processes, filter, groups: groupRounds };
  console.log(`\nwritten: ${writeResults(results, facts)}`);
  for (const one of [...copies.flat(), upstream]) await one.stop();
}

const options = readOptions();
buildHeadgate();
if (options.isSdks) {
  await runSdks(options);
} else if (options.isBodies) {
  await runBodies({ ...options, sizes: options.bodySizes, guests: options.targets });
} else if (options.isList) {
  for (const { name, binary } of allTargets()) console.log(`${name}: ${binary ?? "not found"}`);
} else {
  const wrk = findBinary("WRK_BIN", "wrk");
  if (wrk === undefined) fail("SKIPPED: no wrk (apt-get install wrk, or WRK_BIN)");
  const openssl = findBinary("OPENSSL_BIN", "openssl");
  if (openssl === undefined && options.cases.some((one) => one.kind === "handshakes")) {
    fail("SKIPPED: no openssl (apt-get install openssl, or OPENSSL_BIN)");
  }
  const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));
  chmodSync(folder, FOLDER_MODE);
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const headers = options.isNative ? NATIVE_HEADERS : [];
  await measureAll({ wrk: [wrk], headers, openssl }, options, folder);
}
