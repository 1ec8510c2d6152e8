// Counts what updates do to listeners, by Envoy's names, and knows which ones drain. Called by
// version-applier.ts.
import type { ListenerResource } from "../config/translate/assemble-snapshot.ts";
import type { ListenerConfig } from "../config/snapshot.ts";
import type { ServerStats } from "../stats/server-stats.ts";
import type { Held } from "./desired-state.ts";
import { plainText } from "./fingerprint.ts";

type Listeners = readonly Held<ListenerResource>[];

export class ListenerManagerStats {
  readonly #stats: ServerStats;
  readonly #workers: number;
  readonly #drainTimeMs: number;
  readonly #timers: Set<NodeJS.Timeout>;
  readonly #draining: Set<Held<ListenerResource>>;

  constructor(stats: ServerStats, workers: number, drainTimeMs: number) {
    this.#stats = stats;
    this.#workers = workers;
    this.#drainTimeMs = drainTimeMs;
    this.#timers = new Set();
    this.#draining = new Set();
  }

  /** Listeners that were removed, or replaced as a whole, not longer ago than the drain time. */
  get draining(): readonly Held<ListenerResource>[] {
    return [...this.#draining];
  }

  /** `next` is in force in place of `before`. */
  count(before: Listeners, next: Listeners): void {
    const counters = this.#stats.listenerManager;
    const names = new Set(next.map(nameOf));
    const old = new Map(before.map((held) => [nameOf(held), held]));
    for (const held of next) {
      const was = old.get(nameOf(held));
      if (was !== undefined && was.fingerprint === held.fingerprint) continue;
      counters.listener_create_success.add(this.#workers);
      if (was === undefined) {
        counters.listener_added.inc();
        continue;
      }
      counters.listener_modified.inc();
      const isInPlace = withoutChains(was) === withoutChains(held);
      if (isInPlace) counters.listener_in_place_updated.inc();
      this.#drain(isInPlace ? null : was);
    }
    for (const held of before) {
      if (names.has(nameOf(held))) continue;
      counters.listener_removed.inc();
      this.#drain(held);
    }
    this.#stats.listenerManagerGauges.total_listeners_active.set(next.length);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** As Envoy: for the whole drain time, however soon connections end. Null: only its chains. */
  #drain(listener: Held<ListenerResource> | null): void {
    const gauges = this.#stats.listenerManagerGauges;
    const gauge =
      listener === null ? gauges.total_filter_chains_draining : gauges.total_listeners_draining;
    gauge.inc();
    if (listener !== null) this.#draining.add(listener);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (listener !== null) this.#draining.delete(listener);
      gauge.dec();
    }, this.#drainTimeMs);
    timer.unref();
    this.#timers.add(timer);
  }
}

function nameOf(held: Held<ListenerResource>): string {
  return held.resource.config.name;
}

function withoutChains({ resource }: Held<ListenerResource>): string {
  const {
    filterChains: _chains,
    filterChainMatcher: _matcher,
    defaultFilterChain: _default,
    ...rest
  } = resource.config;
  return plainText(rest satisfies Partial<ListenerConfig>);
}
