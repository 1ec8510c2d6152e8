// Who belongs to each cluster, in the main thread: static hosts as configured, DNS hosts as the
// resolver says. Each change goes to the workers.
import type { ClusterConfig, ClusterMembership } from "../config/snapshot.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { SystemRandom } from "../core/random.ts";
import type { StatsStore } from "../stats/store.ts";
import { SystemDnsLookup } from "../upstream/dns-lookup.ts";
import { DnsResolver, staticMembership, systemDelays } from "../upstream/dns-resolver.ts";

export interface MembershipOptions {
  readonly clusters: readonly ClusterConfig[];
  readonly stats: StatsStore;
  readonly logger: Logger;
  /** A change after start. */
  readonly onChange: (membership: ClusterMembership) => void;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #resolver: DnsResolver;
  readonly #current: Map<string, ClusterMembership>;
  #isStarted: boolean = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#current = new Map();
    this.#resolver = new DnsResolver({
      lookup: new SystemDnsLookup(),
      delays: systemDelays,
      random: new SystemRandom(),
      stats: options.stats,
      onMembership: (membership) => this.#onMembership(membership),
    });
  }

  /** Returns when every name has been asked for once; one that has no answer is no error. */
  async start(): Promise<void> {
    for (const cluster of this.#options.clusters) {
      if (cluster.discovery !== "static") continue;
      this.#current.set(cluster.name, staticMembership(cluster));
    }
    await this.#resolver.setClusters(this.#options.clusters);
    this.#isStarted = true;
  }

  /** The hosts of every cluster as they are now. */
  current(): ClusterMembership[] {
    return [...this.#current.values()];
  }

  close(): void {
    this.#resolver.stop();
  }

  #onMembership(membership: ClusterMembership): void {
    this.#current.set(membership.cluster, membership);
    const { logger, onChange } = this.#options;
    if (membership.hosts.length === 0) {
      logger.log(
        LogLevel.Warning,
        `cluster ${membership.cluster} has no host: its names have no answer`,
      );
    }
    if (this.#isStarted) onChange(membership);
  }
}
