// What one version of a plugin does, counted by each thread in its own row of shared memory: the
// main thread compares versions without asking, and nothing is left of one that is forgotten.
import { CallCosts, COST_CELLS, type CostTotals, readCosts } from "./call-costs.ts";
import { type Difference, type DifferenceKind, differenceKinds } from "./shadow/difference.ts";
import { type UncomparedReason, uncomparedReasons } from "./shadow/uncompared.ts";

const Cell = {
  /** Read before Streams: nobody is seen to end that was not seen to begin. */
  Done: 0,
  Streams: 1,
  Fuel: 2,
  DurationMs: 3,
  /** Streams of threads that died. */
  Lost: 4,
  Errors: 5,
  StoppedFuel: 6,
  StoppedOther: 7,
  Failed: 8,
  /** In the shadow of another version: streams that were compared, and those that differ. */
  Compared: 9,
  Different: 10,
} as const;

/** Durations by powers of the square root of two, from a tenth of a millisecond to a day. */
const BUCKETS = 60;
const BUCKET_FIRST_MS = 0.1;
const BUCKETS_PER_DOUBLE = 2;
/** What is in the last bucket. */
const FIRSTS_MAX = 2 ** ((BUCKETS - 2) / BUCKETS_PER_DOUBLE);
const BUCKETS_AT = Object.keys(Cell).length;
const COSTS_AT = BUCKETS_AT + BUCKETS;
const DIFFERENCES_AT = COSTS_AT + COST_CELLS;
const UNCOMPARED_AT: number = DIFFERENCES_AT + differenceKinds.length;
const CELLS: number = UNCOMPARED_AT + uncomparedReasons.length;

/** Sums over all threads. */
export interface VersionTotals {
  /** Streams that began on it: HTTP streams, and connections of network filters. */
  readonly streams: number;
  /** Those that are there now. */
  readonly active: number;
  readonly done: number;
  /** Those that ended with a response of 5xx, whoever made it. */
  readonly errors: number;
  /** Guests that were stopped because their fuel was used up, and for any other reason. */
  readonly stoppedFuel: number;
  readonly stoppedOther: number;
  /** Streams that were failed because their guest was stopped, by themselves or before. */
  readonly failed: number;
  readonly fuel: number;
  /** Of all that are done together. */
  readonly durationMs: number;
  /** How many took how long; `quantileMs` reads it. */
  readonly durations: readonly number[];
  readonly costs: CostTotals;
  readonly shadow: ShadowTotals;
}

/** What it did in the shadow of the version that served. */
export interface ShadowTotals {
  readonly compared: number;
  readonly different: number;
  /** Streams by kinds of differences: one may have several. */
  readonly byKind: Readonly<Record<DifferenceKind, number>>;
  readonly uncompared: Readonly<Record<UncomparedReason, number>>;
}

/** Memory for the counts of one version in `threads` threads. */
export function versionCountsMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * CELLS * Float64Array.BYTES_PER_ELEMENT);
}

/** One thread's row. */
export class VersionCounts {
  readonly #cells: Float64Array;
  readonly costs: CallCosts;

  /** `memory` null: of nobody's interest, as in a probe. */
  constructor(memory: SharedArrayBuffer | null, thread: number) {
    const row = memory ?? versionCountsMemory(1);
    const at = memory === null ? 0 : thread * CELLS * Float64Array.BYTES_PER_ELEMENT;
    this.#cells = new Float64Array(row, at, CELLS);
    this.costs = new CallCosts(this.#cells, COSTS_AT);
  }

  onStream(): void {
    this.#add(Cell.Streams, 1);
  }

  onStreamDone(durationMs: number, responseCode: number): void {
    this.#add(Cell.Done, 1);
    if (responseCode >= 500) this.#add(Cell.Errors, 1);
    this.#add(Cell.DurationMs, durationMs);
    this.#add(BUCKETS_AT + bucketOf(durationMs), 1);
  }

  onStopped(isFuel: boolean): void {
    this.#add(isFuel ? Cell.StoppedFuel : Cell.StoppedOther, 1);
  }

  onStreamFailed(): void {
    this.#add(Cell.Failed, 1);
  }

  onCompared(differences: readonly Difference[]): void {
    this.#add(Cell.Compared, 1);
    if (differences.length > 0) this.#add(Cell.Different, 1);
    for (const { kind } of differences) {
      this.#add(DIFFERENCES_AT + differenceKinds.indexOf(kind), 1);
    }
  }

  onUncompared(reason: UncomparedReason): void {
    this.#add(UNCOMPARED_AT + uncomparedReasons.indexOf(reason), 1);
  }

  addFuel(fuel: number): void {
    this.#add(Cell.Fuel, fuel);
  }

  #add(cell: number, amount: number): void {
    this.#cells[cell] = (this.#cells[cell] as number) + amount;
  }
}

/** The thread died with its streams: its successor has none yet. */
export function releaseVersionCounts(memory: SharedArrayBuffer, thread: number): void {
  const cells = new Float64Array(memory);
  const at = thread * CELLS;
  cells[at + Cell.Lost] = (cells[at + Cell.Streams] as number) - (cells[at + Cell.Done] as number);
}

/** Sums of all rows; other threads write meanwhile. */
export function readVersionCounts(memory: SharedArrayBuffer): VersionTotals {
  const cells = new Float64Array(memory);
  const sums = new Float64Array(CELLS);
  for (let i = 0; i < cells.length; i += 1) {
    sums[i % CELLS] = (sums[i % CELLS] as number) + (cells[i] as number);
  }
  const sum = (cell: number): number => sums[cell] as number;
  return {
    streams: sum(Cell.Streams),
    active: sum(Cell.Streams) - sum(Cell.Done) - sum(Cell.Lost),
    done: sum(Cell.Done),
    errors: sum(Cell.Errors),
    stoppedFuel: sum(Cell.StoppedFuel),
    stoppedOther: sum(Cell.StoppedOther),
    failed: sum(Cell.Failed),
    fuel: sum(Cell.Fuel),
    durationMs: sum(Cell.DurationMs),
    durations: [...sums.subarray(BUCKETS_AT, COSTS_AT)],
    costs: readCosts(sums.subarray(COSTS_AT, DIFFERENCES_AT)),
    shadow: {
      compared: sum(Cell.Compared),
      different: sum(Cell.Different),
      byKind: named(differenceKinds, sums.subarray(DIFFERENCES_AT)),
      uncompared: named(uncomparedReasons, sums.subarray(UNCOMPARED_AT)),
    },
  };
}

function named<K extends string>(names: readonly K[], cells: Float64Array): Record<K, number> {
  return Object.fromEntries(names.map((name, at) => [name, cells[at] ?? 0])) as Record<K, number>;
}

/** What came between two readings of the same version. */
export function totalsSince(now: VersionTotals, before: VersionTotals): VersionTotals {
  return {
    streams: now.streams - before.streams,
    active: now.active,
    done: now.done - before.done,
    errors: now.errors - before.errors,
    stoppedFuel: now.stoppedFuel - before.stoppedFuel,
    stoppedOther: now.stoppedOther - before.stoppedOther,
    failed: now.failed - before.failed,
    fuel: now.fuel - before.fuel,
    durationMs: now.durationMs - before.durationMs,
    durations: now.durations.map((count, at) => count - (before.durations[at] ?? 0)),
    costs: now.costs,
    shadow: now.shadow,
  };
}

/** The middle of the bucket in which that share (0 to 1) of streams is reached; 0 without any. */
export function quantileMs({ durations }: VersionTotals, share: number): number {
  let count = 0;
  for (const inBucket of durations) count += inBucket;
  let left = count * share;
  for (const [bucket, inBucket] of durations.entries()) {
    left -= inBucket;
    if (inBucket > 0 && left <= 0) return bucket === 0 ? 0 : middleOf(bucket);
  }
  return 0;
}

/** Bucket 0 has what is below the first bound. */
function bucketOf(durationMs: number): number {
  if (durationMs < BUCKET_FIRST_MS) return 0;
  const firsts = Math.min(durationMs / BUCKET_FIRST_MS, FIRSTS_MAX);
  // Without Math.log2, which is a call out of compiled code.
  const doubles = 31 - Math.clz32(firsts);
  const isUpperHalf = firsts >= Math.SQRT2 * (1 << doubles);
  return 1 + doubles * BUCKETS_PER_DOUBLE + (isUpperHalf ? 1 : 0);
}

function middleOf(bucket: number): number {
  return BUCKET_FIRST_MS * 2 ** ((bucket - 0.5) / BUCKETS_PER_DOUBLE);
}
