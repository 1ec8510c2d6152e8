// Guests' counters over threads: each adds to its own, all read the sum.
import { limits } from "proxy-wasm-types";
import { expect, test } from "vitest";
import { StatsStore } from "../stats/store.ts";
import { ProcessGauges, sharedGaugesMemory } from "./shared-gauges.ts";
import { SharedStore, sharedStoreMemory } from "./shared-store.ts";

function threads(): readonly ProcessGauges[] {
  const memory = sharedGaugesMemory(2);
  const storeMemory = sharedStoreMemory();
  return [0, 1].map((thread) => {
    const store = new SharedStore({ memory: storeMemory, thread });
    return new ProcessGauges({ memory, store, thread, onDefine: () => undefined });
  });
}

test("what one thread adds the other reads, and each has its own stat", () => {
  const [first, second] = threads() as [ProcessGauges, ProcessGauges];
  const stats = [new StatsStore(), new StatsStore()] as const;
  const here = first.counter("n", stats[0].counter("n"));
  const there = second.counter("n", stats[1].counter("n"));
  here.add(2);
  there.add(3);
  expect([here.value, there.value]).toEqual([5, 5]);
  expect(stats.map((store) => store.counter("n").value)).toEqual([2, 3]);
  expect(first.counter("n", stats[0].counter("n"))).toBe(here);
  expect(second.counter("other", stats[1].counter("other")).value).toBe(0);
  expect(second.gauge("n").value).toBe(0);
});

test("a counter without a place is the thread's own", () => {
  const [first] = threads() as [ProcessGauges];
  for (let i = 0; i < limits.sharedGaugesMax; i += 1) first.gauge(`g${i}`);
  const own = new StatsStore().counter("n");
  expect(first.counter("n", own)).toBe(own);
});
