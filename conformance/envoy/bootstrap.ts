// Builds the bootstrap of a group: listeners from its sites, upstreams, admin. See run-group.ts.
import type { Group, Json, JsonObject, Site } from "./case.ts";

const TYPE_PREFIX = "type.googleapis.com/envoy.extensions";
const HTTP_MANAGER = "http_connection_manager.v3.HttpConnectionManager";
export const HCM_TYPE: string = `${TYPE_PREFIX}.filters.network.${HTTP_MANAGER}`;
export const ROUTER_TYPE: string = `${TYPE_PREFIX}.filters.http.router.v3.Router`;
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

/** Ports and folder that a run chose. */
export interface Places {
  readonly adminPort: number;
  readonly sitePorts: Readonly<Record<string, number>>;
  readonly upstreamPorts: Readonly<Record<string, number>>;
  /** Where access logs go. */
  readonly folder: string;
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

/** The virtual host of a site that names none: everything to cluster `up`. */
export const DEFAULT_HOSTS: readonly JsonObject[] = [
  {
    name: "all",
    domains: ["*"],
    routes: [{ name: "rest", match: { prefix: "/" }, route: { cluster: "up" } }],
  },
];

function accessLog(name: string, site: Site, places: Places): JsonObject {
  const config: Record<string, Json> = { "@type": FILE_LOG_TYPE, path: logPath(places, name) };
  const format = site.logFormat;
  if (format === undefined) {
    config["log_format"] = { text_format_source: { inline_string: COMPARE_FORMAT } };
  } else if (format !== null) {
    config["log_format"] = format;
  }
  return { name: "envoy.access_loggers.file", typed_config: config };
}

/** The HCM of a site; exported for cases that need a whole one. */
export function hcmConfig(name: string, site: Site, places: Places): JsonObject {
  return {
    "@type": HCM_TYPE,
    stat_prefix: name,
    codec_type: "AUTO",
    delayed_close_timeout: "0.1s",
    route_config: {
      name: `${name}-routes`,
      virtual_hosts: site.virtualHosts ?? DEFAULT_HOSTS,
      ...site.routeConfig,
    },
    http_filters: [{ name: "envoy.filters.http.router", typed_config: { "@type": ROUTER_TYPE } }],
    access_log: [accessLog(name, site, places)],
    ...site.hcm,
  };
}

function listenerConfig(name: string, site: Site, places: Places): JsonObject {
  const filter = {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: hcmConfig(name, site, places),
  };
  return {
    name,
    address: address(places.sitePorts[name] ?? 0),
    filter_chains: [{ filters: [filter] }],
    ...site.listener,
  };
}

function portText(ports: Readonly<Record<string, number>>, name: string): string {
  const port = ports[name];
  if (port === undefined) throw new Error(`no port is called ${name}`);
  return String(port);
}

/** Replaces `"$up:name"` by the number of the port, `$port:site` and `$DIR` inside text. */
export function fillPlaceholders(text: string, places: Places): string {
  return text
    .replace(/"?\$up:([a-z0-9_]+)"?/g, (_, name: string) => portText(places.upstreamPorts, name))
    .replace(/"?\$port:([a-z0-9_]+)"?/g, (_, name: string) => portText(places.sitePorts, name))
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
