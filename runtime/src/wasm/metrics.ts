// Metrics that guests define: ids of one VM, values in the thread's StatsStore.
import { MetricType, Status } from "proxy-wasm-types";
import type { NativeFilterConfig } from "../config/snapshot.ts";
import type { Counter, Histogram, StatMaker } from "../stats/store.ts";

/** A guests' gauge: one value for the whole process, because `record` sets it. */
export interface SharedGauge {
  readonly value: number;
  set(value: number): void;
  add(offset: number): void;
}

/** A guests' counter: what all threads have added. */
export interface SharedCounter {
  readonly value: number;
  add(amount: number): void;
}

/**
 * Gauges by name, shared by the process: server/ serves it from shared memory. A StatsStore serves
 * it for a process of one thread.
 */
export interface SharedGauges {
  gauge(name: string): SharedGauge;
  /** `own`: this thread's stat, which is added to as well. */
  counter(name: string, own: Counter): SharedCounter;
}

/** Another's gauges and counters, under names with a prefix. */
export class PrefixedGauges implements SharedGauges {
  readonly #prefix: string;
  readonly #inner: SharedGauges;

  constructor(prefix: string, inner: SharedGauges) {
    this.#prefix = prefix;
    this.#inner = inner;
  }

  gauge(name: string): SharedGauge {
    return this.#inner.gauge(this.#prefix + name);
  }

  counter(name: string, own: Counter): SharedCounter {
    return this.#inner.counter(this.#prefix + name, own);
  }
}

const NAMESPACE_PREFIX = "wasmcustom.";

/** Ids carry their type in the two low bits, as in Envoy: 4, 8, ... 5, 9, ... 6, 10, ... */
const ID_STEP = 4;

/** Ids of one VM. Values belong to the thread (gauges to the process) and outlive the VM. */
export class MetricTable {
  readonly #prefix: string;
  readonly #stats: StatMaker;
  readonly #sharedGauges: SharedGauges;
  readonly #counters: SharedCounter[];
  readonly #gauges: SharedGauge[];
  readonly #histograms: Histogram[];

  /** `native` null = a guest like others. */
  constructor(stats: StatMaker, gauges: SharedGauges, native: NativeFilterConfig | null) {
    this.#prefix = native?.metricPrefix ?? NAMESPACE_PREFIX;
    this.#stats = stats;
    this.#sharedGauges = gauges;
    this.#counters = [];
    this.#gauges = [];
    this.#histograms = [];
  }

  /** Ids that were given. */
  get count(): number {
    return this.#counters.length + this.#gauges.length + this.#histograms.length;
  }

  /** The new id; 0 when the type is none. Each call gives another id. */
  define(type: number, guestName: string): number {
    const name = guestName === "" ? this.#prefix.slice(0, -1) : this.#prefix + guestName;
    if (type === MetricType.Counter) {
      const counter = this.#sharedGauges.counter(name, this.#stats.counter(name));
      return this.#counters.push(counter) * ID_STEP + type;
    }
    if (type === MetricType.Gauge) {
      return this.#gauges.push(this.#sharedGauges.gauge(name)) * ID_STEP + type;
    }
    if (type === MetricType.Histogram) {
      return this.#histograms.push(this.#stats.histogram(name)) * ID_STEP + type;
    }
    return 0;
  }

  /** Counters add, gauges are set, histograms record. `value` is unsigned. */
  record(id: number, value: number): Status {
    const at = (id >>> 2) - 1;
    switch (id & 3) {
      case MetricType.Counter: {
        const counter = this.#counters[at];
        if (counter === undefined) return Status.NotFound;
        counter.add(value);
        return Status.Ok;
      }
      case MetricType.Gauge: {
        const gauge = this.#gauges[at];
        if (gauge === undefined) return Status.NotFound;
        gauge.set(value);
        return Status.Ok;
      }
      case MetricType.Histogram: {
        const histogram = this.#histograms[at];
        if (histogram === undefined) return Status.NotFound;
        histogram.record(value);
        return Status.Ok;
      }
      default:
        return Status.NotFound;
    }
  }

  /** Counters take only what is above 0. `offset` is signed. */
  increment(id: number, offset: number): Status {
    const at = (id >>> 2) - 1;
    switch (id & 3) {
      case MetricType.Counter: {
        const counter = this.#counters[at];
        if (counter === undefined) return Status.NotFound;
        if (offset <= 0) return Status.BadArgument;
        counter.add(offset);
        return Status.Ok;
      }
      case MetricType.Gauge: {
        const gauge = this.#gauges[at];
        if (gauge === undefined) return Status.NotFound;
        gauge.add(offset);
        return Status.Ok;
      }
      default:
        return Status.BadArgument;
    }
  }

  /** Whether the id has a value that `valueOf` tells. */
  readable(id: number): Status {
    const at = (id >>> 2) - 1;
    switch (id & 3) {
      case MetricType.Counter:
        return this.#counters[at] === undefined ? Status.NotFound : Status.Ok;
      case MetricType.Gauge:
        return this.#gauges[at] === undefined ? Status.NotFound : Status.Ok;
      default:
        return Status.BadArgument;
    }
  }

  /** Of a counter or gauge that is readable. A gauge below 0 tells 0: the ABI has no sign here. */
  valueOf(id: number): number {
    const at = (id >>> 2) - 1;
    const isCounter = (id & 3) === MetricType.Counter;
    const value = isCounter ? this.#counters[at]?.value : this.#gauges[at]?.value;
    return Math.max(0, Math.trunc(value ?? 0));
  }
}
