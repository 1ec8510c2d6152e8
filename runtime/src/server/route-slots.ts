// Route tables that come by RDS, in one worker: connection managers hold a slot, an update changes
// the table in it. Requests that have their route keep it.
import type { DynamicRouteTable } from "../config/snapshot.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import type { RouteSelector } from "../hcm/hcm-context.ts";
import type { Route } from "../router/route.ts";
import { RouteTable } from "../router/route-table.ts";
import type { RouteTableOptions } from "../router/route-table.ts";
import type { FilterVariantHandles } from "./filter-factory.ts";
import type { PluginHandle } from "./plugin-handle.ts";

const NO_HEADERS: readonly string[] = [];
const NO_PLUGINS: readonly PluginHandle[] = [];

export class RouteSlot implements RouteSelector, FilterVariantHandles {
  readonly key: string;
  revision: number = 0;
  internalOnlyHeaders: readonly string[];
  /** Of the table, by its numbers: changed in the same turn. */
  variants: readonly PluginHandle[];
  #table: RouteTable | null = null;
  /** Chains that have it. */
  #holders: number = 0;

  constructor(key: string) {
    this.key = key;
    this.internalOnlyHeaders = NO_HEADERS;
    this.variants = NO_PLUGINS;
  }

  hold(): void {
    this.#holders += 1;
  }

  /** A chain is over; the last one ends the plugins of the table. */
  release(): void {
    this.#holders -= 1;
    if (this.#holders <= 0) this.setVariants(NO_PLUGINS);
  }

  /** Those that are not among the next ones end with their last streams. */
  setVariants(next: readonly PluginHandle[]): void {
    const before = this.variants;
    this.variants = next;
    for (const plugin of next) plugin.hold();
    for (const plugin of before) plugin.release();
  }

  get isPlain(): boolean {
    return this.#table !== null && this.#table.isPlain;
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
  readonly #tables: readonly DynamicRouteTable[];
  readonly #changes: Change[];

  /** Compiles what is not in `previous` as it is; commit puts it in force. */
  constructor(
    tables: readonly DynamicRouteTable[],
    previous: RouteSlots | null,
    options: RouteTableOptions,
  ) {
    this.#slots = new Map();
    this.#tables = tables;
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

  /** `findPlugin` by index in the snapshot. */
  commit(findPlugin: (index: number) => PluginHandle): void {
    // Also of tables that stay: another policy of the filter is another plugin.
    for (const { key, variants } of this.#tables) {
      this.#slots.get(key)?.setVariants(variants.map(({ plugin }) => findPlugin(plugin)));
    }
    for (const { slot, config, table } of this.#changes.splice(0)) {
      slot.set(config.revision, table, config.table?.internalOnlyHeaders ?? NO_HEADERS);
    }
  }
}
