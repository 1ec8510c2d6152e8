// Guests' gauges: one value for the process, whichever thread sets it. Values are doubles in shared
// memory that main reads as one more source of stats; which name has which place, the store tells.
import type { StatDefinition } from "../stats/store.ts";
import { StatKind } from "../stats/store.ts";
import { limits } from "proxy-wasm-types";
import type { SharedGauge, SharedGauges } from "./metrics.ts";
import type { SharedStore } from "./shared-store.ts";

/** Memory for all gauges of guests; place 0 is for those that found no room. */
export function sharedGaugesMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((limits.sharedGaugesMax + 1) * 8);
}

export interface ProcessGaugesOptions {
  /** From sharedGaugesMemory. */
  readonly memory: SharedArrayBuffer;
  readonly store: SharedStore;
  /** Told of each gauge that this thread uses; other threads may tell of the same. */
  readonly onDefine: (definition: StatDefinition) => void;
}

export class ProcessGauges implements SharedGauges {
  readonly #values: Float64Array;
  readonly #bits: BigInt64Array;
  readonly #store: SharedStore;
  readonly #onDefine: (definition: StatDefinition) => void;
  readonly #gauges: Map<string, SharedGauge>;

  constructor({ memory, store, onDefine }: ProcessGaugesOptions) {
    this.#values = new Float64Array(memory);
    this.#bits = new BigInt64Array(memory);
    this.#store = store;
    this.#onDefine = onDefine;
    this.#gauges = new Map();
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
