// Our own filters in cases: Headgate runs their modules, Envoy its native ones.
import { buildFilter } from "../../filters/build.mjs";
import type { ConfigCase, JsonObject } from "./case.ts";
import { ROUTER_TYPE } from "./bootstrap.ts";

const FILTERS = "type.googleapis.com/envoy.extensions.filters.http";

export const ROUTER: JsonObject = {
  name: "envoy.filters.http.router",
  typed_config: { "@type": ROUTER_TYPE },
};

/** Builds the module in `filters/<folder>`, so that the proxy finds it. */
export async function built(folder: string): Promise<void> {
  await buildFilter(new URL(`../../filters/${folder}`, import.meta.url).pathname);
}

/** A message of Envoy's filters, `cors.v3.Cors`. */
export function typed(message: string, fields: JsonObject = {}): JsonObject {
  return { "@type": `${FILTERS}.${message}`, ...fields };
}

export function filter(name: string, config: JsonObject, more: JsonObject = {}): JsonObject {
  return { name, typed_config: config, ...more };
}

/** For typed_per_filter_config: the filter is off there, or `config` is its configuration. */
export function filterConfig(fields: { disabled: true } | { config: JsonObject }): JsonObject {
  return { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", ...fields };
}

/** Configuration cases of a site with this filter alone; `make` gives the filter. */
export function configCases(prefix: string, make: (fields: JsonObject) => JsonObject) {
  return (id: string, title: string, fields: JsonObject): ConfigCase => ({
    id: `config-${prefix}-${id}`,
    title,
    site: { hcm: { http_filters: [make(fields), ROUTER] } },
  });
}
