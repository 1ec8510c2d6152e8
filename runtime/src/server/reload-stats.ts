// Stats of reloads of the bootstrap and of modules. Envoy has neither, so the names are our own.
import type { Counter, Gauge, StatsStore } from "../stats/store.ts";

export class ReloadStats {
  readonly attempt: Counter;
  /** Wrong, or refused by a worker: nothing changed. */
  readonly rejected: Counter;
  readonly #success: Counter;
  readonly #timeMs: Gauge;

  constructor(store: StatsStore, prefix: string) {
    this.attempt = store.counter(`${prefix}_attempt`);
    this.rejected = store.counter(`${prefix}_rejected`);
    this.#success = store.counter(`${prefix}_success`);
    this.#timeMs = store.gauge(`${prefix}_time`);
  }

  onSuccess(): void {
    this.#success.inc();
    this.#timeMs.set(Date.now());
  }
}
