// Stats in the Prometheus text format, byte for byte as Envoy's /stats/prometheus, and the Node
// process' own metrics after them.
import type { HistogramStat, StatsAggregate } from "./aggregate.ts";
import {
  approximateSum,
  computeQuantiles,
  countsBelowBounds,
  histogramBounds,
  histogramQuantiles,
} from "./histogram.ts";
import { formatG } from "./number-format.ts";
import { selectHistograms, selectScalars, selectTextReadouts } from "./stats-query.ts";
import type { StatsQuery } from "./stats-query.ts";
import { StatKind } from "./store.ts";
import { extractTags } from "./tag-extraction.ts";

/** Stats of guests: their names are given without prefix. */
const CUSTOM_NAMESPACE = "wasmcustom.";

/** What Prometheus needs to know of a name; made once per name. */
interface PrometheusName {
  /** "envoy_cluster_upstream_rq_total"; null = not a valid name, left out. */
  readonly metric: string | null;
  /** The tag-extracted name, by which groups are sorted. */
  readonly group: string;
  /** `a="b",c="d"`, "" without tags. */
  readonly labels: string;
}

type Sample = readonly [PrometheusName, string];

/** Keeps the names' labels between scrapes; as many as there are stats. */
export class PrometheusWriter {
  readonly #names: Map<string, PrometheusName>;

  constructor() {
    this.#names = new Map();
  }

  /**
   * `textReadouts` adds them as gauges of value 0. The query's type is not looked at, as in Envoy.
   */
  write(stats: StatsAggregate, query: StatsQuery, textReadouts: boolean): string {
    const all: StatsQuery = { ...query, type: "All" };
    const counters: Sample[] = [];
    const gauges: Sample[] = [];
    for (const stat of selectScalars(stats, all)) {
      const name = this.#nameOf(stat.name);
      const sample = `${name.metric}{${name.labels}} ${stat.wide ?? stat.value}\n`;
      (stat.kind === StatKind.Counter ? counters : gauges).push([name, sample]);
    }
    let out = groups(counters, "counter") + groups(gauges, "gauge");
    if (textReadouts) out += groups(this.#textSamples(stats, all), "gauge");
    const isSummary = query.histogramMode === "summary";
    const histograms = selectHistograms(stats, all).map((stat): Sample => {
      const name = this.#nameOf(stat.name);
      return [name, isSummary ? summaryText(name, stat) : histogramText(name, stat)];
    });
    return out + groups(histograms, isSummary ? "summary" : "histogram");
  }

  #textSamples(stats: StatsAggregate, query: StatsQuery): Sample[] {
    return selectTextReadouts(stats, query).map(([flat, text]) => {
      const name = this.#nameOf(flat);
      const labels = withLabel(name.labels, "text_value", text);
      return [name, `${name.metric}{${labels}} 0\n`];
    });
  }

  #nameOf(name: string): PrometheusName {
    let known = this.#names.get(name);
    if (known === undefined) {
      known = prometheusNameOf(name);
      this.#names.set(name, known);
    }
    return known;
  }
}

function prometheusNameOf(name: string): PrometheusName {
  const { extracted, tags } = extractTags(name);
  const labels = tags.map((tag) => `${sanitize(tag.name)}="${escapeLabel(tag.value)}"`).join(",");
  if (!extracted.startsWith(CUSTOM_NAMESPACE)) {
    return { metric: `envoy_${sanitize(extracted)}`, group: extracted, labels };
  }
  const metric = sanitize(extracted.slice(CUSTOM_NAMESPACE.length));
  const isValid = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(metric);
  return { metric: isValid ? metric : null, group: extracted, labels };
}

/** Samples come sorted by flat name and keep that order inside their group. */
function groups(samples: readonly Sample[], type: string): string {
  const byGroup = new Map<string, Sample[]>();
  for (const sample of samples) {
    if (sample[0].metric === null) continue;
    const known = byGroup.get(sample[0].group);
    if (known === undefined) byGroup.set(sample[0].group, [sample]);
    else known.push(sample);
  }
  let out = "";
  for (const group of [...byGroup.keys()].sort()) {
    const members = byGroup.get(group) ?? [];
    out += `# TYPE ${members[0]?.[0].metric} ${type}\n`;
    for (const [, text] of members) out += text;
  }
  return out;
}

function histogramText(name: PrometheusName, stat: HistogramStat): string {
  const { metric, labels } = name;
  const counts = countsBelowBounds(stat.cumulative);
  const total = stat.cumulative[0] as number;
  let out = "";
  for (const [i, bound] of histogramBounds.entries()) {
    const bucket = withLabel(labels, "le", formatG(bound, 32));
    out += `${metric}_bucket{${bucket}} ${counts[i]}\n`;
  }
  out += `${metric}_bucket{${withLabel(labels, "le", "+Inf")}} ${total}\n`;
  const sum = formatG(approximateSum(stat.cumulative), 32);
  return `${out}${metric}_sum{${labels}} ${sum}\n${metric}_count{${labels}} ${total}\n`;
}

function summaryText(name: PrometheusName, stat: HistogramStat): string {
  const { metric, labels } = name;
  const values = computeQuantiles(stat.interval);
  let out = "";
  for (const [i, quantile] of histogramQuantiles.entries()) {
    const text = withLabel(labels, "quantile", String(quantile));
    out += `${metric}{${text}} ${formatG(values[i] as number, 32)}\n`;
  }
  const sum = formatG(approximateSum(stat.interval), 32);
  return `${out}${metric}_sum{${labels}} ${sum}\n${metric}_count{${labels}} ${stat.interval[0]}\n`;
}

function withLabel(labels: string, key: string, value: string): string {
  const label = `${key}="${escapeLabel(value)}"`;
  return labels === "" ? label : `${labels},${label}`;
}

function sanitize(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, "_");
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`));
}

/**
 * Metrics of the process itself, `headgate_process_*` and `headgate_nodejs_*`. prom-client is
 * loaded (50 ms) and starts watching the event loop and the garbage collector with the first
 * scrape.
 */
export class ProcessMetrics {
  #registry: Promise<{ metrics(): Promise<string>; clear(): void }> | null = null;

  async write(): Promise<string> {
    this.#registry ??= import("prom-client").then(({ collectDefaultMetrics, Registry }) => {
      const registry = new Registry();
      collectDefaultMetrics({ register: registry, prefix: "headgate_" });
      return registry;
    });
    return await (await this.#registry).metrics();
  }
}
