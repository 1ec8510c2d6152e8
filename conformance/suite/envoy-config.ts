// Turns placed cases into a configuration of Envoy's: a listener with its filters for each case, a cluster
// for its upstream, and clusters for what guests call.
import { readFileSync } from "node:fs";
import type { PluginOptions } from "../abi/case.ts";
import { clusters } from "../abi/clusters.ts";
import { HCM_TYPE, ROUTER_TYPE, TCP_PROXY_TYPE, cluster } from "../envoy/bootstrap.ts";
import type { Json, JsonObject } from "../envoy/case.ts";
import type { Placed } from "./placed.ts";

const TYPE = "type.googleapis.com/envoy.extensions";
const FILTERS = `${TYPE}.filters`;
const WASM_HTTP = `${FILTERS}.http.wasm.v3.Wasm`;
const WASM_NETWORK = `${FILTERS}.network.wasm.v3.Wasm`;
const WASM_LOG = `${TYPE}.access_loggers.wasm.v3.WasmAccessLog`;
const WASM_SERVICE = `${TYPE}.wasm.v3.WasmService`;
const FILE_LOG = `${TYPE}.access_loggers.file.v3.FileAccessLog`;
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const CODEC: JsonObject = {
  name: "envoy.filters.http.upstream_codec",
  typed_config: { "@type": `${FILTERS}.http.upstream_codec.v3.UpstreamCodec` },
};
const STRING = "type.googleapis.com/google.protobuf.StringValue";
const BYTES = "type.googleapis.com/google.protobuf.BytesValue";

/** Where a run keeps its files, and where its servers listen. */
export interface Places {
  readonly folder: string;
  readonly adminPort: number;
  /** A listener without plugins, which says that all the others are there. */
  readonly probePort: number;
  readonly calloutPorts: ReadonlyMap<string, number>;
}

/** Why streams ended, a line for each: tag and details. */
export function accessLogPath({ folder }: Places): string {
  return `${folder}/access.log`;
}

export function modulePath({ folder }: Places, tag: string): string {
  return `${folder}/${tag}.wasm`;
}

/** Where listeners stand that may be taken away. */
export function listenersPath({ folder }: Places): string {
  return `${folder}/listeners/lds.json`;
}

/** The whole configuration as JSON, which is YAML too. */
export function configText(placed: readonly Placed[], places: Places, isDynamic: boolean): string {
  const listeners = placed.map((one) => listener(one, places));
  const bootstrap: JsonObject = {
    node: { id: "conformance", cluster: "conformance" },
    static_resources: {
      listeners: isDynamic ? [] : [...listeners, probe(places)],
      clusters: [
        ...placed.map(({ tag, upstreamPort }) =>
          cluster(tag, [upstreamPort], options("http_protocol_options", { enable_trailers: true })),
        ),
        ...calloutClusters(places),
      ],
    },
    ...(isDynamic ? { dynamic_resources: { lds_config: listenerSource(places) } } : {}),
    bootstrap_extensions: placed
      .filter((one) => one.case.scene.position === "service")
      .map((one) => service(one, places)),
    admin: { address: address(places.adminPort) },
  };
  return JSON.stringify(bootstrap, null, 1);
}

/** The file of listeners that may be taken away. */
export function listenersText(placed: readonly Placed[], places: Places, version: number): string {
  const type = "type.googleapis.com/envoy.config.listener.v3.Listener";
  const listeners = [...placed.map((one) => listener(one, places)), probe(places)];
  const resources = listeners.map((one) => ({ "@type": type, ...one }));
  return JSON.stringify({ version_info: String(version), resources });
}

function listenerSource(places: Places): JsonObject {
  const path = listenersPath(places);
  const watched = { path: path.slice(0, path.lastIndexOf("/")) };
  return { resource_api_version: "V3", path_config_source: { path, watched_directory: watched } };
}

function address(port: number): JsonObject {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

/** Cluster options of one of the two versions of HTTP. */
function options(name: string, fields: JsonObject): JsonObject {
  const explicit = {
    "@type": `type.googleapis.com/${HTTP_OPTIONS}`,
    explicit_http_config: { [name]: fields },
  };
  return { typed_extension_protocol_options: { [HTTP_OPTIONS]: explicit } };
}

function calloutClusters({ calloutPorts }: Places): JsonObject[] {
  return Object.entries(clusters).map(([name, { kind }]) => {
    const port = calloutPorts.get(name);
    const more =
      kind === "grpc"
        ? options("http2_protocol_options", {})
        : options("http_protocol_options", { enable_trailers: true });
    return cluster(name, port === undefined ? [] : [port], more);
  });
}

function probe({ probePort }: Places): JsonObject {
  const route = { match: { prefix: "/" }, direct_response: { status: 200 } };
  const hcm = manager("probe", [route], [], []);
  return { name: "probe", address: address(probePort), filter_chains: [{ filters: [hcm] }] };
}

function listener(one: Placed, places: Places): JsonObject {
  const { tag, port } = one;
  const { position = "http" } = one.case.scene;
  const plugins = position === "http" ? httpPlugins(one, places) : [];
  const behind = position === "upstream" ? httpPlugins(one, places) : [];
  const logs = position === "log" ? [logPlugin(one, places)] : [];
  const filters =
    position === "network"
      ? [networkPlugin(one, places), tcpProxy(tag)]
      : [manager(tag, routes(one), plugins, [accessLog(tag, places), ...logs], behind)];
  return { name: tag, address: address(port), filter_chains: [{ filters }] };
}

/** A request whose x-route is "second" gets a header that says so. */
function routes({ tag, case: { needs, scene } }: Placed): JsonObject[] {
  const { routeConfig } = scene;
  const all: JsonObject = { match: { prefix: "/" }, route: { cluster: tag } };
  if (!needs.includes("routes")) return [all];
  const match = { name: "x-route", string_match: { exact: "second" } };
  const chosen: JsonObject = {
    match: { prefix: "/", headers: [match] },
    route: { cluster: tag },
    request_headers_to_add: [{ header: { key: "x-chosen", value: "second" } }],
    ...(routeConfig === undefined ? {} : { typed_per_filter_config: perFilter(routeConfig) }),
  };
  return [chosen, all];
}

/** Of the first plugin, by its filter's name. */
function perFilter({ config, rootId }: PluginOptions): JsonObject {
  const own = {
    ...(rootId === undefined ? {} : { root_id: rootId }),
    ...text("configuration", config),
  };
  return { wasm0: { "@type": WASM_HTTP, config: own } };
}

function manager(
  name: string,
  routesOf: readonly JsonObject[],
  filters: readonly JsonObject[],
  logs: readonly JsonObject[],
  upstreamFilters: readonly JsonObject[] = [],
): JsonObject {
  const router = {
    "@type": ROUTER_TYPE,
    suppress_envoy_headers: true,
    ...(upstreamFilters.length === 0 ? {} : { upstream_http_filters: [...upstreamFilters, CODEC] }),
  };
  const config: JsonObject = {
    "@type": HCM_TYPE,
    stat_prefix: name,
    codec_type: "HTTP1",
    http_protocol_options: { enable_trailers: true },
    generate_request_id: false,
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: routesOf }] },
    http_filters: [...filters, { name: "envoy.filters.http.router", typed_config: router }],
    access_log: logs,
  };
  return { name: "envoy.filters.network.http_connection_manager", typed_config: config };
}

function accessLog(tag: string, places: Places): JsonObject {
  const log_format = { text_format_source: { inline_string: `${tag}|%RESPONSE_CODE_DETAILS%\n` } };
  const typed_config = { "@type": FILE_LOG, path: accessLogPath(places), log_format };
  return { name: "envoy.access_loggers.file", typed_config };
}

function tcpProxy(tag: string): JsonObject {
  const typed_config = { "@type": TCP_PROXY_TYPE, stat_prefix: tag, cluster: tag };
  return { name: "envoy.filters.network.tcp_proxy", typed_config };
}

function httpPlugins(one: Placed, places: Places): JsonObject[] {
  const { scene } = one.case;
  const plugins = [scene.plugin, ...(scene.behind ?? []).map(({ plugin }) => plugin)];
  return [one.guest, ...one.behind].map(({ tag }, at) => {
    const config = pluginConfig(one.tag, tag, plugins[at] ?? {}, places);
    return { name: `wasm${at}`, typed_config: { "@type": WASM_HTTP, config } };
  });
}

function networkPlugin(one: Placed, places: Places): JsonObject {
  const config = pluginConfig(one.tag, one.tag, one.case.scene.plugin ?? {}, places);
  const typed_config = { "@type": WASM_NETWORK, config };
  return { name: "wasm", typed_config };
}

function logPlugin(one: Placed, places: Places): JsonObject {
  const config = pluginConfig(one.tag, one.tag, one.case.scene.plugin ?? {}, places);
  return { name: "envoy.access_loggers.wasm", typed_config: { "@type": WASM_LOG, config } };
}

function service(one: Placed, places: Places): JsonObject {
  const config = pluginConfig(one.tag, one.tag, one.case.scene.plugin ?? {}, places);
  const typed_config = { "@type": WASM_SERVICE, singleton: true, config };
  return { name: "envoy.bootstrap.wasm", typed_config };
}

/** Of plugins whose cases give them no name. */
export const DEFAULT_PLUGIN_NAME = "filter";

/** Plugins of a case have its vm_id, by their modules they are in different VMs. */
function pluginConfig(
  vmId: string,
  tag: string,
  plugin: PluginOptions,
  places: Places,
): JsonObject {
  const { failurePolicy, capabilities, environment } = plugin;
  return {
    // Limits go by names.
    name: plugin.limits === undefined ? (plugin.name ?? DEFAULT_PLUGIN_NAME) : tag,
    root_id: plugin.rootId ?? "",
    vm_config: {
      vm_id: (plugin.vmId ?? "$CASE").replaceAll("$CASE", vmId),
      runtime: "envoy.wasm.runtime.v8",
      code: { local: localCode(modulePath(places, tag), plugin.isInline === true) },
      ...text("configuration", plugin.vmConfig),
      ...(environment === undefined ? {} : { environment_variables: { key_values: environment } }),
    },
    ...text("configuration", plugin.config),
    ...(failurePolicy === undefined
      ? {}
      : { failure_policy: `FAIL_${failurePolicy.toUpperCase()}` }),
    ...(capabilities === undefined
      ? {}
      : { capability_restriction_config: { allowed_capabilities: allowed(capabilities) } }),
    ...(plugin.stopIteration === true ? { allow_on_headers_stop_iteration: true } : {}),
  };
}

function allowed(names: readonly string[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/** Modules are written before the configuration is. */
function localCode(filename: string, isInline: boolean): JsonObject {
  return isInline ? { inline_bytes: readFileSync(filename).toString("base64") } : { filename };
}

function text(name: string, value: string | Uint8Array | undefined): Record<string, Json> {
  if (value === undefined) return {};
  if (typeof value === "string") return { [name]: { "@type": STRING, value } };
  return { [name]: { "@type": BYTES, value: Buffer.from(value).toString("base64") } };
}
