// Reads Cluster: protocol options, limits, timeouts, connections; discovery, balancing and
// endpoints are read next door.
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import type { ConfigNode } from "../config-node.ts";
import type {
  AutoSniConfig,
  CircuitBreakerConfig,
  ClusterConfig,
  ClusterFiltersConfig,
  EdsConfig,
} from "../snapshot.ts";
import { readBalancing } from "./balancing-reader.ts";
import { readBindConfig } from "./bind-reader.ts";
import { readConfigSource } from "./config-source-reader.ts";
import { readDiscovery } from "./discovery-reader.ts";
import { readLocalities } from "./endpoint-reader.ts";
import { guard } from "./guarded-fields.ts";
import { readHappyEyeballs } from "./happy-eyeballs-reader.ts";
import { readHttp1Options } from "./http1-reader.ts";
import { readHttp2Options } from "./http2-reader.ts";
import { readKeepAlive } from "./keep-alive-reader.ts";
import { durationOr, statText } from "./translation.ts";
import { readMetadata } from "./metadata-reader.ts";
import type { Translation } from "./translation.ts";
import { readOriginalDestination } from "./original-destination-reader.ts";
import { readTransportSockets } from "./transport-socket.ts";
import { readClusterFilters } from "./upstream-filter-reader.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const LOCAL_INTERFACE = "set_local_interface_name_on_upstream_connections";
const HOUR_MS = 3_600_000;

export function readCluster(t: Translation, node: ConfigNode): ClusterConfig {
  guard(t, node);
  acceptWhatTunes(node);
  const name = node.string("name", "");
  const connection = node.node("upstream_connection_options");
  connection?.accept(LOCAL_INTERFACE, "only labels connections");
  const { discovery, dns } = readDiscovery(t, node);
  const originalDestination = readOriginalDestination(t, node, discovery);
  const eds = discovery === "eds" ? readEds(t, node, name) : null;
  const statName = node.string("alt_stat_name", "") || name;
  return {
    name,
    where: node.path,
    statName: statText(statName),
    discovery: discovery === "eds" && eds === null ? "static" : discovery,
    eds,
    originalDestination,
    ...readBalancing(t, node, discovery),
    connectTimeoutMs: durationOr(node, "connect_timeout", 5000),
    perConnectionBufferBytesMax: node.uint("per_connection_buffer_limit_bytes", 1 << 20),
    dns,
    ...readProtocol(t, node),
    circuitBreakers: readCircuitBreakers(node),
    sharedIndex: -1,
    localities: originalDestination === null ? readLocalities(t, node, discovery) : [],
    keepAlive: readKeepAlive(connection),
    healthyPanicThresholdPercent: readCommonLb(node),
    bindAddresses: readBindConfig(t, node, `Cluster ${name}`),
    happyEyeballs: readHappyEyeballs(connection),
    transportSockets: readTransportSockets(t, node),
    metadata: readMetadata(node) ?? new Uint8Array(0),
  };
}

/** Null when there is no source that we have: then the cluster has no hosts. */
function readEds(t: Translation, node: ConfigNode, name: string): EdsConfig | null {
  const eds = node.node("eds_cluster_config");
  if (eds?.has("eds_config") !== true) {
    t.wrong(node, "cannot create an EDS cluster without an EDS config", "eds_cluster_config");
    return null;
  }
  const source = readConfigSource(t, eds, "eds_config");
  const configuredServiceName = eds.string("service_name", "");
  if (source === null) return null;
  return { serviceName: configuredServiceName || name, configuredServiceName, source };
}

/** Fields that only tune how Envoy does what we do in another way. */
function acceptWhatTunes(node: ConfigNode): void {
  node.accept("wait_for_warm_on_init", "start always waits for the first resolution");
  node.accept("close_connections_on_host_health_failure", "there is no active health checking");
  node.accept("ignore_health_on_host_removal", "there is no active health checking");
  node.accept("protocol_selection", "HTTP/1 only");
}

type Protocol = Pick<
  ClusterConfig,
  | "autoSni"
  | "httpFilters"
  | "http1"
  | "http2"
  | "idleTimeoutMs"
  | "maxConnectionDurationMs"
  | "maxStreamDurationMs"
  | "maxRequestsPerConnection"
>;

function readProtocol(t: Translation, node: ConfigNode): Protocol {
  const { common, http1, http2, upstream, filters } = readHttpOptions(t, node);
  const deprecatedMax = node.uint("max_requests_per_connection", 0);
  return {
    autoSni: readAutoSni(upstream),
    httpFilters: filters,
    http1: readClientCodec(t, http1, common),
    http2: readHttp2Options(http2, common),
    idleTimeoutMs: durationOr(common, "idle_timeout", HOUR_MS),
    maxConnectionDurationMs: durationOr(common, "max_connection_duration", 0),
    maxStreamDurationMs: durationOr(common, "max_stream_duration", 0),
    maxRequestsPerConnection: common?.uint("max_requests_per_connection") ?? deprecatedMax,
  };
}

function readAutoSni(node: ConfigNode | undefined): AutoSniConfig | null {
  const setsServerName = node?.bool("auto_sni") ?? false;
  const verifiesName = node?.bool("auto_san_validation") ?? false;
  const headerName = node?.string("override_auto_sni_header", "").toLowerCase() ?? "";
  return setsServerName || verifiesName ? { setsServerName, verifiesName, headerName } : null;
}

function readClientCodec(
  t: Translation,
  http1: ConfigNode | undefined,
  common: ConfigNode | undefined,
): Http1CodecOptions {
  common?.accept("headers_with_underscores_action", "only for requests of clients");
  const headKib = common?.uint("max_response_headers_kb");
  // Envoy's default is 60 KiB for all but the heads of HTTP/1 responses.
  return readHttp1Options(t, http1, common, { headKib: headKib ?? 80, isServer: false });
}

interface HttpOptions {
  readonly common: ConfigNode | undefined;
  readonly http1: ConfigNode | undefined;
  readonly http2: ConfigNode | undefined;
  readonly upstream: ConfigNode | undefined;
  readonly filters: ClusterFiltersConfig | undefined;
}

/** The HttpProtocolOptions extension, else the cluster's deprecated fields: never both. */
function readHttpOptions(t: Translation, node: ConfigNode): HttpOptions {
  const extension = readOptionsExtension(t, node);
  if (extension !== null) {
    const reason = "typed_extension_protocol_options wins";
    node.accept("common_http_protocol_options", reason);
    node.accept("http_protocol_options", reason);
    node.accept("http2_protocol_options", reason);
    node.accept("upstream_http_protocol_options", reason);
    return extension;
  }
  return {
    http2: node.node("http2_protocol_options"),
    upstream: node.node("upstream_http_protocol_options"),
    common: node.node("common_http_protocol_options"),
    http1: node.node("http_protocol_options"),
    filters: undefined,
  };
}

function readOptionsExtension(t: Translation, node: ConfigNode): HttpOptions | null {
  let result: HttpOptions | null = null;
  for (const [key, options] of node.map("typed_extension_protocol_options")) {
    if (options.typeName !== HTTP_OPTIONS) {
      options.acceptRest("reported as a whole");
      t.unsupported(options, `protocol options of type ${options.typeName}`);
      continue;
    }
    if (key !== HTTP_OPTIONS) t.wrong(options, `found the key "${key}", expected ${HTTP_OPTIONS}`);
    // HTTP/3, auto_config and use_downstream_protocol_config are reported by name.
    const explicit = options.node("explicit_http_config");
    const http1 = explicit?.node("http_protocol_options");
    const http2 = explicit?.node("http2_protocol_options");
    const upstream = options.node("upstream_http_protocol_options");
    const common = options.node("common_http_protocol_options");
    const filters = readClusterFilters(t, options);
    result = { common, http1, http2, upstream, filters };
  }
  return result;
}

/** Default and high priority. Of several entries for one priority the first counts, as in Envoy. */
function readCircuitBreakers(
  node: ConfigNode,
): readonly [CircuitBreakerConfig, CircuitBreakerConfig] {
  const byPriority = new Map<string, ConfigNode>();
  for (const entry of node.node("circuit_breakers")?.nodes("thresholds") ?? []) {
    const priority = entry.enum("priority");
    if (byPriority.has(priority)) entry.acceptRest("the first entry of a priority counts");
    else byPriority.set(priority, entry);
  }
  return [readThresholds(byPriority.get("DEFAULT")), readThresholds(byPriority.get("HIGH"))];
}

function readThresholds(node: ConfigNode | undefined): CircuitBreakerConfig {
  node?.accept("max_connection_pools", "pools have a limit of their own");
  return {
    maxConnections: node?.uint("max_connections") ?? 1024,
    maxPendingRequests: node?.uint("max_pending_requests") ?? 1024,
    maxRequests: node?.uint("max_requests") ?? 1024,
    maxRetries: node?.uint("max_retries") ?? 3,
    trackRemaining: node?.bool("track_remaining") ?? false,
  };
}

/** healthy_panic_threshold, default 50. */
function readCommonLb(node: ConfigNode): number {
  const common = node.node("common_lb_config");
  common?.accept("update_merge_window", "there are no dynamic updates to merge");
  common?.accept("ignore_new_hosts_until_first_hc", "there is no active health checking");
  return common?.node("healthy_panic_threshold")?.double("value") ?? 50;
}
