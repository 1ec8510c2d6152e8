// Writes a line for a TCP proxy's connection again and again while it lasts: access_log_options.
// access_log_flush_interval. Made only where it is configured.
import type { Clock } from "../core/clock.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";

export class PeriodicLog extends TimerEntry {
  readonly #clock: Clock;
  readonly #timers: TimerWheel;
  readonly #everyMs: number;
  readonly #log: () => void;

  /** The first line comes after the first interval. */
  constructor(clock: Clock, timers: TimerWheel, everyMs: number, log: () => void) {
    super();
    this.#clock = clock;
    this.#timers = timers;
    this.#everyMs = everyMs;
    this.#log = log;
    this.#schedule();
  }

  stop(): void {
    this.#timers.cancel(this);
  }

  override onDeadline(): void {
    this.#schedule();
    this.#log();
  }

  #schedule(): void {
    this.#timers.schedule(this, this.#clock.nowMs + this.#everyMs);
  }
}
