// What the admin interface needs of the rest of the process: server/ fulfils it in the main thread.
import type { LogLevel } from "../core/logger.ts";
import type { RuntimeLayer } from "../core/runtime.ts";
import type { StatsAggregate } from "../stats/aggregate.ts";

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
/** A message as protobuf JSON with snake_case names, defaults left out. */
export type JsonObject = { readonly [key: string]: JsonValue };

export type ServerStateName = "LIVE" | "DRAINING" | "PRE_INITIALIZING" | "INITIALIZING";

export interface AdminDelegate {
  readonly stats: StatsAggregate;
  state(): ServerStateName;
  /** envoy.admin.v3.ServerInfo. */
  serverInfo(): JsonObject;
  /** Brings gauges that follow the process up to date; called before stats are shown. */
  refreshStats(): void;
  clusters(): readonly AdminCluster[];
  listeners(): readonly AdminListener[];
  /** envoy.admin.v3.Certificate of each TLS context. */
  certificates(): readonly JsonObject[];
  configDump(): AdminConfigDump;
  /** Component names with their levels, in the order in which they are shown. */
  logLevels(): readonly (readonly [string, LogLevel])[];
  /** null = all components. The name is one of logLevels(). */
  setLogLevel(component: string | null, level: LogLevel): void;
  drainListeners(options: DrainOptions): void;
  /** True makes health check filters fail and connections drain; state() is DRAINING then. */
  setHealthcheckFail(isFailing: boolean): void;
  /** Runtime layers, lowest first. */
  runtime(): readonly RuntimeLayer[];
  /** /runtime_modify: sets keys, or removes those whose text is empty; "" or what is wrong. */
  modifyRuntime(pairs: readonly (readonly [string, string])[]): string;
  /** Wasm plugins by name, each with its versions. */
  wasmPlugins(): JsonObject;
  /** What plugins have cost so far. */
  wasmCosts(): JsonObject;
  /** Reports of its guests that were stopped; null = there is no plugin of that name. */
  wasmTraps(plugin: string): JsonObject | null;
  /** How its version in the shadow differs; null = there is no plugin of that name. */
  wasmShadow(plugin: string): JsonObject | null;
  /** Another version of a plugin; the answer comes when all workers have it, or none. */
  pushWasm(plugin: string, push: WasmPush): Promise<WasmAnswer>;
  /** `version` "" = the one that is tried. */
  promoteWasm(plugin: string, version: string): Promise<WasmAnswer>;
  /** `version` "" = the one that is tried goes, or else the one before the primary comes back. */
  rollBackWasm(plugin: string, version: string): Promise<WasmAnswer>;
  resetCounters(): void;
  reopenLogs(): void;
  /** Ends the process gracefully; the answer has been sent. */
  /** Every plugin, and whose of its calls are logged. */
  wasmTraces(): readonly WasmTrace[];
  /** `every` and `header` as they came, "" = not said. Answers what is wrong, "" = done. */
  traceWasm(plugin: string, every: string, header: string): string;
  untraceWasm(plugin: string): string;
  quit(): void;
}

/** A version that comes by the admin interface. */
export interface WasmPush {
  /** Null = the module that serves. */
  readonly module: Uint8Array | null;
  /** Bytes for on_configure; null = those in force. */
  readonly configuration: Uint8Array | null;
  /** Of the module, for reports of its traps; null = none came. */
  readonly sourceMap: Uint8Array | null;
  /** It begins without the shared data and queues of the version before. */
  readonly isFresh: boolean;
  /** Null = all new streams are its. */
  readonly trial: WasmTrial | null;
}

/** A canary has its share of the streams; a shadow sees copies of them. */
export interface WasmTrial {
  readonly role: "canary" | "shadow";
  readonly share: {
    /** Of ten thousand streams. */
    readonly perTenThousand: number;
    /** Streams with that header only; `value` null = any. Null = by the share. */
    readonly match: { readonly header: string; readonly value: string | null } | null;
    readonly sticky:
      | { readonly kind: "stream" }
      | { readonly kind: "client" }
      | { readonly kind: "header"; readonly header: string };
  };
  /** Of a canary: it takes all streams when its window has passed well. */
  readonly isPromoted: boolean;
}

export interface WasmAnswer {
  readonly status: number;
  readonly page: JsonObject;
}

export interface DrainOptions {
  /** Let the drain period pass before listeners are closed. */
  readonly graceful: boolean;
  /** Drain connections, keep listening. */
  readonly skipExit: boolean;
  /** Only listeners with traffic_direction INBOUND. */
  readonly inboundOnly: boolean;
}

export interface AdminAddress {
  /** The address or a socket's path. */
  readonly address: string;
  /** null = a unix socket. */
  readonly port: number | null;
}

export interface AdminListener {
  readonly name: string;
  /** The first is the listener's address, others are additional ones. */
  readonly addresses: readonly AdminAddress[];
}

export interface WasmTrace {
  readonly plugin: string;
  /** "off", or of which streams, in words. */
  readonly trace: string;
  /** By traceWasm or untraceWasm; otherwise its policy says so. */
  readonly isSwitched: boolean;
}

export interface AdminCircuitBreaker {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

export interface AdminCluster {
  readonly name: string;
  /** alt_stat_name, or the name. */
  readonly observabilityName: string;
  readonly addedViaApi: boolean;
  /** "" = none. */
  readonly edsServiceName: string;
  readonly circuitBreakers: {
    readonly default: AdminCircuitBreaker;
    readonly high: AdminCircuitBreaker;
  };
  readonly hosts: readonly AdminHost[];
}

/** Why a host is not fully healthy, by Envoy's words. */
export type HealthFlag =
  | "failed_active_hc"
  | "failed_outlier_check"
  | "failed_eds_health"
  | "degraded_active_hc"
  | "degraded_eds_health"
  | "pending_dynamic_removal"
  | "pending_active_hc"
  | "excluded_via_immediate_hc_fail"
  | "active_hc_timeout"
  | "eds_status_draining";

export interface AdminHost extends AdminAddress {
  /** "10.0.0.1:80", "[::1]:80" or a path: also the host's name in hidden stats. */
  readonly addressText: string;
  readonly hostname: string;
  /** Empty = healthy. */
  readonly healthFlags: readonly HealthFlag[];
  readonly weight: number;
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  readonly canary: boolean;
  readonly priority: number;
}

/** One configured thing as /config_dump shows it. */
export interface ConfigDumpItem {
  /** The message, without "@type". */
  readonly config: JsonObject;
  /** ISO 8601, UTC. */
  readonly lastUpdated: string;
}

/** One that came by xDS. */
export interface DynamicDumpItem extends ConfigDumpItem {
  /** Of the response that brought it; "" = none. */
  readonly versionInfo: string;
}

/** What is wrong with a listener of the last LDS response. */
export interface DumpError {
  readonly failedConfiguration: JsonObject;
  readonly versionInfo: string;
  /** ISO 8601, UTC. */
  readonly lastUpdateAttempt: string;
  readonly details: string;
}

export interface DynamicListenerItem {
  readonly name: string;
  /** Null = it is not in force. */
  readonly active: DynamicDumpItem | null;
  /** Its connections leave: it was removed or replaced. */
  readonly draining: DynamicDumpItem | null;
  readonly error: DumpError | null;
}

export interface AdminConfigDump {
  /** envoy.config.bootstrap.v3.Bootstrap with its node. Secrets are redacted by the delegate. */
  readonly bootstrap: ConfigDumpItem;
  readonly clusters: readonly ConfigDumpItem[];
  readonly listeners: readonly ConfigDumpItem[];
  /** Inline route tables of all connection managers. */
  readonly routes: readonly ConfigDumpItem[];
  /** Of the last CDS and LDS response in force; "" = none. */
  readonly clustersVersion: string;
  readonly listenersVersion: string;
  readonly dynamicClusters: readonly DynamicDumpItem[];
  readonly dynamicListeners: readonly DynamicListenerItem[];
  readonly dynamicRoutes: readonly DynamicDumpItem[];
  readonly secrets: DumpedSecrets;
  /** The hosts of all clusters as envoy.config.endpoint.v3.ClusterLoadAssignment. */
  endpoints(): DumpedEndpoints;
}

/** envoy.extensions.transport_sockets.tls.v3.Secret messages; redacted by the delegate. */
export interface DumpedSecrets {
  readonly static: readonly JsonObject[];
  readonly active: readonly DynamicDumpItem[];
  /** Names of those that have not come. */
  readonly warming: readonly string[];
}

export interface DumpedEndpoints {
  /** Of static clusters. */
  readonly static: readonly JsonObject[];
  /** Of clusters that came by CDS. */
  readonly dynamic: readonly JsonObject[];
}
