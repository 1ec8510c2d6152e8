// What plugins cost, as stats: wasm_cost.<plugin>.<version>.<callback>.<field>, read from memory in
// which workers count it. A version that is forgotten takes its names with it.
import type { ScalarStat, StatsProvider } from "../stats/aggregate.ts";
import { StatKind } from "../stats/store.ts";
import { costFields } from "../wasm/call-costs.ts";
import { readVersionCounts } from "../wasm/version-counts.ts";
import type { PluginVersions } from "./plugin-registry.ts";

export class CostStats implements StatsProvider {
  readonly #plugins: () => readonly PluginVersions[];
  /** What counters had at the last reset, by name. */
  #bases: ReadonlyMap<string, number>;

  constructor(plugins: () => readonly PluginVersions[]) {
    this.#plugins = plugins;
    this.#bases = new Map();
  }

  scalars(): ScalarStat[] {
    return this.#read().map((stat) => {
      const base = this.#bases.get(stat.name);
      return base === undefined ? stat : { ...stat, value: stat.value - base };
    });
  }

  resetCounters(): void {
    const counters = this.#read().filter(({ kind }) => kind === StatKind.Counter);
    this.#bases = new Map(counters.map(({ name, value }) => [name, value]));
  }

  #read(): ScalarStat[] {
    return this.#plugins().flatMap(({ name, versions }) =>
      versions.flatMap((version) => versionStats(`wasm_cost.${name}.${version.name}`, version)),
    );
  }
}

function versionStats(
  prefix: string,
  { counts }: { readonly counts: SharedArrayBuffer },
): ScalarStat[] {
  const { streams, stoppedFuel, stoppedOther, costs } = readVersionCounts(counts);
  const stats = [
    scalar(`${prefix}.streams`, StatKind.Counter, streams),
    scalar(`${prefix}.traps`, StatKind.Counter, stoppedFuel + stoppedOther),
    scalar(`${prefix}.memory_pages`, StatKind.Gauge, costs.pages),
  ];
  for (const [callback, row] of costs.byCallback) {
    for (const field of costFields) {
      const value = field === "ns" ? Math.round(row.ns) : row[field];
      stats.push(scalar(`${prefix}.${callback}.${field}`, StatKind.Counter, value));
    }
  }
  return stats;
}

function scalar(name: string, kind: ScalarStat["kind"], value: number): ScalarStat {
  return { name, kind, value, wide: null, isUsed: value !== 0 };
}
