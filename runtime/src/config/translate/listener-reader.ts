// Reads Listener: addresses, sockets, filter chains.
import type { ConfigNode } from "../config-node.ts";
import type {
  AddressConfig,
  FilterChainConfig,
  ListenerConfig,
  TcpKeepAliveConfig,
} from "../snapshot.ts";
import { readAccessLogs } from "./access-log-reader.ts";
import { addressText, readAddress } from "./address-reader.ts";
import { readFilterChainMatcher } from "./chain-matcher-reader.ts";
import { readFilterChainMatch, reportOverlaps } from "./filter-chain-match-reader.ts";
import { guard } from "./guarded-fields.ts";
import { readKeepAlive } from "./keep-alive-reader.ts";
import { readListenerFilters } from "./listener-filter-reader.ts";
import { readMetadata } from "./metadata-reader.ts";
import { readNetworkFilters } from "./network-filter-reader.ts";
import type { ClusterNames } from "./route-reader.ts";
import { readSocketOptions } from "./socket-options-reader.ts";
import { durationOr, statText } from "./translation.ts";
import type { Translation } from "./translation.ts";
import { readDownstreamSocket } from "./transport-socket.ts";

/** A listener, or null and problems when it has no usable address. Its name may be "". */
export function readListener(
  t: Translation,
  node: ConfigNode,
  clusters: ClusterNames,
): ListenerConfig | null {
  guard(t, node);
  acceptWhatTunes(node);
  const addressNode = node.node("address");
  if (addressNode === undefined) t.missing(node, "address");
  const address = addressNode === undefined ? null : readAddress(t, addressNode, "ip");
  const statPrefix = node.string("stat_prefix", "");
  const chains = readFilterChains(t, node, clusters);
  const listener = {
    name: node.string("name", ""),
    where: node.path,
    ...readAddresses(t, node),
    reusePort: readReusePort(node),
    backlog: node.uint("tcp_backlog_size", 0),
    bindToPort: readSocketSwitches(t, node),
    perConnectionBufferBytesMax: node.uint("per_connection_buffer_limit_bytes", 1 << 20),
    ...chains,
    ...readListenerFilters(t, node, chains.filterChainMatcher === null ? chains.filterChains : []),
    trafficDirection: readDirection(node),
    metadata: readMetadata(node),
    drainType: node.enum("drain_type") === "MODIFY_ONLY" ? "modify_only" : "default",
    accessLogs: readAccessLogs(t, node.nodes("access_log")),
    ignoresGlobalConnectionLimit: node.bool("ignore_global_conn_limit", false),
    bypassesOverloadManager: node.bool("bypass_overload_manager", false),
    // The whole configuration's to say: assemble-snapshot.ts.
    sharedIndex: -1,
  } as const;
  if (address === null) return null;
  return { ...listener, address, statPrefix: statText(statPrefix || addressText(address)) };
}

/** Fields that only tune how Envoy does what we do in another way. */
function acceptWhatTunes(node: ConfigNode): void {
  node.accept("connection_balance_config", "the kernel balances over workers");
  node.accept("max_connections_to_accept_per_socket_event", "the event loop decides");
  node.accept(
    "tcp_fast_open_queue_length",
    "Node cannot set TCP_FASTOPEN: connections open as usual",
  );
}

function readReusePort(node: ConfigNode): boolean {
  const deprecated = node.bool("reuse_port");
  return node.bool("enable_reuse_port") ?? deprecated ?? true;
}

/** Why switches of sockets may only stand at what we do anyway. */
const switches = {
  transparent: "Node cannot set IP_TRANSPARENT",
  freebind: "Node cannot set IP_FREEBIND",
  use_original_dst: "Node cannot ask the kernel where a connection was headed",
} as const;

/** Answers bind_to_port. */
function readSocketSwitches(t: Translation, node: ConfigNode): boolean {
  for (const [field, why] of Object.entries(switches)) {
    if (node.bool(field, false)) t.unsupported(node, `${field} (${why})`, field);
  }
  const deprecated = node.node("deprecated_v1")?.bool("bind_to_port", true) ?? true;
  return node.bool("bind_to_port", deprecated);
}

function readDirection(node: ConfigNode): ListenerConfig["trafficDirection"] {
  const directions = { INBOUND: "inbound", OUTBOUND: "outbound" } as const;
  return directions[node.enum("traffic_direction") as keyof typeof directions] ?? "unspecified";
}

type Addresses = Pick<ListenerConfig, "additionalAddresses" | "keepAlive" | "additionalKeepAlives">;

/** What an additional address does not say of its own, it has from the listener. */
function readAddresses(t: Translation, node: ConfigNode): Addresses {
  const options = node.nodes("socket_options");
  const ownKeepAlive = readKeepAlive(node);
  const additionalAddresses: AddressConfig[] = [];
  const additionalKeepAlives: (TcpKeepAliveConfig | null)[] = [];
  for (const additional of node.nodes("additional_addresses")) {
    const inner = additional.node("address");
    if (inner === undefined) t.missing(additional, "address");
    const address = inner === undefined ? null : readAddress(t, inner, "ip");
    const keepAlive = additional.has("tcp_keepalive") ? readKeepAlive(additional) : ownKeepAlive;
    const others = additional.node("socket_options")?.nodes("socket_options") ?? options;
    if (address === null) continue;
    additionalAddresses.push(address);
    additionalKeepAlives.push(readSocketOptions(t, others, keepAlive));
  }
  const keepAlive = readSocketOptions(t, options, ownKeepAlive);
  return { additionalAddresses, keepAlive, additionalKeepAlives };
}

type FilterChains = Pick<
  ListenerConfig,
  "filterChains" | "defaultFilterChain" | "filterChainMatcher"
>;

function readFilterChains(t: Translation, node: ConfigNode, clusters: ClusterNames): FilterChains {
  const nodes = node.nodes("filter_chains");
  const filterChains = nodes.map((chain) => readFilterChain(t, chain, clusters));
  const defaultNode = node.node("default_filter_chain");
  const defaultFilterChain =
    defaultNode === undefined ? null : readFilterChain(t, defaultNode, clusters);
  if (filterChains.length === 0 && !node.has("default_filter_chain")) {
    t.wrong(node, "no filter chains specified", "filter_chains");
  }
  const filterChainMatcher = readFilterChainMatcher(t, node, nodes, filterChains);
  if (filterChainMatcher === null) reportOverlaps(t, nodes, filterChains);
  else if (filterChains.some(({ match }) => match !== null)) {
    t.warn(node, "filter_chain_match has no effect beside a filter_chain_matcher", "filter_chains");
  }
  return { filterChains, defaultFilterChain, filterChainMatcher };
}

function readFilterChain(
  t: Translation,
  node: ConfigNode,
  clusters: ClusterNames,
): FilterChainConfig {
  const match = readFilterChainMatch(t, node);
  node.accept("metadata", "nothing reads it");
  node.accept("use_proxy_proto", "of the first chain, read with the listener filters");
  const name = node.string("name", "");
  const filters = readNetworkFilters(t, node.nodes("filters"), clusters);
  return { name, match, tls: readTls(t, node, filters.hcm !== null), ...filters };
}

function readTls(t: Translation, chain: ConfigNode, isHttp: boolean): FilterChainConfig["tls"] {
  const handshakeTimeoutMs = durationOr(chain, "transport_socket_connect_timeout", 0);
  const tls = readDownstreamSocket(t, chain, { isHttp, handshakeTimeoutMs });
  if (tls === null) {
    chain.accept("transport_socket_connect_timeout", "plain text has no handshake");
  }
  return tls;
}
