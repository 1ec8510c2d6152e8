// `npm run compare`: plays all cases through live proxies and shows every difference.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Group } from "./case.ts";
import { CONFIG_CASES, GROUPS } from "./cases/index.ts";
import { type Difference, diffCase, formatDifference } from "./diff.ts";
import { readConfigGolden, readGolden, writeConfigGolden, writeGolden } from "./golden.ts";
import { judge, parseKnownDifferences } from "./known-differences.ts";
import type { CaseResult, GroupResult } from "./result.ts";
import { runConfigCase, runGroup } from "./run-group.ts";
import {
  findEnvoy,
  findHeadgate,
  REPOSITORY,
  type TargetSpec,
  validate,
  versionOf,
} from "./target.ts";

const USAGE = `node conformance/envoy/compare.ts [--record] [--only PATTERN] [--group PATTERN]
    [--target headgate|envoy] [--golden] [--verbose] [--list] [--print-config]

  --record        play each case twice through the real Envoy and write golden/*.json
  --only          regular expression over case ids
  --group         regular expression over group ids
  --target        what is looked at: headgate (default), or envoy against its own golden
  --golden        compare with the golden even when an Envoy is found
  --verbose       print the results, too
  --list          print the cases and end
  --print-config  print the configuration of each group before it is started`;

/** Groups that are recorded at the same time. */
const LANES = 3;

interface Options {
  readonly record: boolean;
  readonly only: RegExp | undefined;
  readonly group: RegExp | undefined;
  readonly target: string;
  readonly golden: boolean;
  readonly verbose: boolean;
  readonly list: boolean;
  readonly printConfig: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      record: { type: "boolean", default: false },
      only: { type: "string" },
      group: { type: "string" },
      target: { type: "string", default: "headgate" },
      golden: { type: "boolean", default: false },
      verbose: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      "print-config": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) fail(USAGE, 0);
  return {
    record: values.record,
    only: values.only === undefined ? undefined : new RegExp(values.only),
    group: values.group === undefined ? undefined : new RegExp(values.group),
    target: values.target,
    golden: values.golden,
    verbose: values.verbose,
    list: values.list,
    printConfig: values["print-config"],
  };
}

function fail(message: string, code = 2): never {
  console.log(message);
  process.exit(code);
}

function must(spec: TargetSpec | undefined, name: string): TargetSpec {
  return spec ?? fail(`no ${name} found: set ${name.toUpperCase()}_BIN (see envoy/README.md)`);
}

function isNamed(options: Options, caseId: string): boolean {
  return options.only?.test(caseId) ?? true;
}

function isWanted(options: Options, group: Group): boolean {
  const isGroupNamed = options.group?.test(group.id) ?? true;
  return isGroupNamed && group.cases.some((one) => isNamed(options, one.id));
}

async function play(
  group: Group,
  spec: TargetSpec,
  options: Options,
  expected?: GroupResult,
): Promise<GroupResult> {
  const run = await runGroup(group, {
    spec,
    expected,
    only: options.only,
    onConfig: (text) => {
      if (options.printConfig) console.log(`# ${group.id}\n${text}`);
    },
  });
  if ("failure" in run) {
    console.log(`${group.id}: ${spec.kind}: ${run.failure}`);
    process.exitCode = 1;
  }
  return run.results;
}

/** Plays a group twice and keeps what was the same; says what was not. */
async function record(group: Group, envoy: TargetSpec, options: Options): Promise<void> {
  const first = await play(group, envoy, options);
  const second = await play(group, envoy, options);
  const golden: Record<string, CaseResult> = { ...readGolden(group.id)?.cases };
  for (const id of Object.keys(golden)) {
    if (!group.cases.some((one) => one.id === id)) delete golden[id];
  }
  for (const [id, result] of Object.entries(first)) {
    const again = second[id];
    const unstable = again === undefined ? [] : diffCase(id, result, again);
    for (const one of unstable) console.log(`UNSTABLE ${formatDifference(one)}`);
    if (unstable.length > 0) process.exitCode = 1;
    if (again !== undefined) golden[id] = result;
  }
  const sorted = group.cases.flatMap(({ id }) => (golden[id] ? [[id, golden[id]] as const] : []));
  writeGolden(group.id, { envoy: versionOf(envoy), cases: Object.fromEntries(sorted) });
  console.log(`${group.id}: recorded ${Object.keys(first).length} of ${group.cases.length}`);
}

/** Envoy's own words behind the place in its source, on one line. */
function reasonOf(output: string): string {
  const found = /\[critical\]\[main\] \[[^\]]*\] ([\s\S]*?)\n(?=\[|$)/.exec(`${output}\n`)?.[1];
  const said = (found ?? output)
    .replace(/^error initializing configuration '[^']*': /, "")
    .replace(/ initializing config '[^']*'[\s\S]*/, "");
  return said.replace(/\s+/g, " ").trim().slice(0, 300);
}

/** Answers of cases that are not asked for, or gone, stay as they are, or go. */
async function recordConfig(envoy: TargetSpec, options: Options): Promise<void> {
  const before = readConfigGolden()?.cases ?? {};
  const cases: Record<string, { isAccepted: boolean; said: string }> = {};
  let count = 0;
  for (const one of CONFIG_CASES) {
    const known = before[one.id];
    if (isNamed(options, one.id)) {
      const { isAccepted, output } = await runConfigCase(one, validate(envoy));
      cases[one.id] = { isAccepted, said: isAccepted ? "" : reasonOf(output) };
      count += 1;
    } else if (known !== undefined) cases[one.id] = known;
  }
  if (count === 0) return;
  writeConfigGolden({ envoy: versionOf(envoy), cases });
  console.log(`config: recorded ${count} of ${CONFIG_CASES.length}`);
}

async function compareConfig(
  actual: TargetSpec,
  live: TargetSpec | undefined,
  options: Options,
  ran: string[],
): Promise<Difference[]> {
  const golden = readConfigGolden()?.cases ?? {};
  const differences: Difference[] = [];
  for (const one of CONFIG_CASES) {
    if (!isNamed(options, one.id)) continue;
    ran.push(one.id);
    const expected = live === undefined ? golden[one.id] : await runConfigCase(one, validate(live));
    const found = await runConfigCase(one, validate(actual));
    if (expected === undefined || expected.isAccepted === found.isAccepted) continue;
    differences.push({
      caseId: one.id,
      aspect: "config",
      where: one.title,
      expected: expected.isAccepted ? "accepted" : "refused",
      actual: `${found.isAccepted ? "accepted" : "refused"}\n${found.output.slice(0, 1000)}`,
    });
  }
  return differences;
}

async function compare(
  actual: TargetSpec,
  live: TargetSpec | undefined,
  options: Options,
): Promise<void> {
  const differences: Difference[] = [];
  const ran: string[] = [];
  const groups = GROUPS.filter((one) => isWanted(options, one));
  await inParallel(groups, async (group) => {
    const golden = readGolden(group.id)?.cases ?? {};
    const expected = live === undefined ? golden : await play(group, live, options, golden);
    const found = await play(group, actual, options, expected);
    for (const [id, result] of Object.entries(found)) {
      const wanted = expected[id];
      ran.push(id);
      if (options.verbose) console.log(`${id} ${JSON.stringify(result, null, 1)}`);
      if (wanted === undefined) console.log(`${id}: no golden`);
      else differences.push(...diffCase(id, wanted, result));
    }
    console.log(`${group.id}: played ${Object.keys(found).length}`);
  });
  if (options.group === undefined || options.group.test("config")) {
    differences.push(...(await compareConfig(actual, live, options, ran)));
  }
  report(actual, differences, ran);
}

function report(actual: TargetSpec, differences: readonly Difference[], ran: string[]): void {
  const page = readFileSync(join(REPOSITORY, "conformance/KNOWN_DIFFERENCES.md"), "utf8");
  const known = actual.kind === "headgate" ? parseKnownDifferences(page) : [];
  const { unlisted, healed } = judge(known, differences, ran);
  for (const one of unlisted) console.log(formatDifference(one));
  for (const one of healed) console.log(one);
  const listed = differences.length - unlisted.length;
  const cases = new Set(unlisted.map((one) => one.caseId)).size;
  console.log(
    `${ran.length} cases; ${unlisted.length} unlisted differences in ${cases} cases, ` +
      `${listed} listed, ${healed.length} healed`,
  );
  if (unlisted.length > 0 || healed.length > 0) process.exitCode = 1;
}

/** Groups mostly wait: a few at a time cost no more than one. */
async function inParallel(
  groups: readonly Group[],
  run: (group: Group) => Promise<void>,
): Promise<void> {
  const left = [...groups];
  const lane = async (): Promise<void> => {
    for (let group = left.shift(); group !== undefined; group = left.shift()) await run(group);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options.list) {
    for (const group of GROUPS) {
      for (const one of group.cases) console.log(`${group.id}  ${one.id}  ${one.title}`);
    }
    for (const one of CONFIG_CASES) console.log(`config  ${one.id}  ${one.title}`);
    return;
  }
  if (options.record) {
    const envoy = must(findEnvoy(), "envoy");
    const groups = GROUPS.filter((one) => isWanted(options, one));
    await inParallel(groups, (group) => record(group, envoy, options));
    if (options.group === undefined || options.group.test("config"))
      await recordConfig(envoy, options);
    spawnSync("biome", ["format", "--write", join(REPOSITORY, "conformance/envoy/golden")]);
    return;
  }
  const envoy = findEnvoy();
  if (options.target === "envoy") await compare(must(envoy, "envoy"), undefined, options);
  else await compare(must(findHeadgate(), "headgate"), options.golden ? undefined : envoy, options);
}

process.once("SIGINT", () => process.exit(130));
await main();
