// The overload manager's word in a worker: from configuration and levels to the state that the data
// plane looks at.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { OverloadConfig, ScaledTimer, Snapshot } from "../config/snapshot.ts";
import type { OverloadState, TimeoutFloor } from "../core/overload-state.ts";
import type { OverloadLevels } from "../overload/overload-manager.ts";
import type { StatsStore } from "../stats/store.ts";

/** Floors, limits and counters; levels stay as they are. */
export function configureOverload(
  state: OverloadState,
  config: Snapshot["overload"],
  stats: StatsStore,
): void {
  const floorOf = (timer: ScaledTimer): TimeoutFloor | null =>
    config?.timers.find((scaled) => scaled.timer === timer) ?? null;
  state.connectionIdleFloor = floorOf("connection_idle");
  state.streamIdleFloor = floorOf("stream_idle");
  state.connectionMaxFloor = floorOf("connection_max");
  state.connectionsMax = config?.connectionsMax ?? Number.POSITIVE_INFINITY;
  if (config !== null) nameCounters(state, config, stats);
}

function nameCounters(state: OverloadState, config: OverloadConfig, stats: StatsStore): void {
  const limit = config.monitors.find((monitor) => monitor.kind === "connections");
  if (limit !== undefined) {
    state.refusedConnections = stats.counter(`overload.${limit.name}.failed_updates`);
  }
  const switches = {
    tcp_listener_accept: state.shedAccept,
    hcm_ondata_creating_codec: state.shedCodec,
    http_connection_manager_decode_headers: state.shedHeaders,
  };
  for (const { point } of config.shedPoints) {
    const name = `overload.envoy.load_shed_points.${point}.shed_load_count`;
    switches[point].counter = stats.counter(name);
  }
}

export function applyOverload(state: OverloadState, levels: OverloadLevels): void {
  state.stopRequests.level = levels.stop_accepting_requests ?? 0;
  state.disableKeepAlive.level = levels.disable_http_keepalive ?? 0;
  state.stopConnections.level = levels.stop_accepting_connections ?? 0;
  state.rejectConnections.level = levels.reject_incoming_connections ?? 0;
  state.reduceTimeouts.level = levels.reduce_timeouts ?? 0;
  state.shedAccept.level = levels.tcp_listener_accept ?? 0;
  state.shedCodec.level = levels.hcm_ondata_creating_codec ?? 0;
  state.shedHeaders.level = levels.http_connection_manager_decode_headers ?? 0;
}

type CollectGarbage = (options: { type: "major"; flavor: "last-resort" }) => void;

/** Collects this thread's garbage and gives its pages back to the system. */
export function shrinkHeap(): void {
  // The function exists in contexts that are made while the flag is on, which is the process': it
  // stays on, or threads that shrink at the same time would turn it off for one another.
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("globalThis.gc") as CollectGarbage | undefined;
  collect?.({ type: "major", flavor: "last-resort" });
}
