// Reads the HTTP filter chain: wasm filters, and the router that ends it.
import type { ConfigNode } from "../config-node.ts";
import type { HttpFilterConfig, RouterConfig } from "../snapshot.ts";
import { guard } from "./guarded-fields.ts";
import type { Translation } from "./translation.ts";
import { readWasmPlugin } from "./wasm-reader.ts";

const FILTERS = "envoy.extensions.filters.http";
const ROUTER = `${FILTERS}.router.v3.Router`;
const WASM = `${FILTERS}.wasm.v3.Wasm`;

/**
 * Filters that --ignore-unsupported leaves out: without them no request gets what it should not
 * get. All others could be what keeps strangers out.
 */
const HARMLESS: ReadonlySet<string> = new Set([
  `${FILTERS}.alternate_protocols_cache.v3.FilterConfig`,
  `${FILTERS}.cache.v3.CacheConfig`,
  `${FILTERS}.compressor.v3.Compressor`,
  `${FILTERS}.cors.v3.Cors`,
  `${FILTERS}.fault.v3.HTTPFault`,
  `${FILTERS}.grpc_http1_bridge.v3.Config`,
  `${FILTERS}.grpc_stats.v3.FilterConfig`,
  `${FILTERS}.grpc_web.v3.GrpcWeb`,
  `${FILTERS}.stateful_session.v3.StatefulSession`,
  `${FILTERS}.tap.v3.Tap`,
]);

/** Names of a chain's filters, and whether they run. */
export type FilterNames = ReadonlyMap<string, "runs" | "left out">;

export interface HttpFilters {
  readonly filters: readonly HttpFilterConfig[];
  /** Null when the chain has no filters at all: nothing answers its streams. */
  readonly router: RouterConfig | null;
  readonly names: FilterNames;
}

const routerDefaults: RouterConfig = {
  dynamicStats: true,
  suppressEnvoyHeaders: false,
  respectExpectedRqTimeout: false,
};

export function readHttpFilters(t: Translation, hcm: ConfigNode): HttpFilters {
  const filters: HttpFilterConfig[] = [];
  const names = new Map<string, "runs" | "left out">();
  const nodes = hcm.nodes("http_filters");
  let router = nodes.length === 0 ? null : routerDefaults;
  for (const [index, node] of nodes.entries()) {
    const name = node.string("name", "");
    const typed = node.any("typed_config");
    const isLast = index === nodes.length - 1;
    checkPlace(t, node, typed, isLast);
    if (typed?.typeName === ROUTER) {
      router = readRouter(t, node, typed);
      names.set(name, "runs");
      continue;
    }
    const filter = readFilter(t, node, name, typed);
    names.set(name, filter === null ? "left out" : "runs");
    if (filter !== null) filters.push(filter);
  }
  return { filters, router, names };
}

/** The router is the last filter, and the last filter is the router. */
function checkPlace(
  t: Translation,
  node: ConfigNode,
  typed: ConfigNode | undefined,
  isLast: boolean,
): void {
  if (typed === undefined) return;
  const isRouter = typed.typeName === ROUTER;
  const name = node.string("name", "");
  if (isRouter && !isLast) {
    const message = `terminal filter named ${name} must be the last filter in a http filter chain`;
    t.wrong(node, message, "typed_config");
  } else if (!isRouter && isLast) {
    const message = `non-terminal filter named ${name} is the last filter in a http filter chain`;
    t.wrong(node, message, "typed_config");
  }
}

function readRouter(t: Translation, node: ConfigNode, typed: ConfigNode): RouterConfig {
  guard(t, typed);
  node.accept("is_optional", "the filter is there");
  if (node.bool("disabled", false)) {
    t.wrong(node, "the last (terminal) filter in the chain cannot be disabled", "disabled");
  }
  typed.accept("start_child_span", "there is no tracing");
  return {
    dynamicStats: typed.bool("dynamic_stats", true),
    suppressEnvoyHeaders: typed.bool("suppress_envoy_headers", false),
    respectExpectedRqTimeout: typed.bool("respect_expected_rq_timeout", false),
  };
}

/** A wasm filter; null for others, with a problem or a warning. */
function readFilter(
  t: Translation,
  node: ConfigNode,
  name: string,
  typed: ConfigNode | undefined,
): HttpFilterConfig | null {
  const isOptional = node.bool("is_optional", false);
  node.accept("is_optional", "only for filters that Headgate does not have");
  const disabled = node.bool("disabled", false);
  if (typed === undefined) {
    if (node.has("config_discovery")) {
      node.node("config_discovery")?.acceptRest("reported as a whole");
      leaveOut(t, node, "config_discovery", "", isOptional);
    } else t.missing(node, "typed_config");
    return null;
  }
  if (typed.typeName !== WASM) {
    typed.acceptRest("reported as a whole");
    leaveOut(t, node, "typed_config", typed.typeName, isOptional);
    return null;
  }
  const config = typed.node("config");
  if (config === undefined) {
    t.missing(typed, "config");
    return null;
  }
  const plugin = readWasmPlugin(t, config, name);
  return plugin === null ? null : { name, disabled, plugin: t.addPlugin(plugin) };
}

function leaveOut(
  t: Translation,
  node: ConfigNode,
  field: "typed_config" | "config_discovery",
  type: string,
  isOptional: boolean,
): void {
  const what = type === "" ? "config_discovery" : `the HTTP filter ${type}`;
  if (isOptional) {
    t.warn(node, `${what} is not implemented by Headgate: left out, as it is optional`, field);
  } else if (HARMLESS.has(type)) t.unsupported(node, what, field);
  else t.guarded(node, what, "requests would pass without it (is_optional: true allows it)", field);
}
