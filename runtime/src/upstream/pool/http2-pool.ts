// The HTTP/2 connections to one host: many requests on each, as far as the peer lets. Made by
// HostPools per priority and kind of transport.
import type { PoolCallbacks } from "./conn-pool.ts";
import { Http2PoolConnection } from "./http2-connection.ts";
import { HttpPoolBase } from "./http-pool-base.ts";

export class Http2Pool extends HttpPoolBase<Http2PoolConnection> {
  override get activeStreams(): number {
    let count = 0;
    for (const connection of this.connections.items) count += connection.activeStreams;
    return count;
  }

  override get isIdle(): boolean {
    return this.pending.count === 0 && this.activeStreams === 0;
  }

  override drain(): void {
    this.isDraining = true;
    this.#drainConnections();
  }

  // ---- For its connections.

  onConnected(): void {
    this.connecting -= 1;
    this.onCapacity();
  }

  /** A stream ended or may begin: those that wait longest go first. */
  onCapacity(): void {
    while (this.pending.count > 0) {
      const connection = this.#findOpen();
      if (connection === null) break;
      const callbacks = this.pending.take();
      if (callbacks === null) return;
      this.start(connection, callbacks);
    }
    this.connectMore();
    if (this.isDraining && this.pending.count === 0) this.#drainConnections();
  }

  // ---- Private parts.

  protected override startNow(callbacks: PoolCallbacks): boolean {
    const connection = this.#findOpen();
    if (connection === null) return false;
    this.start(connection, callbacks);
    return true;
  }

  /** One at a time is enough: it will most likely carry all that wait. */
  protected override connectMore(): void {
    if (this.pending.count === 0 || this.connecting > 0) return;
    if (this.connections.items.some((connection) => connection.isWarming)) return;
    this.connectOne();
  }

  protected override createConnection(): Http2PoolConnection {
    return new Http2PoolConnection(this, this.cluster, this.host);
  }

  protected override closeIdle(): void {
    for (const connection of this.connections.items.slice()) connection.closeIfIdle();
  }

  #findOpen(): Http2PoolConnection | null {
    for (const connection of this.connections.items) if (connection.canOpen) return connection;
    return null;
  }

  #drainConnections(): void {
    for (const connection of this.connections.items.slice()) connection.drain();
  }
}
