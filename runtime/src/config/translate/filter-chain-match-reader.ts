// Reads FilterChainMatch, and finds matches of one listener that say the same.
import { canonicalCidr } from "../../core/ip-address.ts";
import type { ConfigNode } from "../config-node.ts";
import type { FilterChainConfig, FilterChainMatchConfig } from "../snapshot.ts";
import { readCidr } from "./string-reader.ts";
import type { Translation } from "./translation.ts";

const SAME_RULES = "multiple filter chains with overlapping matching rules are defined";

/** Null = matches everything. */
export function readFilterChainMatch(
  t: Translation,
  chain: ConfigNode,
): FilterChainMatchConfig | null {
  const node = chain.node("filter_chain_match");
  if (node === undefined) return null;
  for (const field of ["address_suffix", "suffix_len"]) {
    if (node.hasEffect(field)) t.wrong(node, "Envoy does not implement it, either", field);
    node.accept(field, "reported as wrong");
  }
  return {
    destinationPort: node.uint("destination_port", 0),
    prefixRanges: readRanges(t, node, "prefix_ranges"),
    serverNames: once(t, node, "server_names", readServerNames(t, node)),
    transportProtocol: node.string("transport_protocol", ""),
    applicationProtocols: once(
      t,
      node,
      "application_protocols",
      node.strings("application_protocols"),
    ),
    directSourcePrefixRanges: readRanges(t, node, "direct_source_prefix_ranges"),
    sourceType: readSourceType(node),
    sourcePrefixRanges: readRanges(t, node, "source_prefix_ranges"),
    sourcePorts: once(t, node, "source_ports", node.numbers("source_ports")),
  };
}

function readServerNames(t: Translation, node: ConfigNode): string[] {
  return node.strings("server_names").map((text) => {
    const name = text.toLowerCase();
    const isWildcard = name.startsWith("*.");
    if (name.includes("*") && !isWildcard) {
      const message = `found '${text}': partial wildcards are not supported in "server_names"`;
      t.wrong(node, message, "server_names");
    }
    return isWildcard ? name.slice(1) : name;
  });
}

function readRanges(t: Translation, node: ConfigNode, field: string): string[] {
  const ranges = node.nodes(field).map((range) => {
    const cidr = readCidr(t, range);
    return cidr === null ? "" : canonicalCidr(cidr);
  });
  return once(
    t,
    node,
    field,
    ranges.filter((range) => range !== ""),
  );
}

function readSourceType(node: ConfigNode): FilterChainMatchConfig["sourceType"] {
  const type = node.enum("source_type");
  if (type === "SAME_IP_OR_LOOPBACK") return "same_ip_or_loopback";
  return type === "EXTERNAL" ? "external" : "";
}

/** As Envoy, which takes what stands twice for two chains. */
function once<T>(t: Translation, node: ConfigNode, field: string, values: readonly T[]): T[] {
  const unique = [...new Set(values)];
  if (unique.length < values.length) t.wrong(node, SAME_RULES, field);
  return unique;
}

/** Two chains that would take the same connection, none of them more specific: Envoy refuses. */
export function reportOverlaps(
  t: Translation,
  nodes: readonly ConfigNode[],
  chains: readonly FilterChainConfig[],
): void {
  const criteria = chains.map(({ match }) => criteriaOf(match));
  for (const [index, mine] of criteria.entries()) {
    const other = criteria.findIndex((theirs, at) => at < index && overlap(theirs, mine));
    if (other < 0) continue;
    const node = nodes[index] as ConfigNode;
    const where = (nodes[other] as ConfigNode).path;
    const field = node.has("filter_chain_match") ? "filter_chain_match" : undefined;
    t.wrong(node, `${SAME_RULES}: ${where} takes the same connections`, field);
  }
}

type Criteria = readonly ReadonlySet<string | number>[];

function criteriaOf(match: FilterChainMatchConfig | null): Criteria {
  if (match === null) return Array.from({ length: 9 }, () => any);
  return [
    new Set([match.destinationPort]),
    orAny(match.prefixRanges),
    orAny(match.serverNames),
    new Set([match.transportProtocol]),
    orAny(match.applicationProtocols),
    orAny(match.directSourcePrefixRanges),
    new Set([match.sourceType]),
    orAny(match.sourcePrefixRanges),
    orAny(match.sourcePorts),
  ].map((set) => (set.has(0) || set.has("") ? any : set));
}

const any: ReadonlySet<string | number> = new Set([""]);

function orAny(values: readonly (string | number)[]): ReadonlySet<string | number> {
  return values.length === 0 ? any : new Set(values);
}

function overlap(a: Criteria, b: Criteria): boolean {
  return a.every((set, at) => [...set].some((value) => b[at]?.has(value) === true));
}
