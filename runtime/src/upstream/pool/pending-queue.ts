// The requests that wait for a connection of one pool, in order, counted by stats and circuit
// breaker. Used by the HTTP pools.
import { PoolFailureReason, type PendingStream, type PoolCallbacks } from "./conn-pool.ts";
import type { CircuitBreaker } from "../circuit-breaker.ts";
import type { HostStats } from "../cluster-stats.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";

export class PendingQueue {
  readonly #cluster: Cluster;
  readonly #host: Host;
  readonly #breaker: CircuitBreaker;
  /** Somebody gave up waiting. */
  readonly #onCancel: () => void;
  #first: PendingRequest | null = null;
  #last: PendingRequest | null = null;
  #count: number = 0;

  constructor(cluster: Cluster, host: Host, breaker: CircuitBreaker, onCancel: () => void) {
    this.#cluster = cluster;
    this.#host = host;
    this.#breaker = breaker;
    this.#onCancel = onCancel;
  }

  get count(): number {
    return this.#count;
  }

  /** The request's place; null when the limit is reached, which it was told. */
  add(callbacks: PoolCallbacks): PendingStream | null {
    const stats = this.#cluster.stats;
    if (!this.#breaker.pending.canCreate()) {
      stats.rqPendingOverflow.inc();
      callbacks.onPoolFailure(PoolFailureReason.Overflow, this.#host, "");
      return null;
    }
    const pending = new PendingRequest(this, callbacks, this.#host.stats);
    pending.previous = this.#last;
    if (this.#last === null) this.#first = pending;
    else this.#last.next = pending;
    this.#last = pending;
    pending.isQueued = true;
    this.#count += 1;
    stats.rqPendingTotal.inc();
    stats.rqPendingActive.inc();
    pending.hostStats.rqPendingActive.inc();
    this.#breaker.pending.increase();
    return pending;
  }

  /** The request that waits longest leaves; null when there is none. */
  take(): PoolCallbacks | null {
    const pending = this.#first;
    if (pending === null) return null;
    this.#remove(pending);
    return pending.callbacks;
  }

  /** Tells all that wait now: one that is told may ask again, and must not fail with them. */
  fail(reason: PoolFailureReason, transportFailure: string): void {
    for (let left = this.#count; left > 0; left -= 1) {
      const callbacks = this.take();
      if (callbacks === null) return;
      this.#cluster.stats.rqPendingFailureEject.inc();
      callbacks.onPoolFailure(reason, this.#host, transportFailure);
    }
  }

  cancel(pending: PendingRequest): void {
    this.#remove(pending);
    this.#onCancel();
    this.#cluster.stats.rqCancelled.inc();
  }

  #remove(pending: PendingRequest): void {
    if (pending.previous === null) this.#first = pending.next;
    else pending.previous.next = pending.next;
    if (pending.next === null) this.#last = pending.previous;
    else pending.next.previous = pending.previous;
    pending.previous = null;
    pending.next = null;
    pending.isQueued = false;
    this.#count -= 1;
    this.#cluster.stats.rqPendingActive.dec();
    pending.hostStats.rqPendingActive.dec();
    this.#breaker.pending.decrease();
  }
}

/** A place in the queue. */
class PendingRequest implements PendingStream {
  readonly callbacks: PoolCallbacks;
  readonly hostStats: HostStats;
  previous: PendingRequest | null = null;
  next: PendingRequest | null = null;
  isQueued: boolean = false;
  readonly #queue: PendingQueue;

  constructor(queue: PendingQueue, callbacks: PoolCallbacks, hostStats: HostStats) {
    this.callbacks = callbacks;
    this.hostStats = hostStats;
    this.#queue = queue;
  }

  cancel(): void {
    if (this.isQueued) this.#queue.cancel(this);
  }
}
