import { expect, test } from "vitest";
import { Http1Shared } from "../codec/http1/shared.ts";
import { HeaderMap } from "../core/header-map.ts";
import { Regex } from "../core/regex.ts";
import { StatsStore } from "../stats/store.ts";
import { FakeEngine } from "../upstream/upstream-for-test.ts";
import { LimitCounts } from "./limit-counts.ts";

class CountingEngine extends FakeEngine {
  readonly limits = { readsHeld: 0, gathersFull: 0, batchesFull: 0 };
}

test("what met a limit is counted, each time once", () => {
  const stats = new StatsStore();
  const http1 = new Http1Shared();
  const engine = new CountingEngine();
  const counts = new LimitCounts(engine, http1, stats);
  const maps = stats.counter("memory.header_maps_not_kept");
  for (let i = 0; i < 1026; i += 1) http1.giveMap(new HeaderMap());
  Object.assign(engine.limits, { readsHeld: 3, gathersFull: 4, batchesFull: 5 });
  counts.update();
  counts.update();
  expect(maps.value).toBe(2);
  const names = ["reads_held", "gathers_full", "batches_full"];
  expect(names.map((name) => stats.counter(`engine.${name}`).value)).toEqual([3, 4, 5]);
  http1.giveMap(new HeaderMap());
  counts.update();
  expect(maps.value).toBe(3);
});

test("a regular expression that forgets its answers is counted for its thread", () => {
  const stats = new StatsStore();
  const counts = new LimitCounts(new FakeEngine(), new Http1Shared(), stats);
  counts.update();
  const forgotten = stats.counter("memory.regex_answers_forgotten");
  const before = forgotten.value;
  const regex = Regex.compile("/a+");
  for (let i = 0; i < 257; i += 1) regex.matches(`/b${i}`);
  counts.update();
  expect(forgotten.value - before).toBe(2);
});
