// Which stats a scrape asks for: the parameters that /stats and /stats/prometheus share.
import type { Regex } from "../core/regex.ts";
import type { HistogramStat, ScalarStat, StatsAggregate } from "./aggregate.ts";
import { StatKind } from "./store.ts";

export type StatType = "All" | "Counters" | "Gauges" | "Histograms" | "TextReadouts";

export type HistogramMode = "summary" | "cumulative" | "disjoint" | "detailed";

export interface StatsQuery {
  /** Only stats that were written since start. */
  readonly usedOnly: boolean;
  /** Some part of the full name must match (or must not, inverted); null = all. */
  readonly filter: Regex | null;
  readonly invertFilter: boolean;
  readonly type: StatType;
  readonly histogramMode: HistogramMode;
}

/** Everything, with quantiles. */
export const defaultStatsQuery: StatsQuery = {
  usedOnly: false,
  filter: null,
  invertFilter: false,
  type: "All",
  histogramMode: "summary",
};

export function selectScalars(stats: StatsAggregate, query: StatsQuery): ScalarStat[] {
  if (query.type === "Histograms" || query.type === "TextReadouts") return [];
  return stats.scalars().filter((stat) => {
    if (query.usedOnly && !stat.isUsed) return false;
    if (query.type === "Counters" && stat.kind !== StatKind.Counter) return false;
    if (query.type === "Gauges" && stat.kind !== StatKind.Gauge) return false;
    return isWanted(query, stat.name);
  });
}

export function selectHistograms(stats: StatsAggregate, query: StatsQuery): HistogramStat[] {
  if (query.type !== "All" && query.type !== "Histograms") return [];
  return stats.histograms().filter((stat) => {
    if (query.usedOnly && stat.cumulative[0] === 0) return false;
    return isWanted(query, stat.name);
  });
}

export function selectTextReadouts(
  stats: StatsAggregate,
  query: StatsQuery,
): (readonly [string, string])[] {
  if (query.type !== "All" && query.type !== "TextReadouts") return [];
  return stats.textReadouts().filter(([name, text]) => {
    if (query.usedOnly && text === "") return false;
    return isWanted(query, name);
  });
}

function isWanted(query: StatsQuery, name: string): boolean {
  return query.filter === null || query.filter.find(name) !== query.invertFilter;
}
