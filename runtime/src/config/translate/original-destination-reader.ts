// Reads what an ORIGINAL_DST cluster says: nobody configures its hosts, each request or connection
// names where it goes to.
import type { ConfigNode } from "../config-node.ts";
import type { ClusterConfig, OriginalDestinationConfig } from "../snapshot.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

const CLEANUP_MS = 5000;
const DEFAULT_HEADER = "x-envoy-original-dst-host";

/** Null = a cluster of another kind, for which the fields have no effect, as in Envoy. */
export function readOriginalDestination(
  t: Translation,
  node: ConfigNode,
  discovery: ClusterConfig["discovery"],
): OriginalDestinationConfig | null {
  if (discovery !== "original_dst") {
    node.accept("original_dst_lb_config", "only for original destination clusters");
    node.accept("cleanup_interval", "only for original destination clusters");
    return null;
  }
  if (node.has("load_assignment")) {
    node.accept("load_assignment", "reported as a whole");
    const message = "ORIGINAL_DST clusters must have no load assignment configured";
    t.wrong(node, message, "load_assignment");
  }
  const options = node.node("original_dst_lb_config");
  const usesHeader = options?.bool("use_http_header", false) ?? false;
  const name = options?.string("http_header_name", "").toLowerCase() ?? "";
  if (name !== "" && !usesHeader) {
    const message = `found "${name}" without use_http_header, expected both or none`;
    t.wrong(options as ConfigNode, message, "http_header_name");
  }
  return {
    metadataPath: readPath(options?.node("metadata_key")),
    headerName: usesHeader ? name || DEFAULT_HEADER : "",
    port: options?.uint("upstream_port_override") ?? -1,
    cleanupIntervalMs: durationOr(node, "cleanup_interval", CLEANUP_MS),
  };
}

function readPath(node: ConfigNode | undefined): readonly string[] | null {
  if (node === undefined) return null;
  return [node.string("key", ""), ...node.nodes("path").map((part) => part.string("key", ""))];
}
