import { expect, test } from "vitest";
import { ServerStats } from "../stats/server-stats.ts";
import { StatsStore } from "../stats/store.ts";
import type { ToWorker } from "./protocol.ts";
import { RuntimeControl } from "./runtime-control.ts";

test("more overrides than the limit are refused as a whole", () => {
  const stats = new ServerStats(new StatsStore({ slotsMax: 20_000 }), {
    concurrency: 1,
    version: 0,
  });
  const told: ToWorker[] = [];
  const control = new RuntimeControl(stats, (message) => void told.push(message));
  control.load([{ name: "admin", kind: "admin", values: new Map() }]);
  const pairs = (from: number, to: number): (readonly [string, string])[] =>
    Array.from({ length: to - from }, (_, i) => [`k${from + i}`, "1"] as const);
  expect(control.modify(pairs(0, 10_000))).toBe("");
  expect(control.modify(pairs(9_999, 10_001))).toContain("at most 10000");
  expect(told.length).toBe(1);
  expect(control.modify(pairs(0, 10_000))).toBe("");
});
