// The TCP connections to one host. None is kept: each belongs to the downstream connection that
// asked for it. Made by Cluster per host.
import type { CircuitBreaker } from "../circuit-breaker.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import type { TransportOptions } from "../transport-options.ts";
import { PoolFailureReason } from "./conn-pool.ts";
import { ConnectionList } from "./connection-list.ts";
import { TcpConnection } from "./tcp-connection.ts";
import type { TcpConnectionCallbacks } from "./tcp-connection.ts";

export class TcpPool {
  readonly breaker: CircuitBreaker;
  readonly #cluster: Cluster;
  readonly #host: Host;
  /** All that are not closed. */
  readonly #connections: ConnectionList<TcpConnection>;
  #isDraining: boolean = false;

  constructor(cluster: Cluster, host: Host, breaker: CircuitBreaker) {
    this.breaker = breaker;
    this.#cluster = cluster;
    this.#host = host;
    this.#connections = new ConnectionList();
  }

  get connectionCount(): number {
    return this.#connections.count;
  }

  /**
   * The connection, which will tell how connecting went; null when it was refused, and the caller
   * told why, before this returns. Whether one more connection is allowed, the caller has asked.
   */
  connect(
    options: TransportOptions | null,
    callbacks: TcpConnectionCallbacks,
  ): TcpConnection | null {
    if (this.#isDraining) {
      callbacks.onUpstreamFailure(PoolFailureReason.LocalConnectionFailure, this.#host, "");
      return null;
    }
    if (!this.breaker.pending.canCreate()) {
      this.#cluster.stats.rqPendingOverflow.inc();
      callbacks.onUpstreamFailure(PoolFailureReason.Overflow, this.#host, "");
      return null;
    }
    this.breaker.connections.increase();
    this.breaker.pending.increase();
    const connection = new TcpConnection(this, this.#cluster, this.#host, options, callbacks);
    this.#connections.add(connection);
    return connection;
  }

  /** Connections that are there go on until their users end them; no new ones. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Closes everything at once. */
  close(): void {
    this.#isDraining = true;
    for (;;) {
      const connection = this.#connections.last;
      if (connection === undefined) return;
      connection.terminate();
    }
  }

  /** For its connections: it is closed. */
  remove(connection: TcpConnection): void {
    this.#connections.remove(connection);
    this.breaker.connections.decrease();
  }
}
