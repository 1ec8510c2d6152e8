// A timeout of a stream or a connection as an object of its own; only configurations that set one
// make it.
import { TimerEntry } from "../core/timer-wheel.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";

export const StreamTimeout = {
  /** The whole request must come within it. */
  Request: 0,
  /** The request's head must come within it. */
  RequestHeaders: 1,
  /** Request and response together. */
  MaxDuration: 2,
  /** The connection's life. */
  ConnectionDuration: 3,
  /** A connection that drains closes when it is over. */
  Drain: 4,
  /** The listener is gone, and the client may be about to send: it is over. */
  Shutdown: 5,
} as const;
export type StreamTimeout = (typeof StreamTimeout)[keyof typeof StreamTimeout];

export interface StreamTimeoutReceiver {
  onStreamTimeout(kind: StreamTimeout): void;
}

export class StreamTimer extends TimerEntry {
  readonly #receiver: StreamTimeoutReceiver;
  readonly #kind: StreamTimeout;

  constructor(receiver: StreamTimeoutReceiver, kind: StreamTimeout) {
    super();
    this.#receiver = receiver;
    this.#kind = kind;
  }

  override onDeadline(): void {
    this.#receiver.onStreamTimeout(this.#kind);
  }
}

/** The timeouts of one stream that have a timer each; used again with each stream. */
export class StreamTimers {
  readonly #receiver: StreamTimeoutReceiver;
  readonly #wheel: TimerWheel;
  #request: StreamTimer | null = null;
  #duration: StreamTimer | null = null;

  constructor(receiver: StreamTimeoutReceiver, wheel: TimerWheel) {
    this.#receiver = receiver;
    this.#wheel = wheel;
  }

  /** Milliseconds from `nowMs`; 0 = no limit. */
  start(nowMs: number, requestMs: number, durationMs: number): void {
    if (requestMs > 0) {
      this.#request ??= new StreamTimer(this.#receiver, StreamTimeout.Request);
      this.#wheel.schedule(this.#request, nowMs + requestMs);
    }
    if (durationMs > 0) {
      this.#duration ??= new StreamTimer(this.#receiver, StreamTimeout.MaxDuration);
      this.#wheel.schedule(this.#duration, nowMs + durationMs);
    }
  }

  cancelRequest(): void {
    if (this.#request !== null) this.#wheel.cancel(this.#request);
  }

  cancelDuration(): void {
    if (this.#duration !== null) this.#wheel.cancel(this.#duration);
  }
}
