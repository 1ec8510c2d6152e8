// The TCP proxy as the workers get it; part of snapshot.ts.
import type { SubstitutionFormatConfig } from "../formatter/format-config.ts";
import type { AccessLogConfig } from "./access-log-config.ts";
import type { HeaderAddConfig } from "./route-config.ts";

export interface TcpProxyConfig {
  readonly statPrefix: string;
  /** One of these is drawn for each connection; one with weight 1 for a fixed cluster. */
  readonly clusters: readonly TcpClusterConfig[];
  readonly totalWeight: number;
  /** Both sides silent for so long; default 3600000. */
  readonly idleTimeoutMs: number;
  readonly maxDownstreamConnectionDurationMs: number;
  /** So much of it is added by chance, 0.1 = up to a tenth. */
  readonly maxDownstreamConnectionDurationJitter: number;
  /** Default 1. */
  readonly maxConnectAttempts: number;
  /** Between attempts; null = none. */
  readonly connectBackOff: BackOffConfig | null;
  /** Null = the PROXY header to the upstream says nothing of its own. */
  readonly proxyTlvs: ProxyTlvsConfig | null;
  /** Null = the bytes go to the cluster as they are. */
  readonly tunneling: TunnelingConfig | null;
  readonly accessLogs: readonly AccessLogConfig[];
  readonly logMoments: TcpLogMoments;
}

/** A time by chance, less than a limit that begins at the base and doubles up to the maximum. */
export interface BackOffConfig {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Laid over what the client's PROXY header said. */
export interface ProxyTlvsConfig {
  /** `if_absent`: nothing is added to a client's header. */
  readonly merge: "if_absent" | "overwrite" | "append";
  readonly tlvs: readonly TcpProxyTlvConfig[];
}

export interface TcpProxyTlvConfig {
  readonly type: number;
  readonly value: Uint8Array;
  /** In place of the value; null = none. */
  readonly format: SubstitutionFormatConfig | null;
}

/** When a line is written besides the connection's end. */
export interface TcpLogMoments {
  readonly atStart: boolean;
  readonly whenConnected: boolean;
  /** 0 = never in between. */
  readonly everyMs: number;
}

/** The bytes go through an HTTP proxy: the cluster is asked for a tunnel. */
export interface TunnelingConfig {
  /** With %COMMANDS%: what CONNECT names, or the host of a POST. */
  readonly hostname: string;
  readonly usesPost: boolean;
  /** Of a POST; default "/". */
  readonly postPath: string;
  readonly headersToAdd: readonly HeaderAddConfig[];
}

export interface TcpClusterConfig {
  readonly name: string;
  readonly weight: number;
}
