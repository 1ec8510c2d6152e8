// Plays every case against Headgate and compares with what the real Envoy answered (golden/).
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONFIG_CASES, GROUPS } from "./cases/index.ts";
import { type Difference, diffCase, formatDifference } from "./diff.ts";
import { readConfigGolden, readGolden } from "./golden.ts";
import { judge, parseKnownDifferences } from "./known-differences.ts";
import { type GroupRun, runConfigCase, runGroup } from "./run-group.ts";
import { findHeadgate, REPOSITORY, type TargetSpec } from "./target.ts";

const GROUP_MS_MAX = 120_000;
/** Groups that run at the same time; they mostly wait. */
const LANES = 3;

const headgate: TargetSpec | undefined = findHeadgate();
const spec: TargetSpec = headgate ?? { kind: "headgate", binary: "" };
const groups = headgate === undefined ? [] : GROUPS;
const configCases = headgate === undefined ? [] : CONFIG_CASES;
if (headgate === undefined) {
  console.warn("SKIPPED: no runtime/bin/headgate, nothing is compared with Envoy");
}

const page = readFileSync(join(REPOSITORY, "conformance/KNOWN_DIFFERENCES.md"), "utf8");
const known = parseKnownDifferences(page);
const differences: Difference[] = [];
const ran: string[] = [];

/** Starts all groups, a few at a time; each test waits for its own. */
function startGroups(): Map<string, Promise<GroupRun>> {
  const runs = new Map<string, Promise<GroupRun>>();
  const lanes: Promise<unknown>[] = Array.from({ length: LANES }, () => Promise.resolve());
  for (const [at, group] of groups.entries()) {
    const expected = readGolden(group.id)?.cases;
    const before = lanes[at % LANES] ?? Promise.resolve();
    const run = before.then(() => runGroup(group, { spec, expected }));
    lanes[at % LANES] = run;
    runs.set(group.id, run);
  }
  return runs;
}

/** The differences of a case that the page does not list, for people. */
function unlisted(caseId: string, found: readonly Difference[]): string {
  differences.push(...found);
  ran.push(caseId);
  return judge(known, found, []).unlisted.map(formatDifference).join("\n");
}

/** Starts all configuration cases, one after the other, while groups mostly wait. */
function startConfigCases(): Map<string, ReturnType<typeof runConfigCase>> {
  const started = new Map<string, ReturnType<typeof runConfigCase>>();
  let before: Promise<unknown> = Promise.resolve();
  for (const one of configCases) {
    const run = before.then(() => runConfigCase(one, spec));
    // Its own test says what went wrong.
    before = run.catch(() => {});
    started.set(one.id, run);
  }
  return started;
}

const runs = startGroups();
const configRuns = startConfigCases();
afterAll(() => Promise.allSettled([...runs.values(), ...configRuns.values()]), GROUP_MS_MAX);

test.skipIf(headgate === undefined)("runtime/bin/headgate is there to be compared", () => {
  expect(existsSync(spec.binary)).toBe(true);
});

for (const group of groups) {
  describe(`${group.id}: ${group.title}`, () => {
    let run: GroupRun = { results: {}, failure: "not started" };
    beforeAll(async () => {
      run = (await runs.get(group.id)) ?? run;
    }, GROUP_MS_MAX * GROUPS.length);

    test("starts with the configuration of the group", () => {
      expect("failure" in run ? run.failure : "").toBe("");
    });

    for (const one of group.cases) {
      test(`${one.id}: ${one.title}`, () => {
        const actual = run.results[one.id];
        const expected = readGolden(group.id)?.cases[one.id];
        if (actual === undefined) throw new Error("the case did not run");
        if (expected === undefined) throw new Error("the case has no golden");
        expect(unlisted(one.id, diffCase(one.id, expected, actual))).toBe("");
      });
    }
  });
}

for (const one of configCases) {
  test(`${one.id}: ${one.title}`, async () => {
    const expected = readConfigGolden()?.cases[one.id];
    const actual = await configRuns.get(one.id);
    if (actual === undefined) throw new Error("the case did not run");
    const found: Difference[] = [];
    if (expected?.isAccepted !== actual.isAccepted) {
      found.push({
        caseId: one.id,
        aspect: "config",
        where: one.title,
        expected: expected?.isAccepted === true ? "accepted" : `refused: ${expected?.said}`,
        actual: `${actual.isAccepted ? "accepted" : "refused"}: ${actual.output}`,
      });
    }
    expect(unlisted(one.id, found)).toBe("");
  });
}

test("KNOWN_DIFFERENCES.md lists nothing that has healed", () => {
  expect(judge(known, differences, ran).healed).toEqual([]);
});
