// Stats of reloads of the bootstrap. Envoy has no reload, so the names are our own.
import type { Counter, Gauge, StatsStore } from "../stats/store.ts";

export class ReloadStats {
  readonly attempt: Counter;
  /** Wrong, or refused by a worker: nothing changed. */
  readonly rejected: Counter;
  readonly #success: Counter;
  readonly #timeMs: Gauge;
  readonly #version: Gauge;

  constructor(store: StatsStore) {
    this.attempt = store.counter("server.reload_attempt");
    this.rejected = store.counter("server.reload_rejected");
    this.#success = store.counter("server.reload_success");
    this.#timeMs = store.gauge("server.reload_time");
    this.#version = store.gauge("server.config_version");
    this.#version.set(1);
  }

  /** `version`: the number of the version that is in force now. */
  onSuccess(version: number): void {
    this.#success.inc();
    this.#timeMs.set(Date.now());
    this.onVersion(version);
  }

  /** Updates by xDS have stats of their own. */
  onVersion(version: number): void {
    this.#version.set(version);
  }
}
