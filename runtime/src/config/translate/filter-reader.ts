// Reads the HTTP filter chain: wasm filters, and the router that ends it.
import type { ConfigNode } from "../config-node.ts";
import type { HttpFilterConfig, RouterConfig } from "../snapshot.ts";
import type { Translation } from "./translation.ts";
import { readWasmPlugin } from "./wasm-reader.ts";

const ROUTER = "envoy.extensions.filters.http.router.v3.Router";
const WASM = "envoy.extensions.filters.http.wasm.v3.Wasm";

export interface HttpFilters {
  readonly filters: readonly HttpFilterConfig[];
  readonly router: RouterConfig;
  /** Names of all filters of the chain. */
  readonly names: ReadonlySet<string>;
}

export function readHttpFilters(t: Translation, hcm: ConfigNode): HttpFilters {
  const filters: HttpFilterConfig[] = [];
  const names = new Set<string>();
  const nodes = hcm.nodes("http_filters");
  let router: RouterConfig | null = null;
  for (const [index, node] of nodes.entries()) {
    const name = node.string("name", "");
    if (names.has(name))
      t.wrong(node, `found a second filter "${name}", expected unique names`, "name");
    names.add(name);
    const typed = node.any("typed_config");
    const isLast = index === nodes.length - 1;
    if (typed?.typeName === ROUTER) {
      router = readRouter(typed);
      if (!isLast) {
        t.wrong(
          node,
          `terminal filter named ${name} must be the last filter in a http filter chain`,
        );
      }
      continue;
    }
    if (isLast) {
      t.wrong(node, `non-terminal filter named ${name} is the last filter in a http filter chain`);
    }
    const filter = readFilter(t, node, name, typed);
    if (filter !== null) filters.push(filter);
  }
  if (nodes.length === 0) t.wrong(hcm, "expected http_filters that end with the router");
  return { filters, router: router ?? routerDefaults, names };
}

const routerDefaults: RouterConfig = {
  dynamicStats: true,
  suppressEnvoyHeaders: false,
  respectExpectedRqTimeout: false,
};

function readRouter(node: ConfigNode): RouterConfig {
  node.accept("start_child_span", "there is no tracing");
  return {
    dynamicStats: node.bool("dynamic_stats", true),
    suppressEnvoyHeaders: node.bool("suppress_envoy_headers", false),
    respectExpectedRqTimeout: node.bool("respect_expected_rq_timeout", false),
  };
}

function readFilter(
  t: Translation,
  node: ConfigNode,
  name: string,
  typed: ConfigNode | undefined,
): HttpFilterConfig | null {
  const isOptional = node.bool("is_optional", false);
  const disabled = node.bool("disabled", false);
  if (typed === undefined) {
    // config_discovery stays unread and is reported by name.
    if (!node.has("config_discovery")) t.wrong(node, "expected typed_config");
    return null;
  }
  if (typed.typeName !== WASM) {
    typed.acceptRest("reported as a whole");
    const what = `the HTTP filter ${typed.typeName}`;
    if (isOptional)
      node.warn(t.problems, `${what} is not implemented by Headgate: left out, as it is optional`);
    else t.unsupported(node, what, "typed_config");
    return null;
  }
  const config = typed.node("config");
  if (config === undefined) {
    t.wrong(typed, "expected config");
    return null;
  }
  const plugin = readWasmPlugin(t, config, name);
  if (plugin === null) return null;
  return { name, disabled, plugin: t.addPlugin(plugin) };
}
