// The thread's clock: read once per turn by the engine and the timer wheel, then looked up as a
// field.
import { performance } from "node:perf_hooks";

/** Where time comes from; tests give a fake. */
export interface TimeSource {
  /** Milliseconds on a monotonic scale. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch. */
  epochMs(): number;
  /** Milliseconds that this thread has computed. Default: none, ever. */
  threadMs?(): number;
}

export const systemTime: TimeSource = {
  monotonicMs: () => performance.now(),
  epochMs: () => Date.now(),
  threadMs: () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  },
};

/** One per thread. `nowMs` is as old as the turn: good for deadlines and durations. */
export class Clock {
  /** Monotonic milliseconds at the start of this turn. */
  nowMs: number = 0;
  readonly #source: TimeSource;
  #epochOffsetMs: number = 0;
  #dateSecond: number = -1;
  #dateText: string = "";

  constructor(source: TimeSource = systemTime) {
    this.#source = source;
    this.nowMs = source.monotonicMs();
    this.#epochOffsetMs = source.epochMs() - this.nowMs;
  }

  /** Reads the source; called at the top of every turn. */
  update(): void {
    this.nowMs = this.#source.monotonicMs();
  }

  /** Monotonic milliseconds now, not at the start of the turn: for times within one. */
  preciseMs(): number {
    return this.#source.monotonicMs();
  }

  /** Milliseconds that this thread has computed: what others do to the machine does not count. */
  threadMs(): number {
    return this.#source.threadMs?.() ?? 0;
  }

  /** Milliseconds since the epoch, derived from the turn's time. */
  epochMs(): number {
    return this.#epochOffsetMs + this.nowMs;
  }

  /** Epoch milliseconds of a monotonic time taken from this clock. */
  toEpochMs(monotonicMs: number): number {
    return this.#epochOffsetMs + monotonicMs;
  }

  /** Follows a change of the wall clock; called by the timer wheel about once a second. */
  resync(): void {
    this.update();
    this.#epochOffsetMs = this.#source.epochMs() - this.nowMs;
  }

  /** Value of a `date` header (RFC 9110, 5.6.7): one string per second. */
  httpDate(): string {
    const second = Math.floor(this.epochMs() / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#dateText = new Date(second * 1000).toUTCString();
    }
    return this.#dateText;
  }
}
