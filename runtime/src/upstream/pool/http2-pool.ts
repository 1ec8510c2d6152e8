// The HTTP/2 connections to one host: many requests on each, as far as the peer lets. Made by
// HostPools per priority and kind of transport.
import { PoolFailureReason, type PendingStream, type PoolCallbacks } from "./conn-pool.ts";
import type { HttpPool } from "./conn-pool.ts";
import { ConnectionList } from "./connection-list.ts";
import type { CircuitBreaker } from "../circuit-breaker.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import type { TransportOptions } from "../transport-options.ts";
import { Http2PoolConnection } from "./http2-connection.ts";
import { PendingQueue } from "./pending-queue.ts";

export class Http2Pool implements HttpPool {
  readonly breaker: CircuitBreaker;
  readonly options: TransportOptions | null;
  readonly #cluster: Cluster;
  readonly #host: Host;
  /** All that are not closed. */
  readonly #connections: ConnectionList<Http2PoolConnection>;
  #connecting: number = 0;
  readonly #pending: PendingQueue;
  #isDraining: boolean = false;
  readonly #onEmpty: (() => void) | null;

  /** `onEmpty` is called when no connection is left and nobody waits for one. */
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
    this.#pending = new PendingQueue(cluster, host, breaker, () => this.#tellEmpty());
  }

  get activeStreams(): number {
    let count = 0;
    for (const connection of this.#connections.items) count += connection.activeStreams;
    return count;
  }

  get connectionCount(): number {
    return this.#connections.count;
  }

  get isIdle(): boolean {
    return this.#pending.count === 0 && this.activeStreams === 0;
  }

  newStream(callbacks: PoolCallbacks, avoidIdle: boolean): PendingStream | null {
    if (this.#isDraining) {
      callbacks.onPoolFailure(PoolFailureReason.LocalConnectionFailure, this.#host, "");
      return null;
    }
    if (avoidIdle) this.#closeIdle();
    const connection = this.#findOpen();
    if (connection !== null) {
      this.#start(connection, callbacks);
      return null;
    }
    const pending = this.#pending.add(callbacks);
    if (pending !== null) this.#connectMore();
    return pending;
  }

  drain(): void {
    this.#isDraining = true;
    for (const connection of this.#connections.items.slice()) connection.drain();
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

  onConnected(): void {
    this.#connecting -= 1;
    this.onCapacity();
  }

  /** A stream ended or may begin: those that wait longest go first. */
  onCapacity(): void {
    while (this.#pending.count > 0) {
      const connection = this.#findOpen();
      if (connection === null) break;
      const callbacks = this.#pending.take();
      if (callbacks === null) return;
      this.#start(connection, callbacks);
    }
    this.#connectMore();
    if (!this.#isDraining || this.#pending.count > 0) return;
    for (const connection of this.#connections.items.slice()) connection.drain();
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
  remove(connection: Http2PoolConnection, wasConnecting: boolean): void {
    if (wasConnecting) this.#connecting -= 1;
    this.#connections.remove(connection);
    this.breaker.connections.decrease();
    this.#tellEmpty();
  }

  // ---- Private parts.

  #findOpen(): Http2PoolConnection | null {
    for (const connection of this.#connections.items) if (connection.canOpen) return connection;
    return null;
  }

  /** The request is told when the limit of requests is reached. */
  #start(connection: Http2PoolConnection, callbacks: PoolCallbacks): void {
    if (this.breaker.requests.canCreate()) {
      connection.startStream(callbacks);
      return;
    }
    this.#cluster.stats.rqActiveOverflow.inc();
    callbacks.onPoolFailure(PoolFailureReason.Overflow, this.#host, "");
  }

  /** One at a time is enough: it will most likely carry all that wait. */
  #connectMore(): void {
    if (this.#pending.count === 0 || this.#connecting > 0) return;
    if (this.#connections.items.some((connection) => connection.isWarming)) return;
    if (!this.breaker.connections.canCreate()) {
      this.#cluster.stats.cxOverflow.inc();
      // Other hosts or workers may hold all: without one of its own the queue would never move.
      if (this.#connections.count > 0) return;
    }
    this.#connecting += 1;
    this.breaker.connections.increase();
    this.#connections.add(new Http2PoolConnection(this, this.#cluster, this.#host));
  }

  #closeIdle(): void {
    for (const connection of this.#connections.items.slice()) connection.closeIfIdle();
  }

  #tellEmpty(): void {
    if (this.#pending.count === 0 && this.#connections.count === 0) this.#onEmpty?.();
  }
}
