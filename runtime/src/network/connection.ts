// One downstream connection: joins the engine's io handle with the chain's network filter. Owned by
// its listener.
//
//   Open -- closeAfterFlush, closeAfterFin --> Closing (waits for the peer, at most the delay)
//   Closing -- the peer's close, the deadline --> Closed
//   Open -- closeNow, the peer's close --> Closed
//
// Closed, it may still watch how its last bytes leave: a peer that takes none of them for the flush
// timeout is reset, or it would hold the socket for ever.
import type { ConnectionInfo } from "../core/connection-info.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { IoEvents, IoHandle } from "../engine/network-engine.ts";
import type { NetworkFilter, NetworkFilterCallbacks } from "../filter/network-filter.ts";

/** What a connection tells its listener. */
export interface ConnectionOwner {
  onConnectionClosed(connection: Connection): void;
}

const State = { Open: 0, Closing: 1, Closed: 2 } as const;

/** The timer is the delayed close's. */
export class Connection extends TimerEntry implements IoEvents, NetworkFilterCallbacks {
  readonly info: ConnectionInfo;
  /** A handshake puts that of TLS in the place of the bare one. */
  io: IoHandle;
  readonly wire: null = null;
  readonly #owner: ConnectionOwner;
  readonly #timers: TimerWheel;
  readonly #nowMs: () => number;
  #filter: NetworkFilter | null = null;
  #state: number = State.Open;
  /** Bytes came after closeAfterFlush: the peer's words that nobody heard. */
  #hasDropped: boolean = false;
  #closeDelayMs: number = 0;
  #flushTimeoutMs: number = 0;
  /** What waited for the kernel at the last look while closing. */
  #waitingBytes: number = 0;
  /** Neighbours in the listener's list. */
  previousConnection: Connection | null = null;
  nextConnection: Connection | null = null;

  constructor(
    info: ConnectionInfo,
    io: IoHandle,
    owner: ConnectionOwner,
    timers: TimerWheel,
    nowMs: () => number,
  ) {
    super();
    this.info = info;
    this.io = io;
    this.#owner = owner;
    this.#timers = timers;
    this.#nowMs = nowMs;
  }

  get isClosed(): boolean {
    return this.#state === State.Closed;
  }

  /** Set once, right after construction: filters need their connection to be made. */
  setFilter(filter: NetworkFilter): void {
    this.#filter = filter;
  }

  /** Once, after setFilter; the filter may close at once. */
  start(): void {
    this.#filter?.onNewConnection();
  }

  /** The listener goes away. */
  shutdown(): void {
    this.#filter?.onShutdown();
  }

  /** Timeouts have become shorter or longer. */
  onTimeoutsChanged(): void {
    this.#filter?.onTimeoutsChanged();
  }

  // ---- NetworkFilterCallbacks.

  setFlushTimeout(timeoutMs: number): void {
    this.#flushTimeoutMs = timeoutMs;
  }

  closeAfterFlush(delayMs: number): void {
    if (this.#state !== State.Open) return;
    if (delayMs === 0) {
      this.#close(false);
      return;
    }
    this.#state = State.Closing;
    this.#closeDelayMs = delayMs;
    this.#waitFor(this.io.writeQueueBytes, delayMs);
  }

  closeAfterFin(delayMs: number): void {
    if (this.#state === State.Open && delayMs > 0) this.io.shutdownWrite();
    this.closeAfterFlush(delayMs);
  }

  closeNow(): void {
    if (this.#state === State.Closed) return;
    this.io.reset();
    this.#gone(false);
  }

  // ---- TimerEntry: the peer had its time to close.

  override onDeadline(): void {
    const waiting = this.io.writeQueueBytes;
    if (waiting > 0 && waiting < this.#waitingBytes) {
      // As Envoy: who still takes the answer has not used up the delay.
      this.#waitFor(
        waiting,
        this.#state === State.Closed ? this.#flushTimeoutMs : this.#closeDelayMs,
      );
      return;
    }
    if (this.#state === State.Closed) {
      if (waiting > 0) this.io.reset();
      return;
    }
    this.#filter?.onDelayedCloseTimeout();
    // A peer that was not heard to the end gets a reset, as from any socket closed unread.
    if (waiting > 0 || this.#hasDropped) this.closeNow();
    else this.#close(false);
  }

  // ---- IoEvents.

  onConnect(): void {}

  onRead(buffer: Buffer, length: number): void {
    // While closing, bytes are read and dropped, so that the peer's FIN is seen.
    if (this.#state !== State.Open) {
      this.#hasDropped = true;
      return;
    }
    const { stream } = this.info;
    if (stream !== null) stream.bytesReceived += length;
    this.#filter?.onData(buffer, length);
  }

  onWritable(): void {
    if (this.#state === State.Open) this.#filter?.onWritable();
    else if (this.#state === State.Closing) {
      // All of the answer has left: now the peer has the whole delay to close.
      this.#waitFor(0, this.#closeDelayMs);
    }
  }

  onEnd(): void {
    if (this.#state === State.Closing) this.#close(true);
    else this.#filter?.onEnd();
  }

  onClose(): void {
    if (this.#state !== State.Closed) this.#gone(true);
  }

  #close(remote: boolean): void {
    this.io.close();
    this.#gone(remote);
    const waiting = this.io.writeQueueBytes;
    if (waiting > 0 && this.#flushTimeoutMs > 0) this.#waitFor(waiting, this.#flushTimeoutMs);
  }

  #waitFor(waitingBytes: number, delayMs: number): void {
    this.#waitingBytes = waitingBytes;
    this.#timers.schedule(this, this.#nowMs() + delayMs);
  }

  #gone(remote: boolean): void {
    this.#state = State.Closed;
    this.#timers.cancel(this);
    const filter = this.#filter;
    this.#filter = null;
    filter?.onClose(remote);
    this.#owner.onConnectionClosed(this);
  }
}
