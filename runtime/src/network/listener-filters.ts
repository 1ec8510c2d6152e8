// Makes listener filters from their configuration.
import type { ConnectionInfo } from "../core/connection-info.ts";
import { isIpText } from "../core/ip-address.ts";
import type { ListenerFilterConfig, ListenerPredicateConfig } from "../config/snapshot.ts";
import type { StatsStore } from "../stats/store.ts";
import { HttpInspector, TlsInspector } from "./inspectors.ts";
import type { ListenerFilter } from "./listener-filter.ts";
import { ProxyProtocolFilter } from "./proxy-protocol-filter.ts";

export function createListenerFilters(
  configs: readonly ListenerFilterConfig[],
  stats: StatsStore,
): ListenerFilter[] {
  return configs.map((config) => createListenerFilter(config, stats));
}

function createListenerFilter(config: ListenerFilterConfig, stats: StatsStore): ListenerFilter {
  switch (config.kind) {
    case "disabled":
      return new SwitchedFilter(config.when, createListenerFilter(config.filter, stats));
    case "proxy_protocol":
      return new ProxyProtocolFilter(config, stats);
    case "tls_inspector":
      return new TlsInspector(config, stats);
    default:
      return new HttpInspector(stats);
  }
}

/** A filter with `filter_disabled`. */
class SwitchedFilter implements ListenerFilter {
  readonly #when: ListenerPredicateConfig;
  readonly #filter: ListenerFilter;

  constructor(when: ListenerPredicateConfig, filter: ListenerFilter) {
    this.#when = when;
    this.#filter = filter;
  }

  inspect(bytes: Buffer, info: ConnectionInfo): number {
    return this.#filter.inspect(bytes, info);
  }

  isDisabledFor(info: ConnectionInfo): boolean {
    return holds(this.#when, info);
  }
}

/** Once per connection; as deep as the configuration. */
function holds(predicate: ListenerPredicateConfig, info: ConnectionInfo): boolean {
  switch (predicate.kind) {
    case "and":
      return predicate.rules.every((rule) => holds(rule, info));
    case "or":
      return predicate.rules.some((rule) => holds(rule, info));
    case "not":
      return !holds(predicate.rule, info);
    case "ports": {
      const { start, end } = predicate;
      return isIpText(info.localIp) && info.localPort >= start && info.localPort < end;
    }
    default:
      return true;
  }
}
