// The TCP proxy as the workers get it; part of snapshot.ts.
import type { AccessLogConfig } from "./access-log-config.ts";

export interface TcpProxyConfig {
  readonly statPrefix: string;
  /** One of these is drawn for each connection; one with weight 1 for a fixed cluster. */
  readonly clusters: readonly TcpClusterConfig[];
  readonly totalWeight: number;
  /** Both sides silent for so long; default 3600000. */
  readonly idleTimeoutMs: number;
  readonly maxDownstreamConnectionDurationMs: number;
  /** Default 1. */
  readonly maxConnectAttempts: number;
  readonly accessLogs: readonly AccessLogConfig[];
}

export interface TcpClusterConfig {
  readonly name: string;
  readonly weight: number;
}
