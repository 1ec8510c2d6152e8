// What guests may use of the host: plain data for workers. Made by wasm-policy-reader.ts from the
// file of --wasm-policy; a plugin that nobody names has the defaults.
import type { TraceRule } from "./trace-rule.ts";

/** Units of fuel, about a nanosecond each, that one entry into the guest may use. */
export interface FuelBudgets {
  /** Any callback of a stream, a tick, an answer. Default 50 million. */
  readonly callback: number;
  /** on_vm_start and on_configure, each. Default 10 thousand million. */
  readonly configure: number;
  /** _initialize, main and _start, each. Default 10 thousand million. */
  readonly start: number;
}

/** The most that a guest makes the host hold; what is above is refused and counted. */
export interface WasmLimits {
  /** Callouts of a VM that wait for an answer. Default 1024. */
  readonly calloutsPending: number;
  /** Bytes of bodies and messages that a VM's callouts hold together. Default 64 MiB. */
  readonly calloutBytes: number;
  /** Lines that a VM may log in a second; more are dropped. Default 10000. */
  readonly logLinesPerSecond: number;
  /** Lines of a VM's trace in a second; more are dropped, and counted. Default 1000. */
  readonly traceLinesPerSecond: number;
  /** Metrics that a VM may define. Default 10000. */
  readonly metrics: number;
  /** Bytes of a body after a guest has changed it. Default 64 MiB. */
  readonly bodyBytes: number;
  /**
   * Bytes of names and values of one header map after a guest has changed it, and 32 for each.
   * Default 1 MiB.
   */
  readonly headerBytes: number;
  /** Values that guests keep with one stream by set_property. Default 1000. */
  readonly streamProperties: number;
  /** Bytes of a VM's files in memory, names and 512 for each counted. Default 16 MiB. */
  readonly fileBytes: number;
  /** Descriptors that a VM has open. Default 256. */
  readonly openFiles: number;
  /** Bytes of bodies that are copied for a shadow and wait there. Default 16 MiB a worker. */
  readonly shadowBytes: number;
}

/**
 * Whether a VM waits, started and configured, to take over from one that fails. "on": of guests
 * whose start nobody else sees; "always": of others, too, whose start is then seen once more.
 */
export type StandbyPolicy = "on" | "off" | "always";

/** When a canary goes back by itself. */
export interface CanaryBounds {
  /** How long it is watched before it may pass. Default a minute. */
  readonly windowMs: number;
  /** Streams of either version under which ratios say nothing. Default 100. */
  readonly streamsMin: number;
  /** Stops of its guest, in percent of its streams, above the primary's. Default 1. */
  readonly stopsPercent: number;
  /** Responses of 5xx, in percent of its streams, above the primary's. Default 5. */
  readonly errorsPercent: number;
  /** What nine of ten streams stay under, as a multiple of the primary's. Default 2. */
  readonly latencyRatio: number;
  /** Fuel of a stream, as a multiple of the primary's. Default 1.5. */
  readonly fuelRatio: number;
}

export interface WasmPolicy {
  /** Null: the guest is not metered, and runs for as long as it likes. */
  readonly fuel: FuelBudgets | null;
  /**
   * How long a callback may compute, however little fuel it takes. Looked at with each 100,000
   * units, so not for guests that are not metered. Null: no matter how long. Default 200 ms.
   */
  readonly callbackTimeMs: number | null;
  /** Pages of 64 KiB that the guest's memory may have. Default 2048, which is 128 MiB. */
  readonly memoryPagesMax: number;
  /**
   * How long a plugin may take to start and be configured in the probe, before workers get it; and
   * what a guest that is metered may compute in each step there and in workers. Null: it is not
   * probed. Default 30 seconds.
   */
  readonly startTimeMs: number | null;
  /**
   * What each step of a start may compute in a worker that serves, as streams wait for it; or four
   * times what the whole start took where it was measured, if that is more: in the probe, later in
   * the worker itself. Of guests that are metered. Null: as startTimeMs. Default 200 ms.
   */
  readonly liveStartTimeMs: number | null;
  /** Default "on". */
  readonly standby: StandbyPolicy;
  /** Whether WASI's functions give it files, which are in memory. Default false, as in Envoy. */
  readonly hasFiles: boolean;
  /** Whose calls are logged; null = nobody's. */
  readonly trace: TraceRule | null;
  /**
   * The callbacks of one in so many streams are timed, and those of the root context; 0 = none.
   * Default 64.
   */
  readonly timeEvery: number;
  /**
   * The module with the debug sections that were stripped from it, for reports of traps; its code
   * must be the same. "" = none.
   */
  readonly debugFile: string;
  readonly canary: CanaryBounds;
  /** Response header that names plugin and version, in lower case; "" = none. Default none. */
  readonly versionHeader: string;
  readonly limits: WasmLimits;
}

/** The policies of a process. */
export interface WasmPolicies {
  /** For plugins that are not named. */
  readonly byDefault: WasmPolicy;
  /** By the plugin's name. */
  readonly byPlugin: ReadonlyMap<string, WasmPolicy>;
}

const MIB: number = 1024 * 1024;

/**
 * Real filters use 100 to 30,000 units for a stream, a firewall with its whole rule set 17
 * million; its configuration takes 400 million, and its memory 1000 pages.
 */
export const defaultWasmPolicy: WasmPolicy = {
  fuel: { callback: 50_000_000, configure: 10_000_000_000, start: 10_000_000_000 },
  callbackTimeMs: 200,
  memoryPagesMax: 2048,
  startTimeMs: 30_000,
  liveStartTimeMs: 200,
  standby: "on",
  hasFiles: false,
  trace: null,
  timeEvery: 64,
  debugFile: "",
  canary: {
    windowMs: 60_000,
    streamsMin: 100,
    stopsPercent: 1,
    errorsPercent: 5,
    latencyRatio: 2,
    fuelRatio: 1.5,
  },
  versionHeader: "",
  limits: {
    calloutsPending: 1024,
    calloutBytes: 64 * MIB,
    logLinesPerSecond: 10_000,
    traceLinesPerSecond: 1000,
    metrics: 10_000,
    bodyBytes: 64 * MIB,
    headerBytes: MIB,
    streamProperties: 1000,
    fileBytes: 16 * MIB,
    openFiles: 256,
    shadowBytes: 16 * MIB,
  },
};

export const defaultWasmPolicies: WasmPolicies = {
  byDefault: defaultWasmPolicy,
  byPlugin: new Map(),
};

export function policyOf(policies: WasmPolicies, plugin: string): WasmPolicy {
  return policies.byPlugin.get(plugin) ?? policies.byDefault;
}

/** The same with the calls of one more plugin logged. */
export function withTrace(policies: WasmPolicies, plugin: string, trace: TraceRule): WasmPolicies {
  const policy = { ...policyOf(policies, plugin), trace };
  return { ...policies, byPlugin: new Map([...policies.byPlugin, [plugin, policy]]) };
}
