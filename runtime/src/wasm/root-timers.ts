// The timers of a root context: its tick, and the news that its queues have items.
import { TimerEntry, type TimerWheel } from "../core/timer-wheel.ts";
import type { RootContext } from "./root-context.ts";

/** on_tick never overlaps itself: the next one is due a period after the last one returned. */
export class TickTimer extends TimerEntry {
  readonly #root: RootContext;
  #timers: TimerWheel | null = null;
  /** 0 = no ticks. */
  #periodMs: number = 0;

  constructor(root: RootContext) {
    super();
    this.#root = root;
  }

  /** Counts anew from now. */
  setPeriod(timers: TimerWheel, periodMs: number): void {
    this.#timers = timers;
    this.#periodMs = periodMs;
    timers.cancel(this);
    if (periodMs > 0) timers.schedule(this, this.#root.vm.services.clock.nowMs + periodMs);
  }

  override onDeadline(): void {
    this.#root.onTick();
    if (this.#periodMs === 0 || this.#root.vm.failure !== null) return;
    this.#timers?.schedule(this, this.#root.vm.services.clock.nowMs + this.#periodMs);
  }
}

/** Tells one item after another, after the callback that put them there has returned. */
export class QueueNotice extends TimerEntry {
  readonly #root: RootContext;
  #tokens: number[];

  constructor(root: RootContext) {
    super();
    this.#root = root;
    this.#tokens = [];
  }

  add(timers: TimerWheel, token: number): void {
    this.#tokens.push(token);
    if (!this.isScheduled) timers.schedule(this, this.#root.vm.services.clock.nowMs);
  }

  /** Of what was not told yet. */
  takeTokens(): readonly number[] {
    return this.#tokens.splice(0);
  }

  /** Items that come meanwhile have their turn later; a guest that fails leaves the rest. */
  override onDeadline(): void {
    for (let left = this.#tokens.length; left > 0 && this.#tokens.length > 0; left -= 1) {
      this.#root.tellQueueReady(this.#tokens.shift() as number);
    }
    if (this.#tokens.length === 0 || this.isScheduled) return;
    this.#root.vm.services.timers.schedule(this, this.#root.vm.services.clock.nowMs);
  }
}
