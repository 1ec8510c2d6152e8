// Every change of the configuration in the main thread: makes the next state, has it checked and
// prepared everywhere, puts it in force in all workers or leaves everything as it is. One change at
// a time. Made by server.ts.
import { ConfigErrors, describeProblem } from "../config/config-error.ts";
import type { ListenerConfig } from "../config/snapshot.ts";
import { listenersMax } from "../config/sizes.ts";
import { assembleSnapshot } from "../config/translate/assemble-snapshot.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { StatsStore } from "../stats/store.ts";
import { loadConfig, problemAt } from "./config-loading.ts";
import type { LoadedConfig } from "./config-loading.ts";
import { emptyState, withBootstrap } from "./desired-state.ts";
import type { DesiredState, Held } from "./desired-state.ts";
import { changedFixedSettings } from "./fixed-settings.ts";
import { ListenerManagerStats } from "./listener-manager-stats.ts";
import type { MainStats } from "./main-stats.ts";
import { Membership } from "./memberships.ts";
import type { RuntimeControl } from "./runtime-control.ts";
import type { ServerOptions } from "./options.ts";
import { PluginModuleLoader } from "./plugin-modules.ts";
import type { ProcessLog } from "./process-log.ts";
import type { ListenerAddress } from "./protocol.ts";
import { ReloadStats } from "./reload-stats.ts";
import { SharedIndexes } from "./shared-indexes.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface ConfigUpdatesOptions {
  readonly options: ServerOptions;
  readonly log: ProcessLog;
  readonly stats: StatsStore;
  readonly mainStats: MainStats;
  readonly pool: WorkerPool;
  readonly runtime: RuntimeControl;
  /** Clusters that have room in the shared circuit-breaker memory. */
  readonly clustersMax: number;
  /** Ports for port 0 that the process before this one was given. */
  readonly inherited: (listeners: readonly ListenerConfig[]) => readonly ListenerAddress[];
}

export class ConfigUpdates {
  readonly membership: Membership;
  readonly #options: ConfigUpdatesOptions;
  readonly #logger: Logger;
  readonly #modules: PluginModuleLoader;
  /** Of clusters. */
  readonly #indexes: SharedIndexes;
  readonly #listenerIndexes: SharedIndexes;
  readonly #listenerStats: ListenerManagerStats;
  readonly #reloadStats: ReloadStats;
  #state: DesiredState | null;
  #version: number;
  #queue: Promise<unknown>;
  #isClosed: boolean;

  constructor(options: ConfigUpdatesOptions) {
    const { log, stats, mainStats, pool } = options;
    const { concurrency, drainTimeMs } = options.options;
    this.#options = options;
    this.#logger = log.logger("config");
    this.#modules = new PluginModuleLoader(log.logger("wasm"));
    this.#indexes = new SharedIndexes(options.clustersMax);
    this.#listenerIndexes = new SharedIndexes(listenersMax);
    this.#listenerStats = new ListenerManagerStats(mainStats.server, concurrency, drainTimeMs);
    this.#reloadStats = new ReloadStats(stats);
    this.membership = new Membership({
      stats,
      logger: log.logger("dns"),
      onChange: (membership) => {
        mainStats.setMembership(membership);
        pool.broadcast({ type: "membership", membership });
      },
    });
    this.#state = null;
    this.#version = 0;
    this.#queue = Promise.resolve();
    this.#isClosed = false;
  }

  /** What is in force; null before the start. */
  get state(): DesiredState | null {
    return this.#state;
  }

  /** Puts the bootstrap in force. Answers with everything that is wrong, [] when all is well. */
  start(config: LoadedConfig): Promise<readonly string[]> {
    return this.#enqueue(async () => {
      return await this.#apply(withBootstrap(emptyState(config), config), { rereadModules: true });
    });
  }

  /**
   * Reads the bootstrap again, and the modules of its plugins. What is wrong is logged, and nothing
   * changes then; whether it is in force now.
   */
  reload(reason: string): Promise<boolean> {
    return this.#enqueue(async () => {
      const state = this.#state;
      if (state === null || this.#isClosed) return false;
      this.#logger.log(LogLevel.Info, `reloading the configuration: ${reason}`);
      this.#reloadStats.attempt.inc();
      const problems = await this.#reload(state);
      if (problems.length > 0) {
        this.#reloadStats.rejected.inc();
        const held = `version ${this.#version} stays in force`;
        this.#logger.log(LogLevel.Error, `reload refused, ${held}:\n${problems.join("\n")}`);
        return false;
      }
      this.#reloadStats.onSuccess(this.#version);
      this.#logger.log(LogLevel.Info, `reloaded: version ${this.#version} is in force`);
      return true;
    });
  }

  /** No change comes any more. */
  close(): void {
    this.#isClosed = true;
    this.membership.close();
    this.#listenerStats.close();
  }

  async #reload(state: DesiredState): Promise<readonly string[]> {
    let config: LoadedConfig;
    try {
      config = await loadConfig(this.#options.options, 1);
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      return [error.message];
    }
    const fixed = changedFixedSettings(state.bootstrap, config);
    if (fixed.length > 0) return fixed;
    const problems = await this.#apply(withBootstrap(state, config), { rereadModules: true });
    if (problems.length > 0) return problems;
    for (const warning of config.warnings) {
      this.#logger.log(LogLevel.Warning, describeProblem(warning));
    }
    this.#options.mainStats.startFlushing(config.statsFlushIntervalMs);
    return [];
  }

  /** Everything that can fail comes before the commit of the workers; nothing after it can. */
  async #apply(
    next: DesiredState,
    { rereadModules }: { readonly rereadModules: boolean },
  ): Promise<readonly string[]> {
    const { pool, mainStats } = this.#options;
    const clusters = next.clusters.map(({ resource }) => resource);
    const names = namesOf(next.clusters);
    if (!this.#indexes.hasRoomFor(names)) {
      return [`found ${names.length} clusters, expected at most ${this.#indexes.max}`];
    }
    const listenerNames = namesOf(next.listeners);
    if (!this.#listenerIndexes.hasRoomFor(listenerNames)) {
      return [`found ${listenerNames.length} listeners, expected at most ${listenersMax}`];
    }
    const { bootstrap } = next;
    const snapshot = assembleSnapshot({
      version: this.#version + 1,
      listeners: next.listeners.map(({ resource }) => resource),
      clusters,
      routeTables: [],
      node: bootstrap.node,
      server: bootstrap.server,
      runtime: bootstrap.runtime,
      overload: bootstrap.overload,
      sharedIndexOf: (name) => this.#indexes.get(name),
      listenerIndexOf: (name) => this.#listenerIndexes.get(name),
    });
    const modules = await this.#modules.load(snapshot, rereadModules);
    if (modules.problems.length > 0) {
      return modules.problems.map((p) => problemAt(bootstrap, p.path, p.message));
    }
    const prepared = await this.membership.prepare(snapshot.clusters, new Map());
    const problems = await pool.apply(
      {
        version: snapshot.version,
        snapshot: modules.snapshot,
        memberships: prepared.memberships,
        modules: modules.modules,
      },
      {
        inherited: this.#version === 0 ? this.#options.inherited(snapshot.listeners) : [],
        onCommitted: () => {
          this.membership.commit(prepared);
          this.#options.runtime.load(snapshot.runtime);
        },
      },
    );
    if (problems.length > 0) {
      this.membership.abort(prepared);
      this.#indexes.retain(namesOf(this.#state?.clusters ?? []));
      this.#listenerIndexes.retain(namesOf(this.#state?.listeners ?? []));
      return problems.map((problem) => located(bootstrap, problem));
    }
    this.#modules.commit(modules);
    this.#indexes.retain(names);
    this.#listenerIndexes.retain(listenerNames);
    mainStats.setClusters(snapshot.clusters, this.membership.current());
    this.#listenerStats.count(this.#state?.listeners ?? [], next.listeners);
    this.#version = snapshot.version;
    this.#state = next;
    return [];
  }

  #enqueue<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(change);
    this.#queue = done.catch(() => undefined);
    return done;
  }
}

function namesOf(held: readonly Held<{ readonly config: { readonly name: string } }>[]): string[] {
  return held.map(({ resource }) => resource.config.name);
}

/** A worker's problem begins with the configuration path it is about: "PATH: words". */
function located(config: LoadedConfig, problem: string): string {
  const match = /^(static_resources\S*): ([\s\S]*)$/.exec(problem);
  return match === null ? problem : problemAt(config, match[1] as string, match[2] as string);
}
