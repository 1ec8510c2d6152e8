// A timeout of a stream or a connection as an object of its own; only configurations that set one
// make it.
import { TimerEntry } from "../core/timer-wheel.ts";

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
