// Circuit breakers: how many connections, waiting requests, requests and retries a cluster may
// have, counted over all workers in shared memory. Pools and the router ask before they take.
//
// The memory is that of core/shared-counts.ts, CELLS_PER_CLUSTER counts for each
// ClusterConfig.sharedIndex:
//
//   priority default: connections, pending, requests, retries; priority high: the same four
//
import { assert } from "../core/assert.ts";
import {
  openSharedCounts,
  releaseSharedCounts,
  SharedCount,
  type SharedCounts,
  sharedCountsMemory,
} from "../core/shared-counts.ts";
import type { CircuitBreakerConfig } from "../config/snapshot.ts";
import type { Gauge, StatsStore } from "../stats/store.ts";

const RESOURCES = 4;
const CELLS_PER_CLUSTER = 2 * RESOURCES;

/** Memory for `threads` threads and `clustersMax` clusters, all zero. */
export function breakerMemory(threads: number, clustersMax: number): SharedArrayBuffer {
  return sharedCountsMemory(threads, clustersMax * CELLS_PER_CLUSTER);
}

/** What a thread keeps of it. */
export function openBreakerMemory(
  memory: SharedArrayBuffer,
  clustersMax: number,
  thread: number,
): SharedCounts {
  return openSharedCounts(memory, clustersMax * CELLS_PER_CLUSTER, thread);
}

/** Gives back what a dead thread held; main calls it before it starts the replacement. */
export function releaseThread(
  memory: SharedArrayBuffer,
  clustersMax: number,
  thread: number,
): void {
  releaseSharedCounts(memory, clustersMax * CELLS_PER_CLUSTER, thread);
}

/** One limited resource of one priority. */
export class BreakerResource extends SharedCount {
  readonly max: number;
  readonly #open: Gauge | null;
  readonly #remaining: Gauge | null;

  constructor(
    counts: SharedCounts,
    index: number,
    max: number,
    open: Gauge | null,
    remaining: Gauge | null,
  ) {
    super(counts, index);
    this.max = max;
    this.#open = open;
    this.#remaining = remaining;
  }

  /** True below the limit. Two threads may pass at the same moment, as in Envoy. */
  canCreate(): boolean {
    return this.isBelow(this.max);
  }

  /** Nothing more is let in. As in Envoy a limit of 0 that nothing has met is not open. */
  get isOpen(): boolean {
    return this.count >= Math.max(this.max, 1);
  }

  increase(): void {
    this.add();
    this.#remaining?.dec();
  }

  decrease(): void {
    this.sub();
    this.#remaining?.inc();
  }

  /**
   * Main shows what the count says. If threads moved the gauge when they cross the limit, the
   * part of one that dies would be missing for ever: another may have closed what it has opened.
   */
  showOpen(isGone: boolean): void {
    this.#open?.set(!isGone && this.isOpen ? 1 : 0);
  }
}

/** The four resources of one priority of one cluster. */
export interface CircuitBreaker {
  readonly connections: BreakerResource;
  readonly pending: BreakerResource;
  readonly requests: BreakerResource;
  readonly retries: BreakerResource;
}

/**
 * Brings the gauges of open breakers up to date; for the owner (main), before stats are read. Those
 * of a cluster that `isGone` are 0.
 */
export function showOpenBreakers(breaker: CircuitBreaker, isGone: boolean): void {
  breaker.connections.showOpen(isGone);
  breaker.pending.showOpen(isGone);
  breaker.requests.showOpen(isGone);
  breaker.retries.showOpen(isGone);
}

/**
 * `scope` is "cluster.<name>.". Only the owner (main) gives the remaining gauges their start, so
 * that their sum over threads is right, and has the gauges of what is open.
 */
export function makeCircuitBreaker(
  memory: SharedCounts,
  sharedIndex: number,
  isHighPriority: boolean,
  config: CircuitBreakerConfig,
  stats: StatsStore,
  scope: string,
  isOwner: boolean,
): CircuitBreaker {
  assert(sharedIndex >= 0);
  assert((sharedIndex + 1) * CELLS_PER_CLUSTER <= memory.cellsMax);
  const prefix = `${scope}circuit_breakers.${isHighPriority ? "high" : "default"}.`;
  const base = sharedIndex * CELLS_PER_CLUSTER + (isHighPriority ? RESOURCES : 0);
  // Pools of connections are not limited here, but Envoy's gauge exists.
  stats.gauge(`${prefix}cx_pool_open`);
  const make = (at: number, max: number, open: string, remaining: string): BreakerResource => {
    const left = config.trackRemaining ? stats.gauge(prefix + remaining) : null;
    if (isOwner) left?.set(max);
    const openGauge = isOwner ? stats.gauge(prefix + open) : null;
    return new BreakerResource(memory, base + at, max, openGauge, left);
  };
  return {
    connections: make(0, config.maxConnections, "cx_open", "remaining_cx"),
    pending: make(1, config.maxPendingRequests, "rq_pending_open", "remaining_pending"),
    requests: make(2, config.maxRequests, "rq_open", "remaining_rq"),
    retries: make(3, config.maxRetries, "rq_retry_open", "remaining_retries"),
  };
}
