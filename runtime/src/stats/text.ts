// Stats as text, byte for byte as Envoy's /stats: text readouts, counters and gauges, histograms.
import type { HistogramStat, StatsAggregate } from "./aggregate.ts";
import {
  computeQuantiles,
  countsBelowBounds,
  HISTOGRAM_BUCKETS,
  HISTOGRAM_HEAD,
  histogramBounds,
  histogramBucketStart,
  histogramBucketWidth,
  histogramQuantiles,
} from "./histogram.ts";
import type { HistogramSlots } from "./histogram.ts";
import { formatG, formatShortest } from "./number-format.ts";
import { selectHistograms, selectScalars, selectTextReadouts } from "./stats-query.ts";
import type { HistogramMode, StatsQuery } from "./stats-query.ts";

export function statsText(stats: StatsAggregate, query: StatsQuery): string {
  let out = "";
  for (const [name, text] of selectTextReadouts(stats, query)) out += `${name}: "${text}"\n`;
  for (const { name, value, wide } of selectScalars(stats, query)) {
    out += `${name}: ${wide ?? value}\n`;
  }
  for (const stat of selectHistograms(stats, query)) {
    out += histogramText(stat, query.histogramMode);
  }
  return out;
}

function histogramText(stat: HistogramStat, mode: HistogramMode): string {
  if (mode === "detailed") {
    return (
      `${stat.name}:\n  totals=${detailText(stat.cumulative)}\n` +
      `  intervals=${detailText(stat.interval)}\n  summary=${quantilesText(stat)}\n`
    );
  }
  return `${stat.name}: ${mode === "summary" ? quantilesText(stat) : boundsText(stat, mode)}\n`;
}

/** "P0(interval,cumulative) P25(...) ...". */
function quantilesText(stat: HistogramStat): string {
  if (stat.cumulative[0] === 0) return "No recorded values";
  const interval = computeQuantiles(stat.interval);
  const cumulative = computeQuantiles(stat.cumulative);
  return histogramQuantiles
    .map((quantile, i) => {
      const before = formatShortest(interval[i] as number);
      const all = formatShortest(cumulative[i] as number);
      return `P${formatG(quantile * 100, 6)}(${before},${all})`;
    })
    .join(" ");
}

/** "B0.5(interval,cumulative) B1(...) ...". */
function boundsText(stat: HistogramStat, mode: HistogramMode): string {
  if (stat.cumulative[0] === 0) return "No recorded values";
  const interval = boundCounts(stat.interval, mode);
  const cumulative = boundCounts(stat.cumulative, mode);
  return histogramBounds
    .map((bound, i) => `B${formatG(bound, 6)}(${interval[i]},${cumulative[i]})`)
    .join(" ");
}

/** Counts per default bound: up to it, or from the bound before up to it. */
export function boundCounts(slots: HistogramSlots, mode: HistogramMode): number[] {
  const counts = countsBelowBounds(slots);
  if (mode !== "disjoint") return counts;
  return counts.map((count, i) => count - (i === 0 ? 0 : (counts[i - 1] as number)));
}

export interface BucketDetail {
  readonly start: number;
  readonly width: number;
  readonly count: number;
}

/** All buckets that hold something. */
export function bucketDetails(slots: HistogramSlots): BucketDetail[] {
  const details: BucketDetail[] = [];
  if (slots[0] === 0) return details;
  for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket += 1) {
    const count = slots[HISTOGRAM_HEAD + bucket] as number;
    if (count === 0) continue;
    const start = histogramBucketStart(bucket);
    details.push({ start, width: histogramBucketWidth(bucket), count });
  }
  return details;
}

function detailText(slots: HistogramSlots): string {
  return bucketDetails(slots)
    .map(({ start, width, count }) => `${formatG(start, 6)},${formatG(width, 6)}:${count}`)
    .join(", ");
}
