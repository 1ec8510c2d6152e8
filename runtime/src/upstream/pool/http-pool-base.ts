// What the pools of HTTP connections to one host share: who waits, who is connected, and what the
// breaker counts. Which connection takes a request, each kind says: http1-pool.ts, http2-pool.ts.
import { PoolFailureReason, type PendingStream, type PoolCallbacks } from "./conn-pool.ts";
import type { HttpPool } from "./conn-pool.ts";
import { ConnectionList, type Listed } from "./connection-list.ts";
import type { CircuitBreaker } from "../circuit-breaker.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import type { TransportOptions } from "../transport-options.ts";
import { PendingQueue } from "./pending-queue.ts";

/** What a pool asks of its connections. */
export interface PooledConnection extends Listed {
  startStream(callbacks: PoolCallbacks): void;
  closeNow(): void;
}

export abstract class HttpPoolBase<Connection extends PooledConnection> implements HttpPool {
  readonly breaker: CircuitBreaker;
  readonly options: TransportOptions | null;
  protected readonly cluster: Cluster;
  protected readonly host: Host;
  /** All that are not closed. */
  protected readonly connections: ConnectionList<Connection>;
  protected connecting: number = 0;
  protected readonly pending: PendingQueue;
  protected isDraining: boolean = false;
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
    this.cluster = cluster;
    this.host = host;
    this.connections = new ConnectionList();
    this.pending = new PendingQueue(cluster, host, breaker, () => this.#tellEmpty());
  }

  abstract get activeStreams(): number;
  abstract get isIdle(): boolean;
  abstract drain(): void;

  get connectionCount(): number {
    return this.connections.count;
  }

  newStream(callbacks: PoolCallbacks, avoidIdle: boolean): PendingStream | null {
    if (this.isDraining) {
      callbacks.onPoolFailure(PoolFailureReason.LocalConnectionFailure, this.host, "");
      return null;
    }
    if (avoidIdle) this.closeIdle();
    if (this.startNow(callbacks)) return null;
    const pending = this.pending.add(callbacks);
    if (pending !== null) this.connectMore();
    return pending;
  }

  close(): void {
    this.isDraining = true;
    this.pending.fail(PoolFailureReason.LocalConnectionFailure, "");
    for (;;) {
      const connection = this.connections.last;
      if (connection === undefined) return;
      connection.closeNow();
    }
  }

  // ---- For its connections.

  /** Nobody waits longer than the first failure: callers decide, as in Envoy. */
  onConnectFailed(reason: PoolFailureReason, transportFailure: string): void {
    this.pending.fail(reason, transportFailure);
    this.connectMore();
    this.#tellEmpty();
  }

  onClosed(): void {
    this.connectMore();
  }

  /** The connection is closed. */
  remove(connection: Connection, wasConnecting: boolean): void {
    if (wasConnecting) this.connecting -= 1;
    this.connections.remove(connection);
    this.breaker.connections.decrease();
    this.#tellEmpty();
  }

  // ---- For the kinds of pools.

  /** Starts the request on a connection that is there. False when none can take it. */
  protected abstract startNow(callbacks: PoolCallbacks): boolean;

  /** Connections for those that wait, as far as the breaker lets. */
  protected abstract connectMore(): void;

  protected abstract closeIdle(): void;

  protected abstract createConnection(): Connection;

  /** False when the limit of requests is reached; the request was told. */
  protected start(connection: Connection, callbacks: PoolCallbacks): boolean {
    if (!this.breaker.requests.canCreate()) {
      this.cluster.stats.rqActiveOverflow.inc();
      callbacks.onPoolFailure(PoolFailureReason.Overflow, this.host, "");
      return false;
    }
    connection.startStream(callbacks);
    return true;
  }

  /** False when the breaker lets none begin. */
  protected connectOne(): boolean {
    if (!this.breaker.connections.canCreate()) {
      this.cluster.stats.cxOverflow.inc();
      // Other hosts or workers may hold all: without one of its own the queue would never move.
      if (this.connections.count > 0) return false;
    }
    this.connecting += 1;
    this.breaker.connections.increase();
    this.connections.add(this.createConnection());
    return true;
  }

  #tellEmpty(): void {
    if (this.pending.count === 0 && this.connections.count === 0) this.#onEmpty?.();
  }
}
