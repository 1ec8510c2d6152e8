// Circuit breakers: how many connections, waiting requests, requests and retries a cluster may
// have, counted over all workers in shared memory. Pools and the router ask before they take.
//
// The memory is an Int32Array over a SharedArrayBuffer that main makes (breakerMemory):
//
//   block 0               totals of all threads; changed with Atomics only
//   block 1 .. threads    what each thread holds; written by that thread only, read after its death
//
// A block has CELLS_PER_CLUSTER cells for each ClusterConfig.sharedIndex:
//
//   priority default: connections, pending, requests, retries; priority high: the same four
//
import { assert } from "../core/assert.ts";
import type { CircuitBreakerConfig } from "../config/snapshot.ts";
import type { Gauge, StatsStore } from "../stats/store.ts";

const RESOURCES = 4;
const CELLS_PER_CLUSTER = 2 * RESOURCES;

/** Shared cells of one process and which block this thread writes. */
export interface BreakerMemory {
  readonly cells: Int32Array;
  /** Clusters that have room: sharedIndex is below it. */
  readonly clustersMax: number;
  /** 0 .. threads - 1. */
  readonly thread: number;
}

/** Memory for `threads` threads and `clustersMax` clusters, all zero. */
export function breakerMemory(threads: number, clustersMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer((threads + 1) * clustersMax * CELLS_PER_CLUSTER * 4);
}

/** What a thread keeps of it. */
export function openBreakerMemory(
  memory: SharedArrayBuffer,
  clustersMax: number,
  thread: number,
): BreakerMemory {
  const cells = new Int32Array(memory);
  assert(cells.length >= (thread + 2) * clustersMax * CELLS_PER_CLUSTER);
  return { cells, clustersMax, thread };
}

/** Gives back what a dead thread held; main calls it before it starts the replacement. */
export function releaseThread(
  memory: SharedArrayBuffer,
  clustersMax: number,
  thread: number,
): void {
  const cells = new Int32Array(memory);
  const size = clustersMax * CELLS_PER_CLUSTER;
  const own = (thread + 1) * size;
  for (let i = 0; i < size; i += 1) {
    const held = cells[own + i] as number;
    if (held === 0) continue;
    Atomics.sub(cells, i, held);
    cells[own + i] = 0;
  }
}

/** One limited resource of one priority. */
export class BreakerResource {
  readonly max: number;
  readonly #cells: Int32Array;
  readonly #total: number;
  readonly #own: number;
  readonly #open: Gauge;
  readonly #remaining: Gauge | null;

  constructor(
    memory: BreakerMemory,
    index: number,
    max: number,
    open: Gauge,
    remaining: Gauge | null,
  ) {
    this.max = max;
    this.#cells = memory.cells;
    this.#total = index;
    this.#own = (memory.thread + 1) * memory.clustersMax * CELLS_PER_CLUSTER + index;
    this.#open = open;
    this.#remaining = remaining;
  }

  /** In use by all threads. */
  get count(): number {
    return Atomics.load(this.#cells, this.#total);
  }

  /** True below the limit. Two threads may pass at the same moment, as in Envoy. */
  canCreate(): boolean {
    // A plain read: it is asked before each request, and a moment's delay changes nothing.
    return (this.#cells[this.#total] as number) < this.max;
  }

  /**
   * The thread whose change crosses the limit moves the gauge: summed over threads it is 0 or 1,
   * though one thread's own part may be -1.
   */
  increase(): void {
    const before = Atomics.add(this.#cells, this.#total, 1);
    (this.#cells[this.#own] as number) += 1;
    if (before + 1 === this.max) this.#open.inc();
    this.#remaining?.dec();
  }

  decrease(): void {
    const before = Atomics.sub(this.#cells, this.#total, 1);
    (this.#cells[this.#own] as number) -= 1;
    if (before === this.max) this.#open.dec();
    this.#remaining?.inc();
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
 * `scope` is "cluster.<name>.". Only the owner (main) gives the remaining gauges their start, so
 * that their sum over threads is right.
 */
export function makeCircuitBreaker(
  memory: BreakerMemory,
  sharedIndex: number,
  isHighPriority: boolean,
  config: CircuitBreakerConfig,
  stats: StatsStore,
  scope: string,
  isOwner: boolean,
): CircuitBreaker {
  assert(sharedIndex >= 0);
  assert(sharedIndex < memory.clustersMax);
  const prefix = `${scope}circuit_breakers.${isHighPriority ? "high" : "default"}.`;
  const base = sharedIndex * CELLS_PER_CLUSTER + (isHighPriority ? RESOURCES : 0);
  // Pools of connections are not limited here, but Envoy's gauge exists.
  stats.gauge(`${prefix}cx_pool_open`);
  const make = (at: number, max: number, open: string, remaining: string): BreakerResource => {
    const left = config.trackRemaining ? stats.gauge(prefix + remaining) : null;
    if (isOwner) left?.set(max);
    return new BreakerResource(memory, base + at, max, stats.gauge(prefix + open), left);
  };
  return {
    connections: make(0, config.maxConnections, "cx_open", "remaining_cx"),
    pending: make(1, config.maxPendingRequests, "rq_pending_open", "remaining_pending"),
    requests: make(2, config.maxRequests, "rq_open", "remaining_rq"),
    retries: make(3, config.maxRetries, "rq_retry_open", "remaining_retries"),
  };
}
