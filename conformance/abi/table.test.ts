// The proxy-wasm ABI row by row: the suite's cases in memory. Each hostcall and each callback of the tables
// in `abi/`, in each version that has it, under its own name.
import { abiVersions, callbacks, existsIn, hostcalls } from "proxy-wasm-types";
import { describe, expect, test } from "vitest";
import { allCases } from "./all-cases.ts";
import { CANNOT, playHere } from "./in-process.ts";
import { judge } from "./judge.ts";

const cases = allCases();

test("every row of the tables has a case in every version, and names are unique", () => {
  const missing: string[] = [];
  for (const { version } of abiVersions) {
    for (const row of [...hostcalls, ...callbacks]) {
      const has = cases.some((one) => one.version === version && one.row === row.name);
      if (existsIn(row, version) && !has) missing.push(`${version} ${row.name}`);
    }
  }
  expect(missing).toEqual([]);
  expect(new Set(cases.map((one) => one.id)).size).toBe(cases.length);
});

test("a verdict that follows Envoy has nothing to say against it", () => {
  const odd = cases.filter((one) => one.verdict === "envoy" && one.scene.envoy !== undefined);
  expect(odd.map((one) => one.id)).toEqual([]);
});

describe.each(abiVersions.map((facts) => facts.version))("%s", (version) => {
  const here = cases.filter((one) => one.version === version);
  const playable = here.filter((one) => !one.needs.some((need) => CANNOT.has(need)));
  test.each(playable)("$row: $scene.what", async (one) => {
    expect(judge(one, await playHere(one))).toEqual([]);
  });
});
