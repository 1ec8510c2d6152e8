// One version of the configuration in one worker: what prepare made, commit put in force, and the
// next version retires. Listeners whose addresses stay are handed on with their sockets; chains
// that are the same keep their connections, others let theirs go in the drain time.
import type { FileSinks } from "../access-log/file-sink.ts";
import type { Http1Shared } from "../codec/http1/shared.ts";
import { chainLogs } from "../config/chain-logs.ts";
import type {
  AddressConfig,
  FilterChainConfig,
  ListenerConfig,
  Snapshot,
} from "../config/snapshot.ts";
import type { Clock } from "../core/clock.ts";
import type { LoggerFactory } from "../core/logger.ts";
import type { OverloadState } from "../core/overload-state.ts";
import type { Random } from "../core/random.ts";
import type { Runtime } from "../core/runtime.ts";
import type { SharedCounts } from "../core/shared-counts.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { NetworkEngine } from "../engine/network-engine.ts";
import { ListenerLog } from "../network/listener-log.ts";
import { Listener } from "../network/listener.ts";
import type { Counter, StatsStore } from "../stats/store.ts";
import { SecretSlots } from "../tls/secret-slots.ts";
import type { TicketKeyRing } from "../tls/ticket-keys.ts";
import type { ClusterManager, PreparedClusters } from "../upstream/cluster-manager.ts";
import { tlsOf } from "../upstream/upstream-transport.ts";
import type { WasiProvider } from "../wasm/wasi-provider.ts";
import type { WasmHost } from "../wasm/wasm-host.ts";
import type { ClusterCallouts } from "./callouts.ts";
import { ClusterFilters } from "./cluster-filters.ts";
import type { DrainManager } from "./drain-manager.ts";
import { createChainLoggers } from "./chain-loggers.ts";
import { plainText } from "./fingerprint.ts";
import type { GuestLinks } from "./guest-links.ts";
import { ListenerChain } from "./listener-chain.ts";
import { createNetworkChain } from "./network-chain-factory.ts";
import type { PluginHandle } from "./plugin-handle.ts";
import { chainPluginsOf, logPluginsOf } from "./plugin-key.ts";
import type { ListenerAddress, PrepareMessage } from "./protocol.ts";
import { stopListeningWhenQuiet } from "./quiet-stop.ts";
import { RouteSlots } from "./route-slots.ts";
import type { Surroundings } from "./surroundings.ts";
import { whyNotShared } from "./shared-sockets.ts";
import { createTlsServer } from "./tls-server-factory.ts";
import { configureOverload } from "./worker-overload.ts";
import { WorkerPlugins } from "./worker-plugins.ts";

/** What a worker has for all versions. */
export interface WorkerContext {
  readonly index: number;
  readonly surroundings: Surroundings;
  readonly engine: NetworkEngine;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
  readonly runtime: Runtime;
  readonly stats: StatsStore;
  readonly http1: Http1Shared;
  readonly log: LoggerFactory;
  readonly clusterManager: ClusterManager;
  readonly callouts: ClusterCallouts;
  readonly sinks: FileSinks;
  readonly nextConnectionId: () => number;
  readonly overload: OverloadState;
  readonly connectionCounts: SharedCounts;
  /** For session tickets; the same in all workers. */
  readonly processTicketKeys: TicketKeyRing;
  /** Made with the first version, which names the node. */
  wasmHost: WasmHost | null;
  /** Files for guests, or why there are none; null = no plugin has asked for any yet. */
  wasiProvider: WasiProvider | string | null;
  /** What guests share with those of other threads. */
  readonly guests: GuestLinks;
  readonly drain: DrainManager;
  /** Which guest runs, in shared memory. */
  readonly guestMark: Int32Array;
  /** Chains that were replaced and still have connections. */
  readonly leaving: Set<ListenerChain>;
}

/** A listener of this version, with the chains that commit gives it. */
interface PreparedListener {
  readonly listener: Listener;
  readonly config: ListenerConfig;
  readonly chains: readonly ListenerChain[];
  /** Null = it writes no access log. */
  readonly log: ListenerLog | null;
  /** The chains of the version before; null when there was no such listener. */
  readonly before: readonly ListenerChain[] | null;
}

export class WorkerVersion {
  readonly version: number;
  readonly #context: WorkerContext;
  readonly #snapshot: Snapshot;
  readonly #message: PrepareMessage;
  /** Until commit. */
  #previous: WorkerVersion | null;
  readonly #listeners: PreparedListener[];
  readonly #plugins: WorkerPlugins;
  readonly #routeSlots: RouteSlots;
  readonly #secretSlots: SecretSlots;
  /** Listeners that were stopped while connections came in every turn. */
  readonly #stoppedBusy: Counter;
  #clusters: PreparedClusters | null = null;
  #clusterFilters: ClusterFilters | null = null;

  constructor(context: WorkerContext, message: PrepareMessage, previous: WorkerVersion | null) {
    this.version = message.version;
    this.#context = context;
    this.#snapshot = message.snapshot;
    this.#message = message;
    this.#previous = previous;
    this.#listeners = [];
    const before = previous === null ? null : previous.#plugins;
    this.#plugins = new WorkerPlugins(context, message.snapshot, message.modules, before);
    const { hostname } = message.snapshot.server;
    const options = { clock: context.clock, hostname, runtime: context.runtime };
    this.#routeSlots = new RouteSlots(
      message.snapshot.routeTables,
      previous?.routeSlots ?? null,
      options,
    );
    this.#secretSlots = new SecretSlots(message.snapshot.secrets, previous?.secretSlots ?? null);
    this.#stoppedBusy = context.stats.counter("listener_manager.listener_stopped_busy");
  }

  /** Secrets of TLS contexts that come later. */
  get secretSlots(): SecretSlots {
    return this.#secretSlots;
  }

  /** Tables that come by RDS. */
  get routeSlots(): RouteSlots {
    return this.#routeSlots;
  }

  /** By its index in the snapshot. */
  findPlugin(index: number): PluginHandle {
    return this.#plugins.get(index);
  }

  /** Where this version listens. */
  get addresses(): readonly ListenerAddress[] {
    return this.#listeners.flatMap(({ listener }) =>
      listener.addresses.map((address, index) => ({
        listener: listener.config.name,
        index,
        address: address.address,
        port: address.port,
        family: address.family,
      })),
    );
  }

  /** Makes everything that may fail, and binds new addresses. Calls back with what is wrong. */
  prepare(done: (problems: readonly string[]) => void): void {
    const problems: string[] = [];
    const { clusters, overload } = this.#snapshot;
    configureOverload(this.#context.overload, overload, this.#context.stats);
    const { memberships } = this.#message;
    const { clusterManager } = this.#context;
    this.#clusters = clusterManager.prepare(clusters, memberships, this.#secretSlots);
    this.#context.callouts.prepare(this.#clusters);
    this.#plugins.prepare(problems);
    this.#openLogFiles(problems);
    if (problems.length === 0) {
      this.#clusterFilters = new ClusterFilters(clusters, this.#clusters, this.#plugins);
      this.#prepareListeners(problems);
    }
    if (problems.length > 0) done(problems);
    else this.#listen(done);
  }

  /** Puts this version in force. */
  commit(): void {
    this.#context.runtime.setLayers(this.#snapshot.runtime);
    if (this.#clusters !== null) this.#context.clusterManager.commit(this.#clusters);
    // Before the calls that wait for their clusters leave.
    this.#clusterFilters?.commit();
    this.#context.callouts.commit();
    this.#routeSlots.commit((index) => this.findPlugin(index));
    this.#secretSlots.commit();
    this.#plugins.commit();
    for (const { listener, config, chains, log, before } of this.#listeners) {
      listener.update(config, log);
      replaceChains(listener, before ?? [], chains);
      listener.open();
    }
    this.#previous?.retire(this);
    this.#previous = null;
  }

  /** Undoes prepare. */
  abort(): void {
    this.#context.callouts.abort();
    for (const { listener, chains, before } of this.#listeners) {
      if (before === null) {
        listener.stopListening();
        listener.closeConnections();
      }
      for (const chain of chains) if (before?.includes(chain) !== true) chain.release();
    }
    this.#plugins.abort();
  }

  /** `next` is in force: what it did not take over ends when its streams do. */
  retire(next: WorkerVersion): void {
    this.#plugins.retire();
    this.#clusterFilters?.retire();
    const { nextTurn } = this.#context.surroundings;
    for (const { listener, chains } of this.#listeners) {
      if (next.#listeners.some((other) => other.listener === listener)) continue;
      // Who is in the accept queue still gets the old chain.
      stopListeningWhenQuiet([listener], nextTurn, this.#stoppedBusy, () => {
        this.#context.engine.runTurn(() => replaceChains(listener, chains, []));
      });
      for (const chain of chains) chain.drain.own.start();
    }
  }

  /** The overload manager's levels have changed. */
  onOverloadChanged(): void {
    for (const { listener } of this.#listeners) listener.onOverloadChanged();
  }

  /** /drain_listeners: connections that are there stay. */
  stopListening(): void {
    const { drain } = this.#context;
    const listeners = this.#listeners.map((prepared) => prepared.listener);
    stopListeningWhenQuiet(
      listeners.filter((listener) => drain.isStopped(listener.config)),
      this.#context.surroundings.nextTurn,
      this.#stoppedBusy,
      () => {},
    );
  }

  /** Stops listening, closes idle connections, calls back when the last stream has ended. */
  stop(done: () => void): void {
    const listeners = this.#listeners.map((prepared) => prepared.listener);
    const { nextTurn } = this.#context.surroundings;
    stopListeningWhenQuiet(listeners, nextTurn, this.#stoppedBusy, () => {
      this.#context.engine.runTurn(() => this.#shutdown(listeners, done));
    });
  }

  #shutdown(listeners: readonly Listener[], done: () => void): void {
    const leaving = [...this.#context.leaving];
    let waiting = listeners.length + leaving.length + 1;
    const settle = (): void => {
      waiting -= 1;
      if (waiting === 0) done();
    };
    for (const listener of listeners) listener.shutdownConnections(settle);
    for (const chain of leaving) chain.shutdown(settle);
    settle();
  }

  /** Resets what `stop` has waited for; then `stop` calls back. */
  closeConnections(): void {
    for (const { listener } of this.#listeners) listener.closeConnections();
    for (const chain of this.#context.leaving) chain.closeNow();
  }

  /** Each path once, whatever else is wrong: one start names all files that cannot be opened. */
  #openLogFiles(problems: string[]): void {
    const paths = new Set<string>();
    const open = (where: string, what: string, path: string): void => {
      if (paths.has(path)) return;
      paths.add(path);
      try {
        this.#context.sinks.get(path);
      } catch (error) {
        problems.push(`${where}: cannot open the ${what} ${path}: ${(error as Error).message}`);
      }
    };
    for (const listener of this.#snapshot.listeners) {
      for (const path of logPaths(listener)) open(listener.where, "access log", path);
    }
    for (const cluster of this.#snapshot.clusters) {
      for (const { socket } of cluster.transportSockets) {
        const path = tlsOf(socket)?.context.keyLog?.path;
        if (path !== undefined) open(cluster.where, "key log", path);
      }
    }
  }

  #prepareListeners(problems: string[]): void {
    for (const config of this.#snapshot.listeners) {
      try {
        this.#listeners.push(this.#prepareListener(config));
      } catch (error) {
        // Only configuration throws.
        problems.push(`${config.where}: ${(error as Error).message}`);
      }
    }
  }

  #prepareListener(config: ListenerConfig): PreparedListener {
    const before = this.#previous?.findFor(config, this.#snapshot.listeners) ?? null;
    if (before !== null && before.config.reusePort !== config.reusePort) {
      throw new Error("enable_reuse_port cannot change at run time: use another address");
    }
    const chains = config.filterChains.map((chain) => this.#prepareChain(config, chain, before));
    const { defaultFilterChain } = config;
    if (defaultFilterChain !== null) {
      chains.push(this.#prepareChain(config, defaultFilterChain, before));
    }
    const listener = before?.listener ?? this.#makeListener(config);
    const log = this.#createListenerLog(config);
    return { listener, config, chains, log, before: before?.chains ?? null };
  }

  /** The chain of the version before when nothing of it has changed, nor of its listener. */
  #prepareChain(
    listener: ListenerConfig,
    config: FilterChainConfig,
    before: PreparedListener | null,
  ): ListenerChain {
    const plugins = new Map<number, PluginHandle>();
    for (const at of chainPluginsOf(config)) plugins.set(at, this.#plugins.get(at));
    // The listener's loggers are there as long as a connection on one of its chains may end.
    for (const at of logPluginsOf(listener.accessLogs)) plugins.set(at, this.#plugins.get(at));
    const {
      filterChains: _chains,
      filterChainMatcher: _matcher,
      defaultFilterChain,
      ...rest
    } = listener;
    const isDefault = config === defaultFilterChain;
    const keys = [...plugins.values()].map(({ key }) => key);
    const fingerprint = plainText([rest, isDefault, config, keys]);
    const same = before?.chains.find((chain) => chain.fingerprint === fingerprint);
    return same ?? this.#makeChain(listener, config, fingerprint, plugins);
  }

  #makeChain(
    listener: ListenerConfig,
    config: FilterChainConfig,
    fingerprint: string,
    plugins: ReadonlyMap<number, PluginHandle>,
  ): ListenerChain {
    const slot = this.#routeSlots.get(config.hcm?.rds?.key ?? "");
    const chain = new ListenerChain(
      fingerprint,
      config,
      config === listener.defaultFilterChain,
      slot === undefined ? [...plugins.values()] : [...plugins.values(), slot],
      this.#context,
      this.#context.drain.createListenerDrain(listener),
    );
    chain.tls = createTlsServer(this.#context, listener, config, this.#secretSlots);
    chain.factory = createNetworkChain(this.#context, config, {
      snapshot: this.#snapshot,
      listener,
      plugins,
      routeSlots: this.#routeSlots,
      drain: chain.drain,
    });
    return chain;
  }

  #createListenerLog({ accessLogs }: ListenerConfig): ListenerLog | null {
    if (accessLogs.length === 0) return null;
    const plugins = new Map(logPluginsOf(accessLogs).map((at) => [at, this.#plugins.get(at)]));
    const loggers = createChainLoggers(this.#context, this.#snapshot, accessLogs, plugins);
    return new ListenerLog(loggers, this.#context.clock);
  }

  #makeListener(config: ListenerConfig): Listener {
    return new Listener(config, {
      engine: this.#context.engine,
      clock: this.#context.clock,
      timers: this.#context.timers,
      stats: this.#context.stats,
      workerIndex: this.#context.index,
      nextConnectionId: this.#context.nextConnectionId,
      logger: this.#context.log.logger("conn_handler"),
      overload: this.#context.overload,
      runtime: this.#context.runtime,
      connectionCounts: this.#context.connectionCounts,
    });
  }

  /**
   * The listener of the same addresses, for the next version: the one of the same name, or one
   * whose name is not there any more.
   */
  findFor(config: ListenerConfig, next: readonly ListenerConfig[]): PreparedListener | null {
    const same = this.#listeners.filter((mine) => hasSameAddresses(mine.config, config));
    const named = same.find((mine) => mine.config.name === config.name);
    if (named !== undefined) return named;
    // Which port a 0 has become is for the name to say.
    if (addressesOf(config).some(({ kind, port }) => kind === "ip" && port === 0)) return null;
    const isFree = (mine: PreparedListener): boolean =>
      !next.some((other) => {
        const isIts = other.name === mine.config.name;
        return isIts && hasSameAddresses(other, mine.config);
      });
    return same.find(isFree) ?? null;
  }

  #listen(done: (problems: readonly string[]) => void): void {
    const problems: string[] = [];
    const fresh = this.#listeners.filter(
      (prepared) => prepared.before === null && this.#mayListen(prepared),
    );
    let waiting = fresh.length;
    if (waiting === 0) {
      done(problems);
      return;
    }
    for (const { listener } of fresh) {
      listener.listen(this.#portsOf(listener.config), (problem) => {
        if (problem !== "") problems.push(`${listener.config.where}: ${problem}`);
        waiting -= 1;
        if (waiting === 0) done(problems);
      });
    }
  }

  /** Addresses that cannot be shared belong to the first worker. */
  #mayListen({ listener }: PreparedListener): boolean {
    const { config } = listener;
    if (!config.bindToPort || this.#context.drain.isStopped(config)) return false;
    const { index, engine } = this.#context;
    return index === 0 || whyNotShared(config, engine.capabilities.reusePort) === "";
  }

  /** Port 0 has become a port in the first worker; the others listen on the same one. */
  #portsOf(config: ListenerConfig): number[] {
    return addressesOf(config).map((address, index) => {
      const bound = this.#message.bound.find(
        (other) => other.listener === config.name && other.index === index,
      );
      return bound?.port ?? address.port;
    });
  }
}

/** Chains of `before` that are not in `next` let their connections go. */
function replaceChains(
  listener: Listener,
  before: readonly ListenerChain[],
  next: readonly ListenerChain[],
): void {
  const left = listener.setChains(next);
  for (const chain of before) {
    const group = left.get(chain);
    if (group !== undefined) chain.leave(group);
  }
}

/** The files of its access logs, and of those of all its chains. */
function logPaths(listener: ListenerConfig): string[] {
  const chains = [...listener.filterChains, listener.defaultFilterChain];
  const logs = [...listener.accessLogs, ...chains.flatMap((chain) => chainLogs(chain))];
  return logs.flatMap(({ sink }) => (sink.kind === "file" ? [sink.path] : []));
}

function addressesOf(config: ListenerConfig): AddressConfig[] {
  return [config.address, ...config.additionalAddresses];
}

function hasSameAddresses(a: ListenerConfig, b: ListenerConfig): boolean {
  return plainText(addressesOf(a)) === plainText(addressesOf(b));
}
