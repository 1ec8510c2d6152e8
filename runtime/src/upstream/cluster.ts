// One cluster in one thread: its hosts, balancer, circuit breakers, pools and stats. Made by the
// cluster manager; the router asks it for a host and that host's pool for a stream.
import { assert } from "../core/assert.ts";
import type {
  AddressConfig,
  ClusterConfig,
  ClusterMembership,
  HostConfig,
} from "../config/snapshot.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { ClusterInfo } from "../core/upstream-info.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { SocketAddress } from "../engine/network-engine.ts";
import type { FilterChainFactory } from "../filter/http-filter.ts";
import { addressText, toSocketAddress } from "./addresses.ts";
import { type CircuitBreaker, makeCircuitBreaker, showOpenBreakers } from "./circuit-breaker.ts";
import { ClusterStats, HostStats } from "./cluster-stats.ts";
import { inConnectOrder } from "./happy-eyeballs.ts";
import { HostSet } from "./host-set.ts";
import { Host } from "./host.ts";
import { LoadBalancer } from "./lb/load-balancer.ts";
import { type PendingStream, type PoolCallbacks, PoolFailureReason } from "./pool/conn-pool.ts";
import type { TcpConnection, TcpConnectionCallbacks } from "./pool/tcp-connection.ts";
import { ResponseStats } from "./response-stats.ts";
import type { Counter } from "../stats/store.ts";
import { SecretSlots } from "../tls/secret-slots.ts";
import type { TlsClientOptions } from "../tls/tls-client-context.ts";
import { TlsFactoryStats, TlsStats } from "../tls/tls-stats.ts";
import { DestinationHosts } from "./original-destination.ts";
import { optionsOf, type TransportOptions } from "./transport-options.ts";
import type { UpstreamContext } from "./upstream-context.ts";
import { UpstreamTransport } from "./upstream-transport.ts";

export class Cluster implements ClusterInfo {
  /** Of requests to it; they win over the router's. Null = it has none. Set by server. */
  filters: FilterChainFactory | null = null;
  readonly config: ClusterConfig;
  readonly name: string;
  readonly context: UpstreamContext;
  readonly #scope: string;
  /** Where new connections come from; [] = the system chooses. */
  readonly #bindAddresses: readonly SocketAddress[];
  readonly #transports: readonly UpstreamTransport[];
  readonly #hasProxyHeaders: boolean;
  readonly #areTlvsKey: boolean;
  #stats: ClusterStats | null;
  #responseStats: ResponseStats | null = null;
  #defaultBreaker: CircuitBreaker | null;
  #highBreaker: CircuitBreaker | null;
  #hostSet: HostSet;
  #balancer: LoadBalancer | null = null;
  #isDraining: boolean = false;
  /** Of ORIGINAL_DST, in workers: hosts are found, not chosen. */
  readonly #destinations: DestinationHosts | null;

  /** `secrets` are those of its TLS. */
  constructor(
    config: ClusterConfig,
    context: UpstreamContext,
    secrets: SecretSlots = new SecretSlots([], null),
  ) {
    this.config = config;
    this.name = config.name;
    this.#scope = `cluster.${config.statName}.`;
    let options: TlsClientOptions | null = null;
    // One set of stats for all, made when there is TLS.
    const tlsOptions = (): TlsClientOptions => {
      options ??= {
        secrets,
        stats: new TlsStats(context.stats, this.#scope),
        factoryStats: new TlsFactoryStats(
          context.stats,
          `${this.#scope}client_ssl_socket_factory.`,
        ),
        epochMs: () => context.clock.epochMs(),
        openKeyLog: context.openKeyLog,
        warn: (text) => context.warn(`cluster ${this.name}: ${text}`),
      };
      return options;
    };
    this.#transports = config.transportSockets.map(
      (socket) => new UpstreamTransport(socket, tlsOptions),
    );
    this.#hasProxyHeaders = this.#transports.some((one) => one.proxyHeaders.length > 0);
    this.#areTlvsKey = this.#transports.some((one) =>
      one.proxyHeaders.some((header) => header.areTlvsKey),
    );
    this.#bindAddresses = (config.bindAddresses ?? []).map(literalAddress);
    this.context = context;
    this.#stats = null;
    this.#defaultBreaker = null;
    this.#highBreaker = null;
    this.#hostSet = new HostSet([]);
    this.#destinations = this.#makeDestinations();
    if (!context.ownsClusterStats) return;
    ClusterStats.defineAll(context.stats, this.#scope);
    for (const transport of this.#transports) this.#matchCount(transport);
    this.#stats = new ClusterStats(context.stats, this.#scope);
    this.#defaultBreaker = this.#makeBreaker(false);
    this.#highBreaker = this.#makeBreaker(true);
  }

  /** Made on first use: a worker may know thousands of clusters and use few. */
  get stats(): ClusterStats {
    this.#stats ??= new ClusterStats(this.context.stats, this.#scope);
    return this.#stats;
  }

  get responseStats(): ResponseStats {
    this.#responseStats ??= new ResponseStats(this.context.stats, this.#scope);
    return this.#responseStats;
  }

  get metadata(): Uint8Array {
    return this.config.metadata;
  }

  get hostCount(): number {
    return this.#hostSet.hosts.length;
  }

  get hostSet(): HostSet {
    return this.#hostSet;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  breaker(isHighPriority: boolean): CircuitBreaker {
    if (isHighPriority) {
      this.#highBreaker ??= this.#makeBreaker(true);
      return this.#highBreaker;
    }
    this.#defaultBreaker ??= this.#makeBreaker(false);
    return this.#defaultBreaker;
  }

  /**
   * Where a connection to `address` comes from: the first configured address of the same family,
   * else the first of all, which then cannot be bound, as in Envoy. Null = the system chooses.
   */
  bindAddressFor(address: SocketAddress): SocketAddress | null {
    if (address.family === "unix") return null;
    const sources = this.#bindAddresses;
    return sources.find(({ family }) => family === address.family) ?? sources[0] ?? null;
  }

  /**
   * The host for the next request; null when there is none, which is counted. `headers` null = a
   * TCP connection; `info` null = it is our own.
   */
  chooseHost(headers: HeaderMap | null, info: StreamInfo | null): Host | null {
    const host =
      this.#destinations === null ? this.#balance() : this.#destinations.find(headers, info);
    if (host === null) this.stats.cxNoneHealthy.inc();
    return host;
  }

  /**
   * What is special about the transport for a request with these headers (null = a TCP connection),
   * which came on `downstream` (null = it is our own). Null = nothing.
   */
  transportOptions(
    headers: HeaderMap | null,
    downstream: ConnectionInfo | null,
  ): TransportOptions | null {
    const { autoSni } = this.config;
    if (autoSni === null && !this.#hasProxyHeaders) return null;
    const client = this.#hasProxyHeaders ? downstream : null;
    return optionsOf(autoSni, headers, client, this.#areTlvsKey);
  }

  /** Asks the host's pool for these options; answers as ConnPool.newStream. */
  newStream(
    host: Host,
    options: TransportOptions | null,
    callbacks: PoolCallbacks,
    isHighPriority: boolean,
    avoidIdle: boolean,
  ): PendingStream | null {
    const pool = host.pools.http(this, host, isHighPriority, options);
    if (pool !== null) return pool.newStream(callbacks, avoidIdle);
    this.stats.cxPoolOverflow.inc();
    callbacks.onPoolFailure(PoolFailureReason.Overflow, host, "");
    return null;
  }

  /** False when the circuit breaker of connections is open, which is counted. For TCP. */
  canConnect(): boolean {
    if (this.breaker(false).connections.canCreate()) return true;
    this.stats.cxOverflow.inc();
    return false;
  }

  /** A TCP connection to the host; answers as TcpPool.connect. canConnect() must have said yes. */
  connectTcp(
    host: Host,
    options: TransportOptions | null,
    callbacks: TcpConnectionCallbacks,
  ): TcpConnection | null {
    return host.pools.tcp(this, host).connect(options, callbacks);
  }

  /** Takes a new list of hosts: those that stay keep their pools, those that left drain. */
  setMembership(membership: ClusterMembership): void {
    assert(membership.cluster === this.name);
    if (this.#moveLogicalHost(membership.hosts)) return;
    const old = new Map<string, Host>();
    for (const host of this.#hostSet.hosts) old.set(host.addressText, host);
    const hosts = new Map<string, Host>();
    for (const config of membership.hosts) {
      const address = literalAddress(config.address);
      const text = addressText(address);
      // The same address twice is one host, as in Envoy.
      if (hosts.has(text)) continue;
      const addresses = this.#connectOrder(address, config);
      const transport = this.#transportFor(config);
      const known = old.get(text);
      // One that is to be talked to in another way is another host: its connections are of no use.
      const isKept = known !== undefined && known.transport === transport;
      const host = isKept ? known : this.#makeHost(config, addresses, text, transport);
      host.update(config, addresses, text);
      hosts.set(text, host);
      if (isKept) old.delete(text);
    }
    for (const host of old.values()) host.drain();
    this.#setHosts([...hosts.values()]);
  }

  /**
   * The cluster has left the configuration: what is under way finishes. When another one of its
   * name has its place (`isReplaced`), the stats of hosts are that one's.
   */
  drain(isReplaced = false): void {
    this.#isDraining = true;
    this.#destinations?.drain();
    for (const host of this.#hostSet.hosts) host.drain();
    if (!isReplaced) {
      this.#setHosts([]);
      if (this.context.ownsClusterStats) this.showOpenBreakers();
      return;
    }
    this.#hostSet = new HostSet([]);
    this.#balancer = null;
  }

  /** Closes every connection at once. */
  close(): void {
    this.#isDraining = true;
    for (const host of this.#destinations?.hosts ?? []) host.close();
    for (const host of this.#hostSet.hosts) host.close();
  }

  /** LOGICAL_DNS: connections to the old address stay, new ones go to the new address. */
  #moveLogicalHost(hosts: readonly HostConfig[]): boolean {
    const config = hosts[0];
    const host = this.#hostSet.hosts[0];
    if (this.config.discovery !== "logical_dns" || hosts.length !== 1) return false;
    if (config === undefined || host === undefined) return false;
    const address = literalAddress(config.address);
    host.update(config, this.#connectOrder(address, config), addressText(address));
    this.#setHosts([host]);
    return true;
  }

  #setHosts(hosts: readonly Host[]): void {
    const before = this.#hostSet.hosts;
    this.#hostSet = new HostSet(hosts);
    this.#balancer = null;
    if (!this.context.ownsClusterStats) return;
    const stats = this.context.stats;
    // As Envoy: not for new weights or states of the same hosts.
    const isChange =
      hosts.length !== before.length || !hosts.every((host) => before.includes(host));
    if (isChange) stats.counter(`${this.#scope}membership_change`).inc();
    stats.gauge(`${this.#scope}membership_total`).set(hosts.length);
    stats.gauge(`${this.#scope}membership_healthy`).set(this.#hostSet.healthyCount);
    stats.gauge(`${this.#scope}membership_degraded`).set(this.#hostSet.degradedCount);
    stats.gauge(`${this.#scope}membership_excluded`).set(this.#hostSet.excludedCount);
  }

  #makeHost(
    config: HostConfig,
    addresses: readonly SocketAddress[],
    text: string,
    transport: UpstreamTransport,
  ): Host {
    const stats = new HostStats(this.context.stats, this.name, text);
    if (this.context.ownsClusterStats) this.#matchCount(transport).inc();
    return new Host(config, addresses, text, stats, transport);
  }

  /** Hosts that got this transport. */
  #matchCount({ name }: UpstreamTransport): Counter {
    return this.context.stats.counter(`${this.#scope}${name}.total_match_count`);
  }

  #transportFor({ transportSocketMatch }: HostConfig): UpstreamTransport {
    const transport = this.#transports.find((one) => one.isFor(transportSocketMatch));
    assert(transport !== undefined, "a cluster's last transport socket is for all");
    return transport;
  }

  #connectOrder(first: SocketAddress, config: HostConfig): readonly SocketAddress[] {
    if (config.additionalAddresses.length === 0) return [first];
    const addresses = [first, ...config.additionalAddresses.map(literalAddress)];
    return inConnectOrder(addresses, this.config.happyEyeballs);
  }

  #balance(): Host | null {
    this.#balancer ??= this.#makeBalancer();
    return this.#balancer.chooseHost();
  }

  #makeDestinations(): DestinationHosts | null {
    const { originalDestination: config } = this.config;
    if (config === null) return null;
    const { clock, stats, timers } = this.context;
    // One for all: clients choose the addresses, and names of stats are never forgotten.
    const hostStats = new HostStats(stats, this.name, "original destination");
    return new DestinationHosts({
      config,
      clock,
      timers,
      invalid: stats.counter(`${this.#scope}original_dst_host_invalid`),
      overflow: stats.counter(`${this.#scope}original_dst_host_overflow`),
      makeHost: (host, address, text) =>
        new Host(host, [address], text, hostStats, this.#transportFor(host)),
    });
  }

  #makeBalancer(): LoadBalancer {
    const config = this.config;
    const options = {
      policy: config.lbPolicy,
      choiceCount: config.leastRequestChoiceCount,
      activeRequestBias: this.#activeRequestBias(),
      panicThresholdPercent: config.healthyPanicThresholdPercent,
    };
    return new LoadBalancer(this.#hostSet, options, this.context.random, this.stats.lbHealthyPanic);
  }

  /** As Envoy: a runtime value counts from the next membership on. */
  #activeRequestBias(): number {
    const { leastRequestActiveBias, leastRequestActiveBiasKey } = this.config;
    if (leastRequestActiveBiasKey === "") return leastRequestActiveBias;
    return this.context.runtime.get(leastRequestActiveBiasKey)?.number ?? leastRequestActiveBias;
  }

  #makeBreaker(isHighPriority: boolean): CircuitBreaker {
    const { breakers, stats, ownsClusterStats } = this.context;
    const { sharedIndex, circuitBreakers } = this.config;
    const config = circuitBreakers[isHighPriority ? 1 : 0];
    return makeCircuitBreaker(
      breakers,
      sharedIndex,
      isHighPriority,
      config,
      stats,
      this.#scope,
      ownsClusterStats,
    );
  }

  /** For the owner of the gauges, before they are read. */
  showOpenBreakers(): void {
    showOpenBreakers(this.breaker(false), this.#isDraining);
    showOpenBreakers(this.breaker(true), this.#isDraining);
  }
}

/** Main sends literal addresses only. */
function literalAddress(config: AddressConfig): SocketAddress {
  const address = toSocketAddress(config);
  assert(address !== null, "an address that is not literal");
  return address;
}
