// GET /wasm/costs: what each version of each plugin has cost so far, for `headgate top`. Times are
// estimates: of the streams, one in many is timed and stands for the others.
import type { JsonObject } from "../admin/admin-delegate.ts";
import { type Costs, costFields } from "../wasm/call-costs.ts";
import { readVersionCounts } from "../wasm/version-counts.ts";
import type { PluginVersion, PluginVersions } from "./plugin-registry.ts";

/** `cpuUs`: of all workers so far. `nowMs`: of a clock that only grows. */
export function costsPage(
  plugins: readonly PluginVersions[],
  cpuUs: number,
  nowMs: number,
): JsonObject {
  const rows = plugins.flatMap(({ name, versions }) => versions.map((one) => rowOf(name, one)));
  return { monotonic_ms: Math.round(nowMs), workers_cpu_us: cpuUs, plugins: rows };
}

function rowOf(plugin: string, { name, state, counts }: PluginVersion): JsonObject {
  const totals = readVersionCounts(counts);
  const { costs } = totals;
  return {
    plugin,
    version: name,
    state,
    streams: totals.streams,
    traps: totals.stoppedFuel + totals.stoppedOther,
    memory_pages: costs.pages,
    ...costsJson(costs.all),
    callbacks: Object.fromEntries(
      [...costs.byCallback].map(([callback, row]) => [callback, costsJson(row)]),
    ),
  };
}

function costsJson(row: Costs): JsonObject {
  return Object.fromEntries(costFields.map((field) => [field, Math.round(row[field])]));
}
