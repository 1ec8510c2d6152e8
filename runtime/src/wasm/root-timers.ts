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

  override onDeadline(): void {
    const tokens = this.#tokens;
    this.#tokens = [];
    for (const token of tokens) this.#root.tellQueueReady(token);
  }
}
