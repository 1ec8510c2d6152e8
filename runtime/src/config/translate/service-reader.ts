// Reads bootstrap_extensions: wasm services, which run without traffic.
import type { ConfigNode } from "../config-node.ts";
import type { ServiceResource } from "./assemble-snapshot.ts";
import { isOfAnotherKind } from "./extension-kind.ts";
import type { Translation } from "./translation.ts";
import { readWasmPlugin } from "./wasm-reader.ts";

const WASM_SERVICE = "envoy.extensions.wasm.v3.WasmService";

export function readServices(t: Translation, root: ConfigNode): ServiceResource[] {
  const services: ServiceResource[] = [];
  for (const node of root.nodes("bootstrap_extensions")) {
    const name = node.string("name", "");
    const typed = node.any("typed_config");
    if (typed === undefined) t.missing(node, "typed_config");
    else if (typed.typeName === WASM_SERVICE) {
      const isSingleton = typed.bool("singleton", false);
      const config = typed.node("config");
      if (config === undefined) t.missing(typed, "config");
      const plugin = config === undefined ? null : readWasmPlugin(t, config, name);
      if (plugin !== null) services.push({ plugin, isSingleton });
    } else {
      typed.acceptRest("reported as a whole");
      if (isOfAnotherKind(t, node, typed.typeName, "a bootstrap extension")) continue;
      t.unsupported(node, `the bootstrap extension ${typed.typeName}`, "typed_config");
    }
  }
  return services;
}
