import { expect, test } from "vitest";
import { StatsAggregate } from "../stats/aggregate.ts";
import { PrometheusWriter } from "../stats/prometheus.ts";
import { defaultStatsQuery } from "../stats/stats-query.ts";
import { VersionCounts, versionCountsMemory } from "../wasm/version-counts.ts";
import { CostStats } from "./cost-stats.ts";
import type { PluginVersions } from "./plugin-registry.ts";

const VERSION = "0123456789ab";

function pluginOf(counts: SharedArrayBuffer, version = VERSION): PluginVersions {
  const one = { name: version, sha256: "", source: "", counts, state: "primary", sinceMs: 0 };
  return { name: "my.auth", where: [], versions: [one] } as unknown as PluginVersions;
}

function rig(): { stats: StatsAggregate; counts: VersionCounts; plugins: PluginVersions[] } {
  const memory = versionCountsMemory(2);
  const plugins = [pluginOf(memory)];
  const stats = new StatsAggregate(4096);
  stats.addProvider(new CostStats(() => plugins));
  return { stats, counts: new VersionCounts(memory, 1), plugins };
}

const prefix = `wasm_cost.my.auth.${VERSION}`;

function valuesOf(stats: StatsAggregate): Record<string, number> {
  const own = stats.scalars().filter(({ name }) => name.startsWith("wasm_cost."));
  return Object.fromEntries(own.map(({ name, value }) => [name, value]));
}

test("costs are stats by plugin, version and callback, of callbacks that were called", () => {
  const { stats, counts } = rig();
  stats.store.counter("z").inc();
  const idle = { streams: 0, traps: 0, memory_pages: 0 };
  const named = (values: object): object =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]));
  expect(valuesOf(stats)).toEqual(named(idle));
  counts.onStream();
  counts.onStopped(true);
  counts.costs.add(0, 10, 20.4, 3, 40, 5);
  counts.costs.setPages(2);
  const row = { "other.calls": 1, "other.fuel": 10, "other.ns": 20, "other.hostcalls": 3 };
  expect(valuesOf(stats)).toEqual(
    named({
      ...row,
      "other.bytes": 40,
      "other.callouts": 5,
      streams: 1,
      traps: 1,
      memory_pages: 2,
    }),
  );
  const names = stats.scalars().map(({ name }) => name);
  expect(names).toEqual(names.toSorted());
  // From a reset on counters begin at 0, gauges stay.
  stats.resetCounters();
  counts.onStream();
  const later = valuesOf(stats);
  expect([later[`${prefix}.streams`], later[`${prefix}.memory_pages`]]).toEqual([1, 2]);
  expect(later[`${prefix}.other.fuel`]).toBe(0);
});

test("a version that is forgotten takes its names with it", () => {
  const { stats, plugins } = rig();
  plugins[0] = pluginOf(versionCountsMemory(2), "ba9876543210-0f0f");
  expect(Object.keys(valuesOf(stats)).every((name) => name.includes("ba9876543210-0f0f"))).toBe(
    true,
  );
  plugins.length = 0;
  expect(valuesOf(stats)).toEqual({});
});

test("Prometheus has plugin, version and callback as labels", () => {
  const { stats, counts, plugins } = rig();
  plugins.push(pluginOf(versionCountsMemory(1), "ba9876543210-0f0f"));
  counts.costs.add(0, 10, 0, 0, 0, 0);
  const text = new PrometheusWriter().write(stats, defaultStatsQuery, false);
  const labels = `envoy_wasm_plugin="my.auth",envoy_wasm_version="${VERSION}"`;
  expect(text).toContain(`envoy_wasm_cost_fuel{${labels},envoy_wasm_callback="other"} 10\n`);
  expect(text).toContain(`envoy_wasm_cost_streams{${labels}} 0\n`);
  expect(text).toContain('envoy_wasm_version="ba9876543210-0f0f"} 0\n');
});
