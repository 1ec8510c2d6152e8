// Stats of one xDS subscription, by Envoy's names below its scope ("cluster_manager.cds.").
import type { StatsAggregate } from "../stats/aggregate.ts";
import type { Counter, Gauge } from "../stats/store.ts";
import { xxhash64 } from "./xxhash64.ts";

export interface SubscriptionStatsOptions {
  /** With its dot. */
  readonly scope: string;
  /** `update_empty`: RDS and EDS have it. */
  readonly hasEmpty: boolean;
  /** `config_reload` and `config_reload_time_ms`: CDS and RDS have them. */
  readonly hasReload: boolean;
}

export class SubscriptionStats {
  readonly attempt: Counter;
  /** The file could not be read, or is no discovery response. */
  readonly failure: Counter;
  /** What is in it is wrong. */
  readonly rejected: Counter;
  /** There was nothing in it; null when this kind does not count that. */
  readonly empty: Counter | null;
  readonly #stats: StatsAggregate;
  readonly #scope: string;
  readonly #success: Counter;
  readonly #timeMs: Gauge;
  readonly #reload: Counter | null;
  readonly #reloadTimeMs: Gauge | null;

  constructor(stats: StatsAggregate, options: SubscriptionStatsOptions) {
    const { scope, hasEmpty, hasReload } = options;
    const { store } = stats;
    this.#stats = stats;
    this.#scope = scope;
    this.attempt = store.counter(`${scope}update_attempt`);
    this.failure = store.counter(`${scope}update_failure`);
    this.rejected = store.counter(`${scope}update_rejected`);
    this.empty = hasEmpty ? store.counter(`${scope}update_empty`) : null;
    this.#success = store.counter(`${scope}update_success`);
    this.#timeMs = store.gauge(`${scope}update_time`);
    this.#reload = hasReload ? store.counter(`${scope}config_reload`) : null;
    this.#reloadTimeMs = hasReload ? store.gauge(`${scope}config_reload_time_ms`) : null;
    // Envoy has them for every kind of source.
    store.counter(`${scope}init_fetch_timeout`);
    store.histogram(`${scope}update_duration`);
    store.gauge(`${scope}version`);
  }

  /** `version`: the response's version_info. */
  onSuccess(version: string): void {
    this.#success.inc();
    this.#timeMs.set(Date.now());
    this.#stats.setWideGauge(`${this.#scope}version`, xxhash64(version));
    this.#stats.setTextReadout(`${this.#scope}version_text`, version);
  }

  /** It brought something new. */
  onReload(): void {
    this.#reload?.inc();
    this.#reloadTimeMs?.set(Date.now());
  }
}
