// Reads ClusterLoadAssignment: localities and their endpoints.
import type { ConfigNode } from "../config-node.ts";
import type { AddressConfig, ClusterConfig, EndpointConfig, LocalityConfig } from "../snapshot.ts";
import { readAddress } from "./address-reader.ts";
import { readMetadata } from "./metadata-reader.ts";
import { readSocketMatch } from "./socket-match.ts";
import type { Translation } from "./translation.ts";

const healthByName: Readonly<Record<string, EndpointConfig["health"]>> = {
  UNKNOWN: "healthy",
  HEALTHY: "healthy",
  UNHEALTHY: "unhealthy",
  DRAINING: "draining",
  TIMEOUT: "timeout",
  DEGRADED: "degraded",
};

export function readLocalities(
  t: Translation,
  node: ConfigNode,
  discovery: ClusterConfig["discovery"],
): LocalityConfig[] {
  const assignment = node.node("load_assignment");
  const nodes = assignment?.nodes("endpoints") ?? [];
  if (discovery === "logical_dns") checkSingle(t, node, nodes);
  return assignment === undefined ? [] : readAssignment(t, assignment, discovery);
}

/** A ClusterLoadAssignment, of a cluster or of EDS. */
export function readAssignment(
  t: Translation,
  node: ConfigNode,
  discovery: ClusterConfig["discovery"],
): LocalityConfig[] {
  node.accept("cluster_name", "the cluster's own name holds");
  return node.nodes("endpoints").map((entry) => readLocality(t, entry, discovery));
}

function checkSingle(t: Translation, cluster: ConfigNode, localities: readonly ConfigNode[]): void {
  const endpoints = localities[0]?.nodes("lb_endpoints").length ?? 0;
  if (localities.length === 1 && endpoints === 1) return;
  const message =
    "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint";
  if (cluster.has("load_assignment")) t.wrong(cluster, message, "load_assignment");
  else t.wrong(cluster, message);
}

function readLocality(
  t: Translation,
  node: ConfigNode,
  discovery: ClusterConfig["discovery"],
): LocalityConfig {
  const locality = node.node("locality");
  node.accept("proximity", "nothing reads it");
  return {
    region: locality?.string("region") ?? "",
    zone: locality?.string("zone") ?? "",
    subZone: locality?.string("sub_zone") ?? "",
    priority: node.uint("priority", 0),
    weight: node.uint("load_balancing_weight", 1),
    metadata: readMetadata(node) ?? null,
    endpoints: node
      .nodes("lb_endpoints")
      .map((endpoint) => readEndpoint(t, endpoint, discovery))
      .filter((endpoint) => endpoint !== null),
  };
}

function readEndpoint(
  t: Translation,
  node: ConfigNode,
  discovery: ClusterConfig["discovery"],
): EndpointConfig | null {
  const weight = node.uint("load_balancing_weight", 1);
  const health = healthByName[node.enum("health_status")] ?? "healthy";
  const endpoint = node.node("endpoint");
  if (endpoint === undefined) {
    // endpoint_name stays unread and is reported by name.
    if (!node.has("endpoint_name")) t.missing(node, "endpoint");
    return null;
  }
  endpoint.accept("health_check_config", "there is no active health checking");
  const hostname = endpoint.string("hostname", "");
  const addressNode = endpoint.node("address");
  if (addressNode === undefined) {
    t.missing(endpoint, "address");
    return null;
  }
  const isAddress = discovery === "static" || discovery === "eds";
  const address = readAddress(t, addressNode, isAddress ? "ip" : "name");
  const additionalAddresses = isAddress ? readAdditional(t, endpoint) : [];
  if (!isAddress) endpoint.accept("additional_addresses", "the name's answers are the addresses");
  const transportSocketMatch = readSocketMatch(node);
  const metadata = readMetadata(node) ?? null;
  if (address === null) return null;
  return { address, additionalAddresses, hostname, weight, health, transportSocketMatch, metadata };
}

function readAdditional(t: Translation, endpoint: ConfigNode): AddressConfig[] {
  return endpoint
    .nodes("additional_addresses")
    .map((entry) => entry.node("address"))
    .filter((node) => node !== undefined)
    .map((node) => readAddress(t, node, "ip"))
    .filter((address) => address !== null);
}
