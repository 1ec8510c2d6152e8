// Reads envoy.config.core.v3.Metadata, which nothing of the proxy looks into: guests get it.
import type { ConfigNode } from "../config-node.ts";

/** The serialised message; undefined = there is none. */
export function readMetadata(node: ConfigNode): Uint8Array | undefined {
  const metadata = node.node("metadata");
  metadata?.acceptRest("handed to guests as it is");
  return metadata?.serialize();
}
