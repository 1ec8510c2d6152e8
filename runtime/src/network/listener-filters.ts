// Makes listener filters from their configuration.
import type { ListenerFilterConfig } from "../config/snapshot.ts";
import type { StatsStore } from "../stats/store.ts";
import { HttpInspector, TlsInspector } from "./inspectors.ts";
import type { ListenerFilter } from "./listener-filter.ts";
import { ProxyProtocolFilter } from "./proxy-protocol-filter.ts";

export function createListenerFilters(
  configs: readonly ListenerFilterConfig[],
  stats: StatsStore,
): ListenerFilter[] {
  return configs.map((config) => {
    if (config.kind === "proxy_protocol") return new ProxyProtocolFilter(config, stats);
    if (config.kind === "tls_inspector") return new TlsInspector(config.helloBytesMax, stats);
    return new HttpInspector(stats);
  });
}
