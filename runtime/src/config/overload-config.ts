// The overload manager's configuration, for the main thread that watches and the workers that act;
// part of snapshot.ts. Times are milliseconds, levels go from 0 to 1.

export interface OverloadConfig {
  /** Default 1000. */
  readonly refreshIntervalMs: number;
  readonly monitors: readonly ResourceMonitorConfig[];
  readonly actions: readonly OverloadActionConfig[];
  readonly shedPoints: readonly LoadShedPointConfig[];
  /** What reduce_timeouts shortens. */
  readonly timers: readonly ScaledTimerConfig[];
  /** Downstream connections of all workers; Infinity = what the runtime says, if anything. */
  readonly connectionsMax: number;
}

export type ResourceMonitorConfig = {
  /** As configured; stats carry it. */
  readonly name: string;
} & (
  | { readonly kind: "fixed_heap"; readonly bytesMax: number }
  /** 0 = what the control group allows. */
  | { readonly kind: "cgroup_memory"; readonly bytesMax: number }
  | { readonly kind: "cpu_utilization"; readonly isContainer: boolean }
  /** A file that holds a number from 0 to 1. */
  | { readonly kind: "injected"; readonly path: string }
  | { readonly kind: "connections"; readonly connectionsMax: number }
);

export interface OverloadTriggerConfig {
  /** Name of a monitor. */
  readonly monitor: string;
  /** From here on the level grows. */
  readonly scalingThreshold: number;
  /** From here on it is 1. Equal to scalingThreshold: the level jumps. */
  readonly saturationThreshold: number;
}

/** The last part of the names that Envoy knows. */
export const overloadActions = [
  "stop_accepting_requests",
  "disable_http_keepalive",
  "stop_accepting_connections",
  "reject_incoming_connections",
  "shrink_heap",
  "reduce_timeouts",
] as const;
export type OverloadAction = (typeof overloadActions)[number];

export interface OverloadActionConfig {
  readonly action: OverloadAction;
  readonly triggers: readonly OverloadTriggerConfig[];
}

export const loadShedPoints = [
  "tcp_listener_accept",
  "hcm_ondata_creating_codec",
  "http_connection_manager_decode_headers",
] as const;
export type LoadShedPoint = (typeof loadShedPoints)[number];

export interface LoadShedPointConfig {
  readonly point: LoadShedPoint;
  readonly triggers: readonly OverloadTriggerConfig[];
}

export type ScaledTimer = "connection_idle" | "stream_idle" | "connection_max";

export interface ScaledTimerConfig {
  readonly timer: ScaledTimer;
  /** At level 1 the timeout is this, or this part of itself when minMs is -1. */
  readonly minMs: number;
  readonly minScale: number;
}
