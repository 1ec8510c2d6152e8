// Checks that cases, goldens and KNOWN_DIFFERENCES.md fit together; needs no proxy.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CONFIG_CASES, GROUPS } from "./cases/index.ts";
import { readConfigGolden, readGolden } from "./golden.ts";
import { matchesName, parseKnownDifferences } from "./known-differences.ts";
import { REPOSITORY } from "./target.ts";

const ENVOY = "1.40.0";
const ids = [...GROUPS.flatMap((group) => group.cases), ...CONFIG_CASES].map((one) => one.id);

describe("cases and goldens", () => {
  test("every id is used once", () => {
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  test("every id is kebab-case", () => {
    expect(ids.filter((id) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id))).toEqual([]);
  });

  for (const group of GROUPS) {
    test(`golden/${group.id}.json has all cases of its group and no others`, () => {
      const golden = readGolden(group.id);
      expect(golden?.envoy).toBe(ENVOY);
      expect(Object.keys(golden?.cases ?? {})).toEqual(group.cases.map((one) => one.id));
    });
  }

  test("golden/config.json has all configuration cases", () => {
    const golden = readConfigGolden();
    expect(golden?.envoy).toBe(ENVOY);
    expect(Object.keys(golden?.cases ?? {})).toEqual(CONFIG_CASES.map((one) => one.id));
  });

  test("each filter that a group builds is played: of the SDK all guests, templates, examples", () => {
    const built = GROUPS.flatMap(({ id, modules }) => (modules === undefined ? [] : [id]));
    expect(built).toEqual(["sdk-guests", "sdk-filters"]);
    for (const { modules = {}, sites, cases } of GROUPS) {
      const played = new Set(cases.flatMap((one) => one.connections.map(({ site }) => site ?? "")));
      const text = JSON.stringify([...played].map((site) => sites[site]));
      expect(Object.keys(modules).filter((name) => !text.includes(`"$MODULE:${name}"`))).toEqual(
        [],
      );
    }
  });

  test("goldens hold nothing that belongs to one run", () => {
    for (const group of GROUPS) {
      const text = JSON.stringify(readGolden(group.id));
      expect(text).not.toMatch(/127\.0\.0\.1:\d{4}/);
      expect(text).not.toMatch(/headgate-compare-/);
      expect(text).not.toMatch(/service-time: ?\d/);
    }
  });
});

test("each row of KNOWN_DIFFERENCES.md names cases that exist", () => {
  const page = readFileSync(join(REPOSITORY, "conformance/KNOWN_DIFFERENCES.md"), "utf8");
  const rows = parseKnownDifferences(page);
  const patterns = rows.flatMap((row) => row.cases);
  expect(rows.length).toBeGreaterThan(0);
  expect(patterns.filter((pattern) => !ids.some((id) => matchesName(pattern, id)))).toEqual([]);
});
