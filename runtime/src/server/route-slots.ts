// Route tables that come by RDS, in one worker: connection managers hold a slot, an update changes
// the table in it. Requests that have their route keep it.
import type { DynamicRouteTable } from "../config/snapshot.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import type { RouteSelector } from "../hcm/hcm-context.ts";
import type { Route } from "../router/route.ts";
import { RouteTable } from "../router/route-table.ts";
import type { RouteTableOptions } from "../router/route-table.ts";

const NO_HEADERS: readonly string[] = [];

export class RouteSlot implements RouteSelector {
  readonly key: string;
  revision: number = 0;
  internalOnlyHeaders: readonly string[];
  #table: RouteTable | null = null;

  constructor(key: string) {
    this.key = key;
    this.internalOnlyHeaders = NO_HEADERS;
  }

  /** Null also while there is no table: then everything is 404. */
  match(headers: HeaderMap, randomValue: number, tls: TlsInfo | null): Route | null {
    return this.#table === null ? null : this.#table.match(headers, randomValue, tls);
  }

  set(revision: number, table: RouteTable | null, internalOnlyHeaders: readonly string[]): void {
    this.revision = revision;
    this.#table = table;
    this.internalOnlyHeaders = internalOnlyHeaders;
  }
}

/** What prepare made of a table that is new or has changed. */
interface Change {
  readonly slot: RouteSlot;
  readonly config: DynamicRouteTable;
  readonly table: RouteTable | null;
}

/** The slots of one version of the configuration. */
export class RouteSlots {
  readonly #slots: Map<string, RouteSlot>;
  readonly #changes: Change[];

  /** Compiles what is not in `previous` as it is; commit puts it in force. */
  constructor(
    tables: readonly DynamicRouteTable[],
    previous: RouteSlots | null,
    options: RouteTableOptions,
  ) {
    this.#slots = new Map();
    this.#changes = [];
    for (const config of tables) {
      const slot = previous?.get(config.key) ?? new RouteSlot(config.key);
      this.#slots.set(config.key, slot);
      if (slot.revision === config.revision) continue;
      const table = config.table === null ? null : new RouteTable(config.table, options);
      this.#changes.push({ slot, config, table });
    }
  }

  get(key: string): RouteSlot | undefined {
    return this.#slots.get(key);
  }

  commit(): void {
    for (const { slot, config, table } of this.#changes.splice(0)) {
      slot.set(config.revision, table, config.table?.internalOnlyHeaders ?? NO_HEADERS);
    }
  }
}
