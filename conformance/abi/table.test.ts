// The proxy-wasm ABI row by row: each hostcall and each callback of the tables in `abi/`, in each version
// that has it, under its own name. No sockets: the filter manager and the VM, on a fake clock.
import { abiVersions, callbacks, existsIn, hostcalls } from "proxy-wasm-types";
import { describe, expect, test } from "vitest";
import { callbackCases } from "./callback-cases.ts";
import { integrationCases } from "./integration-cases.ts";
import {
  breakPointers,
  callEarly,
  callEverywhere,
  callUnknown,
  caseOf,
  cases,
  leaveOut,
  playEvent,
  playScene,
  refuseSignature,
} from "./row-checks.ts";

/** A check that throws nothing. */
async function holds(check: Promise<void>): Promise<boolean> {
  await check;
  return true;
}

test("every row has a case, and every case a row", () => {
  const hostcallNames = hostcalls.map((row) => row.name).toSorted();
  expect(Object.keys(cases).toSorted()).toEqual(hostcallNames);
  const played = [...Object.keys(callbackCases), ...Object.keys(integrationCases)];
  // Callbacks that the table says this host never makes have no event to play.
  const served = callbacks.filter((row) => row.headgate !== "no");
  expect(played.toSorted()).toEqual([...new Set(served.map((row) => row.name))].toSorted());
});

test("a case says nothing twice", () => {
  for (const [name, { scenes }] of Object.entries(cases)) {
    const titles = scenes.map((scene) => scene.what);
    expect([name, new Set(titles).size]).toEqual([name, titles.length]);
  }
});

test.each(hostcalls)("in each callback $name answers as Envoy's does", async (row) => {
  expect(await holds(callEverywhere(row))).toBe(true);
});

describe.each(abiVersions.map((facts) => facts.version))("%s", (version) => {
  const here = hostcalls.filter((row) => existsIn(row, version));
  const elsewhere = hostcalls.filter((row) => !existsIn(row, version));

  describe.each(here)("$name", (row) => {
    test.each(caseOf(row).scenes)("$what", async (scene) => {
      expect(await holds(playScene(version, row, scene))).toBe(true);
    });

    test("pointers outside, and an allocator that gives none", async () => {
      expect(await holds(breakPointers(version, row))).toBe(true);
    });

    test("in its initialisation and in its allocator", async () => {
      expect(await holds(callEarly(version, row))).toBe(true);
    });
  });

  test.each(elsewhere)("$name, which it does not have, may be imported", async (row) => {
    expect(await holds(callUnknown(version, row))).toBe(true);
  });

  const callbacksHere = callbacks.filter((row) => existsIn(row, version));
  describe.each(callbacksHere)("$name", (row) => {
    test.each(callbackCases[row.name]?.(version) ?? [])("$what", async (event) => {
      expect(await holds(playEvent(version, event))).toBe(true);
    });

    test.each(row.name in integrationCases ? [row.name] : [])("%s does its part", async (name) => {
      expect(await holds(integrationCases[name]?.(version) ?? Promise.reject())).toBe(true);
    });

    test("another signature is refused", async () => {
      expect(await holds(refuseSignature(version, row))).toBe(true);
    });

    test("its absence is what the table says", async () => {
      expect(await holds(leaveOut(version, row))).toBe(true);
    });
  });
});
