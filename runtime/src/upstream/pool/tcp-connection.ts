// One connection of a TCP pool: it carries the bytes of one downstream connection and is never used
// again. Made by TcpPool.
//
//   Connecting -- onConnect --> Open -- finish, while bytes wait --> Flushing --> Closed
import { TimerEntry } from "../../core/timer-wheel.ts";
import type { CloseReason, IoEvents, IoHandle } from "../../engine/network-engine.ts";
import { addressText } from "../addresses.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import { connectFailureText } from "./connect-failure.ts";
import { PoolFailureReason } from "./conn-pool.ts";
import { countConnection, countConnectionEnd } from "./connection-counts.ts";
import type { TcpPool } from "./tcp-pool.ts";

/** Who asked for the connection. After onUpstreamFailure or onUpstreamClose nothing follows. */
export interface TcpConnectionCallbacks {
  onUpstreamConnected(connection: TcpConnection): void;
  /** `transportFailure` is the system's reason, "" when there is none. */
  onUpstreamFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void;
  /** Bytes are lent: `buffer[0..length)`. */
  onUpstreamData(buffer: Buffer, length: number): void;
  /** All that was written is in the kernel. */
  onUpstreamWritable(): void;
  /** The upstream sent FIN; it may still be written to. */
  onUpstreamEnd(): void;
  /** The connection broke. */
  onUpstreamClose(): void;
  /** After finish() answered false: the last bytes have left, or never will. */
  onUpstreamFlushed(): void;
}

const State = { Connecting: 0, Open: 1, Flushing: 2, Closed: 3 } as const;

/** The timer is the connect timeout's, then that of the last flush. */
export class TcpConnection extends TimerEntry implements IoEvents {
  readonly connectionId: number = 0;
  readonly host: Host;
  localAddress: string = "";
  /** Place in the pool's list; the pool's own. */
  poolIndex: number = -1;
  readonly #pool: TcpPool;
  readonly #cluster: Cluster;
  readonly #callbacks: TcpConnectionCallbacks;
  readonly #startMs: number = 0;
  readonly #isUnix: boolean;
  readonly #remoteText: string;
  #state: number = State.Connecting;
  #isReadDisabled: boolean = false;
  #isBackedUp: boolean = false;
  #isWriteShut: boolean = false;
  /** What it has in the gauge of buffered bytes. */
  #txBuffered: number = 0;
  #flushTimeoutMs: number = 0;
  readonly #io: IoHandle;

  constructor(pool: TcpPool, cluster: Cluster, host: Host, callbacks: TcpConnectionCallbacks) {
    super();
    const { clock, engine, nextConnectionId, timers } = cluster.context;
    const { connectTimeoutMs, keepAlive } = cluster.config;
    this.connectionId = nextConnectionId();
    this.host = host;
    this.#pool = pool;
    this.#cluster = cluster;
    this.#callbacks = callbacks;
    this.#startMs = clock.nowMs;
    // LOGICAL_DNS may move the host meanwhile.
    this.#isUnix = host.address.family === "unix";
    this.#remoteText = host.addressText;
    countConnection(cluster.stats, host.stats);
    cluster.stats.rqPendingTotal.inc();
    cluster.stats.rqPendingActive.inc();
    host.stats.rqPendingActive.inc();
    timers.schedule(this, clock.nowMs + connectTimeoutMs);
    const options = { bindAddress: cluster.bindAddress, keepAlive };
    this.#io = engine.connect(host.address, options, this);
  }

  /** Lends the bytes. False: stop until onUpstreamWritable. */
  write(buffer: Buffer, length: number): boolean {
    const { stats } = this.#cluster;
    stats.cxTxBytesTotal.add(length);
    const isFlowing = this.#io.writeLent(buffer, 0, length);
    if (isFlowing) return true;
    this.#setTxBuffered(this.#io.writeQueueBytes);
    if (!this.#isBackedUp) stats.flowBackedUp.inc();
    this.#isBackedUp = true;
    return false;
  }

  /** Not counted: true stops, false goes on. */
  readDisable(disabled: boolean): void {
    if (this.#isReadDisabled === disabled) return;
    const { stats } = this.#cluster;
    this.#isReadDisabled = disabled;
    (disabled ? stats.flowPausedReading : stats.flowResumedReading).inc();
    this.#io.readDisable(disabled);
  }

  /** FIN after what was written; reading goes on. */
  shutdownWrite(): void {
    if (this.#isWriteShut) return;
    this.#isWriteShut = true;
    this.#io.shutdownWrite();
  }

  /**
   * Both sides have said all: closes when what was written has left; true when that is now. A peer
   * that takes none of it for `flushTimeoutMs` is reset; 0 waits for ever.
   */
  finish(isRemote: boolean, flushTimeoutMs: number): boolean {
    if (this.#io.writeQueueBytes === 0) {
      this.#leave(isRemote);
      this.#io.close();
      return true;
    }
    this.#state = State.Flushing;
    this.#flushTimeoutMs = flushTimeoutMs;
    this.#setTxBuffered(this.#io.writeQueueBytes);
    // Nothing more is to be heard.
    if (!this.#isReadDisabled) this.#io.readDisable(true);
    this.#isReadDisabled = true;
    this.shutdownWrite();
    this.#watchFlush();
    return false;
  }

  /** Gives up at once, also while connecting; bytes that wait are dropped, the peer gets RST. */
  reset(): void {
    if (this.#state === State.Closed) return;
    if (this.#state === State.Connecting) this.#cluster.stats.rqCancelled.inc();
    this.#leave(false);
    this.#io.reset();
  }

  /** As reset(), but with FIN if nothing waits. */
  closeNow(): void {
    if (this.#state !== State.Open || this.#io.writeQueueBytes > 0) {
      this.reset();
      return;
    }
    this.#leave(false);
    this.#io.close();
  }

  /** The pool ends: whoever uses the connection is told. */
  terminate(): void {
    const state = this.#state;
    if (state === State.Connecting) {
      this.#failConnect(PoolFailureReason.LocalConnectionFailure, "", false);
      this.#io.reset();
      return;
    }
    this.reset();
    if (state === State.Open) this.#callbacks.onUpstreamClose();
    else if (state === State.Flushing) this.#callbacks.onUpstreamFlushed();
  }

  // ---- TimerEntry.

  override onDeadline(): void {
    if (this.#state === State.Connecting) {
      this.#cluster.stats.cxConnectTimeout.inc();
      this.#io.reset();
      this.#failConnect(PoolFailureReason.Timeout, "", false);
    } else if (this.#state === State.Flushing) {
      const waiting = this.#io.writeQueueBytes;
      if (waiting > 0 && waiting < this.#txBuffered) {
        this.#setTxBuffered(waiting);
        this.#watchFlush();
        return;
      }
      this.reset();
      this.#callbacks.onUpstreamFlushed();
    }
  }

  // ---- IoEvents.

  onConnect(): void {
    if (this.#state !== State.Connecting) return;
    const { context, stats } = this.#cluster;
    context.timers.cancel(this);
    this.#endPending();
    this.#state = State.Open;
    this.localAddress = addressText(this.#io.localAddress);
    this.#io.setNoDelay(true);
    stats.cxConnectMs.record(Math.round(context.clock.nowMs - this.#startMs));
    stats.rqTotal.inc();
    stats.rqActive.inc();
    this.host.stats.rqTotal.inc();
    this.host.stats.rqActive.inc();
    this.host.activeRequests += 1;
    this.#pool.breaker.requests.increase();
    this.#callbacks.onUpstreamConnected(this);
  }

  onRead(buffer: Buffer, length: number): void {
    if (this.#state !== State.Open) return;
    this.#cluster.stats.cxRxBytesTotal.add(length);
    this.#callbacks.onUpstreamData(buffer, length);
  }

  onWritable(): void {
    this.#setTxBuffered(0);
    if (this.#isBackedUp) {
      this.#isBackedUp = false;
      this.#cluster.stats.flowDrained.inc();
    }
    if (this.#state === State.Open) this.#callbacks.onUpstreamWritable();
    else if (this.#state === State.Flushing) {
      this.#leave(false);
      this.#io.close();
      this.#callbacks.onUpstreamFlushed();
    }
  }

  onEnd(): void {
    if (this.#state === State.Open) this.#callbacks.onUpstreamEnd();
  }

  onClose(_reason: CloseReason, code: string): void {
    if (this.#state === State.Closed) return;
    const state = this.#state;
    if (state === State.Connecting) {
      const text = connectFailureText(code, this.#isUnix, this.#remoteText);
      this.#failConnect(PoolFailureReason.RemoteConnectionFailure, text, true);
      return;
    }
    this.#leave(true);
    if (state === State.Open) this.#callbacks.onUpstreamClose();
    else this.#callbacks.onUpstreamFlushed();
  }

  // ---- Private parts.

  #watchFlush(): void {
    const { clock, timers } = this.#cluster.context;
    if (this.#flushTimeoutMs > 0) timers.schedule(this, clock.nowMs + this.#flushTimeoutMs);
  }

  #setTxBuffered(bytes: number): void {
    this.#cluster.stats.cxTxBytesBuffered.add(bytes - this.#txBuffered);
    this.#txBuffered = bytes;
  }

  #endPending(): void {
    this.#cluster.stats.rqPendingActive.dec();
    this.host.stats.rqPendingActive.dec();
    this.#pool.breaker.pending.decrease();
  }

  #failConnect(reason: PoolFailureReason, transportFailure: string, isRemote: boolean): void {
    this.#cluster.stats.cxConnectFail.inc();
    this.#cluster.stats.rqPendingFailureEject.inc();
    this.host.stats.cxConnectFail.inc();
    this.#leave(isRemote);
    this.#callbacks.onUpstreamFailure(reason, this.host, transportFailure);
  }

  /** Out of the pool, and counted, before anybody is told. */
  #leave(isRemote: boolean): void {
    const { context, stats } = this.#cluster;
    const wasConnecting = this.#state === State.Connecting;
    this.#state = State.Closed;
    context.timers.cancel(this);
    this.#setTxBuffered(0);
    if (wasConnecting) this.#endPending();
    else {
      stats.rqActive.dec();
      this.host.stats.rqActive.dec();
      this.host.activeRequests -= 1;
      this.#pool.breaker.requests.decrease();
    }
    const lengthMs = context.clock.nowMs - this.#startMs;
    countConnectionEnd(stats, this.host.stats, lengthMs, isRemote, !wasConnecting);
    this.#pool.remove(this);
  }
}
