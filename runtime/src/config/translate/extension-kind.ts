// What a type is that stands where another kind of extension belongs: Envoy has it, but not there.
import type { ConfigNode } from "../config-node.ts";
import type { Translation } from "./translation.ts";

const FILTERS = "envoy.extensions.filters.";
/** Beginnings of the names of types. */
const KINDS: readonly (readonly [string, string])[] = [
  [`${FILTERS}http.`, "an HTTP filter"],
  [`${FILTERS}network.`, "a network filter"],
  [`${FILTERS}listener.`, "a listener filter"],
  ["envoy.extensions.access_loggers.", "an access logger"],
  ["envoy.extensions.wasm.v3.WasmService", "a bootstrap extension"],
  ["envoy.extensions.transport_sockets.", "a transport socket"],
  ["envoy.extensions.clusters.", "a cluster type"],
];

/**
 * Reports a `typed_config` whose type is known to be no `expected` ("an HTTP filter"). False = it
 * may be one, which Headgate does not implement.
 */
export function isOfAnotherKind(
  t: Translation,
  node: ConfigNode,
  type: string,
  expected: string,
): boolean {
  const kind = KINDS.find(([beginning]) => type.startsWith(beginning))?.[1];
  if (kind === undefined || kind === expected) return false;
  t.wrong(node, `${type} is ${kind}, expected ${expected}`, "typed_config");
  return true;
}
