// The guests of conformance/guests as filters of cases: each proxy reads the same committed module.
import { modulePath } from "../guests/guests.ts";
import { ROUTER_TYPE } from "./bootstrap.ts";
import type { JsonObject } from "./case.ts";

const TYPES = "type.googleapis.com/envoy.extensions";
const STRUCT = "type.googleapis.com/google.protobuf.Struct";
const STRING_VALUE = "type.googleapis.com/google.protobuf.StringValue";

/** What a case says about a plugin; all may be left out. */
export interface PluginOptions {
  readonly rootId?: string;
  /** Text of the plugin's configuration. */
  readonly configuration?: string;
  /** The configuration as a google.protobuf.Struct instead. */
  readonly struct?: JsonObject;
  readonly vmId?: string;
  /** Further fields of PluginConfig. */
  readonly more?: JsonObject;
}

/** A PluginConfig of a guest, such as `rust-auth-callout`. */
export function fieldPlugin(guest: string, options: PluginOptions = {}): JsonObject {
  return pluginConfig(guest, modulePath(guest), options);
}

/** A PluginConfig of a module. */
export function pluginConfig(name: string, filename: string, options: PluginOptions): JsonObject {
  const { rootId = "", vmId = "", more = {} } = options;
  return {
    name,
    root_id: rootId,
    ...configurationOf(options),
    vm_config: {
      vm_id: vmId,
      runtime: "envoy.wasm.runtime.v8",
      code: { local: { filename } },
    },
    ...more,
  };
}

function configurationOf({ configuration, struct }: PluginOptions): JsonObject {
  if (struct !== undefined) return { configuration: { "@type": STRUCT, value: struct } };
  if (configuration === undefined) return {};
  return { configuration: { "@type": STRING_VALUE, value: configuration } };
}

/** HTTP filters of an HCM: these plugins, then the router. */
export function fieldChain(...plugins: readonly JsonObject[]): JsonObject {
  const filters = plugins.map((config, at) => ({
    name: `guest-${at}`,
    typed_config: { "@type": `${TYPES}.filters.http.wasm.v3.Wasm`, config },
  }));
  const router = { name: "envoy.filters.http.router", typed_config: { "@type": ROUTER_TYPE } };
  return { http_filters: [...filters, router] };
}

/** A network filter. */
export function fieldNetworkFilter(config: JsonObject): JsonObject {
  return {
    name: "guest",
    typed_config: { "@type": `${TYPES}.filters.network.wasm.v3.Wasm`, config },
  };
}

/** Access loggers of an HCM: this plugin alone. */
export function fieldAccessLog(config: JsonObject): JsonObject {
  const type = `${TYPES}.access_loggers.wasm.v3.WasmAccessLog`;
  return {
    access_log: [{ name: "envoy.access_loggers.wasm", typed_config: { "@type": type, config } }],
  };
}

/** A wasm service of the bootstrap: one instance for the process. */
export function fieldService(config: JsonObject): JsonObject {
  const type = `${TYPES}.wasm.v3.WasmService`;
  return {
    name: "envoy.bootstrap.wasm",
    typed_config: { "@type": type, singleton: true, config },
  };
}
