// GET /wasm/plugins: the versions of all plugins as the admin interface shows them.
import type { JsonObject } from "../admin/admin-delegate.ts";
import { quantileMs, readVersionCounts } from "../wasm/version-counts.ts";
import type { PluginVersion, PluginVersions, Trial } from "./plugin-registry.ts";

/** `eventsOf` tells what became of a plugin's versions, newest first. */
export function pluginsPage(
  plugins: readonly PluginVersions[],
  eventsOf: (plugin: string) => readonly JsonObject[],
): JsonObject {
  return { plugins: plugins.map((plugin) => pluginJson(plugin, eventsOf(plugin.name))) };
}

function pluginJson(
  { name, where, versions }: PluginVersions,
  events: readonly JsonObject[],
): JsonObject {
  const canary = versions.find(({ state }) => state === "canary");
  const tried = canary?.trial?.share.perTenThousand ?? 0;
  return { name, where, versions: versions.map((one) => versionJson(one, tried)), events };
}

function versionJson(version: PluginVersion, tried: number): JsonObject {
  const shares = { primary: 10_000 - tried, canary: tried, previous: 0 };
  const { trial, configuration } = version;
  return {
    name: version.name,
    state: version.state,
    share_percent: shares[version.state] / 100,
    ...(trial === null ? {} : trialJson(trial)),
    sha256: version.sha256,
    source: version.source,
    configuration: configuration === null ? "configured" : `pushed, ${configuration.length} bytes`,
    since: new Date(version.sinceMs).toISOString(),
    stats: statsJson(version.counts),
  };
}

function trialJson({ share, isPromoted, bounds }: Trial): JsonObject {
  const { match, sticky } = share;
  const header = match === null ? "" : `${match.header}${match.value === null ? "" : "="}`;
  return {
    ...(match === null ? {} : { streams_with_header: `${header}${match.value ?? ""}` }),
    sticky: sticky.kind === "header" ? `header:${sticky.header}` : sticky.kind,
    window_ms: bounds.windowMs,
    after_window: isPromoted ? "promoted" : "stays",
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
    streams_failed: totals.failed,
    fuel,
    fuel_per_stream: streams === 0 ? 0 : Math.round(fuel / streams),
    duration_ms: { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) },
  };
}
