// Plays every case against Headgate and compares with what the real Envoy answered (golden/).
import { readFileSync } from "node:fs";
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
const LANES = 2;

const headgate = findHeadgate();
const page = readFileSync(join(REPOSITORY, "conformance/KNOWN_DIFFERENCES.md"), "utf8");
const known = parseKnownDifferences(page);

/** Starts all groups, a few at a time; each test waits for its own. */
function startGroups(spec: TargetSpec): Map<string, Promise<GroupRun>> {
  const runs = new Map<string, Promise<GroupRun>>();
  const lanes: Promise<unknown>[] = Array.from({ length: LANES }, () => Promise.resolve());
  for (const [at, group] of GROUPS.entries()) {
    const expected = readGolden(group.id)?.cases;
    const before = lanes[at % LANES] ?? Promise.resolve();
    const run = before.then(() => runGroup(group, { spec, expected }));
    lanes[at % LANES] = run;
    runs.set(group.id, run);
  }
  return runs;
}

function runAll(spec: TargetSpec): void {
  const runs = startGroups(spec);
  const differences: Difference[] = [];
  const ran: string[] = [];

  /** Fails with every difference that the page does not list. */
  function expectListed(found: readonly Difference[]): void {
    const { unlisted } = judge(known, found, []);
    expect(unlisted.map(formatDifference).join("\n")).toBe("");
  }

  for (const group of GROUPS) {
    describe(`${group.id}: ${group.title}`, () => {
      let run: GroupRun | undefined;
      beforeAll(async () => {
        run = await runs.get(group.id);
      }, GROUP_MS_MAX * GROUPS.length);

      test("starts with the configuration of the group", () => {
        expect(run !== undefined && "failure" in run ? run.failure : "").toBe("");
      });

      for (const one of group.cases) {
        test(`${one.id}: ${one.title}`, () => {
          const actual = run?.results[one.id];
          const expected = readGolden(group.id)?.cases[one.id];
          if (actual === undefined || expected === undefined) {
            expect.fail(actual === undefined ? "the case did not run" : "no golden");
          }
          const found = diffCase(one.id, expected, actual);
          differences.push(...found);
          ran.push(one.id);
          expectListed(found);
        });
      }
    });
  }

  describe("configurations", () => {
    for (const one of CONFIG_CASES) {
      test(`${one.id}: ${one.title}`, async () => {
        const expected = readConfigGolden()?.cases[one.id];
        const actual = await runConfigCase(one, spec);
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
        differences.push(...found);
        ran.push(one.id);
        expectListed(found);
      });
    }
  });

  test("KNOWN_DIFFERENCES.md lists nothing that has healed", () => {
    expect(judge(known, differences, ran).healed).toEqual([]);
  });

  afterAll(() => Promise.allSettled(runs.values()), GROUP_MS_MAX);
}

if (headgate === undefined) {
  const why = "runtime/bin/headgate is not there: nothing was compared with Envoy";
  console.warn(`SKIPPED conformance/envoy: ${why}`);
  test.skip(why, () => undefined);
} else {
  runAll(headgate);
}
