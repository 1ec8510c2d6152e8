// A lock between threads in shared memory. A thread may die while it holds it: main then gives it
// back, and whoever takes it next is told to put in order what the dead one was changing.
import { assert } from "../core/assert.ts";

/** Cells that the lock takes. */
export const LOCK_CELLS = 4;

/** The holder's number, 0 = free. */
const HOLDER = 0;
const WAITERS = 1;
/** 1 = a holder died, or left in the middle of something. */
const BROKEN = 2;

/** Looks before a thread goes to sleep: what is done under the lock mostly takes less. */
const SPINS = 200;
const SLEEP_MS = 10;
/** After so many sleeps the lock is given up: about a second. */
const SLEEPS_MAX = 100;

export class SharedLock {
  readonly #cells: Int32Array;
  readonly #at: number;
  readonly #me: number;
  readonly #mend: () => void;

  /**
   * `cells` from `at` on are the lock; `thread` is 0 or more. `mend` is called under the lock when
   * the holder before did not finish.
   */
  constructor(cells: Int32Array, at: number, thread: number, mend: () => void) {
    assert(thread >= 0);
    this.#cells = cells;
    this.#at = at;
    this.#me = thread + 1;
    this.#mend = mend;
  }

  /** False = somebody holds it for too long. Every true needs a release. */
  acquire(): boolean {
    const cells = this.#cells;
    const at = this.#at;
    const isFree = Atomics.compareExchange(cells, at + HOLDER, 0, this.#me) === 0;
    if (!isFree && !this.#wait()) return false;
    if (Atomics.load(cells, at + BROKEN) !== 0) {
      this.#mend();
      Atomics.store(cells, at + BROKEN, 0);
    }
    return true;
  }

  release(): void {
    const cells = this.#cells;
    const at = this.#at;
    Atomics.store(cells, at + HOLDER, 0);
    if (Atomics.load(cells, at + WAITERS) > 0) Atomics.notify(cells, at + HOLDER, 1);
  }

  /** As release, from a holder that was thrown out of what it did. */
  releaseBroken(): void {
    Atomics.store(this.#cells, this.#at + BROKEN, 1);
    this.release();
  }

  #wait(): boolean {
    const cells = this.#cells;
    const holder = this.#at + HOLDER;
    const waiters = this.#at + WAITERS;
    for (let i = 0; i < SPINS; i += 1) {
      if (Atomics.load(cells, holder) !== 0) continue;
      if (Atomics.compareExchange(cells, holder, 0, this.#me) === 0) return true;
    }
    for (let i = 0; i < SLEEPS_MAX; i += 1) {
      // A thread that dies in its sleep leaves the count too high: notify is called for nothing.
      Atomics.add(cells, waiters, 1);
      const seen = Atomics.load(cells, holder);
      if (seen !== 0) Atomics.wait(cells, holder, seen, SLEEP_MS);
      Atomics.sub(cells, waiters, 1);
      if (Atomics.compareExchange(cells, holder, 0, this.#me) === 0) return true;
    }
    return false;
  }
}

/** Main, when a thread is dead: what it held is free, and to be put in order. */
export function releaseLockOf(cells: Int32Array, at: number, thread: number): void {
  if (Atomics.load(cells, at + HOLDER) !== thread + 1) return;
  Atomics.store(cells, at + BROKEN, 1);
  Atomics.store(cells, at + HOLDER, 0);
  Atomics.notify(cells, at + HOLDER, 1);
}
