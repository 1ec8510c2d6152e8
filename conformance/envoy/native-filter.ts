// Our own filters in cases: Headgate runs their modules, Envoy its native ones.
import { buildFilter } from "../../filters/build.mjs";
import type { JsonObject } from "./case.ts";
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
