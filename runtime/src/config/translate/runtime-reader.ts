// Reads LayeredRuntime: static layers, and the admin layer that /runtime_modify writes to.
import type { RuntimeLayer, RuntimeValue } from "../../core/runtime.ts";
import type { ConfigNode } from "../config-node.ts";
import type { Json, JsonObject } from "../message-value.ts";
import { isFraction, runtimeValue } from "../runtime-values.ts";
import type { Translation } from "./translation.ts";

/** Keys that Envoy asks by itself, and Headgate does not: without a warning they seem to work. */
const ENVOYS_OWN: readonly RegExp[] = [
  /^(re2|circuit_breakers|health_check)\./,
  /^overload\.(?!global_downstream_max_connections$)/,
  /^envoy\.(?!resource_limits\.listener\..+\.connection_limit$)/,
  /^upstream\.(maintenance_mode|healthy_panic_threshold|zone_routing|weight_enabled)\b/,
];

/** Layers, lowest first. */
export function readRuntime(t: Translation, node: ConfigNode | undefined): RuntimeLayer[] {
  const layers: RuntimeLayer[] = [];
  const names = new Set<string>();
  for (const layer of node?.nodes("layers") ?? []) {
    const name = layer.string("name", "");
    if (names.has(name)) t.wrong(layer, `duplicate layer name: ${name}`, "name");
    names.add(name);
    const kind = layer.oneof("layer_specifier");
    // Layers of other kinds stay unread and are reported by name.
    if (kind === "static_layer") {
      layers.push({ name, kind: "static", values: readStatic(t, layer) });
    } else if (kind === "admin_layer") {
      layer.node("admin_layer");
      if (layers.some((other) => other.kind === "admin")) {
        t.wrong(layer, "too many admin layers, at most one may be specified", "admin_layer");
      }
      layers.push({ name, kind: "admin", values: new Map() });
    }
  }
  return layers;
}

function readStatic(t: Translation, layer: ConfigNode): ReadonlyMap<string, RuntimeValue> {
  const values = new Map<string, RuntimeValue>();
  const visit = (key: string, json: Json): void => {
    if (json === null || Array.isArray(json)) {
      const found = json === null ? "null" : "a list";
      const expected = "expected a number, a truth value, a text or a map";
      t.wrong(
        layer,
        `invalid runtime entry value for ${key}: ${found}, ${expected}`,
        "static_layer",
      );
    } else if (typeof json !== "object" || isFraction(json as JsonObject)) {
      values.set(key, runtimeValue(json));
      if (ENVOYS_OWN.some((own) => own.test(key)))
        t.warn(layer, `the runtime key ${key} has no effect`, "static_layer");
    } else {
      const inner = Object.entries(json as JsonObject);
      for (const [name, value] of inner) visit(`${key}.${name}`, value);
    }
  };
  const json = (layer.json("static_layer") ?? {}) as JsonObject;
  for (const [key, value] of Object.entries(json)) visit(key, value);
  return values;
}
