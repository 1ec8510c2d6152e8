// Composes what a filter chain does with its connections: the terminal network filter, and those in
// front of it.
import type { FilterChainConfig, ListenerConfig, Snapshot } from "../config/snapshot.ts";
import { NetworkFilterStatus } from "../filter/network-filter.ts";
import type {
  NetworkFilterFactory,
  PassingFilterCallbacks,
  PassingFilterFactory,
  PassingNetworkFilter,
} from "../filter/network-filter.ts";
import type { DrainDecision } from "../hcm/hcm-context.ts";
import { DirectResponseFactory } from "../network/direct-response-filter.ts";
import { echoFactory } from "../network/echo-filter.ts";
import { type HoldLimit, NetworkFilterChain } from "../network/network-filter-manager.ts";
import { createHcmFactory } from "./hcm-factory.ts";
import type { PluginHandle } from "./plugin-handle.ts";
import type { RouteSlots } from "./route-slots.ts";
import { createTcpProxyFactory } from "./tcp-proxy-factory.ts";
import type { WorkerContext } from "./worker-version.ts";

/** What chains of one listener share. */
export interface ChainParts {
  readonly snapshot: Snapshot;
  readonly listener: ListenerConfig;
  /** By index. */
  readonly plugins: ReadonlyMap<number, PluginHandle>;
  readonly routeSlots: RouteSlots;
  readonly drain: DrainDecision;
}

/**
 * Null = the chain has no filters: no connection is taken. Throws when a file of an access log
 * cannot be opened.
 */
export function createNetworkChain(
  context: WorkerContext,
  config: FilterChainConfig,
  parts: ChainParts,
): NetworkFilterFactory | null {
  const terminal = createTerminal(context, config, parts);
  const filters = config.networkFilters.map(
    ({ plugin }) => new WasmFilterFactory(parts.plugins.get(plugin) as PluginHandle),
  );
  if (terminal === null || filters.length === 0) return terminal;
  return new NetworkFilterChain(filters, terminal, holdLimit(context, parts.listener));
}

function holdLimit({ stats }: WorkerContext, listener: ListenerConfig): HoldLimit {
  const scope = `listener.${listener.statPrefix}.network_filters_flow_control_`;
  return {
    bytesMax: listener.perConnectionBufferBytesMax,
    pausedReading: stats.counter(`${scope}paused_reading_total`),
    backedUp: stats.counter(`${scope}backed_up_total`),
  };
}

function createTerminal(
  context: WorkerContext,
  config: FilterChainConfig,
  parts: ChainParts,
): NetworkFilterFactory | null {
  const { hcm, tcpProxy, localFilter } = config;
  const { snapshot, listener, plugins, routeSlots, drain } = parts;
  if (hcm !== null) {
    return createHcmFactory(context, snapshot, listener, hcm, plugins, routeSlots, drain);
  }
  if (tcpProxy !== null) return createTcpProxyFactory(context, snapshot, tcpProxy, plugins);
  if (localFilter === null) return null;
  return localFilter.kind === "echo" ? echoFactory : new DirectResponseFactory(localFilter.body);
}

class WasmFilterFactory implements PassingFilterFactory {
  readonly #plugin: PluginHandle;

  constructor(plugin: PluginHandle) {
    this.#plugin = plugin;
  }

  createFilter(callbacks: PassingFilterCallbacks): PassingNetworkFilter {
    return this.#plugin.createNetworkFilter(callbacks) ?? leftOut;
  }
}

/** In place of a plugin whose VM is dead, and whose policy lets connections pass. */
const leftOut: PassingNetworkFilter = {
  onNewConnection: () => NetworkFilterStatus.Continue,
  onData: () => NetworkFilterStatus.Continue,
  onWrite: () => NetworkFilterStatus.Continue,
  onClose: () => {},
};
