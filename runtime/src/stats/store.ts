// Counters, gauges and histograms of one thread, kept in shared memory so that the main thread can
// sum all workers' without asking them.
//
// A thread has one StatsStore; each name gets a slot (a run of slots for a histogram) in a
// Float64Array. Names are sent to the main thread once, when they are made (`onDefine`); values
// never are.
import { assert } from "../core/assert.ts";
import { HISTOGRAM_SLOTS, histogramBucketOf } from "./histogram.ts";

export const StatKind = { Counter: 0, Gauge: 1, Histogram: 2 } as const;
export type StatKind = (typeof StatKind)[keyof typeof StatKind];

/** What the main thread must know about a stat of a thread. */
export interface StatDefinition {
  /** Full flat name as Envoy's, "cluster.up.upstream_rq_total". */
  readonly name: string;
  readonly kind: StatKind;
  readonly slot: number;
}

export interface StatsStoreOptions {
  /**
   * Slots in all; a histogram takes HISTOGRAM_SLOTS of them. Default 4 Mi (32 MiB, touched lazily).
   */
  readonly slotsMax?: number;
  /** Called for each new stat, in order. */
  readonly onDefine?: (definition: StatDefinition) => void;
}

const SLOTS_DEFAULT = 1 << 22;
/** Slot 0 is where stats go that found no room: counted, never read. */
const SLOT_OVERFLOW = 0;
/** `stats.overflow`, which exists once there is one. */
const SLOT_OVERFLOW_COUNT = HISTOGRAM_SLOTS;
const SLOT_FIRST = HISTOGRAM_SLOTS + 1;

export class StatsStore {
  /** What the main thread reads: one float per slot. */
  readonly memory: SharedArrayBuffer;
  readonly #values: Float64Array;
  readonly #counters: Map<string, Counter>;
  readonly #gauges: Map<string, Gauge>;
  readonly #histograms: Map<string, Histogram>;
  readonly #definitions: StatDefinition[];
  readonly #onDefine: (definition: StatDefinition) => void;
  #next: number;
  /** Stats that found no room; null while all did. */
  #overflow: Counter | null = null;

  constructor(options: StatsStoreOptions = {}) {
    const slots = options.slotsMax ?? SLOTS_DEFAULT;
    assert(slots > SLOT_FIRST);
    this.memory = new SharedArrayBuffer(slots * 8);
    this.#values = new Float64Array(this.memory);
    this.#counters = new Map();
    this.#gauges = new Map();
    this.#histograms = new Map();
    this.#definitions = [];
    this.#onDefine = options.onDefine ?? ((): void => {});
    this.#next = SLOT_FIRST;
  }

  /** All stats so far, in the order of their making. */
  get definitions(): readonly StatDefinition[] {
    return this.#definitions;
  }

  /** The counter of that name; the same one for the same name. */
  counter(name: string): Counter {
    let counter = this.#counters.get(name);
    if (counter === undefined) {
      const slot = this.#define(name, StatKind.Counter, 1);
      counter = new Counter(name, this.#values, slot);
      if (slot !== SLOT_OVERFLOW) this.#counters.set(name, counter);
    }
    return counter;
  }

  gauge(name: string): Gauge {
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      const slot = this.#define(name, StatKind.Gauge, 1);
      gauge = new Gauge(name, this.#values, slot);
      if (slot !== SLOT_OVERFLOW) this.#gauges.set(name, gauge);
    }
    return gauge;
  }

  histogram(name: string): Histogram {
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      const slot = this.#define(name, StatKind.Histogram, HISTOGRAM_SLOTS);
      histogram = new Histogram(name, this.#values, slot);
      if (slot !== SLOT_OVERFLOW) this.#histograms.set(name, histogram);
    }
    return histogram;
  }

  #define(name: string, kind: StatKind, slots: number): number {
    const slot = this.#next;
    if (slot + slots > this.#values.length) {
      this.#countOverflow();
      return SLOT_OVERFLOW;
    }
    this.#next = slot + slots;
    this.#announce({ name, kind, slot });
    return slot;
  }

  #countOverflow(): void {
    if (this.#overflow === null) {
      const name = "stats.overflow";
      this.#overflow = new Counter(name, this.#values, SLOT_OVERFLOW_COUNT);
      this.#announce({ name, kind: StatKind.Counter, slot: SLOT_OVERFLOW_COUNT });
    }
    this.#overflow.inc();
  }

  #announce(definition: StatDefinition): void {
    this.#definitions.push(definition);
    this.#onDefine(definition);
  }
}

/** What makes stats by their names. */
export type StatMaker = Pick<StatsStore, "counter" | "gauge" | "histogram">;

/** Only grows (until an operator resets it). */
export class Counter {
  readonly name: string;
  readonly #values: Float64Array;
  readonly #slot: number;

  constructor(name: string, values: Float64Array, slot: number) {
    this.name = name;
    this.#values = values;
    this.#slot = slot;
  }

  inc(): void {
    (this.#values[this.#slot] as number) += 1;
  }

  add(amount: number): void {
    (this.#values[this.#slot] as number) += amount;
  }

  get value(): number {
    return this.#values[this.#slot] as number;
  }
}

/** Goes up and down; the process' value is the sum over threads. */
export class Gauge {
  readonly name: string;
  readonly #values: Float64Array;
  readonly #slot: number;

  constructor(name: string, values: Float64Array, slot: number) {
    this.name = name;
    this.#values = values;
    this.#slot = slot;
  }

  inc(): void {
    (this.#values[this.#slot] as number) += 1;
  }

  dec(): void {
    (this.#values[this.#slot] as number) -= 1;
  }

  add(amount: number): void {
    (this.#values[this.#slot] as number) += amount;
  }

  set(value: number): void {
    this.#values[this.#slot] = value;
  }

  get value(): number {
    return this.#values[this.#slot] as number;
  }
}

/** Distribution of non-negative values, by Envoy's log-linear buckets. Layout: histogram.ts. */
export class Histogram {
  readonly name: string;
  readonly #values: Float64Array;
  readonly #slot: number;

  constructor(name: string, values: Float64Array, slot: number) {
    this.name = name;
    this.#values = values;
    this.#slot = slot;
  }

  /**
   * `value` in the stat's unit (milliseconds for times); its fraction is dropped, as Envoy does.
   */
  record(value: number): void {
    this.recordInteger(Math.floor(value));
  }

  /** The same for a value that is known to be whole. */
  recordInteger(value: number): void {
    const values = this.#values;
    const slot = this.#slot;
    (values[slot] as number) += 1;
    (values[slot + 1] as number) += value;
    (values[slot + 2 + histogramBucketOf(value)] as number) += 1;
  }

  get count(): number {
    return this.#values[this.#slot] as number;
  }

  /** Of all values. */
  get sum(): number {
    return this.#values[this.#slot + 1] as number;
  }
}
