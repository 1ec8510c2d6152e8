// The configuration as the workers get it: plain readonly data, resolved once in the main thread,
// structured-clone-able, without YAML, protobuf or names that still must be looked up in text.
// Times are milliseconds; 0 means "off" unless a comment says otherwise.
import type { Http1CodecOptions } from "../core/http1-options.ts";

export interface Snapshot {
  readonly version: number;
  readonly listeners: readonly ListenerConfig[];
  readonly clusters: readonly ClusterConfig[];
  /** Wasm plugins; filters and access loggers name them by index. */
  readonly plugins: readonly WasmPluginConfig[];
  readonly node: NodeConfig;
  readonly server: ServerConfig;
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
}

// ---- Addresses

export interface AddressConfig {
  readonly kind: "ip" | "pipe";
  /** IP address, host name (DNS clusters), or path; abstract pipes begin with "@". */
  readonly address: string;
  readonly port: number;
  readonly ipv4Compat: boolean;
  readonly pipeMode: number;
}

// ---- Listeners

export interface ListenerConfig {
  readonly name: string;
  /** Where it comes from, for messages: "envoy.yaml:4:5". */
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
  readonly trafficDirection: "unspecified" | "inbound" | "outbound";
  readonly drainType: "default" | "modify_only";
  readonly accessLogs: readonly AccessLogConfig[];
  /** TCP keep-alive idle seconds; 0 = off. */
  readonly keepAliveIdleSeconds: number;
}

export interface FilterChainConfig {
  readonly name: string;
  /** This issue: chains without criteria only; the match is refused by config otherwise. */
  readonly hcm: HcmConfig | null;
}

export type ServerHeaderTransformation = "overwrite" | "append_if_absent" | "pass_through";
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
  readonly router: RouterConfig;
  readonly routes: RouteTableConfig;
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
  readonly streamErrorOnInvalidHttpMessage: boolean;
  /** Default 300000. */
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  /** Connection idle, default 3600000. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
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

export interface CidrConfig {
  readonly address: string;
  readonly prefixLength: number;
}

// ---- Filters

export interface HttpFilterConfig {
  /** The name in the chain: key of typed_per_filter_config. */
  readonly name: string;
  readonly disabled: boolean;
  /** Index into Snapshot.plugins. */
  readonly plugin: number;
}

export interface RouterConfig {
  readonly dynamicStats: boolean;
  readonly suppressEnvoyHeaders: boolean;
  readonly respectExpectedRqTimeout: boolean;
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
  /** Base of the reload back-off, default 1000. */
  readonly reloadBackoffBaseMs: number;
  /** Allowed hostcalls and callbacks; empty = all. */
  readonly allowedCapabilities: readonly string[];
  readonly allowOnHeadersStopIteration: boolean;
  readonly code: WasmCodeConfig;
  readonly where: string;
  /** The module, filled in by the main thread after loading; see module/. */
  readonly moduleSha256: string;
}

export interface WasmCodeConfig {
  readonly filename: string;
  readonly inlineBytes: Uint8Array | null;
  /** Lower-case hex, "" = not pinned. */
  readonly sha256: string;
}

// ---- Routes

export interface RouteTableConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHostConfig[];
  readonly headers: HeaderMutationsConfig;
  readonly mostSpecificHeaderMutationsWins: boolean;
  readonly ignorePortInHostMatching: boolean;
  readonly internalOnlyHeaders: readonly string[];
}

export interface VirtualHostConfig {
  readonly name: string;
  /** Lower-case: exact, "*.suffix", "prefix.*" or "*". */
  readonly domains: readonly string[];
  readonly routes: readonly RouteConfig[];
  readonly requireTls: "none" | "external_only" | "all";
  readonly headers: HeaderMutationsConfig;
  readonly includeRequestAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly perFilter: readonly PerFilterConfig[];
}

/** typed_per_filter_config: what is said about one filter of the chain. */
export interface PerFilterConfig {
  readonly filterName: string;
  readonly disabled: boolean;
}

export interface RouteConfig {
  /** "" = none. */
  readonly name: string;
  readonly where: string;
  readonly match: RouteMatchConfig;
  readonly action: RouteActionConfig | RedirectConfig | DirectResponseConfig;
  readonly headers: HeaderMutationsConfig;
  readonly perFilter: readonly PerFilterConfig[];
}

export interface RouteMatchConfig {
  readonly path:
    | { readonly kind: "prefix" | "path" | "path_separated_prefix"; readonly value: string }
    | { readonly kind: "regex"; readonly regex: string };
  readonly caseSensitive: boolean;
  readonly headers: readonly HeaderMatchConfig[];
  readonly queryParameters: readonly QueryParameterMatchConfig[];
  /** Runtime fraction without a runtime layer: numerator of 1000000; 1000000 = always. */
  readonly runtimeFractionPpm: number;
  readonly grpc: boolean;
}

/** A StringMatcher. Values of "regex" are RE2; case-insensitive ones arrive lower-case. */
export interface StringMatchConfig {
  readonly kind: "exact" | "prefix" | "suffix" | "contains" | "regex";
  readonly value: string;
  readonly ignoreCase: boolean;
}

export interface HeaderMatchConfig {
  /** Lower-case. */
  readonly name: string;
  readonly match:
    | { readonly kind: "present"; readonly present: boolean }
    | { readonly kind: "range"; readonly start: number; readonly end: number }
    | { readonly kind: "string"; readonly string: StringMatchConfig };
  readonly invert: boolean;
  readonly treatMissingAsEmpty: boolean;
}

export interface QueryParameterMatchConfig {
  readonly name: string;
  readonly match:
    | { readonly kind: "present" }
    | { readonly kind: "string"; readonly string: StringMatchConfig };
}

export interface RouteActionConfig {
  readonly kind: "route";
  readonly cluster:
    | { readonly kind: "cluster"; readonly name: string }
    | { readonly kind: "header"; readonly header: string }
    | {
        readonly kind: "weighted";
        readonly clusters: readonly WeightedClusterConfig[];
        readonly totalWeight: number;
        /** Header that holds the random value; "" = random. */
        readonly headerName: string;
      };
  /** Default 503. */
  readonly clusterNotFoundStatus: number;
  readonly pathRewrite:
    | { readonly kind: "none" }
    | { readonly kind: "prefix"; readonly prefix: string }
    | { readonly kind: "regex"; readonly regex: string; readonly substitution: string };
  readonly hostRewrite:
    | { readonly kind: "none" }
    | { readonly kind: "literal"; readonly host: string }
    | { readonly kind: "auto" }
    | { readonly kind: "header"; readonly header: string }
    | { readonly kind: "path_regex"; readonly regex: string; readonly substitution: string };
  readonly appendXForwardedHost: boolean;
  /** Default 15000. */
  readonly timeoutMs: number;
  /** -1 = not set: the manager's stream idle timeout holds. */
  readonly idleTimeoutMs: number;
  /** -1 = not set. */
  readonly maxStreamDurationMs: number;
  readonly priority: "default" | "high";
}

export interface WeightedClusterConfig {
  readonly cluster: { readonly kind: "cluster" | "header"; readonly name: string };
  readonly weight: number;
  readonly headers: HeaderMutationsConfig;
  readonly hostRewriteLiteral: string;
  readonly perFilter: readonly PerFilterConfig[];
}

export interface RedirectConfig {
  readonly kind: "redirect";
  /** 301, 302, 303, 307 or 308. */
  readonly status: number;
  /** "" = keep the scheme; `httpsRedirect` also drops :80. */
  readonly scheme: string;
  readonly httpsRedirect: boolean;
  readonly host: string;
  /** 0 = keep. */
  readonly port: number;
  readonly path:
    | { readonly kind: "keep" }
    | { readonly kind: "path"; readonly path: string }
    | { readonly kind: "prefix"; readonly prefix: string }
    | { readonly kind: "regex"; readonly regex: string; readonly substitution: string };
  readonly stripQuery: boolean;
}

export interface DirectResponseConfig {
  readonly kind: "direct_response";
  readonly status: number;
  /** Latin1 text, one character a byte; null = no body. */
  readonly body: string | null;
  readonly bodyFormat: SubstitutionFormatConfig | null;
}

// ---- Header mutations and formats

export interface HeaderMutationsConfig {
  readonly requestAdd: readonly HeaderAddConfig[];
  readonly requestRemove: readonly string[];
  readonly responseAdd: readonly HeaderAddConfig[];
  readonly responseRemove: readonly string[];
}

export interface HeaderAddConfig {
  /** Lower-case. */
  readonly name: string;
  /** With %COMMANDS%; checked by config through access-log/'s formatter grammar. */
  readonly format: string;
  readonly action:
    | "append_if_exists_or_add"
    | "add_if_absent"
    | "overwrite_if_exists_or_add"
    | "overwrite_if_exists";
  readonly keepEmptyValue: boolean;
}

export interface SubstitutionFormatConfig {
  readonly kind: "text" | "json";
  /** Text format. */
  readonly text: string;
  /** JSON format as a tree of objects, arrays, strings, numbers, booleans. */
  readonly json: JsonValue;
  readonly omitEmptyValues: boolean;
  readonly contentType: string;
}

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

// ---- Access logs

export interface AccessLogConfig {
  readonly name: string;
  readonly filter: AccessLogFilterConfig | null;
  readonly sink:
    | {
        readonly kind: "file";
        readonly path: string;
        readonly format: SubstitutionFormatConfig | null;
      }
    | { readonly kind: "stdout" | "stderr"; readonly format: SubstitutionFormatConfig | null }
    | { readonly kind: "wasm"; readonly plugin: number };
}

export type ComparisonOp = "eq" | "ge" | "le" | "ne";

export type AccessLogFilterConfig =
  | { readonly kind: "status_code" | "duration"; readonly op: ComparisonOp; readonly value: number }
  | { readonly kind: "not_health_check" }
  | { readonly kind: "traceable" }
  | { readonly kind: "runtime"; readonly ppm: number; readonly useIndependentRandomness: boolean }
  | { readonly kind: "and" | "or"; readonly filters: readonly AccessLogFilterConfig[] }
  | { readonly kind: "header"; readonly header: HeaderMatchConfig }
  /** Flag bits; 0 = any flag. */
  | { readonly kind: "response_flag"; readonly flags: number }
  | {
      readonly kind: "grpc_status";
      readonly statuses: readonly number[];
      readonly exclude: boolean;
    };

// ---- Clusters

export interface ClusterConfig {
  readonly name: string;
  readonly where: string;
  /** Infix of its stats: alt_stat_name or the name with ":" as "_". */
  readonly statName: string;
  readonly discovery: "static" | "strict_dns" | "logical_dns";
  readonly lbPolicy: "round_robin" | "least_request" | "random";
  /** For least_request, default 2. */
  readonly leastRequestChoiceCount: number;
  readonly leastRequestActiveBias: number;
  /** Default 5000. */
  readonly connectTimeoutMs: number;
  /** Default 1 MiB. */
  readonly perConnectionBufferBytesMax: number;
  readonly dns: DnsConfig;
  readonly http1: Http1CodecOptions;
  /** Idle upstream connections, default 3600000. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** 0 = unlimited. */
  readonly maxRequestsPerConnection: number;
  /** Default and high priority, in this order. */
  readonly circuitBreakers: readonly [CircuitBreakerConfig, CircuitBreakerConfig];
  /** Index of this cluster's cells in the shared circuit-breaker memory; set by server. */
  readonly sharedIndex: number;
  readonly localities: readonly LocalityConfig[];
  readonly keepAliveIdleSeconds: number;
  readonly healthyPanicThresholdPercent: number;
  readonly bindAddress: AddressConfig | null;
  /** The cluster's metadata etc. for guests; serialised envoy.config.core.v3.Metadata. */
  readonly metadata: Uint8Array;
}

export interface DnsConfig {
  /** Default 5000. */
  readonly refreshRateMs: number;
  readonly failureRefreshBaseMs: number;
  readonly failureRefreshMaxMs: number;
  readonly respectTtl: boolean;
  readonly family: "auto" | "v4_only" | "v6_only" | "v4_preferred" | "all";
}

export interface CircuitBreakerConfig {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  readonly trackRemaining: boolean;
}

export interface LocalityConfig {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  /** 0 = highest. */
  readonly priority: number;
  readonly weight: number;
  readonly endpoints: readonly EndpointConfig[];
}

export interface EndpointConfig {
  readonly address: AddressConfig;
  /** Name for host rewriting; "" = the address. */
  readonly hostname: string;
  /** Default 1. */
  readonly weight: number;
  readonly health: "healthy" | "unhealthy" | "draining" | "timeout" | "degraded";
}

/**
 * Hosts of a cluster as they are now: static ones from the configuration, DNS ones from main's
 * resolver. Main pushes them to all workers; a worker never resolves a name.
 */
export interface ClusterMembership {
  readonly cluster: string;
  readonly hosts: readonly HostConfig[];
}

export interface HostConfig {
  readonly address: AddressConfig;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly health: EndpointConfig["health"];
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}
