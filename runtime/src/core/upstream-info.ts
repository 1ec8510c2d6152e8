// What a stream knows of the cluster and the host it goes to: the upstream room's objects as others
// may see them.

export interface ClusterInfo {
  /** Serialised envoy.config.core.v3.Metadata; no bytes = none. */
  readonly metadata: Uint8Array;
  readonly hostCount: number;
}

export interface UpstreamHostInfo {
  /** "ip:port", "[::1]:80" or a path. */
  readonly addressText: string;
  /** The configured name; "" = none. */
  readonly hostname: string;
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  /** Serialised envoy.config.core.v3.Metadata; null = none. */
  readonly metadata: Uint8Array | null;
  readonly localityMetadata: Uint8Array | null;
}
