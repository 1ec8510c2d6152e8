// What the connections of all pools have in common: they connect, carry counted bytes, and are
// counted from their begin to their end. Base of Http1PoolConnection and TcpConnection.
import { TimerEntry } from "../../core/timer-wheel.ts";
import type { TlsInfo } from "../../core/tls-info.ts";
import type { CloseReason, IoHandle } from "../../engine/network-engine.ts";
import { addressText } from "../addresses.ts";
import type { ClusterStats } from "../cluster-stats.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import type { TransportOptions } from "../transport-options.ts";
import type { Listed } from "./connection-list.ts";
import type { PoolFailureReason } from "./conn-pool.ts";
import { type ConnectEvents, UpstreamConnect } from "./upstream-connect.ts";

export abstract class PoolSocket extends TimerEntry implements ConnectEvents, Listed {
  readonly connectionId: number = 0;
  listIndex: number = -1;
  /** "ip:port" of our side; "" before it is connected. */
  localAddress: string = "";
  /** Null = plain text, or it is not connected. */
  tls: TlsInfo | null = null;
  readonly host: Host;
  protected readonly cluster: Cluster;
  protected readonly stats: ClusterStats;
  readonly #startMs: number = 0;
  /** What it has in the gauge of buffered bytes. */
  #txBuffered: number = 0;
  #connect: UpstreamConnect | null;
  #io: IoHandle | null = null;

  /** `protocols` are offered to an upstream with TLS that has no ALPN configured. */
  constructor(
    cluster: Cluster,
    host: Host,
    options: TransportOptions | null,
    protocols: readonly string[],
  ) {
    super();
    const { clock, nextConnectionId } = cluster.context;
    this.connectionId = nextConnectionId();
    this.host = host;
    this.cluster = cluster;
    this.stats = cluster.stats;
    this.#startMs = clock.nowMs;
    this.stats.cxTotal.inc();
    this.stats.cxActive.inc();
    host.stats.cxTotal.inc();
    host.stats.cxActive.inc();
    this.#connect = new UpstreamConnect(cluster, host, { options, protocols }, this);
  }

  // ---- What the subclass does.

  /** It is connected. */
  protected abstract onReady(): void;
  /** It never will be. */
  protected abstract onFailed(reason: PoolFailureReason, transportFailure: string): void;
  abstract onRead(buffer: Buffer, length: number): void;
  abstract onWritable(): void;
  abstract onEnd(): void;
  abstract onClose(reason: CloseReason, code: string): void;

  // ---- For the subclass.

  /** Only asked for once it is connected. */
  protected get io(): IoHandle {
    return this.#io as IoHandle;
  }

  protected get txBuffered(): number {
    return this.#txBuffered;
  }

  protected setTxBuffered(bytes: number): void {
    this.stats.cxTxBytesBuffered.add(bytes - this.#txBuffered);
    this.#txBuffered = bytes;
  }

  /** Gives up connecting, if it still does. */
  protected abandonConnect(): void {
    this.#connect?.abandon();
    this.#connect = null;
  }

  protected countConnectFailure(): void {
    this.stats.cxConnectFail.inc();
    this.host.stats.cxConnectFail.inc();
  }

  protected countRequest(): void {
    this.stats.rqTotal.inc();
    this.stats.rqActive.inc();
    this.host.stats.rqTotal.inc();
    this.host.stats.rqActive.inc();
    this.host.activeRequests += 1;
  }

  protected countRequestEnd(): void {
    this.stats.rqActive.dec();
    this.host.stats.rqActive.dec();
    this.host.activeRequests -= 1;
  }

  /** `hadStream`: a request or a TCP session was under way. */
  protected countEnd(isRemote: boolean, hadStream: boolean): void {
    const { context } = this.cluster;
    const stats = this.stats;
    context.timers.cancel(this);
    this.setTxBuffered(0);
    stats.cxActive.dec();
    this.host.stats.cxActive.dec();
    stats.cxLengthMs.record(Math.round(context.clock.nowMs - this.#startMs));
    stats.cxDestroy.inc();
    (isRemote ? stats.cxDestroyRemote : stats.cxDestroyLocal).inc();
    if (!hadStream) return;
    stats.cxDestroyWithActive.inc();
    (isRemote ? stats.cxDestroyRemoteWithActive : stats.cxDestroyLocalWithActive).inc();
  }

  // ---- ConnectEvents.

  onTransportReady(io: IoHandle, tls: TlsInfo | null): void {
    this.tls = tls;
    this.#connect = null;
    this.#io = io;
    this.localAddress = addressText(io.localAddress);
    io.setNoDelay(true);
    const connectMs = this.cluster.context.clock.nowMs - this.#startMs;
    this.stats.cxConnectMs.record(Math.round(connectMs));
    this.onReady();
  }

  onTransportFailed(reason: PoolFailureReason, transportFailure: string): void {
    this.#connect = null;
    this.onFailed(reason, transportFailure);
  }

  /** The connection stands when it comes here. */
  onConnect(): void {}
}
