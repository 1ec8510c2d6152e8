// GET /wasm/plugins/{name}/traps: reports of guests that were stopped, as the admin interface shows
// them.
import type { JsonObject } from "../admin/admin-delegate.ts";
import type { TrapStream } from "../wasm/trap-report.ts";
import { DEADLY_FROM, REPORTS_KEPT } from "./trap-book.ts";
import type { DeadlyQuery, PluginTraps, TrapReport } from "./trap-book.ts";
import type { PlacedFrame } from "./trap-places.ts";

/** `traps` null: none of its guests was stopped. */
export function trapsPage(plugin: string, traps: PluginTraps | null): JsonObject {
  const { reports, reportsDropped, queries, queriesDropped } = traps ?? {
    reports: [],
    reportsDropped: 0,
    queries: [],
    queriesDropped: 0,
  };
  return {
    plugin,
    reports_kept_most: REPORTS_KEPT,
    reports_dropped: reportsDropped,
    reports: reports.map(reportJson),
    queries_dropped: queriesDropped,
    queries_of_death: queries.filter(({ count }) => count >= DEADLY_FROM).map(queryJson),
    queries: queries.filter(({ count }) => count < DEADLY_FROM).map(queryJson),
  };
}

function reportJson({ trap, timeMs, frames, place, fingerprint }: TrapReport): JsonObject {
  return {
    time: timeOf(timeMs),
    version: trap.version,
    module: trap.moduleName,
    kind: trap.stop,
    reason: trap.reason,
    callback: trap.callback,
    place,
    context_id: trap.contextId,
    ...streamJson(trap.stream),
    fingerprint,
    fuel_used: trap.fuelUsed,
    fuel_budget: trap.fuelBudget,
    cpu_ms: Math.round(trap.computedMs),
    memory_pages: trap.pages,
    memory_pages_max: trap.pagesMax,
    stderr_tail: trap.lastWords,
    frames: frames.map(frameJson),
  };
}

function streamJson(stream: TrapStream | null): JsonObject {
  if (stream === null) return { stream_id: null, request_id: "", request: null };
  const { streamId, requestId, request } = stream;
  return {
    stream_id: streamId,
    request_id: requestId,
    request:
      request === null
        ? null
        : { method: request.method, path: request.path, headers: request.headerNames },
  };
}

function frameJson({ name, index, offset, place }: PlacedFrame): JsonObject {
  return { function: name, index, offset: `0x${offset.toString(16)}`, place };
}

function queryJson(query: DeadlyQuery): JsonObject {
  const { fingerprint, request, count, firstMs, lastMs, callback, stop, place } = query;
  return {
    fingerprint,
    count,
    first: timeOf(firstMs),
    last: timeOf(lastMs),
    method: request.method,
    path: request.path,
    headers: request.headerNames,
    kind: stop,
    callback,
    place,
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
