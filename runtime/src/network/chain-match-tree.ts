// Chooses the filter chain of a connection by the listener's filter_chain_matcher.
import { isIpText } from "../core/ip-address.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { FilterChainMatcherConfig, NetworkInputConfig } from "../config/matcher-config.ts";
import { compileMatcher } from "../matcher/match-tree.ts";
import type { MatchInput, MatchTree } from "../matcher/match-tree.ts";
import { isLocalPeer } from "./addresses.ts";
import type { ChainFinder } from "./filter-chain-matcher.ts";

export class ChainMatchTree implements ChainFinder {
  readonly #tree: MatchTree<ConnectionInfo, string>;
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #fallback: number;

  /** `names` are the chains' by index; `fallback` is the default chain's, -1 = there is none. */
  constructor(config: FilterChainMatcherConfig, names: readonly string[], fallback: number) {
    this.#tree = compileMatcher(config, networkInput);
    this.#indexes = new Map(names.map((name, index) => [name, index]));
    this.#fallback = fallback;
  }

  /** A name that no chain has closes the connection: the default chain is for no match at all. */
  find(info: ConnectionInfo): number {
    const name = this.#tree.match(info);
    if (name === null) return this.#fallback;
    return this.#indexes.get(name) ?? -1;
  }
}

/** What a connection says of itself; nothing for addresses that are no IP addresses. */
export function networkInput(input: NetworkInputConfig): MatchInput<ConnectionInfo> {
  return inputs[input];
}

class NetworkInput implements MatchInput<ConnectionInfo> {
  readonly #read: (info: ConnectionInfo) => string;

  /** "" = there is none. */
  constructor(read: (info: ConnectionInfo) => string) {
    this.#read = read;
  }

  read(info: ConnectionInfo): string | null {
    const text = this.#read(info);
    return text === "" ? null : text;
  }
}

function ipOf(ip: string): string {
  return isIpText(ip) ? ip : "";
}

const inputs: Readonly<Record<NetworkInputConfig, NetworkInput>> = {
  destination_ip: new NetworkInput((info) => ipOf(info.localIp)),
  destination_port: new NetworkInput((i) => (isIpText(i.localIp) ? String(i.localPort) : "")),
  source_ip: new NetworkInput((info) => ipOf(info.remoteIp)),
  source_port: new NetworkInput((i) => (isIpText(i.remoteIp) ? String(i.remotePort) : "")),
  direct_source_ip: new NetworkInput((info) => ipOf(info.directRemoteIp)),
  source_type: new NetworkInput((info) => (isLocalPeer(info) ? "local" : "")),
  server_name: new NetworkInput((info) => info.requestedServerName),
  transport_protocol: new NetworkInput((info) => info.transportProtocol),
  application_protocol: new NetworkInput(({ applicationProtocols }) =>
    applicationProtocols.map((protocol) => `'${protocol}'`).join(","),
  ),
};
