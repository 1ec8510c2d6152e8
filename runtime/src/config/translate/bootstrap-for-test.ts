// Small bootstraps for the tests of this folder, and what becomes of them.
import { loadBootstrap } from "../bootstrap-loader.ts";
import type { LoadedBootstrap } from "../bootstrap-loader.ts";
import { ConfigErrors } from "../config-error.ts";
import type { ClusterConfig, HcmConfig, ListenerConfig, RouteConfig } from "../snapshot.ts";
import { Schema } from "../schema.ts";
import { translateBootstrap } from "./translate-bootstrap.ts";
import type { TranslatedBootstrap, TranslateOptions } from "./translate-bootstrap.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Type URL of a message of Envoy's API. */
export function type(name: string): { "@type": string } {
  return { "@type": `type.googleapis.com/${name}` };
}

export const HCM =
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
export const ROUTER = "envoy.extensions.filters.http.router.v3.Router";
export const WASM = "envoy.extensions.filters.http.wasm.v3.Wasm";

/** Path of the connection manager of `boot`. */
export const HCM_PATH = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
/** Path of the first route of `boot`. */
export const ROUTE_PATH: string = `${HCM_PATH}.route_config.virtual_hosts[0].routes[0]`;
/** Path of the cluster of `boot`. */
export const CLUSTER_PATH = "static_resources.clusters[0]";

export function address(host = "127.0.0.1", port = 0): Fields {
  return { socket_address: { address: host, port_value: port } };
}

export const router: Fields = { name: "router", typed_config: type(ROUTER) };

/** An HTTP filter that runs: a module of nothing but its first bytes. */
export function wasmFilter(name: string, config: Fields = {}, more: Fields = {}): Fields {
  const code = { local: { inline_bytes: "AGFzbQEAAAA=" } };
  const plugin = { vm_config: { runtime: "envoy.wasm.runtime.v8", code }, ...config };
  return { name, typed_config: { ...type(WASM), config: plugin }, ...more };
}

export function endpoint(host = "127.0.0.1", port = 9000): Fields {
  return { endpoint: { address: address(host, port) } };
}

export function assignment(...endpoints: readonly Fields[]): Fields {
  return { cluster_name: "up", endpoints: [{ lb_endpoints: endpoints }] };
}

export function cluster(more: Fields = {}): Fields {
  return { name: "up", type: "STATIC", load_assignment: assignment(endpoint()), ...more };
}

/** Everything to the cluster "up". */
export function forward(action: Fields = {}, more: Fields = {}): Fields {
  return { match: { prefix: "/" }, route: { cluster: "up", ...action }, ...more };
}

export function respond(response: Fields = {}, more: Fields = {}): Fields {
  return { match: { prefix: "/" }, direct_response: { status: 200, ...response }, ...more };
}

export function table(...routes: readonly Fields[]): Fields {
  return { virtual_hosts: [{ name: "all", domains: ["*"], routes }] };
}

/** What `boot` shall have other than the usual. */
export interface Parts {
  readonly bootstrap?: Fields;
  readonly listener?: Fields;
  readonly chain?: Fields;
  readonly hcm?: Fields;
  readonly routes?: Fields;
  readonly clusters?: readonly Fields[];
}

/** One listener with one connection manager, one route to the one cluster. */
export function boot(parts: Parts = {}): Fields {
  const manager = {
    ...type(HCM),
    stat_prefix: "main",
    route_config: parts.routes ?? table(forward()),
    http_filters: [router],
    ...parts.hcm,
  };
  const chain = { filters: [{ name: "hcm", typed_config: manager }], ...parts.chain };
  const listener = { name: "main", address: address(), filter_chains: [chain], ...parts.listener };
  const clusters = parts.clusters ?? [cluster()];
  return { static_resources: { listeners: [listener], clusters }, ...parts.bootstrap };
}

const defaults: TranslateOptions = {
  version: 1,
  serviceNode: "",
  serviceCluster: "",
  serviceZone: "",
  fileFlushIntervalMs: 10_000,
  drainTimeMs: 600_000,
  drainStrategy: "gradual",
  ignoreUnsupported: false,
};

const schema = Schema.open();

export function load(config: Fields | string): Promise<LoadedBootstrap> {
  const yaml = typeof config === "string" ? config : JSON.stringify(config);
  return loadBootstrap({ yaml, allowUnknownStaticFields: false, keepGoing: true, schema });
}

/** Throws ConfigErrors. */
export async function translate(
  config: Fields | string,
  options: Partial<TranslateOptions> = {},
): Promise<TranslatedBootstrap> {
  return translateBootstrap(await load(config), { ...defaults, ...options });
}

/** `path: message` of everything that is wrong; [] when nothing is. */
export async function problems(
  config: Fields | string,
  options: Partial<TranslateOptions> = {},
): Promise<string[]> {
  try {
    await translate(config, options);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    return error.problems.map((problem) => `${problem.path}: ${problem.message}`);
  }
}

/** `path: message` of the warnings; deprecations are left out. */
export async function warnings(
  config: Fields | string,
  options: Partial<TranslateOptions> = {},
): Promise<string[]> {
  const translated = await translate(config, options);
  return translated.warnings
    .filter((warning) => !warning.message.startsWith("deprecated"))
    .map((warning) => `${warning.path}: ${warning.message}`);
}

/** The listener of `boot` with these parts. */
export async function listenerOf(parts: Parts): Promise<ListenerConfig> {
  const { snapshot } = await translate(boot(parts));
  return snapshot.listeners[0] as ListenerConfig;
}

/** The connection manager of `boot` with these fields. */
export async function hcmOf(hcm: Fields, parts: Parts = {}): Promise<HcmConfig> {
  const listener = await listenerOf({ ...parts, hcm });
  return listener.filterChains[0]?.hcm as HcmConfig;
}

/** The first route of a table of these routes. */
export async function routeOf(...routes: readonly Fields[]): Promise<RouteConfig> {
  const manager = await hcmOf({}, { routes: table(...routes) });
  return manager.routes.virtualHosts[0]?.routes[0] as RouteConfig;
}

/** The cluster of `boot` with these fields. */
export async function clusterOf(more: Fields): Promise<ClusterConfig> {
  const { snapshot } = await translate(boot({ clusters: [cluster(more)] }));
  return snapshot.clusters[0] as ClusterConfig;
}

/** `problems` of a bootstrap whose cluster, connection manager or first route has these fields. */
export function clusterProblems(more: Fields): Promise<string[]> {
  return problems(boot({ clusters: [cluster(more)] }));
}
export function hcmProblems(hcm: Fields): Promise<string[]> {
  return problems(boot({ hcm }));
}
export function routeProblems(...routes: readonly Fields[]): Promise<string[]> {
  return problems(boot({ routes: table(...routes) }));
}
