// Stats of reloads of the bootstrap. Envoy has no reload, so the names are our own.
import type { Counter, Gauge, StatsStore } from "../stats/store.ts";

export class ReloadStats {
  readonly attempt: Counter;
  /** Wrong, or refused by a worker: nothing changed. */
  readonly rejected: Counter;
  readonly #success: Counter;
  readonly #timeMs: Gauge;

  constructor(store: StatsStore) {
    this.attempt = store.counter("server.reload_attempt");
    this.rejected = store.counter("server.reload_rejected");
    this.#success = store.counter("server.reload_success");
    this.#timeMs = store.gauge("server.reload_time");
  }

  onSuccess(): void {
    this.#success.inc();
    this.#timeMs.set(Date.now());
  }
}
