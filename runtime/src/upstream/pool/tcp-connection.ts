// One connection of a TCP pool: it carries the bytes of one downstream connection and is never used
// again. Made by TcpPool.
//
//   Connecting -- onConnect --> Open -- finish, while bytes wait --> Flushing --> Closed
import type { TlsInfo } from "../../core/tls-info.ts";
import type { CloseReason } from "../../engine/network-engine.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import type { TransportOptions } from "../transport-options.ts";
import { PoolFailureReason } from "./conn-pool.ts";
import { PoolSocket } from "./pool-socket.ts";
import type { TcpPool } from "./tcp-pool.ts";

/** A way to an upstream that carries raw bytes: TcpConnection, or a tunnel through a proxy. */
export interface TcpLink {
  readonly host: Host;
  readonly connectionId: number;
  readonly localAddress: string;
  /** Null = plain text. */
  readonly tls: TlsInfo | null;
  /** Lends the bytes. False: stop until onUpstreamWritable. */
  write(buffer: Buffer, length: number): boolean;
  /** Not counted: true stops, false goes on. */
  readDisable(disabled: boolean): void;
  /** FIN after what was written; reading goes on, where the link can. */
  shutdownWrite(): void;
  /**
   * Both sides have said all: closes when what was written has left; true when that is now. A peer
   * that takes none of it for `flushTimeoutMs` is reset; 0 waits for ever. `isRequestOver`: it ends
   * without an active request in the stats (a TCP session is one until its connection ends).
   */
  finish(isRemote: boolean, flushTimeoutMs: number, isRequestOver?: boolean): boolean;
  /** Gives up at once, also while connecting; bytes that wait are dropped. */
  reset(): void;
  /** As reset(), but with FIN if nothing waits. */
  closeNow(): void;
}

/** Who asked for the connection. After onUpstreamFailure or onUpstreamClose nothing follows. */
export interface TcpConnectionCallbacks {
  onUpstreamConnected(link: TcpLink): void;
  /** `transportFailure` is the system's reason, "" when there is none. */
  onUpstreamFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void;
  /** Bytes are lent: `buffer[0..length)`. */
  onUpstreamData(buffer: Buffer, length: number): void;
  /** All that was written is in the kernel. */
  onUpstreamWritable(): void;
  /** The upstream sent FIN; it may still be written to. */
  onUpstreamEnd(): void;
  /** The connection broke; not `isReset`: a tunnel ended, which has no half-closed state. */
  onUpstreamClose(isReset: boolean): void;
  /** After finish() answered false: the last bytes have left, or never will. */
  onUpstreamFlushed(): void;
}

const noProtocols: readonly string[] = [];

const State = { Connecting: 0, Open: 1, Flushing: 2, Closed: 3 } as const;

/** The timer is that of the last flush. */
export class TcpConnection extends PoolSocket implements TcpLink {
  readonly #pool: TcpPool;
  readonly #callbacks: TcpConnectionCallbacks;
  #state: number = State.Connecting;
  #isReadDisabled: boolean = false;
  #isBackedUp: boolean = false;
  #isWriteShut: boolean = false;
  #isRequestOver: boolean = false;
  #flushTimeoutMs: number = 0;

  constructor(
    pool: TcpPool,
    cluster: Cluster,
    host: Host,
    options: TransportOptions | null,
    callbacks: TcpConnectionCallbacks,
  ) {
    super(cluster, host, options, noProtocols);
    this.#pool = pool;
    this.#callbacks = callbacks;
    this.stats.rqPendingTotal.inc();
    this.stats.rqPendingActive.inc();
    host.stats.rqPendingActive.inc();
  }

  write(buffer: Buffer, length: number): boolean {
    const { stats } = this;
    stats.cxTxBytesTotal.add(length);
    const isFlowing = this.io.writeLent(buffer, 0, length);
    if (isFlowing) return true;
    this.setTxBuffered(this.io.writeQueueBytes);
    if (!this.#isBackedUp) stats.flowBackedUp.inc();
    this.#isBackedUp = true;
    return false;
  }

  readDisable(disabled: boolean): void {
    if (this.#isReadDisabled === disabled) return;
    const { stats } = this;
    this.#isReadDisabled = disabled;
    (disabled ? stats.flowPausedReading : stats.flowResumedReading).inc();
    this.io.readDisable(disabled);
  }

  /** FIN after what was written; reading goes on. */
  shutdownWrite(): void {
    if (this.#isWriteShut) return;
    this.#isWriteShut = true;
    this.io.shutdownWrite();
  }

  /**
   * Both sides have said all: closes when what was written has left; true when that is now. A peer
   * that takes none of it for `flushTimeoutMs` is reset; 0 waits for ever.
   */
  finish(isRemote: boolean, flushTimeoutMs: number, isRequestOver: boolean = false): boolean {
    this.#isRequestOver = isRequestOver;
    if (this.io.writeQueueBytes === 0) {
      this.#leave(isRemote);
      this.io.close();
      return true;
    }
    this.#state = State.Flushing;
    this.#flushTimeoutMs = flushTimeoutMs;
    this.setTxBuffered(this.io.writeQueueBytes);
    // Nothing more is to be heard.
    if (!this.#isReadDisabled) this.io.readDisable(true);
    this.#isReadDisabled = true;
    this.shutdownWrite();
    this.#watchFlush();
    return false;
  }

  /** Gives up at once, also while connecting; bytes that wait are dropped, the peer gets RST. */
  reset(): void {
    if (this.#state === State.Closed) return;
    if (this.#state === State.Connecting) {
      this.stats.rqCancelled.inc();
      this.#leave(false);
      return;
    }
    this.#leave(false);
    this.io.reset();
  }

  /** As reset(), but with FIN if nothing waits. */
  closeNow(): void {
    if (this.#state !== State.Open || this.io.writeQueueBytes > 0) {
      this.reset();
      return;
    }
    this.#leave(false);
    this.io.close();
  }

  /** The pool ends: whoever uses the connection is told. */
  terminate(): void {
    const state = this.#state;
    if (state === State.Connecting) {
      this.onFailed(PoolFailureReason.LocalConnectionFailure, "");
      return;
    }
    this.reset();
    if (state === State.Open) this.#callbacks.onUpstreamClose(true);
    else if (state === State.Flushing) this.#callbacks.onUpstreamFlushed();
  }

  // ---- TimerEntry.

  override onDeadline(): void {
    if (this.#state !== State.Flushing) return;
    const waiting = this.io.writeQueueBytes;
    if (waiting > 0 && waiting < this.txBuffered) {
      this.setTxBuffered(waiting);
      this.#watchFlush();
      return;
    }
    this.reset();
    this.#callbacks.onUpstreamFlushed();
  }

  // ---- PoolSocket.

  override onReady(): void {
    this.#endPending();
    this.#state = State.Open;
    this.countRequest();
    this.#pool.breaker.requests.increase();
    this.#callbacks.onUpstreamConnected(this);
  }

  override onFailed(reason: PoolFailureReason, transportFailure: string): void {
    const isRemote = reason === PoolFailureReason.RemoteConnectionFailure;
    this.countConnectFailure();
    this.stats.rqPendingFailureEject.inc();
    this.#leave(isRemote);
    this.#callbacks.onUpstreamFailure(reason, this.host, transportFailure);
  }

  onRead(buffer: Buffer, length: number): void {
    if (this.#state !== State.Open) return;
    this.stats.cxRxBytesTotal.add(length);
    this.#callbacks.onUpstreamData(buffer, length);
  }

  onWritable(): void {
    this.setTxBuffered(0);
    if (this.#isBackedUp) {
      this.#isBackedUp = false;
      this.stats.flowDrained.inc();
    }
    if (this.#state === State.Open) this.#callbacks.onUpstreamWritable();
    else if (this.#state === State.Flushing) {
      this.#leave(false);
      this.io.close();
      this.#callbacks.onUpstreamFlushed();
    }
  }

  onEnd(): void {
    if (this.#state === State.Open) this.#callbacks.onUpstreamEnd();
  }

  onClose(_reason: CloseReason, _code: string): void {
    if (this.#state === State.Closed) return;
    const state = this.#state;
    this.#leave(true);
    if (state === State.Open) this.#callbacks.onUpstreamClose(true);
    else this.#callbacks.onUpstreamFlushed();
  }

  // ---- Private parts.

  #watchFlush(): void {
    const { clock, timers } = this.cluster.context;
    if (this.#flushTimeoutMs > 0) timers.schedule(this, clock.nowMs + this.#flushTimeoutMs);
  }

  #endPending(): void {
    this.stats.rqPendingActive.dec();
    this.host.stats.rqPendingActive.dec();
    this.#pool.breaker.pending.decrease();
  }

  /** Out of the pool, and counted, before anybody is told. */
  #leave(isRemote: boolean): void {
    const wasConnecting = this.#state === State.Connecting;
    this.#state = State.Closed;
    if (wasConnecting) {
      this.abandonConnect();
      this.#endPending();
    } else {
      this.countRequestEnd();
      this.#pool.breaker.requests.decrease();
    }
    this.countEnd(isRemote, !wasConnecting && !this.#isRequestOver);
    this.#pool.remove(this);
  }
}
