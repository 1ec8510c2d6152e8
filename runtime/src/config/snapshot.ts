// The configuration as the workers get it: plain readonly data, resolved once in the main thread,
// structured-clone-able, without YAML, protobuf or names that still must be looked up in text.
// Times are milliseconds; 0 means "off" unless a comment says otherwise.
import type { Http1CodecOptions } from "../core/http1-options.ts";
import type { RuntimeLayer } from "../core/runtime.ts";
import type { SubstitutionFormatConfig } from "../formatter/format-config.ts";
import type { AccessLogConfig, AccessLogFilterConfig } from "./access-log-config.ts";
import type {
  AddressConfig,
  ClusterConfig,
  ConfigSourceConfig,
  TcpKeepAliveConfig,
} from "./cluster-config.ts";
import type { HttpFilterConfig, HttpFilterVariant } from "./filter-config.ts";
import type { FilterChainMatcherConfig } from "./matcher-config.ts";
import type { OverloadConfig } from "./overload-config.ts";
import type {
  CidrConfig,
  HeaderAddConfig,
  RouteTableConfig,
  UpgradeConfig,
} from "./route-config.ts";
import type { TcpProxyConfig } from "./tcp-proxy-config.ts";
import type { DownstreamTlsConfig, DynamicSecret } from "./tls-config.ts";
import type { WasmPolicy } from "./wasm-policy.ts";

export type * from "../formatter/format-config.ts";
export type * from "./access-log-config.ts";
export type * from "./cluster-config.ts";
export type * from "./filter-config.ts";
export type * from "./matcher-config.ts";
export type * from "./overload-config.ts";
export type * from "./route-config.ts";
export type * from "./tcp-proxy-config.ts";
export type * from "./tls-config.ts";

export interface Snapshot {
  readonly version: number;
  readonly listeners: readonly ListenerConfig[];
  readonly clusters: readonly ClusterConfig[];
  /** Wasm plugins; filters and access loggers name them by index. */
  readonly plugins: readonly WasmPluginConfig[];
  /** Plugins that run without traffic. */
  readonly services: readonly WasmServiceConfig[];
  /** Those that connection managers name by `rds`. */
  readonly routeTables: readonly DynamicRouteTable[];
  /** Those that TLS contexts name by key. */
  readonly secrets: readonly DynamicSecret[];
  readonly node: NodeConfig;
  readonly server: ServerConfig;
  /** Runtime layers, lowest first. */
  readonly runtime: readonly RuntimeLayer[];
  /** Null = nothing is watched. */
  readonly overload: OverloadConfig | null;
}

/** envoy.bootstrap.wasm: a plugin for its ticks, calls and queues. */
export interface WasmServiceConfig {
  /** Index into Snapshot.plugins. */
  readonly plugin: number;
  /** One for the process instead of one for each worker. */
  readonly isSingleton: boolean;
}

/** A route table that comes by RDS. */
export interface DynamicRouteTable {
  /** RdsConfig.key. */
  readonly key: string;
  /** From 1; another number for each change of `table`. */
  readonly revision: number;
  /** Null = none came yet. */
  readonly table: RouteTableConfig | null;
  /** Plugins that its routes put in the place of a filter; they name them by their place here. */
  readonly variants: readonly RouteVariantConfig[];
}

/** What a route of RDS gives to a filter of its chain. */
export interface RouteVariantConfig {
  /** Place in HcmConfig.httpFilters. */
  readonly filter: number;
  /** In which the plugin differs from the filter's. */
  readonly own: Partial<WasmPluginConfig>;
  /** Index into Snapshot.plugins; -1 until the snapshot is assembled. */
  readonly plugin: number;
}

export interface NodeConfig {
  readonly id: string;
  readonly cluster: string;
  readonly zone: string;
  readonly region: string;
  readonly subZone: string;
  /** Serialised envoy.config.core.v3.Node, for guests' properties. */
  readonly serialized: Uint8Array;
}

export interface ServerConfig {
  /** Milliseconds between access-log flushes, default 10000 (--file-flush-interval-msec). */
  readonly fileFlushIntervalMs: number;
  /** Milliseconds of the drain sequence, default 600000 (--drain-time-s). */
  readonly drainTimeMs: number;
  readonly drainStrategy: "gradual" | "immediate";
  readonly hostname: string;
  /** This machine's first address that is not loopback, "127.0.0.1" when it has none. */
  readonly hostIp: string;
}

// ---- Listeners

export interface ListenerConfig {
  readonly name: string;
  /**
   * Its path in the configuration, "static_resources.listeners[0]"; main turns it into
   * file:line:col.
   */
  readonly where: string;
  readonly address: AddressConfig;
  readonly additionalAddresses: readonly AddressConfig[];
  /** Infix of its stats, "127.0.0.1_10000" or stat_prefix. */
  readonly statPrefix: string;
  readonly reusePort: boolean;
  readonly backlog: number;
  readonly bindToPort: boolean;
  /** Default 1 MiB. */
  readonly perConnectionBufferBytesMax: number;
  readonly filterChains: readonly FilterChainConfig[];
  readonly defaultFilterChain: FilterChainConfig | null;
  /** Takes the place of each chain's `match`; its chains have names of their own. Null = none. */
  readonly filterChainMatcher: FilterChainMatcherConfig | null;
  /** In their order, before the filter chain is chosen. */
  readonly listenerFilters: readonly ListenerFilterConfig[];
  /** Default 15 s; 0 = for ever. */
  readonly listenerFiltersTimeoutMs: number;
  /** When their time is over the connection goes on with what they have found; default false. */
  readonly continuesOnListenerFiltersTimeout: boolean;
  readonly trafficDirection: "unspecified" | "inbound" | "outbound";
  /** For guests: serialised envoy.config.core.v3.Metadata; absent = none. */
  readonly metadata?: Uint8Array | undefined;
  readonly drainType: "default" | "modify_only";
  readonly accessLogs: readonly AccessLogConfig[];
  /** Null = off. */
  readonly keepAlive: TcpKeepAliveConfig | null;
  /** Of `additionalAddresses`, one for each. */
  readonly additionalKeepAlives: readonly (TcpKeepAliveConfig | null)[];
  /** Its connections neither count for the limit of all listeners, nor are held up by it. */
  readonly ignoresGlobalConnectionLimit: boolean;
  /** Accepts whatever the overload manager says. */
  readonly bypassesOverloadManager: boolean;
  /** Index of this listener's cell in the shared connection counts. */
  readonly sharedIndex: number;
}

export type ListenerFilterConfig =
  | DisabledListenerFilterConfig
  | ProxyProtocolConfig
  | TlsInspectorConfig
  | { readonly kind: "http_inspector" };

/** A listener filter that some connections do not get. */
export interface DisabledListenerFilterConfig {
  readonly kind: "disabled";
  readonly when: ListenerPredicateConfig;
  readonly filter: ListenerFilterConfig;
}

/** Ports are those of the destination, `end` not among them. */
export type ListenerPredicateConfig =
  | { readonly kind: "and" | "or"; readonly rules: readonly ListenerPredicateConfig[] }
  | { readonly kind: "not"; readonly rule: ListenerPredicateConfig }
  | { readonly kind: "any" }
  | { readonly kind: "ports"; readonly start: number; readonly end: number };

export interface TlsInspectorConfig {
  readonly kind: "tls_inspector";
  /** Default 16 KiB. */
  readonly helloBytesMax: number;
  /** For %TLS_JA3_FINGERPRINT% and %TLS_JA4_FINGERPRINT%; absent = not taken. */
  readonly takesJa3?: boolean;
  readonly takesJa4?: boolean;
}

export interface ProxyProtocolConfig {
  readonly kind: "proxy_protocol";
  /** "" = none. */
  readonly statPrefix: string;
  /** Connections without a header are taken. */
  readonly isOptional: boolean;
  /** What upstreams may be told by a PROXY header of ours. */
  readonly passThroughTlvs: PassThroughTlvs;
  readonly allowsV1: boolean;
  readonly allowsV2: boolean;
  readonly rules: readonly ProxyTlvRuleConfig[];
}

/** TLVs by their types. */
export type PassThroughTlvs = "none" | "all" | readonly number[];

/** Which TLV becomes dynamic metadata of the connection. */
export interface ProxyTlvRuleConfig {
  readonly tlvType: number;
  readonly namespace: string;
  readonly key: string;
  readonly isBase64: boolean;
}

export interface FilterChainConfig {
  readonly name: string;
  /** Null = the chain takes what no other one takes. */
  readonly match: FilterChainMatchConfig | null;
  /** Null = plain text. */
  readonly tls: DownstreamTlsConfig | null;
  /** In front of the terminal filter, in their order. */
  readonly networkFilters: readonly NetworkFilterConfig[];
  // The terminal filter is one of these; none = connections are closed.
  readonly hcm: HcmConfig | null;
  readonly tcpProxy: TcpProxyConfig | null;
  readonly localFilter: LocalFilterConfig | null;
}

/** A network filter that is not terminal. */
export interface NetworkFilterConfig {
  readonly kind: "wasm";
  readonly name: string;
  /** Index into Snapshot.plugins. */
  readonly plugin: number;
}

/** A terminal network filter that answers by itself. */
export type LocalFilterConfig =
  | { readonly kind: "echo" }
  | { readonly kind: "direct_response"; readonly body: Uint8Array };

/** An empty list, "" and 0 match all connections. Each list has each value once. */
export interface FilterChainMatchConfig {
  readonly destinationPort: number;
  /** Of the destination; "10.0.0.0/8", bits beyond the prefix are clear. */
  readonly prefixRanges: readonly string[];
  /** Lower-case: "a.example", or ".example" for all names below it. */
  readonly serverNames: readonly string[];
  /** "raw_buffer", "tls", or something that no connection has. */
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  readonly directSourcePrefixRanges: readonly string[];
  readonly sourceType: "" | "same_ip_or_loopback" | "external";
  readonly sourcePrefixRanges: readonly string[];
  readonly sourcePorts: readonly number[];
}

export type ServerHeaderTransformation = "overwrite" | "append_if_absent" | "pass_through";
export type ForwardClientCert =
  | "sanitize"
  | "forward_only"
  | "append_forward"
  | "sanitize_set"
  | "always_forward_only";

/** What x-forwarded-client-cert says of the client's certificate beside By and Hash. */
export interface ClientCertDetails {
  readonly subject: boolean;
  readonly cert: boolean;
  readonly chain: boolean;
  readonly dns: boolean;
  readonly uri: boolean;
}

export type EscapedSlashesAction =
  | "keep_unchanged"
  | "reject_request"
  | "unescape_and_redirect"
  | "unescape_and_forward";

export interface HcmConfig {
  readonly statPrefix: string;
  readonly codecType: "auto" | "http1";
  readonly http1: Http1CodecOptions;
  readonly httpFilters: readonly HttpFilterConfig[];
  /** Plugins that routes put in the place of a filter; absent = none. */
  readonly variants?: readonly HttpFilterVariant[] | undefined;
  readonly router: RouterConfig;
  readonly upgrades: readonly UpgradeConfig[];
  /** Empty when `rds` is there. */
  readonly routes: RouteTableConfig;
  readonly rds: RdsConfig | null;
  readonly accessLogs: readonly AccessLogConfig[];
  /** "" = none. */
  readonly via: string;
  /** Default "envoy". */
  readonly serverName: string;
  readonly serverHeaderTransformation: ServerHeaderTransformation;
  readonly useRemoteAddress: boolean;
  readonly xffNumTrustedHops: number;
  readonly skipXffAppend: boolean;
  readonly appendXForwardedPort: boolean;
  /** CIDR ranges that make a peer internal; unix sockets too when asked for. */
  readonly internalCidrs: readonly CidrConfig[];
  readonly internalUnixSockets: boolean;
  /** Default "sanitize". */
  readonly forwardClientCert: ForwardClientCert;
  /** Only where the mode writes the header. */
  readonly clientCertDetails: ClientCertDetails;
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly alwaysSetRequestIdInResponse: boolean;
  /** "" = leave as it came; "http" or "https" overwrite. */
  readonly schemeToOverwrite: string;
  readonly schemeMatchUpstream: boolean;
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashesAction: EscapedSlashesAction;
  readonly stripMatchingHostPort: boolean;
  readonly stripAnyHostPort: boolean;
  readonly stripTrailingHostDot: boolean;
  readonly addUserAgent: boolean;
  readonly proxy100Continue: boolean;
  /** Answers of an overload carry x-envoy-local-overloaded. */
  readonly appendLocalOverload: boolean;
  readonly streamErrorOnInvalidHttpMessage: boolean;
  /** Default 300000. */
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  /** Connection idle, default 3600000. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** So much of it is added by chance, 0.1 = up to a tenth. */
  readonly maxConnectionDurationJitter: number;
  /** At its end a connection is asked to leave, and not closed before it has. */
  readonly http1SafeMaxConnectionDuration: boolean;
  readonly maxStreamDurationMs: number;
  /** 0 = unlimited. */
  readonly maxRequestsPerConnection: number;
  /** Default 5000. */
  readonly drainTimeoutMs: number;
  /** Default 1000. */
  readonly delayedCloseTimeoutMs: number;
  readonly localReply: LocalReplyConfig | null;
  /** Only with tracing configured; null = none (then request ids keep their nibble). */
  readonly tracing: null;
}

/** Where a connection manager's routes come from, when they do not stand in it. */
export interface RdsConfig {
  /** The same for connection managers that can share the table. */
  readonly key: string;
  readonly routeConfigName: string;
  readonly source: ConfigSourceConfig;
}

export interface LocalReplyConfig {
  readonly mappers: readonly LocalReplyMapperConfig[];
  readonly bodyFormat: SubstitutionFormatConfig | null;
}

export interface LocalReplyMapperConfig {
  readonly filter: AccessLogFilterConfig;
  /** 0 = keep. */
  readonly statusCode: number;
  /** null = keep. */
  readonly body: string | null;
  readonly bodyFormat: SubstitutionFormatConfig | null;
  readonly headersToAdd: readonly HeaderAddConfig[];
}

// ---- Filters

export interface RouterConfig {
  readonly dynamicStats: boolean;
  readonly suppressEnvoyHeaders: boolean;
  readonly respectExpectedRqTimeout: boolean;
  /** Between the router and clusters that have no filters of their own; absent = none. */
  readonly upstreamFilters?: readonly HttpFilterConfig[] | undefined;
}

/** envoy.extensions.wasm.v3.PluginConfig, resolved. */
export interface WasmPluginConfig {
  /** config.name, or the filter's name when empty. */
  readonly name: string;
  readonly rootId: string;
  readonly vmId: string;
  readonly runtime: string;
  /** Bytes for on_vm_start and on_configure, as Envoy hands them over. */
  readonly vmConfiguration: Uint8Array;
  readonly pluginConfiguration: Uint8Array;
  /** KEY=value, resolved. */
  readonly environment: readonly (readonly [string, string])[];
  readonly failurePolicy: "unspecified" | "fail_closed" | "fail_open" | "fail_reload";
  /** The deprecated `fail_open: true`: also lets the stream pass that trapped. */
  readonly failOpenLegacy: boolean;
  /** Base of the reload back-off, default 1000, and its end, default ten times the base. */
  readonly reloadBackoffBaseMs: number;
  readonly reloadBackoffMaxMs: number;
  /** Allowed hostcalls and callbacks; empty = all. */
  readonly allowedCapabilities: readonly string[];
  readonly allowOnHeadersStopIteration: boolean;
  readonly code: WasmCodeConfig;
  readonly where: string;
  /** It stands for a native filter of Envoy, and behaves as one. Absent = a guest like others. */
  readonly native?: NativeFilterConfig | undefined;
  /** Index of the plugin whose VM it is on, with a root context of its own; absent = its own VM. */
  readonly variantOf?: number | undefined;
  /** What the guest may use, filled in by the main thread. */
  readonly policy: WasmPolicy;
  /** The loaded module's key, filled in by the main thread; see module/. */
  readonly moduleKey: string;
  /** What is served with that module; filled in with it. Absent = there is no module. */
  readonly version?: PluginVersionConfig | undefined;
  /** Versions that are tried beside it; filled in like it. Absent = none. */
  readonly candidates?: readonly CandidateConfig[] | undefined;
  /** Why the probe found that it cannot be started: no worker tries. Absent = it can. */
  readonly refusal?: string | undefined;
}

/** One version of a plugin: a module, and the configuration that was pushed with it. */
export interface PluginVersionConfig {
  /** config/plugin-version.ts. */
  readonly name: string;
  readonly moduleKey: string;
  /** Bytes for on_configure in the place of the plugin's own; null = the plugin's own. */
  readonly configuration: Uint8Array | null;
  /**
   * Stands before its vm_id where it shares data and queues: "" = with all of that vm_id, else with
   * versions that came after one that was to begin with nothing.
   */
  readonly space: string;
  /** What the version does, in all workers; see wasm/version-counts.ts. */
  readonly counts: SharedArrayBuffer;
  /** Absent = it was not probed. */
  readonly probed?: ProbedStart | undefined;
}

/** What the probe saw of a plugin's start. */
export interface ProbedStart {
  /** Milliseconds of the thread's time, the VM's making included. */
  readonly computedMs: number;
  /** False: up to the first call that others would see. */
  readonly isWhole: boolean;
}

/**
 * A version that is tried. "canary": some streams are its, the others the plugin's own version's.
 * "shadow": it sees copies of them, and nobody sees what it does.
 */
export interface CandidateConfig extends PluginVersionConfig {
  readonly role: "canary" | "shadow";
  readonly share: ShareConfig;
  /** Why the probe found that it cannot be started. Absent = it can. */
  readonly refusal?: string | undefined;
}

/** Which streams are a candidate's. */
export interface ShareConfig {
  /** Of ten thousand streams. */
  readonly perTenThousand: number;
  /** Streams with that header (and that value; null = any) and no others. Null = by the share. */
  readonly match: { readonly header: string; readonly value: string | null } | null;
  /** Whose streams stay together: those of a client's address, or of one value of a header. */
  readonly sticky: StickyKey;
}

export type StickyKey =
  | { readonly kind: "stream" }
  | { readonly kind: "client" }
  | { readonly kind: "header"; readonly header: string };

/** In which a filter that comes with Headgate differs from guests of others. */
export interface NativeFilterConfig {
  /** What stands before the names of its metrics, with the dot. */
  readonly metricPrefix: string;
}

/** Code that the main thread fetches. */
export interface WasmRemoteCode {
  readonly uri: string;
  readonly cluster: string;
  readonly timeoutMs: number;
  /** Default 1. */
  readonly retries: number;
  /** Waits between them: doubled from the base (1 s) to the end (10 times it). */
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  /** A configuration whose module cannot be had is refused. */
  readonly isRequired: boolean;
}

export interface WasmCodeConfig {
  /** Null = it is local. */
  readonly remote: WasmRemoteCode | null;
  readonly filename: string;
  /** The directory whose changes announce another module; "" = the file is not watched. */
  readonly watchedDirectory: string;
  readonly inlineBytes: Uint8Array | null;
  /** Lower-case hex, "" = not pinned. */
  readonly sha256: string;
}
