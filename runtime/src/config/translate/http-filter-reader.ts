// Reads one HTTP filter of a chain, in front of the router or behind it, that is not its end.
import type { ConfigNode } from "../config-node.ts";
import type { HttpFilterConfig } from "../snapshot.ts";
import { readCatalogueFilter } from "./catalogue-filter-reader.ts";
import { isOfAnotherKind } from "./extension-kind.ts";
import type { Translation } from "./translation.ts";
import { readWasmPlugin } from "./wasm-reader.ts";

const FILTERS = "envoy.extensions.filters.http";
const WASM = `${FILTERS}.wasm.v3.Wasm`;

/**
 * Filters that --ignore-unsupported leaves out: without them no request gets what it should not
 * get. All others could be what keeps strangers out.
 */
const HARMLESS: ReadonlySet<string> = new Set([
  `${FILTERS}.alternate_protocols_cache.v3.FilterConfig`,
  `${FILTERS}.cache.v3.CacheConfig`,
  `${FILTERS}.compressor.v3.Compressor`,
  `${FILTERS}.fault.v3.HTTPFault`,
  `${FILTERS}.grpc_http1_bridge.v3.Config`,
  `${FILTERS}.grpc_stats.v3.FilterConfig`,
  `${FILTERS}.grpc_web.v3.GrpcWeb`,
  `${FILTERS}.stateful_session.v3.StatefulSession`,
  `${FILTERS}.tap.v3.Tap`,
]);

/** Where a filter stands. */
export interface FilterPlace {
  /** Behind the router. */
  readonly isUpstream: boolean;
  /** Before the names of stats that Envoy gives the filter, `http.ingress.`. */
  readonly statPrefix: string;
}

/** A wasm filter, or one of ours; null for others, with a problem or a warning. */
export function readHttpFilter(
  t: Translation,
  node: ConfigNode,
  place: FilterPlace,
): HttpFilterConfig | null {
  const name = node.string("name", "");
  const typed = node.any("typed_config");
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
  const entry = t.catalogue.find(typed.typeName);
  if (entry !== undefined && (entry.isUpstream || !place.isUpstream)) {
    const own = { name, metricPrefix: place.statPrefix };
    const plugin = readCatalogueFilter(t, entry, typed, own);
    return plugin === null ? null : { name, disabled, plugin };
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
  } else if (isOfAnotherKind(t, node, type, "an HTTP filter")) return;
  else if (HARMLESS.has(type)) t.unsupported(node, what, field);
  else t.guarded(node, what, "requests would pass without it (is_optional: true allows it)", field);
}
