// One address of a cluster in one worker: its pools, its counters. Made by HostSet, chosen by
// balancers.
import type { HostConfig } from "../config/snapshot.ts";
import type { UpstreamHostInfo } from "../core/upstream-info.ts";
import type { SocketAddress } from "../engine/network-engine.ts";
import type { HostStats } from "./cluster-stats.ts";
import { HostPools } from "./host-pools.ts";
import type { UpstreamTransport } from "./upstream-transport.ts";

export class Host implements UpstreamHostInfo {
  /** Changes with the membership; address and pools stay. */
  config: HostConfig;
  /** What new connections go to, in the order in which they are tried; never empty. */
  addresses: readonly SocketAddress[];
  /** Of its first address as configured: "ip:port", "[::1]:80" or a path. */
  addressText: string;
  /** Name for host rewriting; the configured hostname or "". */
  hostname: string;
  weight: number = 1;
  readonly stats: HostStats;
  /** Requests under way on this worker; least_request looks at it. */
  activeRequests: number = 0;
  readonly pools: HostPools = new HostPools();
  /** How connections talk to it. */
  readonly transport: UpstreamTransport;

  constructor(
    config: HostConfig,
    addresses: readonly SocketAddress[],
    addressText: string,
    stats: HostStats,
    transport: UpstreamTransport,
  ) {
    this.config = config;
    this.addresses = addresses;
    this.addressText = addressText;
    this.hostname = config.hostname;
    this.weight = config.weight;
    this.stats = stats;
    this.transport = transport;
  }

  get region(): string {
    return this.config.region;
  }

  get zone(): string {
    return this.config.zone;
  }

  get subZone(): string {
    return this.config.subZone;
  }

  get metadata(): Uint8Array | null {
    return this.config.metadata;
  }

  get localityMetadata(): Uint8Array | null {
    return this.config.localityMetadata;
  }

  get isHealthy(): boolean {
    return this.config.health === "healthy";
  }

  /** Gets requests only when there are too few healthy hosts. */
  get isDegraded(): boolean {
    return this.config.health === "degraded";
  }

  /** Is leaving: gets requests in a panic only, and does not bring one about. */
  get isExcluded(): boolean {
    return this.config.health === "draining";
  }

  /** Takes over weight, health, name and addresses of a new membership. */
  update(config: HostConfig, addresses: readonly SocketAddress[], addressText: string): void {
    this.config = config;
    this.addresses = addresses;
    this.addressText = addressText;
    this.hostname = config.hostname;
    this.weight = config.weight;
  }

  /** The host has left: pools finish what is under way. */
  drain(): void {
    this.pools.drain();
  }

  close(): void {
    this.pools.close();
  }
}
