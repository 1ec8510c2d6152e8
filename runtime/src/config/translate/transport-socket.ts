// Reads the transport sockets of filter chains and clusters: plain text, TLS, and the PROXY header
// in front of one of both.
import type { ConfigNode } from "../config-node.ts";
import type {
  DownstreamTlsConfig,
  ProxyTlvConfig,
  TransportSocketConfig,
  UpstreamProxyProtocolConfig,
  UpstreamSocketConfig,
} from "../tls-config.ts";
import { matchOf } from "./socket-match.ts";
import { readDownstreamTls, readUpstreamTls } from "./tls-context-reader.ts";
import type { DownstreamUse } from "./tls-context-reader.ts";
import type { Translation } from "./translation.ts";

const SOCKETS = "envoy.extensions.transport_sockets.";
const RAW_BUFFER = `${SOCKETS}raw_buffer.v3.RawBuffer`;
const DOWNSTREAM_TLS = `${SOCKETS}tls.v3.DownstreamTlsContext`;
const UPSTREAM_TLS = `${SOCKETS}tls.v3.UpstreamTlsContext`;
const PROXY_PROTOCOL = `${SOCKETS}proxy_protocol.v3.ProxyProtocolUpstreamTransport`;
const RAW: UpstreamSocketConfig = { kind: "raw_buffer" };

/** Null = plain text. */
export function readDownstreamSocket(
  t: Translation,
  chain: ConfigNode,
  use: DownstreamUse,
): DownstreamTlsConfig | null {
  const typed = readTyped(t, chain);
  if (typed === null || typed.typeName === RAW_BUFFER) return null;
  if (typed.typeName === DOWNSTREAM_TLS) return readDownstreamTls(t, typed, use);
  refuse(t, chain, typed);
  return null;
}

/** Of a cluster: transport_socket_matches in their order, then transport_socket. */
export function readTransportSockets(t: Translation, cluster: ConfigNode): TransportSocketConfig[] {
  const sockets: TransportSocketConfig[] = [];
  for (const node of cluster.nodes("transport_socket_matches")) {
    const name = node.string("name", "");
    const match = matchOf(node.json("match"));
    sockets.push({ name, match, socket: readUpstreamSocket(t, node) });
  }
  // What an endpoint without a match gets: a match of nothing takes all endpoints before.
  sockets.push({ name: "", match: {}, socket: readUpstreamSocket(t, cluster) });
  return sockets;
}

/** `node` has the field transport_socket; without it plain text. */
function readUpstreamSocket(t: Translation, node: ConfigNode): UpstreamSocketConfig {
  const typed = readTyped(t, node);
  switch (typed?.typeName) {
    case undefined:
    case RAW_BUFFER:
      return RAW;
    case UPSTREAM_TLS:
      return { kind: "tls", tls: readUpstreamTls(t, typed as ConfigNode) };
    case PROXY_PROTOCOL:
      return readProxyProtocol(t, typed as ConfigNode);
    default:
      refuse(t, node, typed as ConfigNode);
      return RAW;
  }
}

/** The message in transport_socket; null when the field is not set, or with a problem. */
function readTyped(t: Translation, node: ConfigNode): ConfigNode | null {
  const socket = node.node("transport_socket");
  if (socket === undefined) return null;
  socket.accept("name", "only a label");
  const typed = socket.any("typed_config");
  if (typed === undefined) t.missing(socket, "typed_config");
  return typed ?? null;
}

function refuse(t: Translation, node: ConfigNode, typed: ConfigNode): void {
  typed.acceptRest("reported as a whole");
  const isOtherSide = [DOWNSTREAM_TLS, UPSTREAM_TLS].includes(typed.typeName);
  if (isOtherSide) {
    t.wrong(node, `found ${typed.typeName}, expected that of the other side`, "transport_socket");
    return;
  }
  const what = `the transport socket ${typed.typeName}`;
  t.guarded(node, what, "traffic would go in plain text", "transport_socket");
}

function readProxyProtocol(t: Translation, node: ConfigNode): UpstreamProxyProtocolConfig {
  if (!node.has("transport_socket"))
    t.wrong(node, "not set: value is required", "transport_socket");
  const config = node.node("config");
  const isV2 = config?.enum("version") === "V2";
  const unspecified = "allow_unspecified_address";
  if (node.bool(unspecified, false)) t.unsupported(node, unspecified, unspecified);
  const passed = config?.node("pass_through_tlvs");
  return {
    kind: "proxy_protocol",
    version: isV2 ? "v2" : "v1",
    inner: readUpstreamSocket(t, node),
    passThroughTlvs: passed === undefined ? "none" : readPassed(passed),
    areTlvsKey: node.bool("tlv_as_pool_key", false),
    addedTlvs: (config?.nodes("added_tlvs") ?? []).map((tlv) => readAdded(t, tlv)),
  };
}

function readPassed(node: ConfigNode): UpstreamProxyProtocolConfig["passThroughTlvs"] {
  const types = node.numbers("tlv_type");
  return node.enum("match_type") === "INCLUDE" ? types : "all";
}

function readAdded(t: Translation, node: ConfigNode): ProxyTlvConfig {
  if (node.has("format_string")) {
    node.accept("format_string", "reported as a whole");
    t.unsupported(node, "format_string", "format_string");
  }
  return readProxyTlv(t, node);
}

/** A TlvEntry without its format_string. */
export function readProxyTlv(t: Translation, node: ConfigNode): ProxyTlvConfig {
  const value = node.bytes("value") ?? new Uint8Array(0);
  const hasFormat = node.has("format_string");
  if (hasFormat === value.length > 0) {
    const found = hasFormat ? "both" : "neither";
    t.wrong(node, `found ${found}, expected one of value and format_string`, "value");
  }
  return { type: node.uint("type", 0), value };
}
