import { beforeEach, expect, test } from "vitest";
import type { RuntimeLayer } from "../core/runtime.ts";
import { ServerStats } from "../stats/server-stats.ts";
import { StatsStore } from "../stats/store.ts";
import type { ToWorker } from "./protocol.ts";
import { RuntimeControl } from "./runtime-control.ts";

const value = { text: "1", number: 1, ppm: null };
const base: RuntimeLayer = { name: "base", kind: "static", values: new Map([["k", value]]) };
const admin: RuntimeLayer = { name: "admin", kind: "admin", values: new Map() };

let stats: ServerStats;
let sent: ToWorker[];
let control: RuntimeControl;

beforeEach(() => {
  stats = new ServerStats(new StatsStore(), { concurrency: 1, version: 1 });
  sent = [];
  control = new RuntimeControl(stats, (message) => sent.push(message));
});

/** Text of a key in the layer that /runtime_modify writes to. */
function overrideOf(key: string): string | undefined {
  return control.layers.find((layer) => layer.kind === "admin")?.values.get(key)?.text;
}

test("keys are set, removed and told to all workers", () => {
  control.load([base, admin]);
  expect(
    control.modify([
      ["k", "2"],
      ["other", "3"],
    ]),
  ).toBe("");
  expect(overrideOf("k")).toBe("2");
  expect(
    control.modify([
      ["k", ""],
      ["unknown", ""],
    ]),
  ).toBe("");
  expect(overrideOf("k")).toBeUndefined();
  expect(overrideOf("other")).toBe("3");
  expect(sent).toHaveLength(2);
  expect(control.message()).toEqual({
    type: "runtime",
    overrides: new Map([["other", { text: "3", number: 3, ppm: null }]]),
  });
});

test("overrides outlive the next configuration's layers", () => {
  control.load([base, admin]);
  control.modify([["k", "2"]]);
  control.load([admin]);
  expect(overrideOf("k")).toBe("2");
});

test("without an admin layer nothing can be changed", () => {
  control.load([base]);
  expect(control.modify([["k", "2"]])).toBe("No admin layer specified");
  expect(sent).toEqual([]);
});

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

test("counts loads, keys and layers as Envoy", () => {
  control.load([base, admin]);
  expect(stats.runtime.load_success.value).toBe(2);
  control.modify([["other", "3"]]);
  expect(stats.runtime.load_success.value).toBe(3);
  expect(stats.runtimeGauges.num_keys.value).toBe(2);
  expect(stats.runtimeGauges.num_layers.value).toBe(2);
  expect(stats.runtimeGauges.admin_overrides_active.value).toBe(1);
});
