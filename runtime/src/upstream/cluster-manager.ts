// The clusters of one thread by name. Server applies snapshots in two phases: prepare makes what is
// new and touches nothing that runs, commit swaps; the router looks clusters up per request.
import type { ClusterConfig, ClusterMembership } from "../config/snapshot.ts";
import type { Counter, Gauge } from "../stats/store.ts";
import type { SecretSlots } from "../tls/secret-slots.ts";
import { Cluster } from "./cluster.ts";
import type { UpstreamContext } from "./upstream-context.ts";

/** What prepare made: handed to commit, or dropped. */
export interface PreparedClusters {
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly memberships: readonly ClusterMembership[];
}

/** Envoy's cluster_manager.* names; only the thread that owns cluster stats has them. */
interface ManagerStats {
  readonly added: Counter;
  readonly modified: Counter;
  readonly removed: Counter;
  readonly active: Gauge;
}

export class ClusterManager {
  readonly #context: UpstreamContext;
  readonly #stats: ManagerStats | null;
  #clusters: ReadonlyMap<string, Cluster>;
  #isClosed: boolean = false;
  /** Of configurations in force: each update compares them all. */
  readonly #fingerprints: WeakMap<ClusterConfig, string>;

  constructor(context: UpstreamContext) {
    this.#context = context;
    this.#stats = context.ownsClusterStats ? makeStats(context) : null;
    this.#clusters = new Map();
    this.#fingerprints = new WeakMap();
  }

  /** The clusters that are in force, for admin. */
  get clusters(): ReadonlyMap<string, Cluster> {
    return this.#clusters;
  }

  getCluster(name: string): Cluster | undefined {
    return this.#clusters.get(name);
  }

  /**
   * Makes the next set: a cluster whose configuration is the same keeps its object, and with it its
   * pools. `memberships` may name any of the clusters; hosts of the others stay as they are.
   * `secrets` are those of the clusters' TLS.
   */
  prepare(
    configs: readonly ClusterConfig[],
    memberships: readonly ClusterMembership[],
    secrets?: SecretSlots,
  ): PreparedClusters {
    const clusters = new Map<string, Cluster>();
    for (const config of configs) {
      const current = this.#clusters.get(config.name);
      const isSame = current !== undefined && this.#isSameConfig(current.config, config);
      clusters.set(config.name, isSame ? current : new Cluster(config, this.#context, secrets));
    }
    return { clusters, memberships };
  }

  /** Puts a prepared set in force; clusters that are not in it drain. */
  commit(prepared: PreparedClusters): void {
    const old = this.#clusters;
    this.#clusters = prepared.clusters;
    for (const membership of prepared.memberships) {
      const cluster = prepared.clusters.get(membership.cluster);
      if (cluster === undefined) continue;
      const isKept = old.get(membership.cluster) === cluster;
      if (!isKept || hostsDiffer(cluster, membership)) cluster.setMembership(membership);
    }
    this.#count(old, prepared.clusters);
    for (const [name, cluster] of old) {
      if (prepared.clusters.get(name) === cluster) continue;
      cluster.drain(prepared.clusters.has(name));
    }
    this.#stats?.active.set(prepared.clusters.size);
  }

  /** A change of one cluster's hosts; unknown clusters are ignored (the change was overtaken). */
  setMembership(membership: ClusterMembership): void {
    this.#clusters.get(membership.cluster)?.setMembership(membership);
  }

  /** Lets every connection finish; for the end of the process. */
  drain(): void {
    for (const cluster of this.#clusters.values()) cluster.drain();
  }

  /** Closes every connection at once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const cluster of this.#clusters.values()) cluster.close();
  }

  /** By value: snapshots arrive as clones. */
  #isSameConfig(current: ClusterConfig, next: ClusterConfig): boolean {
    let text = this.#fingerprints.get(current);
    if (text === undefined) {
      text = fingerprint(current);
      this.#fingerprints.set(current, text);
    }
    return text === fingerprint(next);
  }

  #count(old: ReadonlyMap<string, Cluster>, next: ReadonlyMap<string, Cluster>): void {
    const stats = this.#stats;
    if (stats === null) return;
    for (const [name, cluster] of next) {
      const before = old.get(name);
      if (before === undefined) stats.added.inc();
      else if (before !== cluster) stats.modified.inc();
    }
    for (const name of old.keys()) if (!next.has(name)) stats.removed.inc();
  }
}

function makeStats(context: UpstreamContext): ManagerStats {
  const store = context.stats;
  for (const name of ["cluster_updated", "cluster_updated_via_merge", "update_merge_cancelled"]) {
    store.counter(`cluster_manager.${name}`);
  }
  store.counter("cluster_manager.update_out_of_merge_window");
  store.gauge("cluster_manager.warming_clusters");
  return {
    added: store.counter("cluster_manager.cluster_added"),
    modified: store.counter("cluster_manager.cluster_modified"),
    removed: store.counter("cluster_manager.cluster_removed"),
    active: store.gauge("cluster_manager.active_clusters"),
  };
}

/**
 * `where` may move with the file, indexes of plugins with other resources, and static hosts come as
 * a membership.
 */
function fingerprint(config: ClusterConfig): string {
  return JSON.stringify(config, (key: string, value: unknown): unknown => {
    if (key === "where" || key === "localities" || key === "plugin") return undefined;
    return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
  });
}

function hostsDiffer(cluster: Cluster, membership: ClusterMembership): boolean {
  const now = cluster.hostSet.hosts;
  if (now.length !== membership.hosts.length) return true;
  return JSON.stringify(now.map((host) => host.config)) !== JSON.stringify(membership.hosts);
}
