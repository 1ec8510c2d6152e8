import { describe, expect, test } from "vitest";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import { readVersionCounts, VersionCounts, versionCountsMemory } from "../wasm/version-counts.ts";
import type { VersionTotals } from "../wasm/version-counts.ts";
import { judgeCanary, type Verdict } from "./canary-judge.ts";

/** What a version has done; streams of `ms` each. */
interface Done {
  readonly streams: number;
  readonly stops?: number;
  /** Of streams behind a stop. */
  readonly failed?: number;
  readonly errors?: number;
  readonly fuel?: number;
  readonly ms?: number;
}

function totals({
  streams,
  stops = 0,
  failed = 0,
  errors = 0,
  fuel = 100,
  ms = 10,
}: Done): VersionTotals {
  const memory = versionCountsMemory(1);
  const counts = new VersionCounts(memory, 0);
  for (let i = 0; i < streams; i += 1) {
    counts.onStream();
    counts.addFuel(fuel);
    if (i < stops) counts.onStopped(false);
    if (i < failed) counts.onStreamFailed();
    counts.onStreamDone(ms, i < errors ? 503 : 200);
  }
  return readVersionCounts(memory);
}

function judge(canary: Done, primary: Done, elapsedMs = 1000): Verdict {
  const trial = { canary: totals(canary), primary: totals(primary), elapsedMs };
  return judgeCanary(trial, { ...defaultWasmPolicy.canary, streamsMin: 50 });
}

const usual: Done = { streams: 1000 };

test("a good one waits for its window, and for enough streams", () => {
  expect(judge({ streams: 100 }, usual).kind).toBe("wait");
  expect(judge({ streams: 49 }, usual, 3_600_000).kind).toBe("wait");
  expect(judge({ streams: 50 }, usual, 60_000)).toEqual({ kind: "pass", reason: "" });
  // One stop is a percent of its streams or less, or it waits for the next one.
  expect(judge({ streams: 99, stops: 1 }, usual, 60_000).kind).toBe("wait");
  expect(judge({ streams: 100, stops: 1 }, usual, 60_000).kind).toBe("pass");
});

test.each<[string, Done, RegExp]>([
  [
    "stops",
    { streams: 60, stops: 3 },
    /stopped 3 times .*, which 3 of its 60 streams met: 5 %, expected at most 1 %/,
  ],
  [
    "stops, of few of which many streams have something",
    { streams: 1000, stops: 2, failed: 960 },
    /stopped 2 times .*, which 960 of its 1000 streams met: 96 %/,
  ],
  ["5xx", { streams: 50, errors: 5 }, /5 of its 50 streams ended with 5xx: 10 %/],
  ["fuel", { streams: 50, fuel: 200 }, /use 200 fuel each, expected at most 150 \(100 of the/],
])("it is rolled back at once for its %s", (_, canary, reason) => {
  const verdict = judge(canary, usual);
  expect(verdict.kind).toBe("rollback");
  expect(verdict.reason).toMatch(reason);
});

test("it is rolled back for its latency when the window is over", () => {
  const slow = { streams: 50, ms: 40 };
  expect(judge(slow, usual, 59_999).kind).toBe("wait");
  const { kind, reason } = judge(slow, usual, 60_000);
  expect(kind).toBe("rollback");
  expect(reason).toMatch(/nine of ten of its streams took up to .* ms, expected at most/);
});

describe("it stays", () => {
  test.each<[string, Done, Done]>([
    ["for one trap", { streams: 20, stops: 1 }, usual],
    ["when the primary is as bad", { streams: 100, stops: 5 }, { streams: 1000, stops: 50 }],
    ["when the upstream fails for both", { streams: 100, errors: 50 }, { ...usual, errors: 500 }],
    ["when it is a bit slower", { streams: 100, ms: 14 }, usual],
    ["when both are so fast that a ratio is noise", { streams: 100, ms: 3 }, { ...usual, ms: 0.2 }],
    ["when nothing is there to compare with", { streams: 100, ms: 900 }, { streams: 10 }],
    ["when guests are not metered", { streams: 100, fuel: 0 }, { ...usual, fuel: 0 }],
  ])("%s", (_, canary, primary) => {
    expect(judge(canary, primary)).toEqual({ kind: "wait", reason: "" });
    expect(judge(canary, primary, 60_000).kind).not.toBe("rollback");
  });
});
