// The HTTP/1 connections to one host, one request at a time on each, and the requests that wait for
// one. Made by Cluster per host and priority.
import { PoolFailureReason, type PendingStream, type PoolCallbacks } from "./conn-pool.ts";
import type { HttpPool } from "./conn-pool.ts";
import { ConnectionList } from "./connection-list.ts";
import type { CircuitBreaker } from "../circuit-breaker.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import type { TransportOptions } from "../transport-options.ts";
import { Http1PoolConnection } from "./http1-connection.ts";
import { PendingQueue } from "./pending-queue.ts";

export class Http1Pool implements HttpPool {
  readonly breaker: CircuitBreaker;
  readonly options: TransportOptions | null;
  readonly #cluster: Cluster;
  readonly #host: Host;
  /** All that are not closed. */
  readonly #connections: ConnectionList<Http1PoolConnection>;
  /** A stack: the connection that was used last is the likeliest to be alive. */
  readonly #idle: Http1PoolConnection[];
  #connecting: number = 0;
  readonly #pending: PendingQueue;
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
    this.#pending = new PendingQueue(cluster, host, breaker, () => this.#tellEmpty());
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
    return this.#pending.count === 0 && this.#idle.length === this.#connections.count;
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
    const pending = this.#pending.add(callbacks);
    if (pending !== null) this.#connectMore();
    return pending;
  }

  drain(): void {
    this.#isDraining = true;
    this.#closeIdle();
  }

  close(): void {
    this.#isDraining = true;
    this.#pending.fail(PoolFailureReason.LocalConnectionFailure, "");
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
      const callbacks = this.#pending.take();
      if (callbacks === null) break;
      if (this.#start(connection, callbacks)) return;
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
    this.#pending.fail(reason, transportFailure);
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
    while (this.#pending.count > this.#connecting) {
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

  #tellEmpty(): void {
    if (this.#pending.count === 0 && this.#connections.count === 0) this.#onEmpty?.();
  }
}
