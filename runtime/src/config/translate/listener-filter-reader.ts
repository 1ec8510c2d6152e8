// Reads the listener filters of a Listener.
import type { ConfigNode } from "../config-node.ts";
import type {
  FilterChainConfig,
  ListenerConfig,
  ListenerFilterConfig,
  ListenerPredicateConfig,
  ProxyProtocolConfig,
  PassThroughTlvs,
  ProxyTlvRuleConfig,
} from "../snapshot.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

const EXTENSIONS = "envoy.extensions.filters.listener";
const PROXY_PROTOCOL = `${EXTENSIONS}.proxy_protocol.v3.ProxyProtocol`;
const TLS_INSPECTOR = `${EXTENSIONS}.tls_inspector.v3.TlsInspector`;
const HTTP_INSPECTOR = `${EXTENSIONS}.http_inspector.v3.HttpInspector`;
const ORIGINAL_DST = `${EXTENSIONS}.original_dst.v3.OriginalDst`;
const TIMEOUT_MS = 15_000;
const HELLO_BYTES_MAX = 16_384;
const TLV_NAMESPACE = "envoy.filters.listener.proxy_protocol";
const PASSED = "connections would pass without it";

const defaultProxyProtocol: ProxyProtocolConfig = {
  kind: "proxy_protocol",
  statPrefix: "",
  isOptional: false,
  passThroughTlvs: "none",
  allowsV1: true,
  allowsV2: true,
  rules: [],
};

type ListenerFilters = Pick<
  ListenerConfig,
  "listenerFilters" | "listenerFiltersTimeoutMs" | "continuesOnListenerFiltersTimeout"
>;

/** `chains` are the listener's, which may ask for what only a filter can tell. */
export function readListenerFilters(
  t: Translation,
  node: ConfigNode,
  chains: readonly FilterChainConfig[],
): ListenerFilters {
  const listenerFilters = node
    .nodes("listener_filters")
    .map((filter) => readSwitchedFilter(t, filter))
    .filter((filter) => filter !== null);
  // As Envoy: the first chain speaks for all.
  if (node.nodes("filter_chains")[0]?.bool("use_proxy_proto") === true) {
    listenerFilters.push(defaultProxyProtocol);
  }
  warnOfMissingInspector(t, node, chains, listenerFilters);
  return {
    listenerFilters,
    listenerFiltersTimeoutMs: durationOr(node, "listener_filters_timeout", TIMEOUT_MS),
    continuesOnListenerFiltersTimeout: node.bool("continue_on_listener_filters_timeout", false),
  };
}

/** Envoy adds none, either: such chains take no connection. */
function warnOfMissingInspector(
  t: Translation,
  node: ConfigNode,
  chains: readonly FilterChainConfig[],
  filters: readonly ListenerFilterConfig[],
): void {
  const has = (kind: ListenerFilterConfig["kind"]): boolean =>
    filters.some((filter) => (filter.kind === "disabled" ? filter.filter : filter).kind === kind);
  if (has("tls_inspector")) return;
  const asks = chains.some(
    ({ match }) =>
      match !== null &&
      (match.transportProtocol === "tls" ||
        match.serverNames.length > 0 ||
        (match.applicationProtocols.length > 0 && !has("http_inspector"))),
  );
  if (!asks) return;
  const message = "no listener filter tells what a filter chain match asks for: add tls_inspector";
  t.warn(node, message, "filter_chains");
}

function readSwitchedFilter(t: Translation, node: ConfigNode): ListenerFilterConfig | null {
  const filter = readListenerFilter(t, node);
  const disabled = node.node("filter_disabled");
  if (disabled === undefined || filter === null) return filter;
  return { kind: "disabled", when: readPredicate(disabled), filter };
}

/** A rule without anything in it is one that holds. */
function readPredicate(node: ConfigNode | undefined): ListenerPredicateConfig {
  const inner = node?.node("not_match");
  if (inner !== undefined) return { kind: "not", rule: readPredicate(inner) };
  for (const kind of ["and", "or"] as const) {
    const set = node?.node(`${kind}_match`);
    if (set !== undefined) return { kind, rules: set.nodes("rules").map(readPredicate) };
  }
  const range = node?.node("destination_port_range");
  if (range !== undefined) {
    const [start, end] = [range.bigint("start"), range.bigint("end")];
    return { kind: "ports", start: Number(start ?? 0n), end: Number(end ?? 0n) };
  }
  node?.accept("any_match", "can only be true");
  return { kind: "any" };
}

/** Null and a problem for what is not implemented. */
function readListenerFilter(t: Translation, filter: ConfigNode): ListenerFilterConfig | null {
  filter.accept("name", "only a label");
  const typed = filter.any("typed_config");
  if (typed === undefined) {
    // config_discovery stays unread and is reported by name.
    if (!filter.has("config_discovery")) t.missing(filter, "typed_config");
    return null;
  }
  if (typed.typeName === PROXY_PROTOCOL) return readProxyProtocol(t, typed);
  if (typed.typeName === TLS_INSPECTOR) return readTlsInspector(t, typed);
  if (typed.typeName === HTTP_INSPECTOR) return { kind: "http_inspector" };
  typed.acceptRest("reported as a whole");
  const isOriginal = typed.typeName === ORIGINAL_DST;
  const why = isOriginal ? " (Node cannot ask the kernel where a connection was headed)" : "";
  t.guarded(filter, `the listener filter ${typed.typeName}${why}`, PASSED, "typed_config");
  return null;
}

function readTlsInspector(t: Translation, node: ConfigNode): ListenerFilterConfig {
  node.accept("initial_read_buffer_size", "buffers grow as they must");
  const field = "close_connection_on_client_hello_parsing_errors";
  if (node.bool(field, false)) t.guarded(node, field, "such connections would pass", field);
  return {
    kind: "tls_inspector",
    helloBytesMax: node.uint("max_client_hello_size", HELLO_BYTES_MAX),
    ...(node.bool("enable_ja3_fingerprinting", false) ? { takesJa3: true } : {}),
    ...(node.bool("enable_ja4_fingerprinting", false) ? { takesJa4: true } : {}),
  };
}

/** Of a ProxyProtocol or a ProxyProtocolConfig: which TLVs of the downstream upstreams may get. */
export function readPassThroughTlvs(node: ConfigNode | undefined): PassThroughTlvs {
  const passed = node?.node("pass_through_tlvs");
  if (passed === undefined) return "none";
  const types = passed.numbers("tlv_type");
  return passed.enum("match_type") === "INCLUDE" ? types : "all";
}

function readProxyProtocol(t: Translation, node: ConfigNode): ListenerFilterConfig {
  const disallowed = node.strings("disallowed_versions");
  if (node.enum("tlv_location") === "FILTER_STATE") {
    t.unsupported(node, "tlv_location: FILTER_STATE", "tlv_location");
  }
  const allowsV1 = !disallowed.includes("V1");
  const allowsV2 = !disallowed.includes("V2");
  if (!allowsV1 && !allowsV2) {
    t.wrong(node, "all PROXY protocol versions are disallowed", "disallowed_versions");
  }
  return {
    kind: "proxy_protocol",
    statPrefix: node.string("stat_prefix", ""),
    isOptional: node.bool("allow_requests_without_proxy_protocol", false),
    passThroughTlvs: readPassThroughTlvs(node),
    allowsV1,
    allowsV2,
    rules: node
      .nodes("rules")
      .map(readRule)
      .filter((rule) => rule !== null),
  };
}

function readRule(rule: ConfigNode): ProxyTlvRuleConfig | null {
  const tlvType = rule.uint("tlv_type", 0);
  const target = rule.node("on_tlv_present");
  if (target === undefined) return null;
  return {
    tlvType,
    namespace: target.string("metadata_namespace", "") || TLV_NAMESPACE,
    key: target.string("key", ""),
    isBase64: target.enum("value_string_encoding") === "BASE64",
  };
}
