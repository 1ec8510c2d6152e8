import { limits, MetricType } from "proxy-wasm-types";
import { expect, test } from "vitest";
import { StatsStore } from "../stats/store.ts";
import { MetricTable } from "./metrics.ts";

test("a VM may define so many metrics, and no more", () => {
  const store = new StatsStore({ slotsMax: 40_000 });
  const table = new MetricTable(store, store);
  const types = [MetricType.Counter, MetricType.Gauge];
  for (let i = 0; i < limits.metricsPerVmMax; i += 1) {
    expect(table.define(types[i % 2] as number, `m${i}`)).toBeGreaterThan(0);
  }
  expect(table.define(MetricType.Counter, "one more")).toBe(0);
  expect(table.define(MetricType.Counter, "m0")).toBe(0);
});
