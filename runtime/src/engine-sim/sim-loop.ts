// Virtual time and everything that is due in it: the event loop of the simulated network. What is
// due at the same moment runs in an order from the seed. Driven by step().
import { assert } from "../core/assert.ts";
import type { TimeSource } from "../core/clock.ts";
import type { TickSource } from "../core/timer-wheel.ts";
import type { Dice } from "./dice.ts";
import { Trace } from "./trace.ts";

export interface SimEvent {
  readonly atMs: number;
  readonly tieBreak: number;
  readonly kind: string;
  readonly subject: number;
  /** Null = cancelled. */
  run: (() => void) | null;
}

/** Wall time begins at 2026-01-01T00:00:00Z. */
const epochStartMs = 1_767_225_600_000;

/** How late a tick comes: seldom much, as when something held up the thread. */
const lateTickChance = 0.002;
const lateTickMsMax = 400;

export class SimLoop implements TimeSource, TickSource {
  readonly trace: Trace;
  readonly #dice: Dice;
  readonly #heap: SimEvent[];
  #nowMs: number = 1000;
  #steps: number = 0;
  /** What runs, or ran last. */
  #event: SimEvent | null = null;
  #tickers: number = 0;
  #ticksDue: number = 0;

  constructor(dice: Dice) {
    this.trace = new Trace();
    this.#dice = dice;
    this.#heap = [];
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that ran, ticks of timers not counted. */
  get steps(): number {
    return this.#steps;
  }

  /** For people: where it stands. */
  describe(): string {
    const event = this.#event === null ? "" : `, ${this.#event.kind} #${this.#event.subject}`;
    return `step ${this.#steps}${event}, at ${this.#nowMs.toFixed(1)} virtual ms`;
  }

  /** Events that are due at some time, ticks of timers not counted; cancelled ones are. */
  get waiting(): number {
    return this.#heap.length - this.#ticksDue;
  }

  // ---- TimeSource.

  monotonicMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return epochStartMs + this.#nowMs;
  }

  // ---- TickSource.

  start(intervalMs: number, tick: () => void): () => void {
    const id = ++this.#tickers;
    let next: SimEvent | null = null;
    let plannedMs = this.#nowMs;
    const plan = (): void => {
      // As Node's intervals: a late tick moves the ones behind it.
      plannedMs = Math.max(plannedMs + intervalMs, this.#nowMs);
      const lateMs = this.#dice.chance(lateTickChance) ? this.#dice.below(lateTickMsMax) : 0;
      this.#ticksDue += 1;
      next = this.#push(plannedMs + lateMs + this.#dice.below(10) / 10, "tick", id, () => {
        plan();
        tick();
      });
    };
    plan();
    return () => {
      if (next !== null) next.run = null;
    };
  }

  // ---- For the network and its peers.

  /** Runs `callback` once in `delayMs` from now, never before this returns. */
  after(delayMs: number, kind: string, subject: number, callback: () => void): SimEvent {
    assert(delayMs >= 0);
    return this.#push(this.#nowMs + delayMs, kind, subject, callback);
  }

  cancel(event: SimEvent): void {
    event.run = null;
  }

  /** Runs what is due next; false when nothing is. */
  step(): boolean {
    const event = this.#next();
    if (event === null) return false;
    this.#pop();
    this.#event = event;
    const run = event.run as () => void;
    event.run = null;
    this.#nowMs = Math.max(this.#nowMs, event.atMs);
    if (event.kind === "tick") this.#ticksDue -= 1;
    else {
      this.#steps += 1;
      this.trace.note(this.#nowMs, event.kind, event.subject, 0);
    }
    run();
    return true;
  }

  /** Runs all that is due in the next `ms`, and stands there then. */
  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#next(); next !== null && next.atMs <= endMs; next = this.#next()) {
      this.step();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  // ---- The heap: earliest first, then by tie-break.

  /** What runs next; cancelled events in front of it are forgotten. */
  #next(): SimEvent | null {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined) return null;
      if (event.run !== null) return event;
      this.#pop();
      if (event.kind === "tick") this.#ticksDue -= 1;
    }
  }

  #push(atMs: number, kind: string, subject: number, run: () => void): SimEvent {
    const event: SimEvent = { atMs, tieBreak: this.#dice.u32(), kind, subject, run };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent] as SimEvent;
      if (!isBefore(event, other)) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = event;
    return event;
  }

  /** Takes the first one away. */
  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as SimEvent;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(heap[child + 1] as SimEvent, heap[child] as SimEvent)) {
        child += 1;
      }
      const other = heap[child] as SimEvent;
      if (!isBefore(other, last)) break;
      heap[at] = other;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.tieBreak < b.tieBreak);
}
