// One address of a cluster in one worker: its pools, its counters. Made by HostSet, chosen by balancers.
import type { HostConfig } from "../config/snapshot.ts";
import type { SocketAddress } from "../engine/network-engine.ts";
import type { ConnPool } from "./pool/conn-pool.ts";

export class Host {
  readonly config: HostConfig;
  readonly address: SocketAddress;
  /** "ip:port", "[::1]:80" or a path. */
  readonly addressText: string;
  /** Name for host rewriting; the configured hostname or "". */
  readonly hostname: string;
  readonly weight: number;
  /** Requests under way on this worker; least_request looks at it. */
  activeRequests: number;
  /** Made on first use by the cluster. */
  pool: ConnPool | null;

  constructor(config: HostConfig, address: SocketAddress, addressText: string) {
    this.config = config;
    this.address = address;
    this.addressText = addressText;
    this.hostname = config.hostname;
    this.weight = config.weight;
    this.activeRequests = 0;
    this.pool = null;
  }

  /** May get requests. */
  get isHealthy(): boolean {
    const health = this.config.health;
    return health === "healthy" || health === "degraded";
  }
}
