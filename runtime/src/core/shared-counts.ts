// Counts that all threads share: circuit breakers, connections under a limit. Kept so that what a
// dead thread held can be given back.
//
// The memory is an Int32Array over a SharedArrayBuffer that main makes:
//
//   block 0               totals of all threads; changed with Atomics only
//   block 1 .. threads    what each thread holds; written by that thread only, read after its death
import { assert } from "./assert.ts";

/** Shared cells of one process and which block this thread writes. */
export interface SharedCounts {
  readonly cells: Int32Array;
  /** Cells of a block: indices are below it. */
  readonly cellsMax: number;
  /** 0 .. threads - 1. */
  readonly thread: number;
}

/** Memory for `threads` threads and `cellsMax` counts, all zero. */
export function sharedCountsMemory(threads: number, cellsMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer((threads + 1) * cellsMax * 4);
}

/** What a thread keeps of it. */
export function openSharedCounts(
  memory: SharedArrayBuffer,
  cellsMax: number,
  thread: number,
): SharedCounts {
  const cells = new Int32Array(memory);
  assert(cells.length >= (thread + 2) * cellsMax);
  return { cells, cellsMax, thread };
}

/** Gives back what a dead thread held; main calls it before it starts the replacement. */
export function releaseSharedCounts(
  memory: SharedArrayBuffer,
  cellsMax: number,
  thread: number,
): void {
  const cells = new Int32Array(memory);
  const own = (thread + 1) * cellsMax;
  for (let i = 0; i < cellsMax; i += 1) {
    const held = cells[own + i] as number;
    if (held === 0) continue;
    Atomics.sub(cells, i, held);
    cells[own + i] = 0;
  }
}

/** One count, as one thread sees it. */
export class SharedCount {
  readonly #cells: Int32Array;
  readonly #total: number;
  readonly #own: number;

  constructor(counts: SharedCounts, index: number) {
    assert(index >= 0);
    assert(index < counts.cellsMax);
    this.#cells = counts.cells;
    this.#total = index;
    this.#own = (counts.thread + 1) * counts.cellsMax + index;
  }

  /** Of all threads. */
  get count(): number {
    return Atomics.load(this.#cells, this.#total);
  }

  /** A plain read: it is asked before each request, and a moment's delay changes nothing. */
  isBelow(max: number): boolean {
    return (this.#cells[this.#total] as number) < max;
  }

  /** Answers with what the count was. */
  add(): number {
    (this.#cells[this.#own] as number) += 1;
    return Atomics.add(this.#cells, this.#total, 1);
  }

  /** Answers with what the count was. */
  sub(): number {
    (this.#cells[this.#own] as number) -= 1;
    return Atomics.sub(this.#cells, this.#total, 1);
  }

  /** Adds one unless `max` is reached; of two threads only one gets the last place. */
  tryAdd(max: number): boolean {
    for (;;) {
      const now = Atomics.load(this.#cells, this.#total);
      if (now >= max) return false;
      if (Atomics.compareExchange(this.#cells, this.#total, now, now + 1) !== now) continue;
      (this.#cells[this.#own] as number) += 1;
      return true;
    }
  }
}
