// Reads TcpProxy: clusters, time limits, access logs. What it leaves unread is reported by name.
import type { ConfigNode } from "../config-node.ts";
import type { TcpClusterConfig, TcpProxyConfig } from "../snapshot.ts";
import { readAccessLogs } from "./access-log-reader.ts";
import { guard } from "./guarded-fields.ts";
import { durationOr, statText } from "./translation.ts";
import type { Translation } from "./translation.ts";

const HOUR_MS = 3_600_000;
const WEIGHTS_MAX = 0xffffffff;

export function readTcpProxy(t: Translation, node: ConfigNode): TcpProxyConfig {
  guard(t, node);
  const clusters = readClusters(t, node);
  const totalWeight = clusters.reduce((sum, { weight }) => sum + weight, 0);
  if (totalWeight > WEIGHTS_MAX) {
    const message = `found weights of ${totalWeight}, expected a sum of at most ${WEIGHTS_MAX}`;
    t.wrong(node, message, "weighted_clusters");
  }
  return {
    statPrefix: statText(node.string("stat_prefix", "")),
    clusters,
    totalWeight,
    idleTimeoutMs: durationOr(node, "idle_timeout", HOUR_MS),
    maxDownstreamConnectionDurationMs: durationOr(node, "max_downstream_connection_duration", 0),
    maxConnectAttempts: node.uint("max_connect_attempts", 1),
    accessLogs: readAccessLogs(t, node.nodes("access_log")),
  };
}

function readClusters(t: Translation, node: ConfigNode): TcpClusterConfig[] {
  const weighted = node.node("weighted_clusters");
  if (weighted === undefined) return [{ name: node.string("cluster", ""), weight: 1 }];
  return weighted.nodes("clusters").map((cluster) => {
    guard(t, cluster);
    return { name: cluster.string("name", ""), weight: cluster.uint("weight", 0) };
  });
}
