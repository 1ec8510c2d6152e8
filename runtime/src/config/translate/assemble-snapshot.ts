// Joins translated resources, wherever they came from, into the snapshot that workers get. Called
// by translate-bootstrap.ts and, for each change, by server/.
import { chainLogs } from "../chain-logs.ts";
import type { ConfigNode } from "../config-node.ts";
import type {
  AccessLogConfig,
  AddressConfig,
  ClusterConfig,
  DynamicRouteTable,
  DynamicSecret,
  FilterChainConfig,
  ListenerConfig,
  NodeConfig,
  ServerConfig,
  Snapshot,
  WasmPluginConfig,
} from "../snapshot.ts";
import type { RdsChain } from "./rds-chain.ts";
import { hcmsOf } from "./rds-of.ts";
import type { SecretNeed } from "./secret-need.ts";

export interface ClusterResource {
  /** The message, for /config_dump. */
  readonly node: ConfigNode;
  /** Its filters name `plugins` by index. */
  readonly config: ClusterConfig;
  readonly plugins: readonly WasmPluginConfig[];
  /** Secrets that come and change by themselves. */
  readonly secrets: readonly SecretNeed[];
}

export interface ListenerResource {
  readonly node: ConfigNode;
  /** Its filters and access loggers name `plugins` by index. */
  readonly config: ListenerConfig;
  readonly plugins: readonly WasmPluginConfig[];
  /** Secrets that come and change by themselves. */
  readonly secrets: readonly SecretNeed[];
  /** Chains whose routes come by RDS, by RdsConfig.key. */
  readonly rdsChains: readonly RdsChain[];
}

/** A wasm service of the bootstrap. */
export interface ServiceResource {
  readonly plugin: WasmPluginConfig;
  readonly isSingleton: boolean;
}

export interface SnapshotParts {
  readonly version: number;
  readonly listeners: readonly ListenerResource[];
  readonly clusters: readonly ClusterResource[];
  readonly services: readonly ServiceResource[];
  readonly routeTables: readonly DynamicRouteTable[];
  readonly secrets: readonly DynamicSecret[];
  /** Of clusters that have none of their own; null = the system chooses. */
  readonly bindAddresses: readonly AddressConfig[] | null;
  readonly node: NodeConfig;
  readonly server: ServerConfig;
  readonly runtime: Snapshot["runtime"];
  readonly overload: Snapshot["overload"];
  /** Of a cluster's name. Default: its place among the clusters. */
  readonly sharedIndexOf?: (cluster: string) => number;
  /** Of a listener's name. Default: its place among the listeners. */
  readonly listenerIndexOf?: (listener: string) => number;
}

export function assembleSnapshot(parts: SnapshotParts): Snapshot {
  const plugins: WasmPluginConfig[] = [];
  const listeners: ListenerConfig[] = [];
  for (const listener of parts.listeners) {
    const { name } = listener.config;
    listeners.push({
      ...withPluginsFrom(listener.config, plugins.length),
      sharedIndex: parts.listenerIndexOf?.(name) ?? listeners.length,
    });
    const first = plugins.length;
    for (const plugin of listener.plugins) {
      const { variantOf } = plugin;
      plugins.push(variantOf === undefined ? plugin : { ...plugin, variantOf: variantOf + first });
    }
  }
  const services = parts.services.map(({ plugin, isSingleton }) => ({
    plugin: plugins.push(plugin) - 1,
    isSingleton,
  }));
  const clusters = parts.clusters.map(({ config, plugins: own }, index) => ({
    ...clusterWithPluginsFrom(config, plugins.push(...own) - own.length),
    bindAddresses: config.bindAddresses ?? parts.bindAddresses,
    sharedIndex: parts.sharedIndexOf?.(config.name) ?? index,
  }));
  return {
    version: parts.version,
    listeners,
    clusters,
    plugins,
    services,
    routeTables: parts.routeTables.map((table) => placeVariants(table, listeners, plugins)),
    secrets: parts.secrets,
    node: parts.node,
    server: parts.server,
    runtime: parts.runtime,
    overload: parts.overload,
  };
}

/** Behind the plugins of the filters in whose place they stand. */
function placeVariants(
  table: DynamicRouteTable,
  listeners: readonly ListenerConfig[],
  plugins: WasmPluginConfig[],
): DynamicRouteTable {
  if (table.variants.length === 0) return table;
  const user = hcmsOf(listeners).find(({ rds }) => rds?.key === table.key);
  const variants = table.variants.map((variant) => {
    const variantOf = user?.httpFilters[variant.filter]?.plugin ?? -1;
    const base = plugins[variantOf] as WasmPluginConfig;
    return { ...variant, plugin: plugins.push({ ...base, ...variant.own, variantOf }) - 1 };
  });
  return { ...table, variants };
}

/** The listener's plugins begin at `first` among all. */
function withPluginsFrom(listener: ListenerConfig, first: number): ListenerConfig {
  if (first === 0) return listener;
  const { filterChains, defaultFilterChain, accessLogs } = listener;
  const ofChain = (chain: FilterChainConfig): FilterChainConfig =>
    chainWithPluginsFrom(chain, first);
  return {
    ...listener,
    filterChains: filterChains.map(ofChain),
    defaultFilterChain: defaultFilterChain === null ? null : ofChain(defaultFilterChain),
    accessLogs: accessLogs.map((log) => logWithPluginFrom(log, first)),
  };
}

function chainWithPluginsFrom(chain: FilterChainConfig, first: number): FilterChainConfig {
  const { hcm, tcpProxy } = chain;
  const accessLogs = chainLogs(chain).map((log) => logWithPluginFrom(log, first));
  const networkFilters = filtersWithPluginsFrom(chain.networkFilters, first);
  const moved = { ...chain, networkFilters };
  if (tcpProxy !== null) return { ...moved, tcpProxy: { ...tcpProxy, accessLogs } };
  if (hcm === null) return moved;
  const httpFilters = filtersWithPluginsFrom(hcm.httpFilters, first);
  const variants = hcm.variants && filtersWithPluginsFrom(hcm.variants, first);
  const own = hcm.router.upstreamFilters;
  const upstreamFilters = own && filtersWithPluginsFrom(own, first);
  const router = { ...hcm.router, upstreamFilters };
  return { ...moved, hcm: { ...hcm, httpFilters, variants, router, accessLogs } };
}

function clusterWithPluginsFrom(cluster: ClusterConfig, first: number): ClusterConfig {
  const { httpFilters } = cluster;
  if (httpFilters === undefined) return cluster;
  const filters = filtersWithPluginsFrom(httpFilters.filters, first);
  return { ...cluster, httpFilters: { ...httpFilters, filters } };
}

function filtersWithPluginsFrom<Filter extends { readonly plugin: number }>(
  filters: readonly Filter[],
  first: number,
): Filter[] {
  return filters.map((filter) => ({ ...filter, plugin: filter.plugin + first }));
}

function logWithPluginFrom(log: AccessLogConfig, first: number): AccessLogConfig {
  const { sink } = log;
  return sink.kind === "wasm" ? { ...log, sink: { ...sink, plugin: sink.plugin + first } } : log;
}
