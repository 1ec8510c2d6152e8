// Plays the cases of one part against Headgate and compares with what the real Envoy answered (golden/).
// Called by differential-1.test.ts and its like: parts.ts says why.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ConfigCase, Group } from "./case.ts";
import { CONFIG_CASES, GROUPS } from "./cases/index.ts";
import { type Difference, diffCase, formatDifference } from "./diff.ts";
import { readConfigGolden, readGolden } from "./golden.ts";
import { isListed, judge, parseKnownDifferences } from "./known-differences.ts";
import { type Deal, dealt } from "./parts.ts";
import { type GroupRun, runConfigCase, runGroup } from "./run-group.ts";
import { findHeadgate, OWN_LAUNCHER, REPOSITORY, type TargetSpec, validate } from "./target.ts";
import { Validator } from "./validator.ts";

const GROUP_MS_MAX = 120_000;
/** Groups of a part that run at the same time; they mostly wait. */
const LANES = 2;

const page = readFileSync(join(REPOSITORY, "conformance/KNOWN_DIFFERENCES.md"), "utf8");
const known = parseKnownDifferences(page);

function mayDiffer(caseId: string, aspect: "fate" | "log" | "guests"): boolean {
  return isListed(known, { caseId, aspect });
}

interface GroupDeal extends Deal {
  /** undefined = the configuration cases. */
  readonly group?: Group;
}

const deals: readonly GroupDeal[] = [
  ...GROUPS.map((group) => ({ id: group.id, cases: group.cases, group })),
  { id: "configurations", cases: CONFIG_CASES },
];

/** Of each part. */
export const parts: readonly (readonly GroupDeal[])[] = dealt(
  deals,
  known.flatMap((row) => row.cases),
);

/** Declares the tests of a part, from 1 on. */
export function compareWithEnvoy(number: number): void {
  const part = parts[number - 1];
  if (part === undefined) throw new Error(`there is no part ${number}`);
  const headgate = findHeadgate();
  test("runtime/bin/headgate is there to be compared", () => {
    expect(headgate?.binary).toBeDefined();
  });
  if (headgate !== undefined) new Comparison(headgate, part).declare();
}

class Comparison {
  readonly #spec: TargetSpec;
  readonly #groups: readonly Group[];
  readonly #configCases: readonly ConfigCase[];
  readonly #differences: Difference[];
  readonly #ran: string[];
  readonly #validator: Validator;

  constructor(spec: TargetSpec, part: readonly GroupDeal[]) {
    this.#spec = spec;
    this.#groups = part.flatMap(({ group }) => group ?? []);
    this.#configCases = part.some(({ group }) => group === undefined) ? CONFIG_CASES : [];
    this.#differences = [];
    this.#ran = [];
    this.#validator = new Validator();
  }

  declare(): void {
    const runs = this.#startGroups();
    const configRuns = this.#startConfigCases();
    afterAll(async () => {
      await Promise.allSettled([...runs.values(), ...configRuns.values()]);
      this.#validator.stop();
    }, GROUP_MS_MAX);
    for (const group of this.#groups) {
      describe(`${group.id}: ${group.title}`, () => {
        this.#declareGroup(group, runs);
      });
    }
    for (const one of this.#configCases) {
      test(`${one.id}: ${one.title}`, async () => {
        const actual = await configRuns.get(one.id);
        if (actual === undefined) throw new Error("the case did not run");
        expect(this.#unlisted(one.id, configDifference(one, actual))).toBe("");
      });
    }
    test("KNOWN_DIFFERENCES.md lists nothing that has healed", () => {
      expect(judge(known, this.#differences, this.#ran).healed).toEqual([]);
    });
  }

  #declareGroup(group: Group, runs: ReadonlyMap<string, Promise<GroupRun>>): void {
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
        expect(this.#unlisted(one.id, diffCase(one.id, expected, actual))).toBe("");
      });
    }
  }

  /** Starts all groups, a few at a time; each test waits for its own. */
  #startGroups(): Map<string, Promise<GroupRun>> {
    const runs = new Map<string, Promise<GroupRun>>();
    const lanes: Promise<unknown>[] = Array.from({ length: LANES }, () => Promise.resolve());
    for (const [at, group] of this.#groups.entries()) {
      const expected = readGolden(group.id)?.cases;
      const before = lanes[at % LANES] ?? Promise.resolve();
      const run = before.then(() => runGroup(group, { spec: this.#spec, expected, mayDiffer }));
      lanes[at % LANES] = run;
      runs.set(group.id, run);
    }
    return runs;
  }

  /** Starts all configuration cases, one after the other, while groups mostly wait. */
  #startConfigCases(): Map<string, ReturnType<typeof runConfigCase>> {
    const started = new Map<string, ReturnType<typeof runConfigCase>>();
    const isOwn = this.#spec.binary === OWN_LAUNCHER;
    const ask = isOwn ? (file: string) => this.#validator.validate(file) : validate(this.#spec);
    let before: Promise<unknown> = Promise.resolve();
    for (const one of this.#configCases) {
      const run = before.then(() => runConfigCase(one, ask));
      // Its own test says what went wrong.
      before = run.catch(() => {});
      started.set(one.id, run);
    }
    return started;
  }

  /** The differences of a case that the page does not list, for people. */
  #unlisted(caseId: string, found: readonly Difference[]): string {
    this.#differences.push(...found);
    this.#ran.push(caseId);
    return judge(known, found, []).unlisted.map(formatDifference).join("\n");
  }
}

function configDifference(
  one: ConfigCase,
  actual: Awaited<ReturnType<typeof runConfigCase>>,
): Difference[] {
  const expected = readConfigGolden()?.cases[one.id];
  if (expected?.isAccepted === actual.isAccepted) return [];
  return [
    {
      caseId: one.id,
      aspect: "config",
      where: one.title,
      expected: expected?.isAccepted === true ? "accepted" : `refused: ${expected?.said}`,
      actual: `${actual.isAccepted ? "accepted" : "refused"}: ${actual.output}`,
    },
  ];
}
