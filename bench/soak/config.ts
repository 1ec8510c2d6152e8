// What Headgate runs on in the soak run. Each part is written anew by the faults that change it.
export const CLUSTERS = ["static", "random", "tight", "dns", "eds"] as const;
export type ClusterName = (typeof CLUSTERS)[number];

const TYPE = "type.googleapis.com/envoy";
const FILTERS = `${TYPE}.extensions.filters`;
/** The name that the STRICT_DNS cluster asks for. */
export const DNS_NAME = "up.test";
/** Pools are empty when the load has stopped for so long. */
export const UPSTREAM_IDLE_S = 8;
export const ROUTE_TIMEOUT_MS = 4000;
/** For clients that read slowly. */
export const SLOW_TIMEOUT_MS = 30_000;

export interface Places {
  /** Of what main holds: files of xDS, the module, the access log. */
  readonly folder: string;
  readonly ports: { readonly main: number; readonly second: number; readonly admin: number };
  readonly staticPorts: readonly number[];
  readonly dnsUpstreamPort: number;
  /** "host:port" */
  readonly dnsServer: string;
}

export function socketAddress(port: number, address = "127.0.0.1"): object {
  return { socket_address: { address, port_value: port } };
}

export function assignment(
  cluster_name: string,
  ports: readonly number[],
  address?: string,
): object {
  const lb_endpoints = ports.map((port) => ({
    endpoint: { address: socketAddress(port, address) },
  }));
  return { cluster_name, endpoints: [{ lb_endpoints }] };
}

function source(places: Places, file: string): object {
  return { resource_api_version: "V3", path_config_source: { path: `${places.folder}/${file}` } };
}

/** Changes with the round: a header of all answers. */
export function routes(round: number): object {
  const all = CLUSTERS.flatMap((cluster) => {
    const route = { cluster, timeout: `${ROUTE_TIMEOUT_MS / 1000}s` };
    const patient = { ...route, timeout: `${SLOW_TIMEOUT_MS / 1000}s` };
    return [
      { match: { prefix: `/${cluster}/patient` }, route: patient },
      { match: { prefix: `/${cluster}/` }, route },
    ];
  });
  return {
    name: "table",
    virtual_hosts: [{ name: "all", domains: ["*"], routes: all }],
    response_headers_to_add: [{ header: { key: "x-round", value: String(round) } }],
  };
}

function wasmFilter(places: Places): object {
  const code = { local: { filename: `${places.folder}/filter.wasm` } };
  const vm_config = { vm_id: "soak", runtime: "envoy.wasm.runtime.v8", code };
  const config = { name: "soak", failure_policy: "FAIL_RELOAD", vm_config };
  return {
    name: "envoy.filters.http.wasm",
    typed_config: { "@type": `${FILTERS}.http.wasm.v3.Wasm`, config },
  };
}

/** One line a request; joined with what clients saw by the id. */
function accessLog(places: Places): object {
  const fields = [
    "%REQ(X-SOAK-ID)%",
    "%RESPONSE_CODE%",
    "%RESPONSE_FLAGS%",
    "%RESPONSE_CODE_DETAILS%",
    "%DURATION%",
    "%UPSTREAM_CLUSTER%",
    "%START_TIME(%s%3f)%",
  ];
  return {
    name: "file",
    typed_config: {
      "@type": `${TYPE}.extensions.access_loggers.file.v3.FileAccessLog`,
      path: `${places.folder}/access.log`,
      log_format: { text_format_source: { inline_string: `${fields.join("|")}\n` } },
    },
  };
}

function listener(places: Places, name: "main" | "second", round: number): object {
  const rds = { route_config_name: "table", config_source: source(places, "rds.yaml") };
  const table = name === "main" ? { rds } : { route_config: routes(round) };
  const router = { name: "router", typed_config: { "@type": `${FILTERS}.http.router.v3.Router` } };
  const hcm = {
    "@type": `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    ...table,
    access_log: [accessLog(places)],
    http_filters: [wasmFilter(places), router],
  };
  return {
    name,
    address: socketAddress(places.ports[name]),
    filter_chains: [{ filters: [{ name: "hcm", typed_config: hcm }] }],
  };
}

function cluster(name: string, more: object): object {
  return {
    name,
    connect_timeout: "1s",
    ...more,
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http_protocol_options: {} },
        common_http_protocol_options: { idle_timeout: `${UPSTREAM_IDLE_S}s` },
      },
    },
  };
}

function dnsCluster(places: Places): object {
  const [host = "", port] = places.dnsServer.split(":");
  const typed_config = {
    "@type": `${TYPE}.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig`,
    resolvers: [socketAddress(Number(port), host)],
    query_timeout_seconds: 1,
    query_tries: 1,
  };
  return cluster("dns", {
    type: "STRICT_DNS",
    dns_lookup_family: "V4_ONLY",
    dns_refresh_rate: "0.5s",
    typed_dns_resolver_config: { name: "cares", typed_config },
    load_assignment: assignment("dns", [places.dnsUpstreamPort], DNS_NAME),
  });
}

/** The bootstrap of a round: odd and even rounds differ in a cluster and in the second listener. */
export function bootstrap(places: Places, round: number): object {
  const [first = 0] = places.staticPorts;
  const limits = { max_connections: 3, max_pending_requests: 3 };
  const fixed = { type: "STATIC", load_assignment: assignment("static", places.staticPorts) };
  const eds_cluster_config = { service_name: "service", eds_config: source(places, "eds.yaml") };
  return {
    node: { id: "soak", cluster: "soak" },
    admin: { address: socketAddress(places.ports.admin) },
    static_resources: {
      listeners: [listener(places, "main", 0), listener(places, "second", round)],
      clusters: [
        cluster("static", { ...fixed, connect_timeout: `${(round % 2) + 1}s` }),
        cluster("random", { ...fixed, lb_policy: "RANDOM" }),
        cluster("tight", {
          type: "STATIC",
          circuit_breakers: { thresholds: [limits] },
          load_assignment: assignment("tight", [first]),
        }),
        dnsCluster(places),
        cluster("eds", { type: "EDS", lb_policy: "LEAST_REQUEST", eds_cluster_config }),
      ],
    },
  };
}

/** A file of xDS. */
export function discovery(type: "rds" | "eds", version: number, resource: object): string {
  const message = {
    rds: "envoy.config.route.v3.RouteConfiguration",
    eds: "envoy.config.endpoint.v3.ClusterLoadAssignment",
  }[type];
  const typed = { "@type": `type.googleapis.com/${message}`, ...resource };
  return JSON.stringify({ version_info: String(version), resources: [typed] });
}
