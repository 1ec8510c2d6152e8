// Route tables that come by RDS, in the main thread: one subscription for each source and name,
// shared by the connection managers that name it. Used by version-applier.ts.
import type { LoadedDiscovery } from "../config/discovery-loader.ts";
import type { ListenerResource } from "../config/translate/assemble-snapshot.ts";
import type { RdsChain } from "../config/translate/rds-chain.ts";
import { hcmsOf } from "../config/translate/rds-of.ts";
import { translateRouteTables } from "../config/translate/translate-resources.ts";
import type { ReadTable } from "../config/translate/translate-resources.ts";
import type { DynamicRouteTable, RdsConfig, RouteVariantConfig } from "../config/snapshot.ts";
import type { StatsAggregate } from "../stats/aggregate.ts";
import { FileSubscription, logWarnings } from "../xds/file-subscription.ts";
import type { SubscriptionContext } from "../xds/file-subscription.ts";
import { SubscriptionStats } from "../xds/subscription-stats.ts";
import { closeAll, inForceOf, unexpectedResource } from "./discovered.ts";
import type { Discovered, InForce } from "./discovered.ts";
import { plainText } from "./fingerprint.ts";

const ROUTE_CONFIGURATION = "envoy.config.route.v3.RouteConfiguration";

/** A connection manager that has its routes by RDS. */
export interface RdsNeed {
  readonly rds: RdsConfig;
  readonly chain: RdsChain;
  readonly statPrefix: string;
}

export function rdsNeeds(listeners: readonly ListenerResource[]): RdsNeed[] {
  return listeners.flatMap(({ config, rdsChains }) => {
    const chains = new Map(rdsChains.map((chain) => [chain.key, chain]));
    return hcmsOf([config]).flatMap(({ rds, statPrefix }) => {
      const chain = chains.get(rds?.key ?? "");
      return rds === null || chain === undefined ? [] : [{ rds, chain, statPrefix }];
    });
  });
}

export interface RdsOptions {
  readonly context: SubscriptionContext;
  readonly stats: StatsAggregate;
  readonly ignoreUnsupported: boolean;
  readonly wasmStructAsJson: boolean;
  /** Names that `validate_clusters: true` accepts. */
  readonly clusterNames: () => ReadonlySet<string>;
  /** Puts changed tables in force. Answers with what is wrong. */
  readonly applyTables: (tables: readonly DynamicRouteTable[]) => Promise<readonly string[]>;
}

interface Entry extends Discovered {
  /** By RdsConfig.key: each of them reads the table by its own filters. */
  readonly users: Map<string, RdsChain>;
  tables: ReadonlyMap<string, DynamicRouteTable>;
}

export class RdsTables {
  readonly #options: RdsOptions;
  readonly #entries: Map<string, Entry>;
  #revision: number = 0;

  constructor(options: RdsOptions) {
    this.#options = options;
    this.#entries = new Map();
  }

  /**
   * Subscribes to what is new, and returns when it has been read. Nothing that is in force changes;
   * retain must follow. Throws ConfigErrors when a new user cannot have a table that others have.
   */
  async ensure(needs: readonly RdsNeed[]): Promise<void> {
    for (const need of needs) {
      const { rds, chain } = need;
      const known = this.#entries.get(entryKey(rds));
      const entry = known ?? this.#subscribe(need);
      const isNewUser = !entry.users.has(rds.key);
      entry.users.set(rds.key, chain);
      if (known === undefined) await entry.subscription.poll();
      else if (isNewUser && entry.discovery !== null) {
        for (const [key, read] of this.#translate(entry.discovery, [chain])) {
          entry.tables = new Map([...entry.tables, [key, this.#revise(key, read)]]);
        }
      }
    }
  }

  /** These are in force now, and no others. */
  retain(needs: readonly RdsNeed[]): void {
    const users = new Set(needs.map(({ rds }) => rds.key));
    for (const [key, entry] of this.#entries) {
      for (const user of entry.users.keys()) if (!users.has(user)) entry.users.delete(user);
      entry.tables = new Map([...entry.tables].filter(([user]) => users.has(user)));
      entry.isInForce = true;
      if (entry.users.size > 0) continue;
      entry.subscription.close();
      this.#entries.delete(key);
    }
  }

  /** The tables as they are, those that have not come included. */
  tables(needs: readonly RdsNeed[]): DynamicRouteTable[] {
    const tables = new Map<string, DynamicRouteTable>();
    for (const { rds } of needs) {
      const known = this.#entries.get(entryKey(rds))?.tables.get(rds.key);
      tables.set(rds.key, known ?? { key: rds.key, revision: 0, table: null, variants: [] });
    }
    return [...tables.values()];
  }

  /** For /config_dump. */
  inForce(): InForce[] {
    return inForceOf(this.#entries.values());
  }

  close(): void {
    closeAll(this.#entries);
  }

  #subscribe({ rds, statPrefix }: RdsNeed): Entry {
    const { context, stats } = this.#options;
    const { routeConfigName: name, source } = rds;
    const subscriptionStats = new SubscriptionStats(stats, {
      scope: `http.${statPrefix}.rds.${name.replaceAll(":", "_")}.`,
      hasEmpty: true,
      hasReload: true,
    });
    const subscription = new FileSubscription(context, {
      kind: "RDS",
      source,
      typeName: ROUTE_CONFIGURATION,
      stats: subscriptionStats,
      apply: async (discovery) => await this.#apply(entry, name, discovery, subscriptionStats),
    });
    const entry: Entry = {
      subscription,
      users: new Map(),
      tables: new Map(),
      discovery: null,
      lastUpdated: "",
      isInForce: false,
    };
    this.#entries.set(entryKey(rds), entry);
    return entry;
  }

  async #apply(
    entry: Entry,
    name: string,
    discovery: LoadedDiscovery,
    stats: SubscriptionStats,
  ): Promise<readonly string[]> {
    if (discovery.errors !== null) throw discovery.errors;
    if (discovery.resources.length === 0) {
      stats.empty?.inc();
      return [];
    }
    const expected = { kind: "RDS", noun: "configuration", field: "name", name } as const;
    const problem = unexpectedResource(discovery, expected);
    if (problem !== null) return [problem];
    const translated = this.#translate(discovery, [...entry.users.values()]);
    if (entry.discovery !== null && isSame(entry.tables, translated)) return [];
    const tables = [...translated].map(([key, read]) => this.#revise(key, read));
    const problems = entry.isInForce ? await this.#options.applyTables(tables) : [];
    if (problems.length > 0) return problems;
    entry.tables = new Map(tables.map((table) => [table.key, table]));
    entry.discovery = discovery;
    entry.lastUpdated = new Date().toISOString();
    stats.onReload();
    return [];
  }

  #translate(
    discovery: LoadedDiscovery,
    users: readonly RdsChain[],
  ): ReadonlyMap<string, ReadTable> {
    const { context, ignoreUnsupported, wasmStructAsJson, clusterNames } = this.#options;
    const options = { ignoreUnsupported, wasmStructAsJson };
    const { value, warnings } = translateRouteTables(discovery, options, users, clusterNames());
    logWarnings(context.logger, warnings);
    return value;
  }

  #revise(key: string, read: ReadTable): DynamicRouteTable {
    this.#revision += 1;
    return { key, revision: this.#revision, ...read };
  }
}

function entryKey({ source, routeConfigName }: RdsConfig): string {
  return JSON.stringify([source, routeConfigName]);
}

function isSame(
  tables: ReadonlyMap<string, DynamicRouteTable>,
  translated: ReadonlyMap<string, ReadTable>,
): boolean {
  return [...translated].every(([key, { table, variants }]) => {
    const known = tables.get(key);
    if (known === undefined || !isSameVariants(known.variants, variants)) return false;
    return JSON.stringify(known.table) === JSON.stringify(table);
  });
}

/** The tables with the plugins of those in force; null = some of theirs do not run yet. */
export function withRunningPlugins(
  tables: readonly DynamicRouteTable[],
  inForce: readonly DynamicRouteTable[],
): DynamicRouteTable[] | null {
  const byKey = new Map(inForce.map((table) => [table.key, table.variants]));
  const found: DynamicRouteTable[] = [];
  for (const table of tables) {
    const variants = byKey.get(table.key) ?? [];
    if (!isSameVariants(variants, table.variants)) return null;
    found.push({ ...table, variants });
  }
  return found;
}

function isSameVariants(
  before: readonly RouteVariantConfig[],
  next: readonly RouteVariantConfig[],
): boolean {
  const text = (variants: readonly RouteVariantConfig[]): string =>
    plainText(variants.map(({ filter, own }) => [filter, own]));
  return text(before) === text(next);
}
