// Stats under a prefix of another maker's: for who shall not be mixed up with the others.
import type { Counter, Gauge, Histogram, StatMaker } from "./store.ts";

export class PrefixedStats implements StatMaker {
  readonly #prefix: string;
  readonly #inner: StatMaker;

  /** `prefix` with the dot. */
  constructor(prefix: string, inner: StatMaker) {
    this.#prefix = prefix;
    this.#inner = inner;
  }

  counter(name: string): Counter {
    return this.#inner.counter(this.#prefix + name);
  }

  gauge(name: string): Gauge {
    return this.#inner.gauge(this.#prefix + name);
  }

  histogram(name: string): Histogram {
    return this.#inner.histogram(this.#prefix + name);
  }
}
