// GET /wasm/plugins: the versions of all plugins as the admin interface shows them.
import type { JsonObject } from "../admin/admin-delegate.ts";
import { TOLD_MAX } from "../wasm/shadow/difference.ts";
import { quantileMs, readVersionCounts } from "../wasm/version-counts.ts";
import type { ToldDifference } from "./difference-book.ts";
import type { PluginVersion, PluginVersions, Trial, VersionState } from "./plugin-registry.ts";

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

/** `tried`: the canary's share. */
function versionJson(version: PluginVersion, tried: number): JsonObject {
  const copied = version.trial?.share.perTenThousand ?? 0;
  const shares = { primary: 10_000 - tried, canary: tried, shadow: copied, previous: 0 };
  const { trial, configuration } = version;
  return {
    name: version.name,
    state: version.state,
    share_percent: shares[version.state] / 100,
    ...(trial === null ? {} : trialJson(trial, version.state)),
    sha256: version.sha256,
    source: version.source,
    configuration: configuration === null ? "configured" : `pushed, ${configuration.length} bytes`,
    since: new Date(version.sinceMs).toISOString(),
    stats: statsJson(version.counts),
  };
}

function trialJson({ share, isPromoted, bounds }: Trial, state: VersionState): JsonObject {
  const { match, sticky } = share;
  const header = match === null ? "" : `${match.header}${match.value === null ? "" : "="}`;
  return {
    ...(match === null ? {} : { streams_with_header: `${header}${match.value ?? ""}` }),
    sticky: sticky.kind === "header" ? `header:${sticky.header}` : sticky.kind,
    ...(state === "shadow"
      ? {}
      : { window_ms: bounds.windowMs, after_window: isPromoted ? "promoted" : "stays" }),
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
    shadow: shadowStats(counts),
  };
}

/** Null: it has seen no stream in a shadow. */
function shadowStats(counts: SharedArrayBuffer): JsonObject | null {
  const { compared, different, byKind, uncompared } = readVersionCounts(counts).shadow;
  const isUsed = compared > 0 || Object.values(uncompared).some((count) => count > 0);
  if (!isUsed) return null;
  const kinds = Object.entries(byKind).filter(([, count]) => count > 0);
  return {
    streams_compared: compared,
    streams_same: compared - different,
    streams_different: different,
    differences: Object.fromEntries(kinds),
    streams_not_compared: { ...uncompared },
  };
}

/** GET /wasm/plugins/{name}/shadow: of the version that is in the shadow, or was there last. */
export function shadowPage(plugin: PluginVersions, told: readonly ToldDifference[]): JsonObject {
  const { versions } = plugin;
  const wasShadow = ({ counts }: PluginVersion): boolean => shadowStats(counts) !== null;
  const version = versions.find(({ state }) => state === "shadow") ?? versions.find(wasShadow);
  if (version === undefined) return { plugin: plugin.name, version: null, differences: [] };
  const own = told.filter(({ difference }) => difference.version === version.name);
  return {
    plugin: plugin.name,
    version: version.name,
    state: version.state,
    since: new Date(version.sinceMs).toISOString(),
    stats: shadowStats(version.counts),
    told_of_each_kind: TOLD_MAX,
    differences: own.map(differenceJson),
  };
}

function differenceJson({ difference, timeMs }: ToldDifference): JsonObject {
  const { kind, primary, shadow, streamId, method, path } = difference;
  const time = new Date(timeMs).toISOString();
  return { kind, time, stream_id: streamId, method, path, primary, shadow };
}
