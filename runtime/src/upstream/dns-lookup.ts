// Asks the system for the addresses of a name: literal addresses and /etc/hosts without a query,
// then DNS servers (which tell a time to live), then getaddrinfo. Called by DnsResolver in the
// main thread.
import { lookup, Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import type { DnsServersConfig } from "../config/cluster-config.ts";

export type IpFamily = 4 | 6;

export interface DnsAnswer {
  /** "empty": the name has no addresses of this family; "failure": nobody answered. */
  readonly outcome: "success" | "empty" | "failure";
  /** Literal addresses in the answer's order. */
  readonly addresses: readonly string[];
  /** Smallest time to live in seconds; -1 = not known. */
  readonly ttlSeconds: number;
}

/** Where answers come from; tests give a scripted one. Never rejects. */
export interface DnsLookup {
  /** `servers` says who is asked. */
  resolve(name: string, family: IpFamily, servers: DnsServersConfig): Promise<DnsAnswer>;
  /** Lets go of queries that are under way. */
  close(): void;
}

const empty: DnsAnswer = { outcome: "empty", addresses: [], ttlSeconds: -1 };
const failed: DnsAnswer = { outcome: "failure", addresses: [], ttlSeconds: -1 };

const absentCodes: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

export class SystemDnsLookup implements DnsLookup {
  /** By who is asked, and how. */
  readonly #resolvers: Map<string, Resolver>;
  readonly #hostsFile: string;

  /** `hostsFile` default /etc/hosts; read for each question, so that changes are seen. */
  constructor(hostsFile = "/etc/hosts") {
    this.#resolvers = new Map();
    this.#hostsFile = hostsFile;
  }

  async resolve(name: string, family: IpFamily, servers: DnsServersConfig): Promise<DnsAnswer> {
    const literal = isIP(name);
    if (literal !== 0) return literal === family ? success([name], -1) : empty;
    const known = await this.#fromHostsFile(name, family);
    if (known.length > 0) return success(known, -1);
    if (isLocalhost(name)) return success([family === 4 ? "127.0.0.1" : "::1"], -1);
    const answer = await this.#query(name, family, this.#resolverOf(servers));
    if (answer.outcome === "success" || servers.addresses.length > 0) return answer;
    // Sources that only the system knows (mDNS, containers' own); its silence changes nothing.
    const addresses = await systemAddresses(name, family);
    return addresses.length > 0 ? success(addresses, -1) : answer;
  }

  close(): void {
    for (const resolver of this.#resolvers.values()) resolver.cancel();
  }

  #resolverOf(servers: DnsServersConfig): Resolver {
    const key = JSON.stringify(servers);
    let resolver = this.#resolvers.get(key);
    if (resolver !== undefined) return resolver;
    const { addresses, queryTimeoutMs, queryTries } = servers;
    resolver = new Resolver({ timeout: queryTimeoutMs, tries: queryTries });
    if (addresses.length > 0) resolver.setServers(addresses);
    this.#resolvers.set(key, resolver);
    return resolver;
  }

  async #fromHostsFile(name: string, family: IpFamily): Promise<string[]> {
    try {
      return addressesInHosts(await readFile(this.#hostsFile, "utf8"), name, family);
    } catch {
      return [];
    }
  }

  async #query(name: string, family: IpFamily, resolver: Resolver): Promise<DnsAnswer> {
    try {
      const records =
        family === 4
          ? await resolver.resolve4(name, { ttl: true })
          : await resolver.resolve6(name, { ttl: true });
      if (records.length === 0) return empty;
      const ttl = Math.min(...records.map((record) => record.ttl));
      return success(
        records.map((record) => record.address),
        ttl,
      );
    } catch (error) {
      return absentCodes.has(codeOf(error)) ? empty : failed;
    }
  }
}

/** Addresses of a name in the text of a hosts file. */
export function addressesInHosts(text: string, name: string, family: IpFamily): string[] {
  const wanted = name.toLowerCase();
  const addresses: string[] = [];
  for (const line of text.split("\n")) {
    const [address, ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    if (address === undefined || isIP(address) !== family) continue;
    if (addresses.includes(address)) continue;
    if (names.some((known) => known.toLowerCase() === wanted)) addresses.push(address);
  }
  return addresses;
}

async function systemAddresses(name: string, family: IpFamily): Promise<string[]> {
  try {
    const found = await lookup(name, { family, all: true });
    return found.map((entry) => entry.address);
  } catch {
    return [];
  }
}

function isLocalhost(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === "localhost" || lower.endsWith(".localhost");
}

function success(addresses: readonly string[], ttlSeconds: number): DnsAnswer {
  return { outcome: "success", addresses, ttlSeconds };
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
