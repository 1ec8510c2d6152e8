// GET /wasm/plugins: the versions of all plugins as the admin interface shows them.
import type { JsonObject } from "../admin/admin-delegate.ts";
import { quantileMs, readVersionCounts } from "../wasm/version-counts.ts";
import type { PluginVersion, PluginVersions } from "./plugin-registry.ts";

export function pluginsPage(plugins: readonly PluginVersions[]): JsonObject {
  return { plugins: plugins.map(pluginJson) };
}

function pluginJson({ name, where, versions }: PluginVersions): JsonObject {
  return { name, where, versions: versions.map(versionJson) };
}

function versionJson(version: PluginVersion): JsonObject {
  return {
    name: version.name,
    state: version.state,
    share_percent: version.state === "primary" ? 100 : 0,
    sha256: version.sha256,
    source: version.source,
    since: new Date(version.sinceMs).toISOString(),
    stats: statsJson(version.counts),
  };
}

function statsJson(counts: SharedArrayBuffer): JsonObject {
  const totals = readVersionCounts(counts);
  const { streams, active, done, errors, stoppedFuel, stoppedOther, fuel } = totals;
  const quantile = (share: number): number => Number(quantileMs(totals, share).toFixed(2));
  return {
    streams,
    streams_active: active,
    streams_done: done,
    responses_5xx: errors,
    stopped_fuel: stoppedFuel,
    stopped_other: stoppedOther,
    fuel,
    fuel_per_stream: streams === 0 ? 0 : Math.round(fuel / streams),
    duration_ms: { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) },
  };
}
