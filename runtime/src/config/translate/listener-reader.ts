// Reads Listener: addresses, sockets, the filter chain.
import type { ConfigNode } from "../config-node.ts";
import type { AddressConfig, FilterChainConfig, ListenerConfig } from "../snapshot.ts";
import { readAccessLogs } from "./access-log-reader.ts";
import { addressText, readAddress } from "./address-reader.ts";
import { readHcm } from "./hcm-reader.ts";
import type { Translation } from "./translation.ts";

const HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const RAW_BUFFER = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

/** A listener, or null and problems when it has no usable address. */
export function readListener(
  t: Translation,
  node: ConfigNode,
  clusterNames: ReadonlySet<string>,
): ListenerConfig | null {
  const addressNode = node.node("address");
  if (addressNode === undefined) {
    t.wrong(node, "expected address");
    return null;
  }
  const address = readAddress(t, addressNode, "ip");
  const filterChains = node.nodes("filter_chains").map((c) => readFilterChain(t, c, clusterNames));
  const defaultNode = node.node("default_filter_chain");
  const defaultFilterChain =
    defaultNode === undefined ? null : readFilterChain(t, defaultNode, clusterNames);
  if (filterChains.length === 0 && defaultFilterChain === null) {
    t.wrong(node, "no filter chains specified", "filter_chains");
  }
  if (filterChains.length > 1) {
    t.unsupported(node, "choosing among several filter chains", "filter_chains");
  }
  acceptWhatTunes(node);
  if (address === null) return null;
  const name = node.string("name", "") || addressText(address);
  return {
    name,
    where: node.path,
    address,
    additionalAddresses: readAdditional(t, node),
    statPrefix: node.string("stat_prefix", "") || addressText(address).replaceAll(":", "_"),
    reusePort: node.bool("enable_reuse_port") ?? node.bool("reuse_port") ?? true,
    backlog: node.uint("tcp_backlog_size", 0),
    bindToPort: readBindToPort(t, node),
    perConnectionBufferBytesMax: node.uint("per_connection_buffer_limit_bytes", 1 << 20),
    filterChains,
    defaultFilterChain,
    trafficDirection: readDirection(node),
    drainType: node.enum("drain_type") === "MODIFY_ONLY" ? "modify_only" : "default",
    accessLogs: readListenerLogs(t, node),
    keepAliveIdleSeconds: readKeepAlive(node),
  };
}

/** Fields that only tune how Envoy does what we do in another way. */
function acceptWhatTunes(node: ConfigNode): void {
  node.accept("metadata", "nothing reads it");
  node.accept("connection_balance_config", "the kernel balances over workers");
  node.accept("max_connections_to_accept_per_socket_event", "the event loop decides");
  node.accept("listener_filters_timeout", "there are no listener filters");
  node.accept("continue_on_listener_filters_timeout", "there are no listener filters");
  node.accept("ignore_global_conn_limit", "there is no global limit");
  node.accept("bypass_overload_manager", "there is no overload manager");
}

function readBindToPort(t: Translation, node: ConfigNode): boolean {
  const bind = node.bool("bind_to_port", true);
  if (!bind) t.unsupported(node, "bind_to_port: false", "bind_to_port");
  return bind;
}

function readDirection(node: ConfigNode): ListenerConfig["trafficDirection"] {
  const directions = { INBOUND: "inbound", OUTBOUND: "outbound" } as const;
  return directions[node.enum("traffic_direction") as keyof typeof directions] ?? "unspecified";
}

function readAdditional(t: Translation, node: ConfigNode): AddressConfig[] {
  const addresses: AddressConfig[] = [];
  for (const additional of node.nodes("additional_addresses")) {
    const inner = additional.node("address");
    const address = inner === undefined ? null : readAddress(t, inner, "ip");
    if (address !== null) addresses.push(address);
  }
  return addresses;
}

function readListenerLogs(t: Translation, node: ConfigNode): ListenerConfig["accessLogs"] {
  const logs = node.nodes("access_log");
  if (logs.length === 0) return [];
  t.unsupported(node, "the access log of a listener", "access_log");
  return readAccessLogs(t, logs);
}

function readKeepAlive(node: ConfigNode): number {
  const keepAlive = node.node("tcp_keepalive");
  keepAlive?.accept("keepalive_probes", "the system's default holds");
  keepAlive?.accept("keepalive_interval", "the system's default holds");
  return keepAlive === undefined ? 0 : keepAlive.uint("keepalive_time", 7200);
}

function readFilterChain(
  t: Translation,
  node: ConfigNode,
  clusterNames: ReadonlySet<string>,
): FilterChainConfig {
  const match = node.node("filter_chain_match");
  if (match !== undefined && match.fieldNames.length > 0) {
    match.acceptRest("reported as a whole");
    t.unsupported(node, "filter_chain_match", "filter_chain_match");
  }
  node.accept("metadata", "nothing reads it");
  readTransportSocket(t, node);
  const filters = node.nodes("filters");
  const filter = filters[0];
  if (filter === undefined) return { name: node.string("name", ""), hcm: null };
  for (const more of filters.slice(1)) {
    more.acceptRest("reported as a whole");
    t.unsupported(more, "more than one network filter in a chain");
  }
  filter.string("name");
  const typed = filter.any("typed_config");
  if (typed === undefined) t.wrong(filter, "expected typed_config");
  else if (typed.typeName !== HCM) {
    typed.acceptRest("reported as a whole");
    t.unsupported(filter, `the network filter ${typed.typeName}`, "typed_config");
  } else return { name: node.string("name", ""), hcm: readHcm(t, typed, clusterNames) };
  return { name: node.string("name", ""), hcm: null };
}

function readTransportSocket(t: Translation, node: ConfigNode): void {
  const socket = node.node("transport_socket");
  if (socket === undefined) return;
  socket.string("name");
  const typed = socket.any("typed_config");
  if (typed === undefined || typed.typeName === RAW_BUFFER) return;
  typed.acceptRest("reported as a whole");
  t.unsupported(node, `the transport socket ${typed.typeName}`, "transport_socket");
}
