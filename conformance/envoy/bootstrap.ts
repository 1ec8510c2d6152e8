// Builds the bootstrap of a group: listeners from its sites, upstreams, admin. See run-group.ts.
import { type CertificateSet, fingerprintOf, spkiHashOf } from "./certificates.ts";
import type { Chain, Group, Json, JsonObject, Site } from "./case.ts";

const TYPE_PREFIX = "type.googleapis.com/envoy.extensions";
const HTTP_MANAGER = "http_connection_manager.v3.HttpConnectionManager";
export const HCM_TYPE: string = `${TYPE_PREFIX}.filters.network.${HTTP_MANAGER}`;
export const ROUTER_TYPE: string = `${TYPE_PREFIX}.filters.http.router.v3.Router`;
export const TCP_PROXY_TYPE: string = `${TYPE_PREFIX}.filters.network.tcp_proxy.v3.TcpProxy`;
const DOWNSTREAM_TLS_TYPE = `${TYPE_PREFIX}.transport_sockets.tls.v3.DownstreamTlsContext`;
const UPSTREAM_TLS_TYPE = `${TYPE_PREFIX}.transport_sockets.tls.v3.UpstreamTlsContext`;
const FILE_LOG_TYPE = `${TYPE_PREFIX}.access_loggers.file.v3.FileAccessLog`;

/** The line that every case compares unless its site has a format of its own. */
export const COMPARE_FORMAT: string = [
  "%RESPONSE_CODE%",
  "%RESPONSE_FLAGS%",
  "%RESPONSE_CODE_DETAILS%",
  "%CONNECTION_TERMINATION_DETAILS%",
  "%REQ(:METHOD)%",
  "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  "%PROTOCOL%",
  "%BYTES_RECEIVED%",
  "%BYTES_SENT%",
  "%UPSTREAM_CLUSTER%",
  "%UPSTREAM_HOST%",
  "%ROUTE_NAME%\n",
].join("|");

/** The same for connections that a TCP proxy passes on. */
export const TCP_FORMAT: string = [
  "%RESPONSE_FLAGS%",
  "%CONNECTION_TERMINATION_DETAILS%",
  "%FILTER_CHAIN_NAME%",
  "%REQUESTED_SERVER_NAME%",
  "%BYTES_RECEIVED%",
  "%BYTES_SENT%",
  "%UPSTREAM_CLUSTER%",
  "%UPSTREAM_HOST%",
  "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
  "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  "%DOWNSTREAM_REMOTE_ADDRESS%",
  "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
  "%DOWNSTREAM_LOCAL_ADDRESS%\n",
].join("|");

/** Ports and folder that a run chose. */
export interface Places {
  readonly adminPort: number;
  readonly sitePorts: Readonly<Record<string, number>>;
  readonly upstreamPorts: Readonly<Record<string, number>>;
  /** Where access logs go. */
  readonly folder: string;
  /** Null where the group has none. */
  readonly certificates: CertificateSet | null;
  /** Paths of modules by their names. */
  readonly modules?: Readonly<Record<string, string>>;
}

/** File that the access log of a site is written to. */
export function logPath(places: Places, site: string): string {
  return `${places.folder}/${site}.log`;
}

function address(port: Json): JsonObject {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

/** A STATIC cluster over upstreams named by their placeholders, such as `$up:other`. */
export function cluster(name: string, ports: readonly Json[], more: JsonObject = {}): JsonObject {
  return {
    name,
    type: "STATIC",
    connect_timeout: "2s",
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: ports.map((port) => ({ endpoint: { address: address(port) } })) },
      ],
    },
    ...more,
  };
}

/** A cluster that says which HTTP its upstreams speak: `explicit_http_config`. */
export function httpCluster(name: string, ports: readonly Json[], http: JsonObject): JsonObject {
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return cluster(name, ports, {
    typed_extension_protocol_options: {
      [options]: { "@type": `type.googleapis.com/${options}`, explicit_http_config: http },
    },
  });
}

/** The virtual host of a site that names none: everything to cluster `up`. */
export const DEFAULT_HOSTS: readonly JsonObject[] = [
  {
    name: "all",
    domains: ["*"],
    routes: [{ name: "rest", match: { prefix: "/" }, route: { cluster: "up" } }],
  },
];

function accessLog(name: string, chain: Chain, places: Places, usual: string): JsonObject {
  const config: Record<string, Json> = { "@type": FILE_LOG_TYPE, path: logPath(places, name) };
  const format = chain.logFormat;
  if (format === undefined) {
    config["log_format"] = { text_format_source: { inline_string: usual } };
  } else if (format !== null) {
    config["log_format"] = format;
  }
  return { name: "envoy.access_loggers.file", typed_config: config };
}

/** The HCM of a chain; `name` is its site's. Exported for cases that need a whole one. */
export function hcmConfig(name: string, chain: Chain, places: Places): JsonObject {
  return {
    "@type": HCM_TYPE,
    stat_prefix: name,
    codec_type: "AUTO",
    delayed_close_timeout: "0.1s",
    route_config: {
      name: `${name}-routes`,
      virtual_hosts: chain.virtualHosts ?? DEFAULT_HOSTS,
      ...chain.routeConfig,
    },
    http_filters: [{ name: "envoy.filters.http.router", typed_config: { "@type": ROUTER_TYPE } }],
    access_log: [accessLog(name, chain, places, COMPARE_FORMAT)],
    ...chain.hcm,
  };
}

function tcpProxyConfig(name: string, chain: Chain, places: Places): JsonObject {
  return {
    "@type": TCP_PROXY_TYPE,
    stat_prefix: name,
    // The two are one field: only one of them may be said.
    ...(chain.tcp?.["weighted_clusters"] === undefined ? { cluster: "up" } : {}),
    access_log: [accessLog(name, chain, places, TCP_FORMAT)],
    ...chain.tcp,
  };
}

/** A transport socket of `filter_chains` with the fields of a `DownstreamTlsContext`. */
function downstreamTls(fields: JsonObject): JsonObject {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": DOWNSTREAM_TLS_TYPE, ...fields },
  };
}

/** A cluster's `transport_socket` with the fields of an `UpstreamTlsContext`. */
export function upstreamTls(fields: JsonObject): JsonObject {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": UPSTREAM_TLS_TYPE, ...fields },
  };
}

/** One entry of `tls_certificates`: a name of certificates.ts, with what it was signed by. */
export function certificateFiles(name: string): JsonObject {
  return {
    certificate_chain: { filename: `$DIR/${name}-chain.pem` },
    private_key: { filename: `$DIR/${name}-key.pem` },
  };
}

function networkFilters(name: string, chain: Chain, places: Places): readonly JsonObject[] {
  if (chain.filters !== undefined) return chain.filters;
  const last =
    chain.tcp === undefined
      ? {
          name: "envoy.filters.network.http_connection_manager",
          typed_config: hcmConfig(name, chain, places),
        }
      : {
          name: "envoy.filters.network.tcp_proxy",
          typed_config: tcpProxyConfig(name, chain, places),
        };
  return [...(chain.before ?? []), last];
}

function chainConfig(name: string, chain: Chain, places: Places): JsonObject {
  return {
    ...(chain.name === undefined ? {} : { name: chain.name }),
    ...(chain.match === undefined ? {} : { filter_chain_match: chain.match }),
    ...(chain.tls === undefined ? {} : { transport_socket: downstreamTls(chain.tls) }),
    filters: networkFilters(name, chain, places),
    ...chain.chain,
  };
}

function listenerConfig(name: string, site: Site, places: Places): JsonObject {
  const { defaultChain, listenerFilters } = site;
  return {
    name,
    address: site.address ?? address(places.sitePorts[name] ?? 0),
    ...(listenerFilters === undefined ? {} : { listener_filters: listenerFilters }),
    filter_chains: (site.chains ?? [site]).map((chain) => chainConfig(name, chain, places)),
    ...(defaultChain === undefined
      ? {}
      : { default_filter_chain: chainConfig(name, defaultChain, places) }),
    ...site.listener,
  };
}

function portText(ports: Readonly<Record<string, number>>, name: string): string {
  const port = ports[name];
  if (port === undefined) throw new Error(`no port is called ${name}`);
  return String(port);
}

function hashText(
  places: Places,
  name: string,
  hash: (set: CertificateSet, name: string) => string,
): string {
  if (places.certificates === null) throw new Error("the group needs `certificates: true`");
  return hash(places.certificates, name);
}

function modulePath(places: Places, name: string): string {
  const path = places.modules?.[name];
  if (path === undefined) throw new Error(`no module is called ${name}`);
  return path;
}

/**
 * Replaces `"$up:name"` by the number of the port, `$port:site`, `$MODULE:name`, `$DIR`, and of certificates
 * `$SHA256:name` and `$SPKI:name` inside text.
 */
export function fillPlaceholders(text: string, places: Places): string {
  return text
    .replace(/"?\$up:([a-z0-9_]+)"?/g, (_, name: string) => portText(places.upstreamPorts, name))
    .replace(/"?\$port:([a-z0-9_]+)"?/g, (_, name: string) => portText(places.sitePorts, name))
    .replace(/\$SHA256:([a-z0-9_]+)/g, (_, name: string) => hashText(places, name, fingerprintOf))
    .replace(/\$SPKI:([a-z0-9_]+)/g, (_, name: string) => hashText(places, name, spkiHashOf))
    .replace(/\$MODULE:([a-z0-9-]+)/g, (_, name: string) => modulePath(places, name))
    .replace(/\$ADMIN/g, String(places.adminPort))
    .replace(/\$DIR/g, places.folder);
}

/** The whole bootstrap as text: JSON, which is YAML too. */
export function bootstrapText(
  group: Pick<Group, "sites" | "clusters" | "bootstrap">,
  places: Places,
): string {
  const config: JsonObject = {
    static_resources: {
      listeners: Object.entries(group.sites).map(([name, site]) =>
        listenerConfig(name, site, places),
      ),
      clusters: [
        cluster("up", ["$up:up"]),
        cluster("other", ["$up:other"]),
        cluster("dead", ["$up:dead"]),
        cluster("empty", []),
        ...(group.clusters ?? []),
      ],
    },
    admin: { address: address(places.adminPort) },
    ...group.bootstrap,
  };
  return `${fillPlaceholders(JSON.stringify(config, null, 1), places)}\n`;
}
