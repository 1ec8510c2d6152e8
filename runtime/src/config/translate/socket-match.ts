// Reads which transport socket an endpoint asks for, by metadata that transport_socket_matches of
// its cluster are compared with.
import type { ConfigNode } from "../config-node.ts";
import type { Json } from "../message-value.ts";
import type { TransportSocketMatch } from "../snapshot.ts";

const NAMESPACE = "envoy.transport_socket_match";

/** Of a LbEndpoint: what its metadata says about transport sockets; {} = nothing. */
export function readSocketMatch(node: ConfigNode): TransportSocketMatch {
  const metadata = node.node("metadata");
  if (metadata === undefined) return {};
  return matchOf(metadata.jsonMap("filter_metadata").get(NAMESPACE));
}

/** Of a Struct. */
export function matchOf(json: Json | undefined): TransportSocketMatch {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return {};
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, canonical(value)]));
}

/** Equal values have equal texts, in whatever order their fields were written. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return `{${fields.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join()}}`;
}
