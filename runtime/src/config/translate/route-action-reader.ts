// Reads RouteAction: where a route leads, rewriting, timeouts.
import type { ConfigNode } from "../config-node.ts";
import type { PerFilterConfig, RouteActionConfig, WeightedClusterConfig } from "../snapshot.ts";
import { readHeaderMutations } from "./format-reader.ts";
import { readRegexRewrite } from "./string-reader.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

const TIMEOUT_DEFAULT_MS = 15_000;

type ReadPerFilter = (node: ConfigNode) => PerFilterConfig[];

export function readRouteAction(
  t: Translation,
  node: ConfigNode,
  readPerFilter: ReadPerFilter,
): RouteActionConfig {
  const notFound: Readonly<Record<string, number>> = {
    SERVICE_UNAVAILABLE: 503,
    NOT_FOUND: 404,
    INTERNAL_SERVER_ERROR: 500,
  };
  node.accept("include_vh_rate_limits", "there are no rate limits");
  return {
    kind: "route",
    cluster: readClusterSpecifier(t, node, readPerFilter),
    clusterNotFoundStatus: notFound[node.enum("cluster_not_found_response_code")] ?? 503,
    pathRewrite: readPathRewrite(t, node),
    hostRewrite: readHostRewrite(t, node),
    appendXForwardedHost: node.bool("append_x_forwarded_host", false),
    timeoutMs: durationOr(node, "timeout", TIMEOUT_DEFAULT_MS),
    idleTimeoutMs: durationOr(node, "idle_timeout", -1),
    maxStreamDurationMs: durationOr(node.node("max_stream_duration"), "max_stream_duration", -1),
    priority: node.enum("priority") === "HIGH" ? "high" : "default",
  };
}

function readClusterSpecifier(
  t: Translation,
  node: ConfigNode,
  readPerFilter: ReadPerFilter,
): RouteActionConfig["cluster"] {
  switch (node.oneof("cluster_specifier")) {
    case "cluster":
      return { kind: "cluster", name: node.string("cluster", "") };
    case "cluster_header":
      return { kind: "header", header: node.string("cluster_header", "").toLowerCase() };
    case "weighted_clusters":
      return readWeighted(t, node.node("weighted_clusters") as ConfigNode, readPerFilter);
    default:
      // Plugins stay unread and are reported by name.
      return { kind: "cluster", name: "" };
  }
}

function readWeighted(
  t: Translation,
  node: ConfigNode,
  readPerFilter: ReadPerFilter,
): RouteActionConfig["cluster"] {
  const clusters = node.nodes("clusters").map((c) => readWeightedCluster(t, c, readPerFilter));
  const sum = clusters.reduce((total, cluster) => total + cluster.weight, 0);
  const totalWeight = node.uint("total_weight", sum) || sum;
  if (totalWeight !== sum) {
    t.wrong(node, `sum of weights is ${sum}, expected total_weight ${totalWeight}`, "total_weight");
  }
  if (sum === 0) t.wrong(node, "sum of weights must be greater than 0", "clusters");
  if (sum > 0xffffffff) t.wrong(node, "sum of weights must be less than 4294967296", "clusters");
  node.accept("runtime_key_prefix", "without runtime layers the weights hold");
  const headerName = node.string("header_name", "").toLowerCase();
  return { kind: "weighted", clusters, totalWeight: Math.max(1, sum), headerName };
}

function readWeightedCluster(
  t: Translation,
  node: ConfigNode,
  readPerFilter: ReadPerFilter,
): WeightedClusterConfig {
  const name = node.string("name", "");
  const header = node.string("cluster_header", "").toLowerCase();
  if ((name === "") === (header === "")) {
    t.wrong(node, "expected one of name and cluster_header");
  }
  return {
    cluster: header === "" ? { kind: "cluster", name } : { kind: "header", name: header },
    weight: node.uint("weight", 0),
    headers: readHeaderMutations(t, node),
    hostRewriteLiteral: node.string("host_rewrite_literal", ""),
    perFilter: readPerFilter(node),
  };
}

function readPathRewrite(t: Translation, node: ConfigNode): RouteActionConfig["pathRewrite"] {
  const prefix = node.string("prefix_rewrite", "");
  const regex = node.node("regex_rewrite");
  if (prefix !== "" && regex !== undefined) {
    t.wrong(node, "both prefix_rewrite and regex_rewrite are set, expected one", "regex_rewrite");
  }
  if (regex !== undefined) {
    const rewrite = readRegexRewrite(t, regex);
    return rewrite === null ? { kind: "none" } : { kind: "regex", ...rewrite };
  }
  return prefix === "" ? { kind: "none" } : { kind: "prefix", prefix };
}

function readHostRewrite(t: Translation, node: ConfigNode): RouteActionConfig["hostRewrite"] {
  switch (node.oneof("host_rewrite_specifier")) {
    case "host_rewrite_literal":
      return { kind: "literal", host: node.string("host_rewrite_literal", "") };
    case "auto_host_rewrite":
      return node.bool("auto_host_rewrite", false) ? { kind: "auto" } : { kind: "none" };
    case "host_rewrite_header":
      return { kind: "header", header: node.string("host_rewrite_header", "").toLowerCase() };
    case "host_rewrite_path_regex": {
      const rewrite = readRegexRewrite(t, node.node("host_rewrite_path_regex") as ConfigNode);
      return rewrite === null ? { kind: "none" } : { kind: "path_regex", ...rewrite };
    }
    default:
      return { kind: "none" };
  }
}
