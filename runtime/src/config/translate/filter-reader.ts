// Reads the HTTP filter chain: wasm filters, and the router that ends it.
import type { ConfigNode } from "../config-node.ts";
import type { HttpFilterConfig, RouterConfig } from "../snapshot.ts";
import { guard } from "./guarded-fields.ts";
import { readHttpFilter } from "./http-filter-reader.ts";
import { statText, type Translation } from "./translation.ts";
import { readUpstreamFilters } from "./upstream-filter-reader.ts";

const ROUTER = "envoy.extensions.filters.http.router.v3.Router";

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
  const statPrefix = `http.${statText(hcm.string("stat_prefix", ""))}.`;
  const place = { isUpstream: false, statPrefix };
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
    const filter = readHttpFilter(t, node, place);
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
    upstreamFilters: readUpstreamFilters(t, typed, "upstream_http_filters"),
  };
}
