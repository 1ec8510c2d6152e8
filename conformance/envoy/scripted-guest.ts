// The scripted guest of runtime/test/guests as a filter of a case: both proxies run the same module with
// the same script, and what it logs is compared.
import { compileGuest } from "../../runtime/test/guests/compile.ts";
import { ROUTER_TYPE } from "./bootstrap.ts";
import type { JsonObject } from "./case.ts";

const TYPES = "type.googleapis.com/envoy.extensions";
const STRING_VALUE = "type.googleapis.com/google.protobuf.StringValue";
const GUEST: string = Buffer.from(await compileGuest("script")).toString("base64");

/** A PluginConfig; lines are `<callback>[#n] <operation> <arguments...>`. */
export function scriptedPlugin(
  name: string,
  lines: readonly string[],
  more: JsonObject = {},
): JsonObject {
  return {
    name,
    root_id: "root",
    ...more,
    vm_config: {
      vm_id: name,
      runtime: "envoy.wasm.runtime.v8",
      code: { local: { inline_bytes: GUEST } },
      configuration: { "@type": STRING_VALUE, value: lines.join("\n") },
    },
  };
}

/** HTTP filters of an HCM: the plugin, then the router. */
export function scriptedChain(plugin: JsonObject, router: JsonObject = {}): JsonObject {
  return {
    http_filters: [
      {
        name: "guest",
        typed_config: { "@type": `${TYPES}.filters.http.wasm.v3.Wasm`, config: plugin },
      },
      { name: "envoy.filters.http.router", typed_config: { "@type": ROUTER_TYPE, ...router } },
    ],
  };
}

/** A network filter. */
export function scriptedNetworkFilter(plugin: JsonObject): JsonObject {
  const type = `${TYPES}.filters.network.wasm.v3.Wasm`;
  return { name: "guest", typed_config: { "@type": type, config: plugin } };
}
