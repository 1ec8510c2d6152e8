// The HTTP/1 connections to one host, one request at a time on each, and the requests that wait for
// one. Made by Cluster per host and priority.
import { PoolFailureReason, type PendingStream, type PoolCallbacks } from "./conn-pool.ts";
import type { ConnPool } from "./conn-pool.ts";
import { ConnectionList } from "./connection-list.ts";
import type { CircuitBreaker } from "../circuit-breaker.ts";
import type { HostStats } from "../cluster-stats.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import type { TransportOptions } from "../transport-options.ts";
import { Http1PoolConnection } from "./http1-connection.ts";

export class Http1Pool implements ConnPool {
  readonly breaker: CircuitBreaker;
  readonly options: TransportOptions | null;
  readonly #cluster: Cluster;
  readonly #host: Host;
  /** All that are not closed. */
  readonly #connections: ConnectionList<Http1PoolConnection>;
  /** A stack: the connection that was used last is the likeliest to be alive. */
  readonly #idle: Http1PoolConnection[];
  #connecting: number = 0;
  #firstPending: PendingRequest | null = null;
  #lastPending: PendingRequest | null = null;
  #pendingCount: number = 0;
  #isDraining: boolean = false;
  readonly #onEmpty: (() => void) | null;

  /**
   * `onEmpty` is called when no connection is left and nobody waits for one: a pool for some
   * requests only is then dropped.
   */
  constructor(
    cluster: Cluster,
    host: Host,
    breaker: CircuitBreaker,
    options: TransportOptions | null = null,
    onEmpty: (() => void) | null = null,
  ) {
    this.breaker = breaker;
    this.options = options;
    this.#onEmpty = onEmpty;
    this.#cluster = cluster;
    this.#host = host;
    this.#connections = new ConnectionList();
    this.#idle = [];
  }

  get activeStreams(): number {
    let count = 0;
    for (const connection of this.#connections.items) if (connection.isBusy) count += 1;
    return count;
  }

  get connectionCount(): number {
    return this.#connections.count;
  }

  /** It only keeps connections for later. */
  get isIdle(): boolean {
    return this.#pendingCount === 0 && this.#idle.length === this.#connections.count;
  }

  newStream(callbacks: PoolCallbacks, avoidIdle: boolean): PendingStream | null {
    if (this.#isDraining) {
      callbacks.onPoolFailure(PoolFailureReason.LocalConnectionFailure, this.#host, "");
      return null;
    }
    if (avoidIdle) this.#closeIdle();
    const connection = this.#idle.pop();
    if (connection !== undefined) {
      if (this.#start(connection, callbacks)) return null;
      this.#idle.push(connection);
      return null;
    }
    if (!this.breaker.pending.canCreate()) {
      this.#cluster.stats.rqPendingOverflow.inc();
      callbacks.onPoolFailure(PoolFailureReason.Overflow, this.#host, "");
      return null;
    }
    const pending = new PendingRequest(this, callbacks, this.#host.stats);
    this.#enqueue(pending);
    this.#connectMore();
    return pending;
  }

  drain(): void {
    this.#isDraining = true;
    this.#closeIdle();
  }

  close(): void {
    this.#isDraining = true;
    this.#failPending(PoolFailureReason.LocalConnectionFailure, "");
    for (;;) {
      const connection = this.#connections.last;
      if (connection === undefined) return;
      connection.closeNow();
    }
  }

  // ---- For its connections.

  onConnected(connection: Http1PoolConnection): void {
    this.#connecting -= 1;
    this.onReady(connection);
  }

  /** The connection is free: the request that waits longest gets it. */
  onReady(connection: Http1PoolConnection): void {
    for (;;) {
      const pending = this.#firstPending;
      if (pending === null) break;
      this.#dequeue(pending);
      if (this.#start(connection, pending.callbacks)) return;
    }
    if (this.#isDraining) {
      connection.closeNow();
      return;
    }
    this.#idle.push(connection);
    connection.becomeIdle();
  }

  /** Nobody waits longer than the first failure: callers decide, as in Envoy. */
  onConnectFailed(reason: PoolFailureReason, transportFailure: string): void {
    this.#failPending(reason, transportFailure);
    this.#connectMore();
    this.#tellEmpty();
  }

  onClosed(): void {
    this.#connectMore();
  }

  /** The connection is closed. */
  remove(connection: Http1PoolConnection, wasConnecting: boolean): void {
    if (wasConnecting) this.#connecting -= 1;
    this.#connections.remove(connection);
    const idle = this.#idle.lastIndexOf(connection);
    if (idle >= 0) this.#idle.splice(idle, 1);
    this.breaker.connections.decrease();
    this.#tellEmpty();
  }

  cancelPending(pending: PendingRequest): void {
    this.#dequeue(pending);
    this.#tellEmpty();
    this.#cluster.stats.rqCancelled.inc();
  }

  // ---- Private parts.

  /** False when the limit of requests is reached; the request was told. */
  #start(connection: Http1PoolConnection, callbacks: PoolCallbacks): boolean {
    if (!this.breaker.requests.canCreate()) {
      this.#cluster.stats.rqActiveOverflow.inc();
      callbacks.onPoolFailure(PoolFailureReason.Overflow, this.#host, "");
      return false;
    }
    connection.startStream(callbacks);
    return true;
  }

  /** One connection under way for each request that waits, as far as the breaker lets. */
  #connectMore(): void {
    while (this.#pendingCount > this.#connecting) {
      if (!this.breaker.connections.canCreate()) {
        this.#cluster.stats.cxOverflow.inc();
        // Other hosts or workers may hold all: without one of its own the queue would never move.
        if (this.#connections.count > 0) return;
      }
      this.#connecting += 1;
      this.breaker.connections.increase();
      this.#connections.add(new Http1PoolConnection(this, this.#cluster, this.#host));
    }
  }

  #closeIdle(): void {
    for (;;) {
      const connection = this.#idle[this.#idle.length - 1];
      if (connection === undefined) return;
      connection.closeNow();
    }
  }

  #failPending(reason: PoolFailureReason, transportFailure: string): void {
    // Only those that wait now: one that is told may ask again and must not fail with them.
    let left = this.#pendingCount;
    while (left > 0) {
      left -= 1;
      const pending = this.#firstPending;
      if (pending === null) return;
      this.#dequeue(pending);
      this.#cluster.stats.rqPendingFailureEject.inc();
      pending.callbacks.onPoolFailure(reason, this.#host, transportFailure);
    }
  }

  #enqueue(pending: PendingRequest): void {
    const stats = this.#cluster.stats;
    pending.previous = this.#lastPending;
    if (this.#lastPending === null) this.#firstPending = pending;
    else this.#lastPending.next = pending;
    this.#lastPending = pending;
    pending.isQueued = true;
    this.#pendingCount += 1;
    stats.rqPendingTotal.inc();
    stats.rqPendingActive.inc();
    pending.hostStats.rqPendingActive.inc();
    this.breaker.pending.increase();
  }

  #dequeue(pending: PendingRequest): void {
    if (pending.previous === null) this.#firstPending = pending.next;
    else pending.previous.next = pending.next;
    if (pending.next === null) this.#lastPending = pending.previous;
    else pending.next.previous = pending.previous;
    pending.previous = null;
    pending.next = null;
    pending.isQueued = false;
    this.#pendingCount -= 1;
    this.#cluster.stats.rqPendingActive.dec();
    pending.hostStats.rqPendingActive.dec();
    this.breaker.pending.decrease();
  }

  #tellEmpty(): void {
    if (this.#pendingCount === 0 && this.#connections.count === 0) this.#onEmpty?.();
  }
}

/** A place in the queue. */
class PendingRequest implements PendingStream {
  readonly callbacks: PoolCallbacks;
  readonly hostStats: HostStats;
  previous: PendingRequest | null = null;
  next: PendingRequest | null = null;
  isQueued: boolean = false;
  readonly #pool: Http1Pool;

  constructor(pool: Http1Pool, callbacks: PoolCallbacks, hostStats: HostStats) {
    this.callbacks = callbacks;
    this.hostStats = hostStats;
    this.#pool = pool;
  }

  cancel(): void {
    if (this.isQueued) this.#pool.cancelPending(this);
  }
}
