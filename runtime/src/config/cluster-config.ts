// Clusters and their hosts as the workers get them; part of snapshot.ts. Times are milliseconds.
import type { Http2ClientOptions } from "../core/http2-options.ts";
import type { Http1CodecOptions } from "../core/http1-options.ts";
import type { ClusterFiltersConfig } from "./filter-config.ts";
import type { TransportSocketConfig, TransportSocketMatch } from "./tls-config.ts";

export interface AddressConfig {
  readonly kind: "ip" | "pipe";
  /** IP address, host name (DNS clusters), or path; abstract pipes begin with "@". */
  readonly address: string;
  readonly port: number;
  readonly ipv4Compat: boolean;
  readonly pipeMode: number;
}

/** TCP keep-alive of connections. */
export interface TcpKeepAliveConfig {
  /** Before the first probe, default 7200. */
  readonly idleSeconds: number;
  /** Between probes, default 75. */
  readonly intervalSeconds: number;
  /** Unanswered ones after which a connection is dead, default 9. */
  readonly probes: number;
}

/** UpstreamHttpProtocolOptions: a request's host name in place of what TLS was configured with. */
export interface AutoSniConfig {
  readonly setsServerName: boolean;
  readonly verifiesName: boolean;
  /** Whose value it is, lower-case; "" = that of the host. */
  readonly headerName: string;
}

/** In which order the addresses of a host are tried. */
export interface HappyEyeballsConfig {
  /** Null = that of the host's first address. */
  readonly firstFamily: "ipv4" | "ipv6" | "unix" | null;
  /** How many of it before one of another. Default 1. */
  readonly firstFamilyCount: number;
}

export interface ClusterConfig {
  readonly name: string;
  readonly where: string;
  /** Infix of its stats: alt_stat_name or the name with ":" as "_". */
  readonly statName: string;
  readonly discovery: "static" | "strict_dns" | "logical_dns" | "eds" | "original_dst";
  /** Only with discovery "eds". */
  readonly eds: EdsConfig | null;
  /** Only with discovery "original_dst". */
  readonly originalDestination: OriginalDestinationConfig | null;
  readonly lbPolicy: "round_robin" | "least_request" | "random";
  /** For least_request, default 2. */
  readonly leastRequestChoiceCount: number;
  readonly leastRequestActiveBias: number;
  /** Runtime key of the bias; "" = none. */
  readonly leastRequestActiveBiasKey: string;
  /** Default 5000. */
  readonly connectTimeoutMs: number;
  /** Default 1 MiB. */
  readonly perConnectionBufferBytesMax: number;
  readonly dns: DnsConfig;
  readonly http1: Http1CodecOptions;
  /** Null = the hosts speak HTTP/1. */
  readonly http2: Http2ClientOptions | null;
  /** Idle upstream connections, default 3600000. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** From a connection to the response's end; 0 = none. */
  readonly maxStreamDurationMs: number;
  /** 0 = unlimited. */
  readonly maxRequestsPerConnection: number;
  /** Default and high priority, in this order. */
  readonly circuitBreakers: readonly [CircuitBreakerConfig, CircuitBreakerConfig];
  /** Index of its cells in the shared circuit-breaker memory; -1 until server sets it. */
  readonly sharedIndex: number;
  readonly localities: readonly LocalityConfig[];
  /** Absent = those of the router run. */
  readonly httpFilters?: ClusterFiltersConfig | undefined;
  /** Null = off. */
  readonly keepAlive: TcpKeepAliveConfig | null;
  readonly healthyPanicThresholdPercent: number;
  /**
   * Where connections come from: of each family one at most. Null = the cluster does not say: in a
   * snapshot the bootstrap's stand in its place, if it has any.
   */
  readonly bindAddresses: readonly AddressConfig[] | null;
  readonly happyEyeballs: HappyEyeballsConfig;
  /** What requests say about TLS; null = nothing. */
  readonly autoSni: AutoSniConfig | null;
  /** An endpoint gets the first that it matches; the last one matches all. */
  readonly transportSockets: readonly TransportSocketConfig[];
  /** The cluster's metadata etc. for guests; serialised envoy.config.core.v3.Metadata. */
  readonly metadata: Uint8Array;
}

/** Where resources come from: a file that holds a DiscoveryResponse. */
export interface ConfigSourceConfig {
  readonly path: string;
  /** The directory whose changes announce a new file; "" = the file's own. */
  readonly watchedDirectory: string;
}

/** Who says where a request of an ORIGINAL_DST cluster goes to: the first of these that does. */
export interface OriginalDestinationConfig {
  /** Dynamic metadata of the request or its connection: the namespace and keys; null = none. */
  readonly metadataPath: readonly string[] | null;
  /** Lower-case; "" = none. The address that a PROXY header names comes last. */
  readonly headerName: string;
  /** In place of the named one; -1 = none. */
  readonly port: number;
  /** Hosts that nobody wanted for so long are forgotten. */
  readonly cleanupIntervalMs: number;
}

export interface EdsConfig {
  /** Name of the ClusterLoadAssignment: service_name, or the cluster's name. */
  readonly serviceName: string;
  /** As configured, for admin; "" = none. */
  readonly configuredServiceName: string;
  readonly source: ConfigSourceConfig;
}

export interface DnsConfig {
  /** Default 5000. */
  readonly refreshRateMs: number;
  readonly failureRefreshBaseMs: number;
  readonly failureRefreshMaxMs: number;
  readonly respectTtl: boolean;
  readonly family: "auto" | "v4_only" | "v6_only" | "v4_preferred" | "all";
  readonly servers: DnsServersConfig;
}

/** Who is asked for names; source: CaresDnsResolverConfig. */
export interface DnsServersConfig {
  /** "1.2.3.4:53" or "[::1]:53"; [] = the system's, and what else the system knows. */
  readonly addresses: readonly string[];
  /** Of one try. Default 5000. */
  readonly queryTimeoutMs: number;
  /** Default 2. */
  readonly queryTries: number;
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
  /** Serialised envoy.config.core.v3.Metadata, for guests; null = none. */
  readonly metadata: Uint8Array | null;
  readonly endpoints: readonly EndpointConfig[];
}

export interface EndpointConfig {
  readonly address: AddressConfig;
  /** Other addresses of the same endpoint, literal. */
  readonly additionalAddresses: readonly AddressConfig[];
  /** Name for host rewriting; "" = the address. */
  readonly hostname: string;
  /** Default 1. */
  readonly weight: number;
  readonly health: "healthy" | "unhealthy" | "draining" | "timeout" | "degraded";
  readonly transportSocketMatch: TransportSocketMatch;
  /** As the locality's. */
  readonly metadata: Uint8Array | null;
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
  readonly additionalAddresses: readonly AddressConfig[];
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly health: EndpointConfig["health"];
  readonly transportSocketMatch: TransportSocketMatch;
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  readonly metadata: Uint8Array | null;
  readonly localityMetadata: Uint8Array | null;
}
