// Stats as JSON, byte for byte as Envoy's /stats?format=json.
import type { HistogramStat, StatsAggregate } from "./aggregate.ts";
import { computeQuantiles, histogramBounds, histogramQuantiles } from "./histogram.ts";
import type { HistogramSlots } from "./histogram.ts";
import { formatG, formatJson } from "./number-format.ts";
import { selectHistograms, selectScalars, selectTextReadouts } from "./stats-query.ts";
import type { HistogramMode, StatsQuery } from "./stats-query.ts";
import { boundCounts, bucketDetails } from "./text.ts";

export function statsJson(stats: StatsAggregate, query: StatsQuery): string {
  const items: string[] = [];
  for (const [name, text] of selectTextReadouts(stats, query)) {
    items.push(`{"name":${JSON.stringify(name)},"value":${JSON.stringify(text)}}`);
  }
  for (const { name, value, wide } of selectScalars(stats, query)) {
    items.push(`{"name":${JSON.stringify(name)},"value":${wide ?? value}}`);
  }
  const histograms = selectHistograms(stats, query);
  if (histograms.length > 0) {
    items.push(`{"histograms":${histogramsJson(histograms, query.histogramMode)}}`);
  }
  return `{"stats":[${items.join(",")}]}`;
}

function histogramsJson(stats: readonly HistogramStat[], mode: HistogramMode): string {
  const percents = histogramQuantiles.map((q) => formatG(q * 100, 6)).join(",");
  if (mode === "summary") {
    const values = stats.map(
      (stat) => `{"name":${JSON.stringify(stat.name)},"values":${quantilesJson(stat)}}`,
    );
    return `{"supported_quantiles":[${percents}],"computed_quantiles":[${values.join(",")}]}`;
  }
  if (mode === "detailed") {
    const details = stats.map(
      (stat) =>
        `{"name":${JSON.stringify(stat.name)},"totals":${detailsJson(stat.cumulative)},` +
        `"intervals":${detailsJson(stat.interval)},"percentiles":${quantilesJson(stat)}}`,
    );
    return `{"supported_percentiles":[${percents}],"details":[${details.join(",")}]}`;
  }
  const buckets = stats.map(
    (stat) => `{"name":${JSON.stringify(stat.name)},"buckets":${boundsJson(stat, mode)}}`,
  );
  return `[${buckets.join(",")}]`;
}

function quantilesJson(stat: HistogramStat): string {
  const interval = computeQuantiles(stat.interval);
  const values = computeQuantiles(stat.cumulative).map(
    (cumulative, i) =>
      `{"cumulative":${formatJson(cumulative)},"interval":${formatJson(interval[i] as number)}}`,
  );
  return `[${values.join(",")}]`;
}

function boundsJson(stat: HistogramStat, mode: HistogramMode): string {
  const interval = boundCounts(stat.interval, mode);
  const cumulative = boundCounts(stat.cumulative, mode);
  const bounds = histogramBounds.map(
    (bound, i) =>
      `{"upper_bound":${formatJson(bound)},"interval":${interval[i]},` +
      `"cumulative":${cumulative[i]}}`,
  );
  return `[${bounds.join(",")}]`;
}

function detailsJson(slots: HistogramSlots): string {
  const details = bucketDetails(slots).map(
    ({ start, width, count }) =>
      `{"lower_bound":${formatJson(start)},"width":${formatJson(width)},"count":${count}}`,
  );
  return `[${details.join(",")}]`;
}
