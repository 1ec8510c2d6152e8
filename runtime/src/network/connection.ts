// One downstream connection: joins the engine's io handle with the chain's network filter. Owned by
// its listener.
//
//   Open -- closeAfterFlush, closeAfterFin --> Closing (waits for the peer, at most the delay)
//   Closing -- the peer's close, the deadline --> Closed
//   Open -- closeNow, the peer's close --> Closed
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
  readonly io: IoHandle;
  readonly #owner: ConnectionOwner;
  readonly #timers: TimerWheel;
  readonly #nowMs: () => number;
  #filter: NetworkFilter | null = null;
  #state: number = State.Open;
  /** Bytes came after closeAfterFlush: the peer's words that nobody heard. */
  #hasDropped: boolean = false;
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

  /** Set once, right after construction: filters need their connection to be made. */
  setFilter(filter: NetworkFilter): void {
    this.#filter = filter;
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

  closeAfterFlush(delayMs: number): void {
    if (this.#state !== State.Open) return;
    if (delayMs === 0) {
      this.#close(false);
      return;
    }
    this.#state = State.Closing;
    this.#timers.schedule(this, this.#nowMs() + delayMs);
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
    if (this.#state === State.Closed) return;
    this.#filter?.onDelayedCloseTimeout();
    // A peer that was not heard to the end gets a reset, as from any socket closed unread.
    if (this.io.writeQueueBytes > 0 || this.#hasDropped) this.closeNow();
    else this.#close(false);
  }

  // ---- IoEvents.

  onConnect(): void {}

  onRead(buffer: Buffer, length: number): void {
    // While closing, bytes are read and dropped, so that the peer's FIN is seen.
    if (this.#state === State.Open) this.#filter?.onData(buffer, length);
    else this.#hasDropped = true;
  }

  onWritable(): void {
    if (this.#state === State.Open) this.#filter?.onWritable();
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
