// Deadlines as fields: a coarse wheel for idle and route timeouts, a fine one for short timers.
// Called by whatever has a deadline; server/ makes one per thread.
import { assert } from "./assert.ts";
import type { Clock } from "./clock.ts";

/** Deadlines further away than `fineHorizonMs` fire up to this much late. */
export const coarseTickMs = 100;

/** Nearer ones fire up to this much late. */
export const fineTickMs = 5;

const coarseSlots = 512;
const fineSlots = 256;

/** 1280 ms: nearer deadlines go to the fine wheel. */
export const fineHorizonMs: number = fineSlots * fineTickMs;

/** The wall clock is followed once in this many coarse ticks. */
const resyncTicks = 10;

/**
 * Something with a deadline: extend it, or keep one as a field. An entry stands in at most one list
 * of one wheel. Moving `deadlineMs` later is a plain write of the field: the wheel looks at it when
 * the entry's slot comes. To move it nearer, call schedule().
 */
export abstract class TimerEntry {
  /** On the clock's monotonic scale. */
  deadlineMs: number = 0;
  /** The wheel's own: neighbours in the slot's list, null when not scheduled. */
  previous: TimerEntry | null = null;
  next: TimerEntry | null = null;
  /** The wheel's own: when the slot is looked at. */
  visitMs: number = 0;
  /** The wheel's own: who counts the entry. */
  counter: { count: number } | null = null;

  get isScheduled(): boolean {
    return this.next !== null;
  }

  /** The deadline has passed and the entry is no longer scheduled. Runs inside a turn. */
  abstract onDeadline(): void;
}

/** The fixed link of a ring of entries. */
class ListHead extends TimerEntry {
  constructor() {
    super();
    this.previous = this;
    this.next = this;
  }

  override onDeadline(): void {}
}

/** Calls back again and again; tests give one that they drive. */
export interface TickSource {
  /** Returns what stops it. */
  start(intervalMs: number, tick: () => void): () => void;
}

/** One interval, and who is called by it. */
interface SharedInterval {
  readonly ticks: Set<() => void>;
  readonly interval: NodeJS.Timeout;
}

/**
 * Node's intervals, which do not keep the process alive. All of a thread that want the same one
 * have one: what an idle thread costs is how often it wakes up.
 */
class SharedTicks implements TickSource {
  readonly #shared: Map<number, SharedInterval> = new Map();

  start(intervalMs: number, tick: () => void): () => void {
    const shared = this.#shared.get(intervalMs) ?? this.#open(intervalMs);
    const own = (): void => tick();
    shared.ticks.add(own);
    return (): void => {
      if (!shared.ticks.delete(own) || shared.ticks.size > 0) return;
      clearInterval(shared.interval);
      this.#shared.delete(intervalMs);
    };
  }

  #open(intervalMs: number): SharedInterval {
    const ticks = new Set<() => void>();
    const interval = setInterval(() => {
      for (const tick of ticks) tick();
    }, intervalMs).unref();
    const shared = { ticks, interval };
    this.#shared.set(intervalMs, shared);
    return shared;
  }
}

/** The thread's. */
export const intervalTicks: TickSource = new SharedTicks();

/**
 * Never fires early. Scheduling and cancelling are a few field writes and allocate nothing. The
 * number of entries has no limit of its own: each belongs to something that is limited.
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #runTurn: (callback: () => void) => void;
  readonly #ticks: TickSource;
  readonly #coarse: Wheel;
  readonly #fine: Wheel;
  readonly #due: ListHead;
  readonly #advanceCoarse: () => void;
  readonly #advanceFine: () => void;
  readonly #tickFine: () => void;
  readonly #stopCoarse: () => void;
  #stopFine: (() => void) | null = null;
  #ticksToResync: number = resyncTicks;

  /** `runTurn` is the engine's: it updates the clock and flushes what the callbacks wrote. */
  constructor(
    clock: Clock,
    runTurn: (callback: () => void) => void,
    ticks: TickSource = intervalTicks,
  ) {
    this.#clock = clock;
    this.#runTurn = runTurn;
    this.#ticks = ticks;
    this.#coarse = new Wheel(coarseSlots, coarseTickMs, clock.nowMs);
    this.#fine = new Wheel(fineSlots, fineTickMs, clock.nowMs);
    this.#due = new ListHead();
    this.#advanceCoarse = (): void => {
      this.#resyncNowAndThen();
      this.#advance(this.#coarse);
    };
    this.#advanceFine = (): void => this.#advance(this.#fine);
    this.#tickFine = (): void => this.#onFineTick();
    this.#stopCoarse = ticks.start(coarseTickMs, () => this.#runTurn(this.#advanceCoarse));
  }

  /** Entries that are scheduled. */
  get size(): number {
    return this.#coarse.count + this.#fine.count;
  }

  /** Sets or moves the deadline. One that has passed fires with the next tick, not from here. */
  schedule(entry: TimerEntry, deadlineMs: number): void {
    assert(Number.isFinite(deadlineMs));
    entry.deadlineMs = deadlineMs;
    if (entry.next !== null) {
      // Looked at before the deadline: then is time enough to move it.
      if (entry.visitMs <= deadlineMs) return;
      unlink(entry);
    }
    this.#link(entry);
  }

  /** Does nothing when the entry is not scheduled. */
  cancel(entry: TimerEntry): void {
    if (entry.next !== null) unlink(entry);
  }

  /** Stops the ticks; entries stay and do not fire any more. */
  stop(): void {
    this.#stopCoarse();
    this.#stopFine?.();
    this.#stopFine = null;
  }

  #link(entry: TimerEntry): void {
    const nowMs = this.#clock.nowMs;
    if (entry.deadlineMs - nowMs >= fineHorizonMs) {
      this.#coarse.link(entry);
      return;
    }
    if (this.#stopFine === null) {
      this.#fine.skipTo(nowMs);
      this.#stopFine = this.#ticks.start(fineTickMs, this.#tickFine);
    }
    this.#fine.link(entry);
  }

  /** Stops the fine ticks one tick after the last entry, so that busy times start them once. */
  #onFineTick(): void {
    this.#runTurn(this.#advanceFine);
    if (this.#fine.count > 0 || this.#stopFine === null) return;
    this.#stopFine();
    this.#stopFine = null;
  }

  #resyncNowAndThen(): void {
    this.#ticksToResync -= 1;
    if (this.#ticksToResync > 0) return;
    this.#ticksToResync = resyncTicks;
    this.#clock.resync();
  }

  #advance(wheel: Wheel): void {
    const nowMs = this.#clock.nowMs;
    wheel.takeSlots(nowMs, this.#due);
    // When one throws, which is our bug, the rest of the list is taken up with the next tick.
    let entry = first(this.#due);
    while (entry !== null) {
      unlink(entry);
      if (entry.deadlineMs <= nowMs) entry.onDeadline();
      else this.#link(entry);
      entry = first(this.#due);
    }
  }
}

/** Lists of entries by the tick at which they are looked at. */
class Wheel {
  /** Entries in the lists, and those that are just being looked at. */
  count: number = 0;
  readonly #tickMs: number;
  readonly #heads: readonly ListHead[];
  /** The last tick of which the list was taken. */
  #tick: number = 0;

  constructor(slots: number, tickMs: number, nowMs: number) {
    this.#tickMs = tickMs;
    this.#heads = Array.from({ length: slots }, () => new ListHead());
    this.#tick = Math.floor(nowMs / tickMs);
  }

  /** Only for an empty wheel. */
  skipTo(nowMs: number): void {
    assert(this.count === 0);
    this.#tick = Math.floor(nowMs / this.#tickMs);
  }

  /** A deadline beyond the last slot goes there, and is moved on when the slot comes. */
  link(entry: TimerEntry): void {
    const wanted = Math.floor(entry.deadlineMs / this.#tickMs);
    const at = Math.min(Math.max(wanted, this.#tick + 1), this.#tick + this.#heads.length);
    entry.visitMs = at * this.#tickMs;
    entry.counter = this;
    this.count += 1;
    append(this.#headAt(at), entry);
  }

  /** Moves the lists of all ticks up to `nowMs` to `due`. */
  takeSlots(nowMs: number, due: ListHead): void {
    const target = Math.floor(nowMs / this.#tickMs);
    // After a long stall one round meets every list.
    let tick = Math.max(this.#tick, target - this.#heads.length);
    while (tick < target) {
      tick += 1;
      moveAll(this.#headAt(tick), due);
    }
    this.#tick = tick;
  }

  #headAt(tick: number): ListHead {
    // The index is always inside: ticks are whole and not negative.
    return this.#heads[tick % this.#heads.length] as ListHead;
  }
}

function first(head: ListHead): TimerEntry | null {
  return head.next === head ? null : head.next;
}

function append(head: ListHead, entry: TimerEntry): void {
  const last = head.previous as TimerEntry;
  entry.previous = last;
  entry.next = head;
  last.next = entry;
  head.previous = entry;
}

function unlink(entry: TimerEntry): void {
  (entry.previous as TimerEntry).next = entry.next;
  (entry.next as TimerEntry).previous = entry.previous;
  entry.previous = null;
  entry.next = null;
  if (entry.counter !== null) entry.counter.count -= 1;
  entry.counter = null;
}

function moveAll(from: ListHead, to: ListHead): void {
  const firstMoved = from.next as TimerEntry;
  if (firstMoved === from) return;
  const lastMoved = from.previous as TimerEntry;
  const lastBefore = to.previous as TimerEntry;
  lastBefore.next = firstMoved;
  firstMoved.previous = lastBefore;
  lastMoved.next = to;
  to.previous = lastMoved;
  from.next = from;
  from.previous = from;
}
