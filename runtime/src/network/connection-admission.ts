// Says whether a listener may have one more connection: the limit of all listeners, the overload
// manager's word, the listener's own limit, in Envoy's order. Owned by Listener.
import type { ListenerConfig } from "../config/snapshot.ts";
import type { OverloadState } from "../core/overload-state.ts";
import { RuntimeInteger } from "../core/runtime.ts";
import type { Runtime } from "../core/runtime.ts";
import { SharedCount } from "../core/shared-counts.ts";
import type { SharedCounts } from "../core/shared-counts.ts";
import type { ListenerStats } from "./listener-stats.ts";

/** Cell of the connections of all listeners; those of the listeners follow. */
const TOTAL_CELL = 0;
const TOTAL_KEY = "overload.global_downstream_max_connections";

/** Cells that `listeners` listeners need. */
export function connectionCells(listeners: number): number {
  return TOTAL_CELL + 1 + listeners;
}

/** Connections of all listeners, as `thread` sees them. */
export function totalConnections(counts: SharedCounts): SharedCount {
  return new SharedCount(counts, TOTAL_CELL);
}

export interface AdmissionContext {
  readonly overload: OverloadState;
  readonly runtime: Runtime;
  readonly connectionCounts: SharedCounts;
}

export class ConnectionAdmission {
  readonly #config: ListenerConfig;
  readonly #stats: ListenerStats;
  readonly #overload: OverloadState;
  readonly #total: SharedCount;
  /** What the runtime says; the overload manager's own limit counts before it. */
  readonly #totalMax: RuntimeInteger;
  readonly #own: SharedCount;
  readonly #ownMax: RuntimeInteger;

  constructor(config: ListenerConfig, stats: ListenerStats, context: AdmissionContext) {
    const { connectionCounts, overload, runtime } = context;
    const unlimited = Number.POSITIVE_INFINITY;
    const ownKey = `envoy.resource_limits.listener.${config.name}.connection_limit`;
    this.#config = config;
    this.#stats = stats;
    this.#overload = overload;
    this.#total = totalConnections(connectionCounts);
    this.#totalMax = new RuntimeInteger(runtime, TOTAL_KEY, unlimited);
    this.#own = new SharedCount(connectionCounts, TOTAL_CELL + 1 + config.sharedIndex);
    this.#ownMax = new RuntimeInteger(runtime, ownKey, unlimited);
  }

  /** New connections wait until the overload is over. */
  get isPaused(): boolean {
    return this.#overload.stopConnections.isSaturated && !this.#config.bypassesOverloadManager;
  }

  /** Takes a place; false = refused, and counted. */
  admit(): boolean {
    const { connectionsMax, rejectConnections, refusedConnections, shedAccept } = this.#overload;
    const { bypassesOverloadManager, ignoresGlobalConnectionLimit } = this.#config;
    const isWatched = connectionsMax !== Number.POSITIVE_INFINITY;
    const totalMax = isWatched ? connectionsMax : this.#totalMax.value;
    if (!ignoresGlobalConnectionLimit && !this.#total.tryAdd(totalMax)) {
      this.#stats.globalCxOverflow.inc();
      refusedConnections?.inc();
      return false;
    }
    if (!bypassesOverloadManager && (shedAccept.occurs() || rejectConnections.occurs())) {
      this.#stats.cxOverloadReject.inc();
      this.#releaseTotal();
      return false;
    }
    if (!this.#own.tryAdd(this.#ownMax.value)) {
      this.#stats.cxOverflow.inc();
      this.#releaseTotal();
      return false;
    }
    return true;
  }

  /** Gives the place back. */
  release(): void {
    this.#own.sub();
    this.#releaseTotal();
  }

  #releaseTotal(): void {
    if (!this.#config.ignoresGlobalConnectionLimit) this.#total.sub();
  }
}
