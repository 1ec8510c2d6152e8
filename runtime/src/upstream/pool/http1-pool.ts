// The HTTP/1 connections to one host, one request at a time on each, and the requests that wait for
// one. Made by HostPools per priority and kind of transport.
import type { PoolCallbacks } from "./conn-pool.ts";
import { Http1PoolConnection } from "./http1-connection.ts";
import { HttpPoolBase } from "./http-pool-base.ts";

export class Http1Pool extends HttpPoolBase<Http1PoolConnection> {
  /** A stack: the connection that was used last is the likeliest to be alive. */
  readonly #idle: Http1PoolConnection[] = [];

  override get activeStreams(): number {
    let count = 0;
    for (const connection of this.connections.items) if (connection.isBusy) count += 1;
    return count;
  }

  /** It only keeps connections for later. */
  override get isIdle(): boolean {
    return this.pending.count === 0 && this.#idle.length === this.connections.count;
  }

  override drain(): void {
    this.isDraining = true;
    this.closeIdle();
  }

  // ---- For its connections.

  onConnected(connection: Http1PoolConnection): void {
    this.connecting -= 1;
    this.onReady(connection);
  }

  /** The connection is free: the request that waits longest gets it. */
  onReady(connection: Http1PoolConnection): void {
    for (;;) {
      const callbacks = this.pending.take();
      if (callbacks === null) break;
      if (this.start(connection, callbacks)) return;
    }
    if (this.isDraining) {
      connection.closeNow();
      return;
    }
    this.#idle.push(connection);
    connection.becomeIdle();
  }

  override remove(connection: Http1PoolConnection, wasConnecting: boolean): void {
    const idle = this.#idle.lastIndexOf(connection);
    if (idle >= 0) this.#idle.splice(idle, 1);
    super.remove(connection, wasConnecting);
  }

  // ---- Private parts.

  protected override startNow(callbacks: PoolCallbacks): boolean {
    const connection = this.#idle.pop();
    if (connection === undefined) return false;
    if (!this.start(connection, callbacks)) this.#idle.push(connection);
    return true;
  }

  /** One connection under way for each request that waits. */
  protected override connectMore(): void {
    while (this.pending.count > this.connecting) if (!this.connectOne()) return;
  }

  protected override createConnection(): Http1PoolConnection {
    return new Http1PoolConnection(this, this.cluster, this.host);
  }

  protected override closeIdle(): void {
    for (;;) {
      const connection = this.#idle[this.#idle.length - 1];
      if (connection === undefined) return;
      connection.closeNow();
    }
  }
}
