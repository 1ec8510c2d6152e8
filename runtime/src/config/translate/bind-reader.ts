// Reads BindConfig, of a cluster or of the bootstrap's cluster_manager: where connections to
// upstreams come from.
import type { ConfigNode } from "../config-node.ts";
import type { AddressConfig } from "../snapshot.ts";
import { readSocketAddress } from "./address-reader.ts";
import type { Translation } from "./translation.ts";

const FIELD = "upstream_bind_config";

/**
 * Of each IP version one address at most, source_address first. Null when `parent` has no such
 * field. `owner` is its name in Envoy's words: "Bootstrap", "Cluster NAME".
 */
export function readBindConfig(
  t: Translation,
  parent: ConfigNode | undefined,
  owner: string,
): readonly AddressConfig[] | null {
  const node = parent?.node(FIELD);
  if (node === undefined) return null;
  if (node.bool("freebind", false)) t.unsupported(node, "freebind", "freebind");
  node.accept("validate_network_namespaces", "network namespaces are refused");
  const source = node.node("source_address");
  const extra = node.nodes("extra_source_addresses");
  const additional = node.nodes("additional_source_addresses");
  // What is wrong is reported by what it means, as Envoy does.
  const problem = problemOf(owner, source !== undefined, extra.length, additional.length);
  if (problem !== "") t.wrong(node, problem);
  const addresses = [source, ...extra.map((entry) => entry.node("address")), ...additional]
    .filter((address) => address !== undefined)
    .map((address) => readSocketAddress(t, address, "ip"))
    .filter((address) => address !== null);
  const [first, second] = addresses;
  if (first !== undefined && second !== undefined && isIpv6(first) === isIpv6(second)) {
    t.wrong(node, sameVersion(owner));
  }
  return addresses;
}

function problemOf(
  owner: string,
  hasSource: boolean,
  extraCount: number,
  additionalCount: number,
): string {
  const config = `${owner}'s upstream binding config`;
  if (extraCount > 0 && additionalCount > 0) {
    const both = "both `extra_source_addresses` and `additional_source_addresses`";
    return `Can't specify ${both} in the ${config}`;
  }
  const count = extraCount + additionalCount;
  if (count > 0 && !hasSource) {
    return `${config} has extra/additional source addresses but no source_address`;
  }
  if (count > 1) return `${config} has more than one extra/additional source addresses`;
  return "";
}

function sameVersion(owner: string): string {
  return `${owner}'s upstream binding config has two same IP version source addresses`;
}

function isIpv6(address: AddressConfig): boolean {
  return address.address.includes(":");
}
