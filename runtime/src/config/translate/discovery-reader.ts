// Reads where a cluster's hosts come from, and how their names are resolved.
import type { ConfigNode } from "../config-node.ts";
import type { DnsServersConfig } from "../cluster-config.ts";
import type { ClusterConfig, DnsConfig } from "../snapshot.ts";
import { readAddress } from "./address-reader.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

const DNS_CLUSTER = "envoy.extensions.clusters.dns.v3.DnsCluster";
const CARES = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
/** Does, without options, what the system's resolver does. */
const GETADDRINFO =
  "envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig";
const DNS_PORT = 53;
/** As c-ares in Envoy: 5 s a try; 4 tries are too long for one refresh, so 2. */
const SYSTEM_SERVERS: DnsServersConfig = { addresses: [], queryTimeoutMs: 5000, queryTries: 2 };
const REFRESH_MS = 5000;
/** Envoy's backoff ends at ten times its base when no maximum is given. */
const MAX_INTERVAL_FACTOR = 10;

const families: Readonly<Record<string, DnsConfig["family"]>> = {
  AUTO: "auto",
  V4_ONLY: "v4_only",
  V6_ONLY: "v6_only",
  V4_PREFERRED: "v4_preferred",
  ALL: "all",
};

interface Discovery {
  readonly discovery: ClusterConfig["discovery"];
  readonly dns: DnsConfig;
}

export function readDiscovery(t: Translation, node: ConfigNode): Discovery {
  if (node.oneof("cluster_discovery_type") === "cluster_type") return readClusterType(t, node);
  const discovery = readType(t, node);
  return { discovery, dns: readDns(t, node, isNamed(discovery)) };
}

function readType(t: Translation, node: ConfigNode): ClusterConfig["discovery"] {
  const type = node.enum("type");
  switch (type) {
    case "STATIC":
      return "static";
    case "STRICT_DNS":
      return "strict_dns";
    case "LOGICAL_DNS":
      return "logical_dns";
    case "EDS":
      return "eds";
    case "ORIGINAL_DST":
      return "original_dst";
    default:
      t.unsupported(node, `cluster type ${type}`, "type");
      return "static";
  }
}

/** Its hosts are names. */
function isNamed(discovery: ClusterConfig["discovery"]): boolean {
  return discovery === "strict_dns" || discovery === "logical_dns";
}

/** Extensions that have no configuration of their own are known by their names. */
const typesByName: Readonly<Record<string, ClusterConfig["discovery"]>> = {
  "envoy.cluster.static": "static",
  "envoy.cluster.strict_dns": "strict_dns",
  "envoy.cluster.logical_dns": "logical_dns",
  "envoy.cluster.eds": "eds",
  "envoy.cluster.original_dst": "original_dst",
};

function readClusterType(t: Translation, node: ConfigNode): Discovery {
  const type = node.node("cluster_type");
  const name = type?.string("name", "") ?? "";
  const typed = type?.any("typed_config");
  if (typed?.typeName === DNS_CLUSTER) return readDnsCluster(t, node, typed);
  const discovery = typed === undefined ? typesByName[name] : undefined;
  if (discovery !== undefined) {
    return { discovery, dns: readDns(t, node, isNamed(discovery)) };
  }
  typed?.acceptRest("reported as a whole");
  t.unsupported(node, `cluster type ${typed?.typeName ?? name}`, "cluster_type");
  return { discovery: "static", dns: readDns(t, node, false) };
}

/** The extension that Envoy has in place of STRICT_DNS and LOGICAL_DNS. */
function readDnsCluster(t: Translation, node: ConfigNode, typed: ConfigNode): Discovery {
  const reason = "cluster_type has its own";
  for (const field of ["dns_refresh_rate", "dns_failure_refresh_rate", "respect_dns_ttl"]) {
    node.accept(field, reason);
  }
  node.accept("dns_lookup_family", reason);
  const isLogical = typed.bool("all_addresses_in_single_endpoint", false);
  return { discovery: isLogical ? "logical_dns" : "strict_dns", dns: readDns(t, typed, true) };
}

/**
 * The DNS fields of a Cluster or of a DnsCluster: they have the same names. `isUsed` says whether
 * names are resolved at all: what is wrong does not matter otherwise, as in Envoy.
 */
function readDns(t: Translation, node: ConfigNode, isUsed: boolean): DnsConfig {
  const refreshRateMs = durationOr(node, "dns_refresh_rate", REFRESH_MS);
  const failure = node.node("dns_failure_refresh_rate");
  const failureRefreshBaseMs = durationOr(failure, "base_interval", refreshRateMs);
  const maxDefault = failure === undefined ? 1 : MAX_INTERVAL_FACTOR;
  const failureRefreshMaxMs = durationOr(
    failure,
    "max_interval",
    failureRefreshBaseMs * maxDefault,
  );
  if (isUsed && failureRefreshMaxMs < failureRefreshBaseMs) {
    const message = `found ${failureRefreshMaxMs} ms, expected at least base_interval`;
    t.wrong(failure as ConfigNode, message, "max_interval");
  }
  return {
    refreshRateMs,
    failureRefreshBaseMs,
    failureRefreshMaxMs,
    respectTtl: node.bool("respect_dns_ttl", false),
    family: families[node.enum("dns_lookup_family")] ?? "auto",
    servers: readResolver(t, node),
  };
}

function readResolver(t: Translation, node: ConfigNode): DnsServersConfig {
  const resolver = node.node("typed_dns_resolver_config");
  if (resolver === undefined) return SYSTEM_SERVERS;
  resolver.accept("name", "only a label");
  const typed = resolver.any("typed_config");
  // Options of theirs stay unread and are reported by name.
  if (typed?.typeName === CARES) return readCares(t, typed);
  if (typed?.typeName === GETADDRINFO) return SYSTEM_SERVERS;
  typed?.acceptRest("reported as a whole");
  const what = `the DNS resolver ${typed?.typeName ?? ""}`.trimEnd();
  t.unsupported(node, what, "typed_dns_resolver_config");
  return SYSTEM_SERVERS;
}

function readCares(t: Translation, node: ConfigNode): DnsServersConfig {
  const addresses: string[] = [];
  for (const server of node.nodes("resolvers")) {
    const address = readAddress(t, server, "ip");
    if (address?.kind === "ip") {
      addresses.push(ipAddressText(address.address, address.port || DNS_PORT));
    } else if (address !== null) t.wrong(server, "found a pipe, expected a socket_address");
  }
  const { queryTimeoutMs, queryTries } = SYSTEM_SERVERS;
  return {
    addresses,
    queryTimeoutMs: (node.uint("query_timeout_seconds") ?? queryTimeoutMs / 1000) * 1000,
    queryTries: node.uint("query_tries") ?? queryTries,
  };
}

function ipAddressText(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
