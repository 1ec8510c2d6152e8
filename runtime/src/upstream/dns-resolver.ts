// Keeps the hosts of STRICT_DNS and LOGICAL_DNS clusters current, in the main thread: asks, asks
// again when an answer is old, backs off when nobody answers, and tells every change as a
// ClusterMembership.
import type {
  ClusterConfig,
  ClusterMembership,
  EndpointConfig,
  HostConfig,
  LocalityConfig,
} from "../config/snapshot.ts";
import { jitteredBackOffMs } from "../core/back-off.ts";
import type { Random } from "../core/random.ts";
import type { Counter, StatsStore } from "../stats/store.ts";
import type { DnsAnswer, DnsLookup, IpFamily } from "./dns-lookup.ts";

/** Waiting, as an argument: tests give a fake. */
export interface DelayTimers {
  /** Returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemDelays: DelayTimers = {
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return (): void => clearTimeout(timer);
  },
};

export interface DnsResolverOptions {
  readonly lookup: DnsLookup;
  readonly delays: DelayTimers;
  readonly random: Random;
  readonly stats: StatsStore;
  /** Called for each change of a cluster's hosts, also for the first, which may be empty. */
  readonly onMembership: (membership: ClusterMembership) => void;
}

/** The hosts of a cluster that needs no name resolved; main sends them with the snapshot. */
export function staticMembership(config: ClusterConfig): ClusterMembership {
  return membershipOf(config.name, config.localities);
}

/** The hosts of endpoints whose addresses are literal. */
export function membershipOf(
  cluster: string,
  localities: readonly LocalityConfig[],
): ClusterMembership {
  const hosts: HostConfig[] = [];
  for (const locality of localities) {
    for (const endpoint of locality.endpoints) hosts.push(toHost(endpoint, locality, null));
  }
  return { cluster, hosts };
}

export class DnsResolver {
  readonly #options: DnsResolverOptions;
  readonly #clusters: Map<string, DnsCluster>;
  /** Of prepare, until commit or abort. */
  readonly #fresh: Set<DnsCluster>;

  constructor(options: DnsResolverOptions) {
    this.#options = options;
    this.#clusters = new Map();
    this.#fresh = new Set();
  }

  /**
   * Follows these clusters (of STATIC and EDS nothing is asked) and forgets the ones that are gone.
   * Returns when each has had its first answer, good or bad; a name that cannot be resolved is not
   * an error.
   */
  async setClusters(configs: readonly ClusterConfig[]): Promise<void> {
    this.commit(await this.prepare(configs));
  }

  /**
   * Asks for the names of clusters that are new or have changed, and touches nothing that is
   * followed; commit or abort ends it. Returns as setClusters.
   */
  async prepare(configs: readonly ClusterConfig[]): Promise<PreparedDns> {
    const clusters = new Map<string, DnsCluster>();
    const fresh: DnsCluster[] = [];
    for (const config of configs) {
      if (config.discovery !== "strict_dns" && config.discovery !== "logical_dns") continue;
      const old = this.#clusters.get(config.name);
      if (old !== undefined && old.isSame(config)) {
        clusters.set(config.name, old);
        continue;
      }
      const cluster = new DnsCluster(config, this.#options);
      clusters.set(config.name, cluster);
      fresh.push(cluster);
      this.#fresh.add(cluster);
    }
    await Promise.all(fresh.map((cluster) => cluster.start()));
    return { clusters, fresh };
  }

  /** From now on these are followed, and no others; tells what their first answers were. */
  commit(prepared: PreparedDns): void {
    for (const [name, cluster] of this.#clusters) {
      if (prepared.clusters.get(name) !== cluster) cluster.stop();
    }
    this.#clusters.clear();
    for (const [name, cluster] of prepared.clusters) this.#clusters.set(name, cluster);
    for (const cluster of prepared.fresh) {
      this.#fresh.delete(cluster);
      cluster.publish();
    }
  }

  abort(prepared: PreparedDns): void {
    for (const cluster of prepared.fresh) {
      this.#fresh.delete(cluster);
      cluster.stop();
    }
  }

  /** The hosts as they are now; undefined for a cluster that is not followed. */
  membershipOf(cluster: string): ClusterMembership | undefined {
    return this.#clusters.get(cluster)?.membership;
  }

  stop(): void {
    for (const cluster of [...this.#clusters.values(), ...this.#fresh]) cluster.stop();
    this.#clusters.clear();
    this.#options.lookup.close();
  }
}

/** What `prepare` made. */
export interface PreparedDns {
  readonly clusters: ReadonlyMap<string, DnsCluster>;
  readonly fresh: readonly DnsCluster[];
}

interface UpdateStats {
  readonly attempt: Counter;
  readonly success: Counter;
  readonly failure: Counter;
  readonly empty: Counter;
  readonly noRebuild: Counter;
}

/** One cluster: a target for each endpoint, or one alone for LOGICAL_DNS. */
class DnsCluster {
  readonly #config: ClusterConfig;
  readonly #fingerprint: string;
  readonly #options: DnsResolverOptions;
  readonly #stats: UpdateStats;
  readonly #targets: readonly DnsTarget[];
  #hasReported: boolean = false;
  #isStopped: boolean = false;
  /** Its hosts are told; until then they are only kept. */
  #isPublic: boolean = false;
  #hostsText: string = "";
  membership: ClusterMembership;

  constructor(config: ClusterConfig, options: DnsResolverOptions) {
    const scope = `cluster.${config.statName}.`;
    this.#config = config;
    this.#fingerprint = fingerprint(config);
    this.#options = options;
    this.#stats = {
      attempt: options.stats.counter(`${scope}update_attempt`),
      success: options.stats.counter(`${scope}update_success`),
      failure: options.stats.counter(`${scope}update_failure`),
      empty: options.stats.counter(`${scope}update_empty`),
      noRebuild: options.stats.counter(`${scope}update_no_rebuild`),
    };
    const targets: DnsTarget[] = [];
    for (const locality of config.localities) {
      for (const endpoint of locality.endpoints) {
        targets.push(new DnsTarget(this, config, endpoint, locality, options, this.#stats));
      }
    }
    this.#targets = config.discovery === "logical_dns" ? targets.slice(0, 1) : targets;
    this.membership = { cluster: config.name, hosts: [] };
  }

  isSame(config: ClusterConfig): boolean {
    return fingerprint(config) === this.#fingerprint;
  }

  async start(): Promise<void> {
    await Promise.all(this.#targets.map((target) => target.refresh()));
    if (!this.#hasReported && !this.#isStopped) this.#report([]);
  }

  stop(): void {
    this.#isStopped = true;
    for (const target of this.#targets) target.stop();
  }

  publish(): void {
    if (this.#isStopped) return;
    this.#isPublic = true;
    this.#options.onMembership(this.membership);
  }

  /** A target has other hosts than before, or the same again. */
  onAnswer(): void {
    if (this.#isStopped) return;
    const hosts: HostConfig[] = [];
    const seen = new Set<string>();
    for (const target of this.#targets) {
      for (const host of target.hosts) {
        const key = `${host.priority}|${host.address.address}|${host.address.port}`;
        if (seen.has(key)) continue;
        seen.add(key);
        hosts.push(host);
      }
    }
    if (this.#hasReported && textOf(hosts) === this.#hostsText) {
      this.#stats.noRebuild.inc();
      return;
    }
    this.#report(hosts);
  }

  #report(hosts: readonly HostConfig[]): void {
    this.#hasReported = true;
    this.#hostsText = textOf(hosts);
    this.membership = { cluster: this.#config.name, hosts };
    if (this.#isPublic) this.#options.onMembership(this.membership);
  }
}

/** The same for the same hosts in another order: servers rotate their answers. */
function textOf(hosts: readonly HostConfig[]): string {
  return hosts
    .map((host) => JSON.stringify(host))
    .sort()
    .join();
}

/** One name that is resolved again and again. */
class DnsTarget {
  hosts: readonly HostConfig[];
  readonly #cluster: DnsCluster;
  readonly #config: ClusterConfig;
  readonly #endpoint: EndpointConfig;
  readonly #locality: LocalityConfig;
  readonly #options: DnsResolverOptions;
  readonly #stats: UpdateStats;
  #failuresInRow: number = 0;
  #isStopped: boolean = false;
  #cancelDelay: (() => void) | null = null;

  constructor(
    cluster: DnsCluster,
    config: ClusterConfig,
    endpoint: EndpointConfig,
    locality: LocalityConfig,
    options: DnsResolverOptions,
    stats: UpdateStats,
  ) {
    this.hosts = [];
    this.#cluster = cluster;
    this.#config = config;
    this.#endpoint = endpoint;
    this.#locality = locality;
    this.#options = options;
    this.#stats = stats;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelDelay?.();
    this.#cancelDelay = null;
  }

  async refresh(): Promise<void> {
    this.#cancelDelay = null;
    const { address } = this.#endpoint;
    if (address.kind === "pipe") {
      this.hosts = [toHost(this.#endpoint, this.#locality, null)];
      this.#cluster.onAnswer();
      return;
    }
    this.#stats.attempt.inc();
    const { lookup } = this.#options;
    const answer = await resolveFamily(lookup, address.address, this.#config.dns);
    if (this.#isStopped) return;
    if (answer.outcome === "failure") this.#onFailure();
    else this.#onSuccess(answer);
  }

  #onSuccess(answer: DnsAnswer): void {
    const { dns, discovery } = this.#config;
    this.#failuresInRow = 0;
    this.#stats.success.inc();
    if (answer.addresses.length === 0) this.#stats.empty.inc();
    // A logical host keeps its last address when there is none; strict hosts go.
    if (answer.addresses.length > 0 || discovery === "strict_dns") {
      this.hosts = this.#hostsOf(answer.addresses);
      this.#cluster.onAnswer();
    }
    const usesTtl = dns.respectTtl && answer.ttlSeconds > 0;
    this.#refreshAfter(usesTtl ? answer.ttlSeconds * 1000 : dns.refreshRateMs);
  }

  /** Each address is a host, or all are addresses of the one host of LOGICAL_DNS. */
  #hostsOf(ips: readonly string[]): readonly HostConfig[] {
    const hosts = ips.map((ip) => toHost(this.#endpoint, this.#locality, ip));
    const [first, ...others] = hosts;
    if (this.#config.discovery !== "logical_dns" || first === undefined) return hosts;
    return [{ ...first, additionalAddresses: others.map(({ address }) => address) }];
  }

  #onFailure(): void {
    const { dns } = this.#config;
    this.#stats.failure.inc();
    this.#refreshAfter(backOffMs(dns, this.#failuresInRow, this.#options.random));
    this.#failuresInRow += 1;
  }

  #refreshAfter(delayMs: number): void {
    this.#cancelDelay = this.#options.delays.after(delayMs, () => void this.refresh());
  }
}

/** Without a failure rate of its own (base = maximum) the delay is fixed. */
function backOffMs(dns: ClusterConfig["dns"], failures: number, random: Random): number {
  const base = dns.failureRefreshBaseMs > 0 ? dns.failureRefreshBaseMs : dns.refreshRateMs;
  const max = Math.max(base, dns.failureRefreshMaxMs);
  if (max === base) return base;
  return jitteredBackOffMs(base, failures, max, random);
}

async function resolveFamily(
  lookup: DnsLookup,
  name: string,
  { family, servers }: ClusterConfig["dns"],
): Promise<DnsAnswer> {
  const ask = (wanted: IpFamily): Promise<DnsAnswer> => lookup.resolve(name, wanted, servers);
  switch (family) {
    case "v4_only":
      return await ask(4);
    case "v6_only":
      return await ask(6);
    case "auto":
      return await firstOf(ask, 6, 4);
    case "v4_preferred":
      return await firstOf(ask, 4, 6);
    case "all":
      return merge(await Promise.all([ask(4), ask(6)]));
  }
}

async function firstOf(
  ask: (family: IpFamily) => Promise<DnsAnswer>,
  first: IpFamily,
  second: IpFamily,
): Promise<DnsAnswer> {
  const preferred = await ask(first);
  return preferred.outcome === "success" ? preferred : await ask(second);
}

function merge(answers: readonly [DnsAnswer, DnsAnswer]): DnsAnswer {
  const good = answers.filter((answer) => answer.outcome === "success");
  if (good.length === 0) return answers[0].outcome === "failure" ? answers[0] : answers[1];
  const ttls = good.map((answer) => answer.ttlSeconds).filter((ttl) => ttl >= 0);
  return {
    outcome: "success",
    addresses: good.flatMap((answer) => answer.addresses),
    ttlSeconds: ttls.length === 0 ? -1 : Math.min(...ttls),
  };
}

/**
 * `ip` null: the endpoint's address is literal. A resolved host is called by the endpoint's name.
 */
function toHost(endpoint: EndpointConfig, locality: LocalityConfig, ip: string | null): HostConfig {
  const { address } = endpoint;
  const name = ip === null ? "" : address.address;
  return {
    address: ip === null ? address : { ...address, address: ip },
    additionalAddresses: endpoint.additionalAddresses,
    hostname: endpoint.hostname === "" ? name : endpoint.hostname,
    weight: endpoint.weight,
    priority: locality.priority,
    health: endpoint.health,
    transportSocketMatch: endpoint.transportSocketMatch,
    region: locality.region,
    zone: locality.zone,
    subZone: locality.subZone,
    metadata: endpoint.metadata,
    localityMetadata: locality.metadata,
  };
}

function fingerprint(config: ClusterConfig): string {
  return JSON.stringify([config.statName, config.discovery, config.dns, config.localities]);
}
