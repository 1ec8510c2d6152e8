// What a start may compute, by where it happens and what is known of it.
import { expect, test } from "vitest";
import { liveStartLimit, startLimit } from "./start-limit.ts";

const policy = { startTimeMs: 30_000, liveStartTimeMs: 200 } as const;

test("a start that no stream waits for has start_time_ms", () => {
  expect(startLimit(policy)).toEqual({ ms: 30_000, word: "start_time_ms" });
});

test.each([
  ["a short one: the least", 49.9, true, 200, "live_start_time_ms"],
  ["a long one: four times as long", 50.1, true, 201, "live_start_time_ms"],
  ["one that was not seen to its end: five times the least", 10, false, 1000, "live_start_time_ms"],
  ["and four times what was seen", 300, false, 1200, "live_start_time_ms"],
  ["never more than start_time_ms", 7500, true, 30_000, "start_time_ms"],
])("among streams, %s", (_, computedMs, isWhole, ms, word) => {
  expect(liveStartLimit(policy, { computedMs, isWhole })).toEqual({ ms, word });
});

test("among streams a start that nobody measured, or whose policy says off, has start_time_ms", () => {
  const measured = { computedMs: 1, isWhole: true };
  const all = { ms: 30_000, word: "start_time_ms" };
  expect(liveStartLimit(policy, undefined)).toEqual(all);
  expect(liveStartLimit({ ...policy, liveStartTimeMs: null }, measured)).toEqual(all);
  expect(liveStartLimit({ ...policy, startTimeMs: null }, measured).ms).toBeNull();
});
