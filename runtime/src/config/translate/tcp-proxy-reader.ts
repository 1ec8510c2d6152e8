// Reads TcpProxy: clusters, tunnels, time limits, access logs. What it leaves unread is reported by
// name.

import type { ConfigNode } from "../config-node.ts";
import type {
  ProxyTlvsConfig,
  TcpClusterConfig,
  TcpLogMoments,
  TcpProxyConfig,
  TcpProxyTlvConfig,
  TunnelingConfig,
} from "../snapshot.ts";
import { readAccessLogs } from "./access-log-reader.ts";
import { readBackOff } from "./backoff-reader.ts";
import { checkedFormat, readFormat, readHeaderAdds } from "./format-reader.ts";
import { guard } from "./guarded-fields.ts";
import { durationOr, statText, toLatin1 } from "./translation.ts";
import type { Translation } from "./translation.ts";
import { readProxyTlv } from "./transport-socket.ts";

const HOUR_MS = 3_600_000;
const WEIGHTS_MAX = 0xffffffff;
const NO_SUBSETS = "no cluster has subsets to choose from";

export function readTcpProxy(t: Translation, node: ConfigNode): TcpProxyConfig {
  guard(t, node);
  acceptWhatHasNoEffect(node);
  const clusters = readClusters(t, node);
  const backoff = node.node("backoff_options");
  const totalWeight = clusters.reduce((sum, { weight }) => sum + weight, 0);
  if (totalWeight > WEIGHTS_MAX) {
    const message = `found weights of ${totalWeight}, expected a sum of at most ${WEIGHTS_MAX}`;
    t.wrong(node, message, "weighted_clusters");
  }
  const jitter = node.node("max_downstream_connection_duration_jitter_percentage");
  return {
    statPrefix: statText(node.string("stat_prefix", "")),
    clusters,
    totalWeight,
    idleTimeoutMs: durationOr(node, "idle_timeout", HOUR_MS),
    maxDownstreamConnectionDurationMs: durationOr(node, "max_downstream_connection_duration", 0),
    maxDownstreamConnectionDurationJitter: (jitter?.double("value") ?? 0) / 100,
    maxConnectAttempts: node.uint("max_connect_attempts", 1),
    connectBackOff: backoff === undefined ? null : readBackOff(t, backoff, 0),
    proxyTlvs: readTlvs(t, node),
    tunneling: readTunneling(t, node.node("tunneling_config")),
    accessLogs: readAccessLogs(t, node.nodes("access_log")),
    logMoments: readLogMoments(t, node),
  };
}

function acceptWhatHasNoEffect(node: ConfigNode): void {
  node.accept("metadata_match", NO_SUBSETS);
  node.accept("hash_policy", "as in Envoy, only ring hash and Maglev look at it");
}

function readClusters(t: Translation, node: ConfigNode): TcpClusterConfig[] {
  const weighted = node.node("weighted_clusters");
  if (weighted === undefined) return [{ name: node.string("cluster", ""), weight: 1 }];
  return weighted.nodes("clusters").map((cluster) => {
    guard(t, cluster);
    cluster.accept("metadata_match", NO_SUBSETS);
    return { name: cluster.string("name", ""), weight: cluster.uint("weight", 0) };
  });
}

function readTunneling(t: Translation, node: ConfigNode | undefined): TunnelingConfig | null {
  if (node === undefined) return null;
  const noState = "nothing reads the filter state that they would stand in";
  node.accept("propagate_response_headers", noState);
  node.accept("propagate_response_trailers", noState);
  const text = node.string("hostname", "");
  const base = { kind: "text", omitEmptyValues: false, contentType: "", json: null } as const;
  checkedFormat(t, node, { ...base, text }, "hostname");
  const usesPost = node.bool("use_post", false);
  const postPath = node.string("post_path", "");
  if (postPath !== "" && !usesPost) {
    t.wrong(node, "Can't set a post path when POST method isn't used", "post_path");
  } else if (postPath !== "" && !postPath.startsWith("/")) {
    t.wrong(node, "post_path must start with '/'", "post_path");
  }
  return {
    hostname: toLatin1(text),
    usesPost,
    postPath: postPath === "" ? "/" : postPath,
    headersToAdd: readHeaderAdds(t, node, "headers_to_add"),
  };
}

const mergePolicies: Readonly<Record<string, ProxyTlvsConfig["merge"]>> = {
  ADD_IF_ABSENT: "if_absent",
  OVERWRITE_BY_TYPE_IF_EXISTS_OR_ADD: "overwrite",
  APPEND_IF_EXISTS_OR_ADD: "append",
};

function readTlvs(t: Translation, node: ConfigNode): ProxyTlvsConfig | null {
  const merge = mergePolicies[node.enum("proxy_protocol_tlv_merge_policy")] ?? "if_absent";
  const tlvs = node.nodes("proxy_protocol_tlvs").map((tlv) => readTlv(t, tlv));
  return tlvs.length === 0 ? null : { merge, tlvs };
}

function readTlv(t: Translation, node: ConfigNode): TcpProxyTlvConfig {
  const formatNode = node.node("format_string");
  const format = formatNode === undefined ? null : readFormat(t, formatNode);
  return { ...readProxyTlv(t, node), format };
}

/** access_log_options, or the deprecated fields that it has taken the place of. */
function readLogMoments(t: Translation, node: ConfigNode): TcpLogMoments {
  const options = node.node("access_log_options");
  const deprecated = ["access_log_flush_interval", "flush_access_log_on_connected"] as const;
  for (const field of deprecated) {
    if (options === undefined || !node.hasEffect(field)) continue;
    node.accept(field, "reported");
    t.wrong(node, `Only one of ${field} or access_log_options can be specified.`, field);
  }
  const from = options ?? node;
  return {
    atStart: options?.bool("flush_access_log_on_start", false) ?? false,
    whenConnected: from.bool("flush_access_log_on_connected", false),
    everyMs: durationOr(from, "access_log_flush_interval", 0),
  };
}
