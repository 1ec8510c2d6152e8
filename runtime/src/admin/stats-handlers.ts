// /stats and what stands below it.
import { Regex } from "../core/regex.ts";
import { statsJson } from "../stats/json.ts";
import type { PrometheusWriter, ProcessMetrics } from "../stats/prometheus.ts";
import { defaultStatsQuery } from "../stats/stats-query.ts";
import type { HistogramMode, StatsQuery, StatType } from "../stats/stats-query.ts";
import { statsText } from "../stats/text.ts";
import type { AdminDelegate } from "./admin-delegate.ts";
import { parameter, textResponse } from "./admin-request.ts";
import type { AdminRequest, AdminResponse } from "./admin-request.ts";

const types: readonly string[] = ["All", "Counters", "Gauges", "Histograms", "TextReadouts"];
const modes: readonly string[] = ["cumulative", "disjoint", "detailed", "summary"];

/** Keeps what scrapes share. */
export class StatsPages {
  readonly #delegate: AdminDelegate;
  readonly #writer: PrometheusWriter;
  readonly #process: ProcessMetrics;

  constructor(delegate: AdminDelegate, writer: PrometheusWriter, process: ProcessMetrics) {
    this.#delegate = delegate;
    this.#writer = writer;
    this.#process = process;
  }

  /** /stats in its formats. */
  stats(request: AdminRequest): AdminResponse | Promise<AdminResponse> {
    const format = parameter(request, "format") || "text";
    if (format === "prometheus") return this.prometheus(request);
    if (format === "html" || format === "active-html") {
      return textResponse("HTML is not supported, use format=text, json or prometheus\n", 400);
    }
    if (format !== "text" && format !== "json") {
      return textResponse("usage: /stats?format=(html|active-html|json|prometheus|text)\n\n", 400);
    }
    const query = readQuery(request, "summary");
    if ("status" in query) return query;
    this.#delegate.refreshStats();
    // Nothing here is hidden in Envoy's sense, so only hidden stats are no stats.
    const isEmpty = parameter(request, "hidden") === "only";
    if (format === "text") {
      return textResponse(isEmpty ? "" : statsText(this.#delegate.stats, query));
    }
    const body = isEmpty ? '{"stats":[]}' : statsJson(this.#delegate.stats, query);
    return { status: 200, contentType: "application/json", body };
  }

  /** /stats/prometheus. The process' own metrics follow when everything is asked for. */
  async prometheus(request: AdminRequest): Promise<AdminResponse> {
    const query = readQuery(request, "cumulative");
    if ("status" in query) return query;
    if (query.histogramMode === "detailed" || query.histogramMode === "disjoint") {
      return textResponse("unsupported prometheus histogram bucket mode", 400);
    }
    this.#delegate.refreshStats();
    const textReadouts = parameter(request, "text_readouts") !== undefined;
    const page = this.#writer.write(this.#delegate.stats, query, textReadouts);
    return textResponse(query.filter === null ? page + (await this.#process.write()) : page);
  }
}

/** Lookups are not recorded here: the answer of an Envoy that does not record them either. */
export function recentLookups(): AdminResponse {
  return textResponse(
    "Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n\ntotal: 0\n",
  );
}

/** The query, or the answer to a wrong one. */
function readQuery(request: AdminRequest, mode: HistogramMode): StatsQuery | AdminResponse {
  const type = parameter(request, "type") || "All";
  if (!types.includes(type)) return textResponse("invalid &type= param", 400);
  const buckets = parameter(request, "histogram_buckets") ?? "";
  const isDefault = buckets === "" || buckets === "none";
  if (!isDefault && !modes.includes(buckets)) {
    const known = "cumulative|disjoint|detailed|summary|prometheusnative";
    return textResponse(`usage: /stats?histogram_buckets=(${known})\n`, 400);
  }
  const hidden = parameter(request, "hidden") ?? "exclude";
  if (!["include", "only", "exclude"].includes(hidden)) {
    return textResponse("usage: /stats?hidden=(include|only|exclude)\n\n", 400);
  }
  const source = parameter(request, "filter") ?? "";
  const filter = source === "" ? null : Regex.tryCompile(source);
  if (typeof filter === "string") return textResponse(`Invalid re2 regex: ${filter}`, 400);
  return {
    ...defaultStatsQuery,
    filter,
    invertFilter: parameter(request, "invert_filter") !== undefined,
    usedOnly: parameter(request, "usedonly") !== undefined,
    type: type as StatType,
    histogramMode: isDefault ? mode : (buckets as HistogramMode),
  };
}
