// The TCP proxy as the workers get it; part of snapshot.ts.
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
  /** Null = the bytes go to the cluster as they are. */
  readonly tunneling: TunnelingConfig | null;
  readonly accessLogs: readonly AccessLogConfig[];
  readonly logMoments: TcpLogMoments;
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
