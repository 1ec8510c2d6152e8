// Reads Cluster: discovery, balancing, limits, timeouts, endpoints.
import type { ConfigNode } from "../config-node.ts";
import type {
  CircuitBreakerConfig,
  ClusterConfig,
  DnsConfig,
  EndpointConfig,
  LocalityConfig,
} from "../snapshot.ts";
import { readAddress } from "./address-reader.ts";
import { readHttp1Options } from "./http1-reader.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const LB = "envoy.extensions.load_balancing_policies";
const RAW_BUFFER = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

const HOUR_MS = 3_600_000;

export function readCluster(t: Translation, node: ConfigNode, sharedIndex: number): ClusterConfig {
  const name = node.string("name", "");
  const http = readHttpOptions(t, node);
  const common = http?.common ?? node.node("common_http_protocol_options");
  const http1 = http?.http1 ?? node.node("http_protocol_options");
  const discovery = readDiscovery(t, node);
  const deprecatedMax = node.uint("max_requests_per_connection", 0);
  acceptWhatTunes(node);
  readTransportSocket(t, node);
  return {
    name,
    where: node.path,
    statName: (node.string("alt_stat_name", "") || name).replaceAll(":", "_"),
    discovery,
    ...readBalancing(t, node),
    connectTimeoutMs: durationOr(node, "connect_timeout", 5000),
    perConnectionBufferBytesMax: node.uint("per_connection_buffer_limit_bytes", 1 << 20),
    dns: readDns(t, node),
    http1: readHttp1Options(t, http1, common, { headKibDefault: 60, isServer: false }),
    idleTimeoutMs: durationOr(common, "idle_timeout", HOUR_MS),
    maxConnectionDurationMs: durationOr(common, "max_connection_duration", 0),
    maxRequestsPerConnection: common?.uint("max_requests_per_connection") ?? deprecatedMax,
    circuitBreakers: readCircuitBreakers(node),
    sharedIndex,
    localities: readLocalities(t, node, discovery),
    keepAliveIdleSeconds: readKeepAlive(node),
    healthyPanicThresholdPercent: readCommonLb(node),
    bindAddress: readBind(t, node),
    metadata: node.node("metadata") === undefined ? new Uint8Array(0) : readMetadata(node),
  };
}

function readMetadata(node: ConfigNode): Uint8Array {
  const metadata = node.node("metadata") as ConfigNode;
  metadata.acceptRest("handed to guests as it is");
  return metadata.serialize();
}

/** Fields that only tune how Envoy does what we do in another way. */
function acceptWhatTunes(node: ConfigNode): void {
  node.accept("http2_protocol_options", "only for HTTP/2 connections");
  node.accept("cleanup_interval", "only for original destination clusters");
  node.accept("wait_for_warm_on_init", "start always waits for the first resolution");
  node.accept("close_connections_on_host_health_failure", "there is no active health checking");
  node.accept("ignore_health_on_host_removal", "there is no active health checking");
  node.accept("protocol_selection", "HTTP/1 only");
}

interface HttpOptions {
  readonly common: ConfigNode | undefined;
  readonly http1: ConfigNode | undefined;
}

/** The HttpProtocolOptions extension; HTTP/2 in it is not implemented. */
function readHttpOptions(t: Translation, node: ConfigNode): HttpOptions | null {
  let result: HttpOptions | null = null;
  for (const [key, options] of node.map("typed_extension_protocol_options")) {
    if (options.typeName !== HTTP_OPTIONS) {
      options.acceptRest("reported as a whole");
      t.unsupported(options, `protocol options of type ${options.typeName} (${key})`);
      continue;
    }
    const explicit = options.node("explicit_http_config");
    const http1 = explicit?.node("http_protocol_options");
    result = { common: options.node("common_http_protocol_options"), http1 };
  }
  return result;
}

function readDiscovery(t: Translation, node: ConfigNode): ClusterConfig["discovery"] {
  if (node.oneof("cluster_discovery_type") === "cluster_type") return "static";
  const type = node.enum("type");
  switch (type) {
    case "STATIC":
      return "static";
    case "STRICT_DNS":
      return "strict_dns";
    case "LOGICAL_DNS":
      return "logical_dns";
    default:
      t.unsupported(node, `cluster type ${type}`, "type");
      return "static";
  }
}

type Balancing = Pick<
  ClusterConfig,
  "lbPolicy" | "leastRequestChoiceCount" | "leastRequestActiveBias"
>;

function readBalancing(t: Translation, node: ConfigNode): Balancing {
  const policy = node.node("load_balancing_policy");
  if (policy !== undefined) return readPolicyExtension(t, node, policy);
  const names = {
    ROUND_ROBIN: "round_robin",
    LEAST_REQUEST: "least_request",
    RANDOM: "random",
  } as const;
  const name = node.enum("lb_policy");
  const lbPolicy = names[name as keyof typeof names];
  if (lbPolicy === undefined) t.unsupported(node, `lb_policy ${name}`, "lb_policy");
  return balancing(t, lbPolicy ?? "round_robin", node.node("least_request_lb_config"));
}

/** The first policy of the list that is implemented counts, as in Envoy. */
function readPolicyExtension(t: Translation, node: ConfigNode, policy: ConfigNode): Balancing {
  const known: Readonly<Record<string, ClusterConfig["lbPolicy"]>> = {
    [`${LB}.round_robin.v3.RoundRobin`]: "round_robin",
    [`${LB}.least_request.v3.LeastRequest`]: "least_request",
    [`${LB}.random.v3.Random`]: "random",
  };
  let result: Balancing | null = null;
  let unknown = "";
  for (const entry of policy.nodes("policies")) {
    const extension = entry.node("typed_extension_config");
    extension?.string("name");
    const typed = extension?.any("typed_config");
    const lbPolicy = typed === undefined ? undefined : known[typed.typeName];
    if (typed === undefined || lbPolicy === undefined || result !== null) {
      unknown ||= typed?.typeName ?? "";
      typed?.acceptRest("another policy of the list is used");
      continue;
    }
    result = balancing(t, lbPolicy, lbPolicy === "least_request" ? typed : undefined);
    if (lbPolicy === "random") typed.acceptRest("random needs no options");
  }
  if (result !== null) return result;
  t.unsupported(node, `the load balancing policy ${unknown}`, "load_balancing_policy");
  return balancing(t, "round_robin", undefined);
}

function balancing(
  t: Translation,
  lbPolicy: ClusterConfig["lbPolicy"],
  leastRequest: ConfigNode | undefined,
): Balancing {
  const bias = leastRequest?.node("active_request_bias");
  const key = bias?.string("runtime_key");
  if (key !== undefined && bias !== undefined) bias.accept("runtime_key", "no runtime layers");
  if (leastRequest?.has("enable_full_scan") === true)
    t.unsupported(leastRequest, "enable_full_scan");
  return {
    lbPolicy,
    leastRequestChoiceCount: leastRequest?.uint("choice_count") ?? 2,
    leastRequestActiveBias: bias?.double("default_value") ?? 1,
  };
}

function readDns(t: Translation, node: ConfigNode): DnsConfig {
  const families = {
    AUTO: "auto",
    V4_ONLY: "v4_only",
    V6_ONLY: "v6_only",
    V4_PREFERRED: "v4_preferred",
    ALL: "all",
  } as const;
  const resolver = node.node("typed_dns_resolver_config");
  if (resolver !== undefined) {
    resolver.acceptRest("the system's resolver is used");
    t.unsupported(node, "typed_dns_resolver_config", "typed_dns_resolver_config");
  }
  const refreshRateMs = durationOr(node, "dns_refresh_rate", 5000);
  const failure = node.node("dns_failure_refresh_rate");
  const failureRefreshBaseMs = durationOr(failure, "base_interval", refreshRateMs);
  return {
    refreshRateMs,
    failureRefreshBaseMs,
    failureRefreshMaxMs: durationOr(
      failure,
      "max_interval",
      failure === undefined ? refreshRateMs : failureRefreshBaseMs * 10,
    ),
    respectTtl: node.bool("respect_dns_ttl", false),
    family: families[node.enum("dns_lookup_family") as keyof typeof families] ?? "auto",
  };
}

function readCircuitBreakers(
  node: ConfigNode,
): readonly [CircuitBreakerConfig, CircuitBreakerConfig] {
  const thresholds = node.node("circuit_breakers")?.nodes("thresholds") ?? [];
  const byPriority = new Map(thresholds.map((entry) => [entry.enum("priority"), entry]));
  return [readThresholds(byPriority.get("DEFAULT")), readThresholds(byPriority.get("HIGH"))];
}

function readThresholds(node: ConfigNode | undefined): CircuitBreakerConfig {
  node?.accept("max_connection_pools", "a host has one pool here");
  return {
    maxConnections: node?.uint("max_connections") ?? 1024,
    maxPendingRequests: node?.uint("max_pending_requests") ?? 1024,
    maxRequests: node?.uint("max_requests") ?? 1024,
    maxRetries: node?.uint("max_retries") ?? 3,
    trackRemaining: node?.bool("track_remaining") ?? false,
  };
}

function readLocalities(
  t: Translation,
  node: ConfigNode,
  discovery: ClusterConfig["discovery"],
): LocalityConfig[] {
  const assignment = node.node("load_assignment");
  if (assignment === undefined) {
    return [];
  }
  assignment.string("cluster_name");
  const localities = assignment
    .nodes("endpoints")
    .map((entry) => readLocality(t, entry, discovery));
  const count = localities.reduce((sum, locality) => sum + locality.endpoints.length, 0);
  if (discovery === "logical_dns" && count !== 1) {
    const message =
      "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint";
    t.wrong(node, message, "load_assignment");
  }
  return localities;
}

function readLocality(
  t: Translation,
  node: ConfigNode,
  discovery: ClusterConfig["discovery"],
): LocalityConfig {
  const locality = node.node("locality");
  node.accept("metadata", "nothing reads it");
  node.accept("proximity", "nothing reads it");
  return {
    region: locality?.string("region") ?? "",
    zone: locality?.string("zone") ?? "",
    subZone: locality?.string("sub_zone") ?? "",
    priority: node.uint("priority", 0),
    weight: node.uint("load_balancing_weight", 1),
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
  const health: Readonly<Record<string, EndpointConfig["health"]>> = {
    UNKNOWN: "healthy",
    HEALTHY: "healthy",
    UNHEALTHY: "unhealthy",
    DRAINING: "draining",
    TIMEOUT: "timeout",
    DEGRADED: "degraded",
  };
  node.accept("metadata", "nothing reads it");
  const endpoint = node.node("endpoint");
  if (endpoint === undefined) return null;
  endpoint.accept("health_check_config", "there is no active health checking");
  const addressNode = endpoint.node("address");
  if (addressNode === undefined) {
    t.wrong(endpoint, "expected address");
    return null;
  }
  const address = readAddress(t, addressNode, discovery === "static" ? "ip" : "name");
  if (address === null) return null;
  return {
    address,
    hostname: endpoint.string("hostname", ""),
    weight: node.uint("load_balancing_weight", 1),
    health: health[node.enum("health_status")] ?? "healthy",
  };
}

function readKeepAlive(node: ConfigNode): number {
  const options = node.node("upstream_connection_options");
  options?.accept("set_local_interface_name_on_upstream_connections", "only labels connections");
  const keepAlive = options?.node("tcp_keepalive");
  keepAlive?.accept("keepalive_probes", "the system's default holds");
  keepAlive?.accept("keepalive_interval", "the system's default holds");
  return keepAlive === undefined ? 0 : keepAlive.uint("keepalive_time", 7200);
}

function readCommonLb(node: ConfigNode): number {
  const common = node.node("common_lb_config");
  common?.accept("update_merge_window", "there are no dynamic updates to merge");
  return common?.node("healthy_panic_threshold")?.double("value") ?? 50;
}

function readBind(t: Translation, node: ConfigNode): ClusterConfig["bindAddress"] {
  const bind = node.node("upstream_bind_config");
  const source = bind?.node("source_address");
  if (source === undefined) return null;
  source.accept("protocol", "TCP is the only one");
  const port = source.uint("port_value", 0);
  const address = source.string("address", "");
  if (port !== 0) t.unsupported(source, "a fixed source port", "port_value");
  return { kind: "ip", address, port, ipv4Compat: false, pipeMode: 0 };
}

function readTransportSocket(t: Translation, node: ConfigNode): void {
  const socket = node.node("transport_socket");
  if (socket === undefined) return;
  socket.string("name");
  const typed = socket.any("typed_config");
  if (typed === undefined || typed.typeName === RAW_BUFFER) return;
  typed.acceptRest("reported as a whole");
  t.unsupported(node, `the transport socket ${typed.typeName}`, "transport_socket");
}
