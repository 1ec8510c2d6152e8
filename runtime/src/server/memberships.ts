// Who belongs to each cluster, in the main thread: static hosts as configured, DNS hosts as the
// resolver says, EDS hosts as the last assignment says. Each change goes to the workers.
import type { ClusterConfig, ClusterMembership } from "../config/snapshot.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { SystemRandom } from "../core/random.ts";
import type { StatsStore } from "../stats/store.ts";
import { SystemDnsLookup } from "../upstream/dns-lookup.ts";
import type { DnsLookup } from "../upstream/dns-lookup.ts";
import { DnsResolver, staticMembership, systemDelays } from "../upstream/dns-resolver.ts";
import type { DelayTimers, PreparedDns } from "../upstream/dns-resolver.ts";

export interface MembershipOptions {
  readonly stats: StatsStore;
  readonly logger: Logger;
  /** A change of a cluster that is in force. */
  readonly onChange: (membership: ClusterMembership) => void;
  /** Default: the system's. */
  readonly lookup?: DnsLookup;
  /** Default: the system's. */
  readonly delays?: DelayTimers;
}

/** Hosts of the next version's clusters: for commit or abort. */
export interface PreparedMembership {
  /** As far as they are known now. */
  readonly memberships: readonly ClusterMembership[];
  readonly dns: PreparedDns;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #resolver: DnsResolver;
  #current: ReadonlyMap<string, ClusterMembership>;
  #isCommitting: boolean = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#current = new Map();
    this.#resolver = new DnsResolver({
      lookup: options.lookup ?? new SystemDnsLookup(),
      delays: options.delays ?? systemDelays,
      random: new SystemRandom(),
      stats: options.stats,
      onMembership: (membership) => this.#onMembership(membership),
    });
  }

  /**
   * Returns when every name of new or changed clusters has been asked for once; one that has no
   * answer is no error. `assignments` are the hosts of EDS clusters.
   */
  async prepare(
    clusters: readonly ClusterConfig[],
    assignments: ReadonlyMap<string, ClusterMembership>,
  ): Promise<PreparedMembership> {
    const dns = await this.#resolver.prepare(clusters);
    const memberships = clusters.map((cluster): ClusterMembership => {
      const { name, discovery } = cluster;
      if (discovery === "static") return staticMembership(cluster);
      const known =
        discovery === "eds" ? assignments.get(name) : dns.clusters.get(name)?.membership;
      return known ?? { cluster: name, hosts: [] };
    });
    return { memberships, dns };
  }

  commit(prepared: PreparedMembership): void {
    const { memberships, dns } = prepared;
    // Names may have got other answers since.
    const latest = memberships.map((one) => dns.clusters.get(one.cluster)?.membership ?? one);
    this.#current = new Map(latest.map((one) => [one.cluster, one]));
    this.#isCommitting = true;
    this.#resolver.commit(dns);
    this.#isCommitting = false;
  }

  abort(prepared: PreparedMembership): void {
    this.#resolver.abort(prepared.dns);
  }

  /** New hosts of a cluster that is in force. */
  set(membership: ClusterMembership): void {
    if (this.#current.has(membership.cluster)) this.#onMembership(membership);
  }

  /** The hosts of every cluster as they are now. */
  current(): ClusterMembership[] {
    return [...this.#current.values()];
  }

  close(): void {
    this.#resolver.stop();
  }

  #onMembership(membership: ClusterMembership): void {
    this.#current = new Map(this.#current).set(membership.cluster, membership);
    const { logger, onChange } = this.#options;
    if (membership.hosts.length === 0) {
      logger.log(LogLevel.Warning, `cluster ${membership.cluster} has no host`);
    }
    // A commit tells all hosts itself.
    if (!this.#isCommitting) onChange(membership);
  }
}
