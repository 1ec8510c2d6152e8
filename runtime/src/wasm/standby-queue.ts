// When standbys are made: one at a time, a moment after they were wished for, and in a tenth of the
// thread's time at most. One per WasmHost.
import type { Clock } from "../core/clock.ts";
import { TimerEntry, type TimerWheel } from "../core/timer-wheel.ts";
import type { Standby } from "./standby.ts";

/** From the wish to the making: start-up and what has just failed come first. */
const DELAY_MS = 200;
/** Between two. */
const GAP_MIN_MS = 20;
/** The thread has at least so many times of what one took to itself. */
const GAP_FACTOR = 9;

export class StandbyQueue extends TimerEntry {
  readonly #clock: Clock;
  readonly #timers: TimerWheel;
  /** When each may be made; as many as there are VMs at most. */
  readonly #wanted: Map<Standby, number>;
  /** Until the gap after the last one is over. */
  #busyUntilMs: number = 0;

  constructor(clock: Clock, timers: TimerWheel) {
    super();
    this.#clock = clock;
    this.#timers = timers;
    this.#wanted = new Map();
  }

  add(standby: Standby): void {
    const dueMs = Math.max(this.#clock.nowMs + DELAY_MS, standby.notBeforeMs);
    this.#wanted.set(standby, dueMs);
    this.#schedule();
  }

  remove(standby: Standby): void {
    this.#wanted.delete(standby);
    this.#schedule();
  }

  override onDeadline(): void {
    const { nowMs } = this.#clock;
    for (const [standby, dueMs] of this.#wanted) {
      if (dueMs > nowMs) continue;
      this.#wanted.delete(standby);
      standby.make();
      this.#clock.update();
      const tookMs = this.#clock.nowMs - nowMs;
      this.#busyUntilMs = this.#clock.nowMs + Math.max(GAP_MIN_MS, tookMs * GAP_FACTOR);
      break;
    }
    this.#schedule();
  }

  #schedule(): void {
    this.#timers.cancel(this);
    if (this.#wanted.size === 0) return;
    let firstMs = Infinity;
    for (const dueMs of this.#wanted.values()) firstMs = Math.min(firstMs, dueMs);
    this.#timers.schedule(this, Math.max(firstMs, this.#busyUntilMs));
  }
}
