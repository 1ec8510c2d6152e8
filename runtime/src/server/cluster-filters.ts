// The upstream filters of one version's clusters in one worker: commit hands them to the clusters,
// which keep their pools whatever becomes of a module. Made by worker-version.ts.
import type { ClusterConfig } from "../config/snapshot.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { PreparedClusters } from "../upstream/cluster-manager.ts";
import { FilterFactory, noVariants } from "./filter-factory.ts";
import type { PluginHandle } from "./plugin-handle.ts";

/** What is known of a version's plugins when they are prepared: WorkerPlugins. */
export interface PluginHandles {
  get(index: number): PluginHandle;
}

export class ClusterFilters {
  readonly #factories: Map<Cluster, FilterFactory>;
  readonly #plugins: PluginHandle[];

  /** `configs` are the version's own: a cluster that was kept names its plugins by old indexes. */
  constructor(
    configs: readonly ClusterConfig[],
    { clusters }: PreparedClusters,
    handles: PluginHandles,
  ) {
    this.#factories = new Map();
    this.#plugins = [];
    for (const { name, httpFilters } of configs) {
      const cluster = clusters.get(name);
      const filters = httpFilters?.filters;
      if (cluster === undefined || filters === undefined) continue;
      const plugins = new Map(filters.map(({ plugin }) => [plugin, handles.get(plugin)]));
      this.#plugins.push(...plugins.values());
      this.#factories.set(cluster, new FilterFactory(filters, noVariants, plugins));
    }
  }

  commit(): void {
    for (const plugin of this.#plugins) plugin.hold();
    for (const [cluster, factory] of this.#factories) cluster.filters = factory;
  }

  /** The next version is in force, and holds what it has taken over. */
  retire(): void {
    for (const plugin of this.#plugins) plugin.release();
  }
}
