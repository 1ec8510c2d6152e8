// Reads RouteAction: where a route leads, rewriting, timeouts.
import type { ConfigNode } from "../config-node.ts";
import type { PerFilterConfig, RouteActionConfig, WeightedClusterConfig } from "../snapshot.ts";
import { readHeaderMutations } from "./format-reader.ts";
import { guard } from "./guarded-fields.ts";
import { readRegexRewrite } from "./string-reader.ts";
import { durationOr, toLatin1 } from "./translation.ts";
import type { Translation } from "./translation.ts";
import { readUpgrades } from "./upgrade-reader.ts";

const TIMEOUT_DEFAULT_MS = 15_000;
const WEIGHTS_MAX = 0xffffffff;

type ReadPerFilter = (node: ConfigNode) => readonly PerFilterConfig[];

const statusByName: Readonly<Record<string, number>> = {
  SERVICE_UNAVAILABLE: 503,
  NOT_FOUND: 404,
  INTERNAL_SERVER_ERROR: 500,
};

export function readRouteAction(
  t: Translation,
  node: ConfigNode,
  readPerFilter: ReadPerFilter,
): RouteActionConfig {
  guard(t, node);
  node.accept("include_vh_rate_limits", "there are no rate limits");
  return {
    kind: "route",
    cluster: readClusterSpecifier(t, node, readPerFilter),
    clusterNotFoundStatus: statusByName[node.enum("cluster_not_found_response_code")] ?? 503,
    pathRewrite: readPathRewrite(t, node),
    hostRewrite: readHostRewrite(t, node),
    appendXForwardedHost: node.bool("append_x_forwarded_host", false),
    timeoutMs: durationOr(node, "timeout", TIMEOUT_DEFAULT_MS),
    idleTimeoutMs: durationOr(node, "idle_timeout", -1),
    maxStreamDurationMs: durationOr(node.node("max_stream_duration"), "max_stream_duration", -1),
    priority: node.enum("priority") === "HIGH" ? "high" : "default",
    upgrades: readUpgrades(t, node),
  };
}

function readClusterSpecifier(
  t: Translation,
  node: ConfigNode,
  readPerFilter: ReadPerFilter,
): RouteActionConfig["cluster"] {
  const kind = node.oneof("cluster_specifier");
  if (kind === "cluster_header") {
    return { kind: "header", header: node.string(kind, "").toLowerCase() };
  }
  const weighted = node.node("weighted_clusters");
  if (weighted !== undefined) return readWeighted(t, weighted, readPerFilter);
  // Plugins stay unread and are reported by name; a route to no cluster is answered with 503.
  return { kind: "cluster", name: node.string("cluster", "") };
}

function readWeighted(
  t: Translation,
  node: ConfigNode,
  readPerFilter: ReadPerFilter,
): RouteActionConfig["cluster"] {
  node.accept("total_weight", "the sum of the weights holds, as in Envoy");
  const runtimeKeyPrefix = node.string("runtime_key_prefix", "");
  const nodes = node.nodes("clusters");
  const clusters = nodes.map((c) => readWeightedCluster(t, c, readPerFilter));
  const sum = clusters.reduce((total, cluster) => total + cluster.weight, 0);
  const areAllSet = nodes.every((cluster) => cluster.uint("weight") !== undefined);
  if (sum === 0 && areAllSet && nodes.length > 0) {
    t.wrong(node, "sum of weights must be greater than 0", "clusters");
  }
  if (sum > WEIGHTS_MAX) {
    t.wrong(node, `found weights of ${sum}, expected a sum of at most ${WEIGHTS_MAX}`, "clusters");
  }
  const headerName = node.string("header_name", "").toLowerCase();
  const totalWeight = Math.max(1, sum);
  return { kind: "weighted", clusters, totalWeight, headerName, runtimeKeyPrefix };
}

function readWeightedCluster(
  t: Translation,
  node: ConfigNode,
  readPerFilter: ReadPerFilter,
): WeightedClusterConfig {
  guard(t, node);
  if (!node.has("weight")) t.wrong(node, "expected weight");
  const name = node.string("name", "");
  const header = node.string("cluster_header", "").toLowerCase();
  if (name === "" && header === "") t.wrong(node, "expected name or cluster_header");
  if (name !== "" && header !== "") {
    t.wrong(node, "both name and cluster_header are set, expected one of them", "cluster_header");
  }
  return {
    cluster: header === "" ? { kind: "cluster", name } : { kind: "header", name: header },
    weight: node.uint("weight", 0),
    headers: readHeaderMutations(t, node),
    hostRewriteLiteral: toLatin1(node.string("host_rewrite_literal", "")),
    perFilter: readPerFilter(node),
  };
}

function readPathRewrite(t: Translation, node: ConfigNode): RouteActionConfig["pathRewrite"] {
  const prefix = node.string("prefix_rewrite", "");
  const regex = node.node("regex_rewrite");
  if (prefix !== "" && regex !== undefined) {
    const message = "both prefix_rewrite and regex_rewrite are set, expected one of them";
    t.wrong(node, message, "regex_rewrite");
  }
  if (regex !== undefined) {
    const rewrite = readRegexRewrite(t, regex);
    return rewrite === null ? { kind: "none" } : { kind: "regex", ...rewrite };
  }
  return prefix === "" ? { kind: "none" } : { kind: "prefix", prefix: toLatin1(prefix) };
}

function readHostRewrite(t: Translation, node: ConfigNode): RouteActionConfig["hostRewrite"] {
  switch (node.oneof("host_rewrite_specifier")) {
    case "host_rewrite_literal": {
      const host = toLatin1(node.string("host_rewrite_literal", ""));
      return host === "" ? { kind: "none" } : { kind: "literal", host };
    }
    case "auto_host_rewrite":
      return node.bool("auto_host_rewrite", false) ? { kind: "auto" } : { kind: "none" };
    case "host_rewrite_header":
      return { kind: "header", header: node.string("host_rewrite_header", "").toLowerCase() };
    case "host_rewrite_path_regex": {
      const rewrite = readRegexRewrite(t, node.node("host_rewrite_path_regex"));
      return rewrite === null ? { kind: "none" } : { kind: "path_regex", ...rewrite };
    }
    default:
      // The formatter of host_rewrite stays unread and is reported by name.
      return { kind: "none" };
  }
}
