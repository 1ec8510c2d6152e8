// Chooses the filter chain of a connection, in Envoy's order: destination port, destination
// address, server name, transport protocol, application protocol, the socket's peer, source type,
// source address, source port. The most specific entry of a step decides; there is no way back when
// a later step finds none.
import { CidrList, isIpText } from "../core/ip-address.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { FilterChainMatchConfig } from "../config/snapshot.ts";
import { isLocalPeer } from "./addresses.ts";

/** Of one listener: made when its chains change, asked once per connection. */
export interface ChainFinder {
  /** The index of the chain, or -1 when the connection is to be closed. */
  find(info: ConnectionInfo): number;
}

/** One step: says under which keys a chain stands, and finds the entry for a connection. */
interface Step {
  keysOf(match: FilterChainMatchConfig): readonly string[];
  createBranch(): Branch;
}

abstract class Branch {
  readonly entries: Map<string, Entry> = new Map();

  /** All entries are in. */
  compile(): void {}

  abstract find(info: ConnectionInfo): Entry | null;

  protected entry(key: string): Entry | null {
    return this.entries.get(key) ?? null;
  }
}

/** The branch of the next step, or the index of the chain when there is none. */
interface Entry {
  readonly branch: Branch | null;
  readonly chain: number;
}

const ANY = "";
/** For peers and places that are no IP addresses: only ranges of all addresses hold it. */
const UNKNOWN_IP = "255.255.255.255";

class DestinationPortBranch extends Branch {
  override find(info: ConnectionInfo): Entry | null {
    const isIp = isIpText(info.localIp);
    return (isIp ? this.entry(String(info.localPort)) : null) ?? this.entry(ANY);
  }
}

interface Range {
  readonly cidr: CidrList;
  readonly entry: Entry;
}

abstract class RangeBranch extends Branch {
  #ranges: readonly Range[] = [];

  override compile(): void {
    const prefixLengthOf = (key: string): number => Number(key.slice(key.indexOf("/") + 1));
    const keys = [...this.entries.keys()].filter((key) => key !== ANY);
    keys.sort((a, b) => prefixLengthOf(b) - prefixLengthOf(a));
    this.#ranges = keys.map((key) => {
      const address = key.slice(0, key.indexOf("/"));
      const cidr = new CidrList([{ address, prefixLength: prefixLengthOf(key) }]);
      return { cidr, entry: this.entries.get(key) as Entry };
    });
  }

  protected findIp(ip: string): Entry | null {
    const known = isIpText(ip) ? ip : UNKNOWN_IP;
    for (const { cidr, entry } of this.#ranges) if (cidr.contains(known)) return entry;
    return this.entry(ANY);
  }
}

class DestinationBranch extends RangeBranch {
  override find(info: ConnectionInfo): Entry | null {
    return this.findIp(info.localIp);
  }
}

class ServerNameBranch extends Branch {
  override find(info: ConnectionInfo): Entry | null {
    const name = info.requestedServerName;
    const exact = this.entry(name);
    if (exact !== null) return exact;
    for (let dot = name.indexOf(".", 1); dot > 0 && dot < name.length - 1; ) {
      const wildcard = this.entry(name.slice(dot));
      if (wildcard !== null) return wildcard;
      dot = name.indexOf(".", dot + 1);
    }
    return this.entry(ANY);
  }
}

class TransportProtocolBranch extends Branch {
  override find(info: ConnectionInfo): Entry | null {
    return this.entry(info.transportProtocol) ?? this.entry(ANY);
  }
}

class ApplicationProtocolBranch extends Branch {
  override find(info: ConnectionInfo): Entry | null {
    for (const protocol of info.applicationProtocols) {
      const entry = this.entry(protocol);
      if (entry !== null) return entry;
    }
    return this.entry(ANY);
  }
}

class DirectSourceBranch extends RangeBranch {
  override find(info: ConnectionInfo): Entry | null {
    return this.findIp(info.directRemoteIp);
  }
}

class SourceTypeBranch extends Branch {
  override find(info: ConnectionInfo): Entry | null {
    const type = isLocalPeer(info) ? "same_ip_or_loopback" : "external";
    return this.entry(type) ?? this.entry(ANY);
  }
}

class SourceBranch extends RangeBranch {
  override find(info: ConnectionInfo): Entry | null {
    return this.findIp(info.remoteIp);
  }
}

class SourcePortBranch extends Branch {
  override find(info: ConnectionInfo): Entry | null {
    return this.entry(String(info.remotePort)) ?? this.entry(ANY);
  }
}

function texts(values: readonly (string | number)[]): readonly string[] {
  return values.length === 0 ? [ANY] : values.map((value) => String(value));
}

const steps: readonly Step[] = [
  {
    keysOf: ({ destinationPort }) => [destinationPort === 0 ? ANY : String(destinationPort)],
    createBranch: () => new DestinationPortBranch(),
  },
  { keysOf: (m) => texts(m.prefixRanges), createBranch: () => new DestinationBranch() },
  { keysOf: (m) => texts(m.serverNames), createBranch: () => new ServerNameBranch() },
  { keysOf: (m) => [m.transportProtocol], createBranch: () => new TransportProtocolBranch() },
  {
    keysOf: (m) => texts(m.applicationProtocols),
    createBranch: () => new ApplicationProtocolBranch(),
  },
  {
    keysOf: (m) => texts(m.directSourcePrefixRanges),
    createBranch: () => new DirectSourceBranch(),
  },
  { keysOf: (m) => [m.sourceType], createBranch: () => new SourceTypeBranch() },
  { keysOf: (m) => texts(m.sourcePrefixRanges), createBranch: () => new SourceBranch() },
  { keysOf: (m) => texts(m.sourcePorts), createBranch: () => new SourcePortBranch() },
];

/** Of a chain that takes every connection. */
export const matchAll: FilterChainMatchConfig = {
  destinationPort: 0,
  prefixRanges: [],
  serverNames: [],
  transportProtocol: "",
  applicationProtocols: [],
  directSourcePrefixRanges: [],
  sourceType: "",
  sourcePrefixRanges: [],
  sourcePorts: [],
};

/** By the filter_chain_match of each chain. */
export class FilterChainMatcher implements ChainFinder {
  /** Null when the only chain takes everything. */
  readonly #root: Branch | null;
  readonly #fallback: number;

  /** Chains by index; `fallback` is the index of the default chain, -1 = there is none. */
  constructor(matches: readonly (FilterChainMatchConfig | null)[], fallback: number) {
    this.#fallback = fallback;
    const isSimple = matches.length === 1 && matches[0] === null;
    this.#root = isSimple ? null : createBranch(0);
    if (this.#root === null) return;
    for (const [chain, match] of matches.entries()) {
      addChain(this.#root, 0, match ?? matchAll, chain);
    }
    compile(this.#root);
  }

  find(info: ConnectionInfo): number {
    if (this.#root === null) return 0;
    let entry = this.#root.find(info);
    while (entry !== null && entry.branch !== null) entry = entry.branch.find(info);
    return entry === null ? this.#fallback : entry.chain;
  }
}

function createBranch(step: number): Branch {
  return (steps[step] as Step).createBranch();
}

function addChain(branch: Branch, at: number, match: FilterChainMatchConfig, chain: number): void {
  const isLast = at === steps.length - 1;
  for (const key of (steps[at] as Step).keysOf(match)) {
    let entry = branch.entries.get(key);
    if (entry === undefined) {
      entry = { branch: isLast ? null : createBranch(at + 1), chain };
      branch.entries.set(key, entry);
    }
    if (entry.branch !== null) addChain(entry.branch, at + 1, match, chain);
  }
}

function compile(branch: Branch): void {
  branch.compile();
  for (const entry of branch.entries.values()) if (entry.branch !== null) compile(entry.branch);
}
