// Guests' gauges: one value for the process, whichever thread sets it. Values are doubles in shared
// memory that main reads as one more source of stats; which name has which place, the store tells.
// Behind them each thread has a row of what it added to guests' counters, so that guests read the
// sum: as stats, counters are the threads' own.
import type { Counter, StatDefinition } from "../stats/store.ts";
import { StatKind } from "../stats/store.ts";
import { limits } from "proxy-wasm-types";
import type { SharedCounter, SharedGauge, SharedGauges } from "./metrics.ts";
import type { SharedStore } from "./shared-store.ts";

/** Place 0 is for gauges that found no room. */
const ROW: number = limits.sharedGaugesMax + 1;

/** Memory for all gauges of guests, and for the counters of so many threads. */
export function sharedGaugesMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer((1 + threads) * ROW * 8);
}

export interface ProcessGaugesOptions {
  /** From sharedGaugesMemory. */
  readonly memory: SharedArrayBuffer;
  readonly store: SharedStore;
  /** Index of this thread. */
  readonly thread: number;
  /** Told of each gauge that this thread uses; other threads may tell of the same. */
  readonly onDefine: (definition: StatDefinition) => void;
}

export class ProcessGauges implements SharedGauges {
  readonly #values: Float64Array;
  readonly #bits: BigInt64Array;
  readonly #store: SharedStore;
  readonly #onDefine: (definition: StatDefinition) => void;
  readonly #gauges: Map<string, SharedGauge>;
  readonly #counters: Map<string, SharedCounter>;
  readonly #thread: number;

  constructor({ memory, store, thread, onDefine }: ProcessGaugesOptions) {
    this.#values = new Float64Array(memory);
    this.#bits = new BigInt64Array(memory);
    this.#store = store;
    this.#onDefine = onDefine;
    this.#gauges = new Map();
    this.#counters = new Map();
    this.#thread = thread;
  }

  counter(name: string, own: Counter): SharedCounter {
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    const slot = this.#store.gaugeNumber(Buffer.from(`counter ${name}`).toString("latin1"));
    if (slot === 0) return own;
    const counter = new ProcessCounter(own, this.#values, slot, this.#thread);
    this.#counters.set(name, counter);
    return counter;
  }

  gauge(name: string): SharedGauge {
    const known = this.#gauges.get(name);
    if (known !== undefined) return known;
    const slot = this.#store.gaugeNumber(Buffer.from(name).toString("latin1"));
    const gauge = new ProcessGauge(this.#values, this.#bits, slot);
    if (slot === 0) return gauge;
    this.#gauges.set(name, gauge);
    this.#onDefine({ name, kind: StatKind.Gauge, slot });
    return gauge;
  }
}

class ProcessCounter implements SharedCounter {
  readonly #own: Counter;
  readonly #values: Float64Array;
  readonly #slot: number;
  readonly #place: number;

  constructor(own: Counter, values: Float64Array, slot: number, thread: number) {
    this.#own = own;
    this.#values = values;
    this.#slot = slot;
    this.#place = (1 + thread) * ROW + slot;
  }

  /** Nobody else writes there. */
  add(amount: number): void {
    this.#own.add(amount);
    (this.#values[this.#place] as number) += amount;
  }

  get value(): number {
    let sum = 0;
    for (let at = ROW + this.#slot; at < this.#values.length; at += ROW) {
      sum += this.#values[at] as number;
    }
    return sum;
  }
}

/** For turning a double's bits into a whole number and back. */
const scratchValue: Float64Array = new Float64Array(1);
const scratchBits: BigInt64Array = new BigInt64Array(scratchValue.buffer);

class ProcessGauge implements SharedGauge {
  readonly #values: Float64Array;
  readonly #bits: BigInt64Array;
  readonly #slot: number;

  constructor(values: Float64Array, bits: BigInt64Array, slot: number) {
    this.#values = values;
    this.#bits = bits;
    this.#slot = slot;
  }

  get value(): number {
    return this.#values[this.#slot] as number;
  }

  set(value: number): void {
    scratchValue[0] = value;
    Atomics.store(this.#bits, this.#slot, scratchBits[0] as bigint);
  }

  /** Of two threads that add at once, none is lost. */
  add(offset: number): void {
    for (;;) {
      const before = Atomics.load(this.#bits, this.#slot);
      scratchBits[0] = before;
      scratchValue[0] = (scratchValue[0] as number) + offset;
      const after = scratchBits[0] as bigint;
      if (Atomics.compareExchange(this.#bits, this.#slot, before, after) === before) return;
    }
  }
}
