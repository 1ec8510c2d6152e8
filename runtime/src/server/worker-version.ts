// One version of the configuration in one worker: what prepare made, commit put in force, and the
// next version retires. Listeners whose address stays are handed on with their connections.
import type { FileSinks } from "../access-log/file-sink.ts";
import type { Http1Shared } from "../codec/http1/shared.ts";
import type { ListenerConfig, Snapshot } from "../config/snapshot.ts";
import type { Clock } from "../core/clock.ts";
import type { LoggerFactory } from "../core/logger.ts";
import type { Random } from "../core/random.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { NetworkEngine } from "../engine/network-engine.ts";
import type { NetworkFilterFactory } from "../filter/network-filter.ts";
import { Listener } from "../network/listener.ts";
import type { StatsStore } from "../stats/store.ts";
import type { ClusterManager, PreparedClusters } from "../upstream/cluster-manager.ts";
import { PluginError } from "../wasm/plugin.ts";
import type { Plugin } from "../wasm/plugin.ts";
import { WasmHost } from "../wasm/wasm-host.ts";
import { createHcmFactory } from "./hcm-factory.ts";
import type { DrainManager, ListenerDrain } from "./drain-manager.ts";
import type { ListenerAddress, PrepareMessage } from "./protocol.ts";
import { stopListeningWhenQuiet } from "./quiet-stop.ts";
import type { Surroundings } from "./surroundings.ts";
import { removeStaleSockets, whyNotShared } from "./shared-sockets.ts";

/** What a worker has for all versions. */
export interface WorkerContext {
  readonly index: number;
  readonly surroundings: Surroundings;
  readonly engine: NetworkEngine;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
  readonly stats: StatsStore;
  readonly http1: Http1Shared;
  readonly log: LoggerFactory;
  readonly clusterManager: ClusterManager;
  readonly sinks: FileSinks;
  readonly nextConnectionId: () => number;
  /** Made with the first version, which names the node. */
  wasmHost: WasmHost | null;
  readonly drain: DrainManager;
}

/** A listener of this version, with the chain that commit gives it. */
interface PreparedListener {
  readonly listener: Listener;
  readonly chain: NetworkFilterFactory | null;
  readonly chainName: string;
  /** Of the chain's connections. */
  readonly drain: ListenerDrain;
  readonly isNew: boolean;
}

export class WorkerVersion {
  readonly version: number;
  readonly #context: WorkerContext;
  readonly #snapshot: Snapshot;
  readonly #message: PrepareMessage;
  readonly #previous: WorkerVersion | null;
  readonly #plugins: Plugin[];
  readonly #listeners: PreparedListener[];
  #clusters: PreparedClusters | null = null;

  constructor(context: WorkerContext, message: PrepareMessage, previous: WorkerVersion | null) {
    this.version = message.version;
    this.#context = context;
    this.#snapshot = message.snapshot;
    this.#message = message;
    this.#previous = previous;
    this.#plugins = [];
    this.#listeners = [];
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
    const { clusters } = this.#snapshot;
    this.#clusters = this.#context.clusterManager.prepare(clusters, this.#message.memberships);
    this.#preparePlugins(problems);
    this.#openLogFiles(problems);
    if (problems.length === 0) this.#prepareListeners(problems);
    if (problems.length > 0) done(problems);
    else this.#listen(done);
  }

  /** Puts this version in force. */
  commit(): void {
    if (this.#clusters !== null) this.#context.clusterManager.commit(this.#clusters);
    for (const { listener, chain, chainName } of this.#listeners) {
      listener.setChain(chain, chainName);
      listener.open();
    }
  }

  /** Undoes prepare. */
  abort(): void {
    for (const { listener, isNew } of this.#listeners) {
      if (!isNew) continue;
      listener.stopListening();
      listener.closeConnections();
    }
    for (const plugin of this.#plugins) plugin.drain();
  }

  /** The next version is in force: what it did not take over ends when its streams do. */
  retire(): void {
    const { nextTurn } = this.#context.surroundings;
    for (const { listener, drain } of this.#listeners) {
      if (listener.isHandedOn) {
        listener.isHandedOn = false;
        continue;
      }
      drain.own.start();
      stopListeningWhenQuiet([listener], nextTurn, () => listener.shutdownConnections(() => {}));
    }
    for (const plugin of this.#plugins) plugin.drain();
  }

  /** /drain_listeners: connections that are there stay. */
  stopListening(): void {
    const { drain } = this.#context;
    const listeners = this.#listeners.map((prepared) => prepared.listener);
    stopListeningWhenQuiet(
      listeners.filter((listener) => drain.isStopped(listener.config)),
      this.#context.surroundings.nextTurn,
      () => {},
    );
  }

  /** Stops listening, closes idle connections, calls back when the last stream has ended. */
  stop(done: () => void): void {
    const listeners = this.#listeners.map((prepared) => prepared.listener);
    let waiting = listeners.length;
    if (waiting === 0) {
      done();
      return;
    }
    stopListeningWhenQuiet(listeners, this.#context.surroundings.nextTurn, () => {
      this.#context.engine.runTurn(() => {
        for (const listener of listeners) {
          listener.shutdownConnections(() => {
            waiting -= 1;
            if (waiting === 0) done();
          });
        }
      });
    });
  }

  /** Resets what `stop` has waited for; then `stop` calls back. */
  closeConnections(): void {
    for (const { listener } of this.#listeners) listener.closeConnections();
  }

  #preparePlugins(problems: string[]): void {
    const { clock, timers, random, stats, log, index } = this.#context;
    this.#context.wasmHost ??= new WasmHost({
      clock,
      timers,
      random,
      stats,
      logger: log,
      node: this.#snapshot.node,
      workerIndex: index,
    });
    for (const config of this.#snapshot.plugins) {
      const module = this.#message.modules.get(config.moduleSha256);
      if (module === undefined) {
        problems.push(`${config.where}: the module of plugin ${config.name} is missing`);
        continue;
      }
      const plugin = this.#context.wasmHost.preparePlugin(config, module);
      if (plugin instanceof PluginError) {
        problems.push(`${config.where}: plugin ${config.name}: ${plugin.reasons.join("; ")}`);
      } else this.#plugins.push(plugin);
    }
  }

  /** Each path once, whatever else is wrong: one start names all files that cannot be opened. */
  #openLogFiles(problems: string[]): void {
    const paths = new Set<string>();
    for (const listener of this.#snapshot.listeners) {
      for (const path of logPaths(listener)) {
        if (paths.has(path)) continue;
        paths.add(path);
        try {
          this.#context.sinks.get(path);
        } catch (error) {
          const { message } = error as Error;
          problems.push(`${listener.where}: cannot open the access log ${path}: ${message}`);
        }
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
    const chainConfig = config.filterChains[0] ?? config.defaultFilterChain;
    const hcm = chainConfig?.hcm ?? null;
    const drain = this.#context.drain.createListenerDrain(config);
    const chain =
      hcm === null
        ? null
        : createHcmFactory(this.#context, this.#snapshot, config, hcm, this.#plugins, drain);
    const chainName = chainConfig?.name ?? "";
    const kept = this.#previous?.takeOver(config) ?? null;
    if (kept !== null) return { listener: kept, chain, chainName, drain, isNew: false };
    const listener = new Listener(config, {
      engine: this.#context.engine,
      clock: this.#context.clock,
      timers: this.#context.timers,
      stats: this.#context.stats,
      workerIndex: this.#context.index,
      nextConnectionId: this.#context.nextConnectionId,
      logger: this.#context.log.logger("conn_handler"),
    });
    return { listener, chain, chainName, drain, isNew: true };
  }

  /** The listener of the same name and addresses, for the next version. */
  takeOver(config: ListenerConfig): Listener | null {
    for (const { listener } of this.#listeners) {
      if (listener.config.name === config.name && hasSameSockets(listener.config, config)) {
        listener.isHandedOn = true;
        return listener;
      }
    }
    return null;
  }

  #listen(done: (problems: readonly string[]) => void): void {
    const problems: string[] = [];
    const fresh = this.#listeners.filter((prepared) => prepared.isNew && this.#mayListen(prepared));
    let waiting = fresh.length;
    if (waiting === 0) {
      done(problems);
      return;
    }
    for (const { listener } of fresh) {
      removeStaleSockets(listener.config);
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
    const addresses = [config.address, ...config.additionalAddresses];
    return addresses.map((address, index) => {
      const bound = this.#message.bound.find(
        (other) => other.listener === config.name && other.index === index,
      );
      return bound?.port ?? address.port;
    });
  }
}

/** The files of the access logs of all its chains. */
function logPaths(listener: ListenerConfig): string[] {
  const chains = [...listener.filterChains, listener.defaultFilterChain];
  const logs = chains.flatMap((chain) => chain?.hcm?.accessLogs ?? []);
  return logs.flatMap(({ sink }) => (sink.kind === "file" ? [sink.path] : []));
}

function hasSameSockets(a: ListenerConfig, b: ListenerConfig): boolean {
  const sockets = (c: ListenerConfig): string =>
    JSON.stringify([
      c.address,
      c.additionalAddresses,
      c.reusePort,
      c.backlog,
      c.keepAliveIdleSeconds,
    ]);
  return sockets(a) === sockets(b);
}
