// Hosts of EDS clusters, in the main thread: one subscription for each cluster. A change goes to
// the workers as a membership, like one of DNS. Used by version-applier.ts.
import type { ClusterMembership } from "../config/snapshot.ts";
import type { LoadedDiscovery } from "../config/discovery-loader.ts";
import type { ClusterResource } from "../config/translate/assemble-snapshot.ts";
import { translateAssignment } from "../config/translate/translate-resources.ts";
import type { EdsConfig } from "../config/snapshot.ts";
import type { StatsAggregate } from "../stats/aggregate.ts";
import { membershipOf } from "../upstream/dns-resolver.ts";
import { FileSubscription, logWarnings } from "../xds/file-subscription.ts";
import type { SubscriptionContext } from "../xds/file-subscription.ts";
import { SubscriptionStats } from "../xds/subscription-stats.ts";
import { closeAll, inForceOf, unexpectedResource } from "./discovered.ts";
import type { Discovered, InForce } from "./discovered.ts";

const ASSIGNMENT = "envoy.config.endpoint.v3.ClusterLoadAssignment";

export interface EdsOptions {
  readonly context: SubscriptionContext;
  readonly stats: StatsAggregate;
  readonly ignoreUnsupported: boolean;
  /** Other hosts of a cluster that is in force. */
  readonly onMembership: (membership: ClusterMembership) => void;
}

interface Entry extends Discovered {
  readonly cluster: string;
  readonly serviceName: string;
  /** Of its stats, with its dot. */
  readonly scope: string;
  membership: ClusterMembership | null;
}

export class EdsAssignments {
  readonly #options: EdsOptions;
  readonly #entries: Map<string, Entry>;

  constructor(options: EdsOptions) {
    this.#options = options;
    this.#entries = new Map();
  }

  /** Subscribes to what is new, and returns when it has been read; retain must follow. */
  async ensure(clusters: readonly ClusterResource[]): Promise<void> {
    for (const { config } of clusters) {
      if (config.eds === null || this.#entries.has(entryKey(config.name, config.eds))) continue;
      const entry = this.#subscribe(config.name, config.statName, config.eds);
      this.#entries.set(entryKey(config.name, config.eds), entry);
      await entry.subscription.poll();
    }
  }

  /** These clusters are in force now, and no others. */
  retain(clusters: readonly ClusterResource[]): void {
    const keys = new Set(
      clusters.map(({ config: { name, eds } }) => (eds === null ? "" : entryKey(name, eds))),
    );
    for (const [key, entry] of this.#entries) {
      entry.isInForce = true;
      if (keys.has(key)) continue;
      entry.subscription.close();
      this.#entries.delete(key);
    }
  }

  /** Hosts by cluster; a cluster of which nothing came has none. */
  memberships(clusters: readonly ClusterResource[]): Map<string, ClusterMembership> {
    const memberships = new Map<string, ClusterMembership>();
    for (const { config } of clusters) {
      if (config.eds === null) continue;
      const entry = this.#entries.get(entryKey(config.name, config.eds));
      const membership = entry?.membership ?? { cluster: config.name, hosts: [] };
      memberships.set(config.name, membership);
    }
    return memberships;
  }

  /** For /config_dump. */
  inForce(): InForce[] {
    return inForceOf(this.#entries.values());
  }

  close(): void {
    closeAll(this.#entries);
  }

  #subscribe(cluster: string, statName: string, eds: EdsConfig): Entry {
    const { context, stats } = this.#options;
    const scope = `cluster.${statName}.`;
    const counts = { scope, hasEmpty: true, hasReload: false };
    const subscriptionStats = new SubscriptionStats(stats, counts);
    const subscription = new FileSubscription(context, {
      kind: "EDS",
      source: eds.source,
      typeName: ASSIGNMENT,
      stats: subscriptionStats,
      apply: (discovery) => Promise.resolve(this.#apply(entry, discovery, subscriptionStats)),
    });
    const entry: Entry = {
      subscription,
      cluster,
      serviceName: eds.serviceName,
      scope,
      membership: null,
      discovery: null,
      lastUpdated: "",
      isInForce: false,
    };
    return entry;
  }

  #apply(
    entry: Entry,
    discovery: LoadedDiscovery,
    subscriptionStats: SubscriptionStats,
  ): readonly string[] {
    const { context, stats, ignoreUnsupported, onMembership } = this.#options;
    if (discovery.errors !== null) throw discovery.errors;
    if (discovery.resources.length === 0) {
      subscriptionStats.empty?.inc();
      return [];
    }
    const { scope, serviceName: name } = entry;
    const expected = { kind: "EDS", noun: "cluster", field: "cluster_name", name } as const;
    const problem = unexpectedResource(discovery, expected);
    if (problem !== null) return [problem];
    const { value: localities, warnings } = translateAssignment(discovery, { ignoreUnsupported });
    logWarnings(context.logger, warnings);
    const membership = membershipOf(entry.cluster, localities);
    entry.discovery = discovery;
    entry.lastUpdated = new Date().toISOString();
    if (JSON.stringify(entry.membership) === JSON.stringify(membership)) {
      stats.store.counter(`${scope}update_no_rebuild`).inc();
      return [];
    }
    const isFirst = entry.membership === null;
    entry.membership = membership;
    if (entry.isInForce) onMembership(membership);
    if (!isFirst) stats.store.counter("cluster_manager.cluster_updated").inc();
    return [];
  }
}

function entryKey(cluster: string, eds: EdsConfig): string {
  return JSON.stringify([cluster, eds]);
}
