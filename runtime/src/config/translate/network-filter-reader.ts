// Reads the network filters of a chain: the terminal one, and those in front of it.
import type { ConfigNode } from "../config-node.ts";
import type { FilterChainConfig, LocalFilterConfig, NetworkFilterConfig } from "../snapshot.ts";
import { readDataSource } from "./data-source.ts";
import { isOfAnotherKind } from "./extension-kind.ts";
import { readHcm } from "./hcm-reader.ts";
import type { ClusterNames } from "./route-reader.ts";
import { readTcpProxy } from "./tcp-proxy-reader.ts";
import type { Translation } from "./translation.ts";
import { readWasmPlugin } from "./wasm-reader.ts";

const FILTERS = "envoy.extensions.filters.network";
const HCM = `${FILTERS}.http_connection_manager.v3.HttpConnectionManager`;
const TCP_PROXY = `${FILTERS}.tcp_proxy.v3.TcpProxy`;
const ECHO = `${FILTERS}.echo.v3.Echo`;
const WASM = `${FILTERS}.wasm.v3.Wasm`;
const DIRECT_RESPONSE = `${FILTERS}.direct_response.v3.Config`;

const TERMINAL: ReadonlySet<string> = new Set([HCM, TCP_PROXY, ECHO, DIRECT_RESPONSE]);

/** Terminal filters of Envoy that are not here: their place in the chain is right. */
const OTHER_TERMINAL: ReadonlySet<string> = new Set([
  `${FILTERS}.dubbo_proxy.v3.DubboProxy`,
  `${FILTERS}.generic_proxy.v3.GenericProxy`,
  `${FILTERS}.redis_proxy.v3.RedisProxy`,
  `${FILTERS}.thrift_proxy.v3.ThriftProxy`,
]);

/** What connections would do without a filter that is not here. */
const WITHOUT: ReadonlyMap<string, string> = new Map([
  [`${FILTERS}.connection_limit.v3.ConnectionLimit`, "connections would have no limit"],
  [`${FILTERS}.ext_authz.v3.ExtAuthz`, "connections would pass that nobody has allowed"],
  [`${FILTERS}.rbac.v3.RBAC`, "connections would pass that its rules deny"],
  [`${FILTERS}.sni_cluster.v3.SniCluster`, "connections would go to another cluster"],
]);

type ChainFilters = Pick<FilterChainConfig, "networkFilters" | "hcm" | "tcpProxy" | "localFilter">;

const none: ChainFilters = { networkFilters: [], hcm: null, tcpProxy: null, localFilter: null };

/** With problems for what is not here or stands in the wrong place: connections are closed then. */
export function readNetworkFilters(
  t: Translation,
  filters: readonly ConfigNode[],
  clusters: ClusterNames,
): ChainFilters {
  let read = none;
  for (const [index, filter] of filters.entries()) {
    filter.accept("name", "only a label");
    const typed = filter.any("typed_config");
    if (typed === undefined) {
      // config_discovery stays unread and is reported by name.
      if (!filter.has("config_discovery")) t.missing(filter, "typed_config");
      continue;
    }
    const isLast = index === filters.length - 1;
    checkPlace(t, filter, typed.typeName, isLast);
    if (TERMINAL.has(typed.typeName)) {
      const terminal = readTerminal(t, typed, clusters);
      if (isLast) read = { ...read, ...terminal };
      continue;
    }
    if (typed.typeName !== WASM) {
      refuse(t, filter, typed);
      continue;
    }
    const wasm = readWasm(t, filter, typed);
    if (wasm !== null) read = { ...read, networkFilters: [...read.networkFilters, wasm] };
  }
  return read;
}

/** A wasm filter, or null and problems. */
function readWasm(
  t: Translation,
  filter: ConfigNode,
  typed: ConfigNode,
): NetworkFilterConfig | null {
  const name = filter.string("name", "");
  const config = typed.node("config");
  if (config === undefined) {
    t.missing(typed, "config");
    return null;
  }
  const plugin = readWasmPlugin(t, config, name);
  return plugin === null ? null : { kind: "wasm", name, plugin: t.addPlugin(plugin) };
}

/** As Envoy: the last filter is terminal, and the terminal filter is the last. */
function checkPlace(t: Translation, filter: ConfigNode, type: string, isLast: boolean): void {
  const isTerminal = TERMINAL.has(type);
  if (isTerminal === isLast || OTHER_TERMINAL.has(type)) return;
  const name = filter.string("name", "");
  const message = isTerminal
    ? `terminal filter named ${name} must be the last filter in a network filter chain`
    : `non-terminal filter named ${name} is the last filter in a network filter chain`;
  t.wrong(filter, message, "typed_config");
}

function readTerminal(
  t: Translation,
  typed: ConfigNode,
  clusters: ClusterNames,
): Partial<ChainFilters> {
  switch (typed.typeName) {
    case HCM:
      return { hcm: readHcm(t, typed, clusters) };
    case TCP_PROXY:
      return { tcpProxy: readTcpProxy(t, typed) };
    case ECHO:
      return { localFilter: { kind: "echo" } };
    default:
      return { localFilter: readDirectResponse(t, typed) };
  }
}

/** Without a response it closes the connection without a word. */
function readDirectResponse(t: Translation, typed: ConfigNode): LocalFilterConfig {
  const body = readDataSource(t, typed.node("response"));
  return { kind: "direct_response", body: new Uint8Array(body ?? []) };
}

function refuse(t: Translation, filter: ConfigNode, typed: ConfigNode): void {
  typed.acceptRest("reported as a whole");
  if (isOfAnotherKind(t, filter, typed.typeName, "a network filter")) return;
  const what = `the network filter ${typed.typeName}`;
  const why = WITHOUT.get(typed.typeName) ?? "connections would pass without it";
  // Without a terminal filter a chain takes no connection: nobody gets what he should not.
  if (OTHER_TERMINAL.has(typed.typeName)) t.unsupported(filter, what, "typed_config");
  else t.guarded(filter, what, why, "typed_config");
}
