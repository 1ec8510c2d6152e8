// The connection pools of one host in one worker: one for each priority, and one for each kind of
// transport that requests ask for. Made by Host.
import type { CircuitBreaker } from "./circuit-breaker.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import type { ConnPool, HttpPool } from "./pool/conn-pool.ts";
import { Http1Pool } from "./pool/http1-pool.ts";
import { Http2Pool } from "./pool/http2-pool.ts";
import { TcpPool } from "./pool/tcp-pool.ts";
import type { TransportOptions } from "./transport-options.ts";

/**
 * Pools of one host and worker that belong to some requests only: with PROXY protocol each
 * downstream connection has its own, and a client chooses the name that auto_sni takes.
 */
export const keyedPoolsMax = 4096;

/** How many of the oldest are looked at to find one that can be done without. */
const searchMax = 64;

export class HostPools {
  #default: HttpPool | null = null;
  #highPriority: HttpPool | null = null;
  #tcp: TcpPool | null = null;
  /** In the order of their making; one leaves when it has no connection and nobody waits. */
  #keyed: Map<string, HttpPool> | null = null;

  /** Null when there are too many of the kind. */
  http(
    cluster: Cluster,
    host: Host,
    isHighPriority: boolean,
    options: TransportOptions | null,
  ): ConnPool | null {
    if (options !== null) return this.#keyedPool(cluster, host, isHighPriority, options);
    if (isHighPriority) {
      this.#highPriority ??= makePool(cluster, host, cluster.breaker(true), null, null);
      return this.#highPriority;
    }
    this.#default ??= makePool(cluster, host, cluster.breaker(false), null, null);
    return this.#default;
  }

  tcp(cluster: Cluster, host: Host): TcpPool {
    this.#tcp ??= new TcpPool(cluster, host, cluster.breaker(false));
    return this.#tcp;
  }

  /** HTTP connections of all pools. */
  get connectionCount(): number {
    return this.#all().reduce((sum, pool) => sum + pool.connectionCount, 0);
  }

  get activeStreams(): number {
    return this.#all().reduce((sum, pool) => sum + pool.activeStreams, 0);
  }

  get keyedCount(): number {
    return this.#keyed?.size ?? 0;
  }

  drain(): void {
    for (const pool of this.#all()) pool.drain();
    this.#tcp?.drain();
  }

  close(): void {
    for (const pool of this.#all()) pool.close();
    this.#tcp?.close();
  }

  #keyedPool(
    cluster: Cluster,
    host: Host,
    isHighPriority: boolean,
    options: TransportOptions,
  ): ConnPool | null {
    const key = `${isHighPriority ? "high" : "default"} ${options.key}`;
    this.#keyed ??= new Map();
    const existing = this.#keyed.get(key);
    if (existing !== undefined) return existing;
    if (this.#keyed.size >= keyedPoolsMax && !this.#makeRoom(this.#keyed)) return null;
    const breaker: CircuitBreaker = cluster.breaker(isHighPriority);
    const pool = makePool(cluster, host, breaker, options, () => this.#keyed?.delete(key));
    this.#keyed.set(key, pool);
    return pool;
  }

  /** As Envoy: one that only keeps connections for later goes first. */
  #makeRoom(pools: Map<string, HttpPool>): boolean {
    let looked = 0;
    for (const [key, pool] of pools) {
      if (looked === searchMax) return false;
      looked += 1;
      if (!pool.isIdle) continue;
      pools.delete(key);
      pool.drain();
      return true;
    }
    return false;
  }

  #all(): HttpPool[] {
    const fixed = [this.#default, this.#highPriority].filter((pool) => pool !== null);
    return this.#keyed === null ? fixed : [...fixed, ...this.#keyed.values()];
  }
}

/** What the cluster's protocol wants. */
function makePool(
  cluster: Cluster,
  host: Host,
  breaker: CircuitBreaker,
  options: TransportOptions | null,
  onEmpty: (() => void) | null,
): HttpPool {
  return cluster.config.http2 === null
    ? new Http1Pool(cluster, host, breaker, options, onEmpty)
    : new Http2Pool(cluster, host, breaker, options, onEmpty);
}
