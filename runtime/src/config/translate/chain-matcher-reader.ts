// Reads Listener.filter_chain_matcher.
import type { ConfigNode } from "../config-node.ts";
import type {
  FilterChainConfig,
  FilterChainMatcherConfig,
  NetworkInputConfig,
} from "../snapshot.ts";
import { readMatcher } from "./matcher-reader.ts";
import type { MatcherKinds } from "./matcher-reader.ts";
import type { Translation } from "./translation.ts";

const INPUTS = "envoy.extensions.matching.common_inputs.network.v3";
const CHAIN_NAME = "google.protobuf.StringValue";

const inputs: Readonly<Record<string, NetworkInputConfig>> = {
  [`${INPUTS}.DestinationIPInput`]: "destination_ip",
  [`${INPUTS}.DestinationPortInput`]: "destination_port",
  [`${INPUTS}.SourceIPInput`]: "source_ip",
  [`${INPUTS}.SourcePortInput`]: "source_port",
  [`${INPUTS}.DirectSourceIPInput`]: "direct_source_ip",
  [`${INPUTS}.SourceTypeInput`]: "source_type",
  [`${INPUTS}.ServerNameInput`]: "server_name",
  [`${INPUTS}.TransportProtocolInput`]: "transport_protocol",
  [`${INPUTS}.ApplicationProtocolInput`]: "application_protocol",
};

const kinds: MatcherKinds<NetworkInputConfig, string> = {
  readInput: (_, typed) => inputs[typed.typeName] ?? null,
  readAction: (_, { typeName, content }) => {
    if (typeName !== CHAIN_NAME) return null;
    return typeof content === "string" ? content : "";
  },
  guardedBecause: "connections would get another filter chain than they should",
};

/** Null = there is none. `nodes` are those of the chains, which need names of their own then. */
export function readFilterChainMatcher(
  t: Translation,
  listener: ConfigNode,
  nodes: readonly ConfigNode[],
  chains: readonly FilterChainConfig[],
): FilterChainMatcherConfig | null {
  const node = listener.node("filter_chain_matcher");
  if (node === undefined) return null;
  const names = chains.map(({ name }) => name);
  for (const [at, name] of names.entries()) {
    const chain = nodes[at] as ConfigNode;
    if (name === "")
      t.wrong(chain, "a chain of a listener with a filter_chain_matcher needs it", "name");
    else if (names.indexOf(name) < at)
      t.wrong(chain, `found "${name}" for the second time`, "name");
  }
  return readMatcher(t, node, kinds);
}
