// Puts a state in force: loads modules, asks DNS and files of xDS for what is new, has all workers
// prepare and commit, and keeps what main knows in step with them. Used by config-updates.ts, which
// calls nothing here twice at a time.
import { ConfigErrors } from "../config/config-error.ts";
import type { PositionIndex } from "../config/position-index.ts";
import { assembleSnapshot } from "../config/translate/assemble-snapshot.ts";
import type { ListenerResource } from "../config/translate/assemble-snapshot.ts";
import { listenersMax } from "../config/sizes.ts";
import type {
  CandidateConfig,
  DynamicRouteTable,
  DynamicSecret,
  ListenerConfig,
  Snapshot,
  WasmPluginConfig,
} from "../config/snapshot.ts";
import type { LoadedModule } from "../module/module-loader.ts";
import type { StatsAggregate } from "../stats/aggregate.ts";
import type { SubscriptionContext } from "../xds/file-subscription.ts";
import { placeOf, problemAt } from "./config-loading.ts";
import type { DesiredState, Held } from "./desired-state.ts";
import { plainText } from "./fingerprint.ts";
import { EdsAssignments } from "./eds-assignments.ts";
import { ListenerManagerStats } from "./listener-manager-stats.ts";
import type { MainStats } from "./main-stats.ts";
import { Membership } from "./memberships.ts";
import { LateFetches } from "./late-fetches.ts";
import type { ServerOptions } from "./options.ts";
import { ModuleWatches } from "./module-watches.ts";
import { PluginModuleLoader } from "./plugin-modules.ts";
import type { PluginModules } from "./plugin-modules.ts";
import { PluginProbe } from "./plugin-probe.ts";
import type { TakeTrap } from "./plugin-probe.ts";
import { PluginRegistry } from "./plugin-registry.ts";
import type { DressedModules } from "./plugin-registry.ts";
import type { ProcessLog } from "./process-log.ts";
import type { ListenerAddress, VersionChange } from "./protocol.ts";
import { rdsNeeds, RdsTables, withRunningPlugins } from "./rds-tables.ts";
import type { RuntimeControl } from "./runtime-control.ts";
import type { Rollouts } from "./rollouts.ts";
import { SharedIndexes } from "./shared-indexes.ts";
import { TlsSecrets } from "./tls-secrets.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface VersionApplierOptions {
  readonly options: ServerOptions;
  readonly log: ProcessLog;
  readonly stats: StatsAggregate;
  readonly mainStats: MainStats;
  readonly pool: WorkerPool;
  readonly runtime: RuntimeControl;
  /** Clusters that have room in the shared circuit-breaker memory. */
  readonly clustersMax: number;
  /** Ports for port 0 that the process before this one was given. */
  /** Forgets what guests share in spaces that begin so. */
  readonly dropSpace: (prefix: string) => void;
  readonly inherited: (listeners: readonly ListenerConfig[]) => readonly ListenerAddress[];
  readonly context: SubscriptionContext;
  /** A module's file that is watched is another one, or a missing module was fetched. */
  readonly onModuleChanged: (filename: string) => void;
  /** Of a guest that did not start. */
  readonly takeTrap: TakeTrap;
}

export interface ApplyStateOptions {
  /** Modules that are read again even of plugins that are the same. Default: none. */
  readonly reread?: "all" | ReadonlySet<string>;
  /** Where the listeners that came by LDS stand. Default: as before. */
  readonly lds?: PositionIndex;
  /** What serves in the place of configured modules. Default: as before. */
  readonly rollouts?: Rollouts;
  /** Part of the start: ports of the process before are taken over. Default false. */
  readonly isStart?: boolean;
  /** Route tables that have changed with plugins of theirs. Default: none. */
  readonly tables?: readonly DynamicRouteTable[];
}

const NO_FILES: ReadonlySet<string> = new Set();

export class VersionApplier {
  readonly membership: Membership;
  readonly rds: RdsTables;
  readonly eds: EdsAssignments;
  readonly tlsSecrets: TlsSecrets;
  readonly registry: PluginRegistry;
  readonly #options: VersionApplierOptions;
  readonly #modules: PluginModuleLoader;
  readonly #probe: PluginProbe;
  /** Of clusters. */
  readonly #indexes: SharedIndexes;
  readonly #listenerIndexes: SharedIndexes;
  readonly #listenerStats: ListenerManagerStats;
  #state: DesiredState | null = null;
  #version: number = 0;
  readonly #moduleWatches: ModuleWatches;
  readonly #lateFetches: LateFetches;
  /** What the workers have. */
  #snapshot: Snapshot | null = null;
  #loaded: PluginModules | null = null;
  #lds: PositionIndex | null = null;

  constructor(options: VersionApplierOptions) {
    const { log, stats, mainStats, pool, context } = options;
    const { concurrency, drainTimeMs, ignoreUnsupported, wasmStructAsJson } = options.options;
    this.#options = options;
    const { wasmLenientImports } = options.options;
    const modules = stats.store.counter("wasm.modules_forgotten");
    this.#modules = new PluginModuleLoader(log.logger("wasm"), wasmLenientImports, () =>
      modules.inc(),
    );
    const versions = stats.store.counter("wasm.versions_forgotten");
    this.registry = new PluginRegistry(concurrency, Date.now, options.dropSpace, (count) =>
      versions.add(count),
    );
    this.#probe = new PluginProbe(
      options.options.entries.probe,
      log.logger("wasm"),
      options.takeTrap,
    );
    this.#indexes = new SharedIndexes(options.clustersMax);
    this.#listenerIndexes = new SharedIndexes(listenersMax);
    this.#listenerStats = new ListenerManagerStats(mainStats.server, concurrency, drainTimeMs);
    this.membership = new Membership({
      stats: stats.store,
      logger: log.logger("dns"),
      onChange: (membership) => {
        mainStats.setMembership(membership);
        pool.broadcast({ type: "membership", membership });
      },
    });
    this.rds = new RdsTables({
      context,
      stats,
      ignoreUnsupported,
      wasmStructAsJson,
      clusterNames: () => new Set(this.#snapshot?.clusters.map(({ name }) => name)),
      applyTables: async (tables) => await this.#applyTables(tables),
    });
    this.eds = new EdsAssignments({
      context,
      stats,
      ignoreUnsupported,
      onMembership: (membership) => this.membership.set(membership),
    });
    this.tlsSecrets = new TlsSecrets({
      context,
      stats,
      ignoreUnsupported,
      applySecrets: async (secrets) => await this.#applySecrets(secrets),
    });
    this.#moduleWatches = new ModuleWatches(options.options.watchModules, options.onModuleChanged);
    this.#lateFetches = new LateFetches(
      () => mainStats.createFetcher(this.#snapshot?.clusters ?? [], this.membership.current()),
      options.onModuleChanged,
    );
  }

  /** What is in force; null before the first version. */
  get state(): DesiredState | null {
    return this.#state;
  }

  /** Listeners that were removed or replaced, for the drain time. */
  get drainingListeners(): readonly Held<ListenerResource>[] {
    return this.#listenerStats.draining;
  }

  /** A module that was loaded for this version or one before, as long as it is kept. */
  findModule(key: string): Promise<LoadedModule> | undefined {
    return this.#modules.find(key);
  }

  /** Those in force. */
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  get plugins(): readonly WasmPluginConfig[] {
    return this.#snapshot?.plugins ?? [];
  }

  /** Counts the versions that were in force. */
  get version(): number {
    return this.#version;
  }

  /**
   * Answers with everything that is wrong; nothing has changed then. Everything that can fail comes
   * before the commit of the workers.
   */
  async apply(next: DesiredState, options: ApplyStateOptions): Promise<readonly string[]> {
    const problems = await this.#tryApply(next, options);
    const state = problems.length > 0 ? this.#state : next;
    const clusters = (state?.clusters ?? []).map(({ resource }) => resource);
    const listeners = (state?.listeners ?? []).map(({ resource }) => resource);
    this.rds.retain(rdsNeeds(listeners));
    this.eds.retain(clusters);
    this.tlsSecrets.retain([...clusters, ...listeners]);
    this.#indexes.retain(namesOf(clusters));
    this.#listenerIndexes.retain(namesOf(listeners));
    return problems;
  }

  /** Reads modules again; a version comes into force only if one of them is another one. */
  async rereadModules(files: ReadonlySet<string>): Promise<readonly string[]> {
    return this.#state === null ? [] : await this.apply(this.#state, { reread: files });
  }

  close(): void {
    this.#moduleWatches.close();
    this.#lateFetches.follow([]);
    this.rds.close();
    this.eds.close();
    this.tlsSecrets.close();
    this.membership.close();
    this.#listenerStats.close();
  }

  async #tryApply(
    next: DesiredState,
    { reread = NO_FILES, lds, rollouts, isStart = false, tables = [] }: ApplyStateOptions,
  ): Promise<readonly string[]> {
    const { pool, mainStats, runtime, inherited } = this.#options;
    const positions = lds ?? this.#lds;
    const isSame = tables.length === 0 && isSameState(this.#state, next);
    if (reread !== "all" && reread.size === 0 && rollouts === undefined && isSame) {
      // Nothing for the workers; only versions and places in files may have moved.
      this.#lds = positions;
      this.#state = next;
      return [];
    }
    const snapshot = await this.#assemble(next, tables);
    if (!("version" in snapshot)) return snapshot;
    const loaded = await this.#loadModules(next, snapshot, reread);
    const modules = await this.#dress(loaded, rollouts);
    if (modules.problems.length > 0) {
      return modules.problems.map((p) => problemIn(next, positions, p.path, p.message));
    }
    if (isSame && hasSameModules(this.#snapshot, modules.snapshot)) {
      this.registry.commit(modules);
      return [];
    }
    // With refusals it never comes into force, but a worker finds what else is wrong with it.
    const probed = await this.#probe.probe(modules, this.#loaded);
    const assignments = this.eds.memberships(next.clusters.map(({ resource }) => resource));
    const prepared = await this.membership.prepare(snapshot.clusters, assignments);
    const version = {
      version: snapshot.version,
      snapshot: probed,
      memberships: prepared.memberships,
      modules: modules.modules,
    };
    const problems = await pool.apply(version, {
      inherited: isStart ? inherited(snapshot.listeners) : [],
      onCommitted: () => {
        this.membership.commit(prepared);
        runtime.load(snapshot.runtime);
      },
    });
    if (problems.length > 0) {
      this.membership.abort(prepared);
      return problems.map((problem) => located(next, positions, problem));
    }
    this.#modules.commit(loaded);
    this.registry.commit(modules);
    mainStats.setClusters(snapshot.clusters, this.membership.current());
    this.#listenerStats.count(this.#state?.listeners ?? [], next.listeners);
    this.#setInForce(snapshot.version, modules.snapshot, modules);
    this.#lds = positions;
    this.#state = next;
    return [];
  }

  async #dress(loaded: PluginModules, rollouts = this.registry.rollouts): Promise<DressedModules> {
    return await this.registry.dress(
      loaded,
      rollouts,
      async (name, bytes, policy) => await this.#modules.loadBytes(name, bytes, policy),
    );
  }

  /** Code that is remote comes over the clusters of the version that wants it. */
  async #loadModules(
    next: DesiredState,
    snapshot: Snapshot,
    reread: "all" | ReadonlySet<string>,
  ): Promise<PluginModules> {
    const policies = next.bootstrap.wasmPolicies;
    if (snapshot.plugins.every((plugin) => plugin.code.remote === null)) {
      return await this.#modules.load(snapshot, policies, reread);
    }
    const assignments = this.eds.memberships(next.clusters.map(({ resource }) => resource));
    const prepared = await this.membership.prepare(snapshot.clusters, assignments);
    const { mainStats } = this.#options;
    const fetcher = mainStats.createFetcher(snapshot.clusters, prepared.memberships);
    try {
      return await this.#modules.load(snapshot, policies, reread, fetcher);
    } finally {
      fetcher.close();
      this.membership.abort(prepared);
    }
  }

  /** The snapshot of a state, or what is wrong with it. */
  async #assemble(
    next: DesiredState,
    tables: readonly DynamicRouteTable[],
  ): Promise<Snapshot | readonly string[]> {
    const clusters = next.clusters.map(({ resource }) => resource);
    const listeners = next.listeners.map(({ resource }) => resource);
    if (!this.#indexes.hasRoomFor(namesOf(clusters))) {
      return [`found ${clusters.length} clusters, expected at most ${this.#indexes.max}`];
    }
    if (!this.#listenerIndexes.hasRoomFor(namesOf(listeners))) {
      return [`found ${listeners.length} listeners, expected at most ${listenersMax}`];
    }
    const needs = rdsNeeds(listeners);
    try {
      await this.eds.ensure(clusters);
      await this.rds.ensure(needs);
      await this.tlsSecrets.ensure([...clusters, ...listeners]);
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      return [error.message];
    }
    return assembleSnapshot({
      version: this.#version + 1,
      listeners,
      clusters,
      services: next.bootstrap.services,
      routeTables: replaced(this.rds.tables(needs), tables),
      secrets: this.tlsSecrets.secrets([...clusters, ...listeners]),
      bindAddresses: next.bootstrap.bindAddresses,
      node: next.bootstrap.node,
      server: next.bootstrap.server,
      runtime: next.bootstrap.runtime,
      overload: next.bootstrap.overload,
      sharedIndexOf: (name) => this.#indexes.get(name),
      listenerIndexOf: (name) => this.#listenerIndexes.get(name),
    });
  }

  /**
   * New tables by RDS: workers compile them and nothing else. With plugins that do not run yet they
   * are a whole version, in which all else stays as it is.
   */
  async #applyTables(tables: readonly DynamicRouteTable[]): Promise<readonly string[]> {
    if (this.#snapshot === null || this.#state === null) return [];
    const running = withRunningPlugins(tables, this.#snapshot.routeTables);
    if (running === null) return await this.#tryApply(this.#state, { tables });
    const routeTables = replaced(this.#snapshot.routeTables, running);
    return await this.#applyChange({ ...this.#snapshot, routeTables }, { routeTables: running });
  }

  /** New secrets: contexts in workers find them in their slots. */
  async #applySecrets(changed: readonly DynamicSecret[]): Promise<readonly string[]> {
    if (this.#snapshot === null) return [];
    const secrets = replaced(this.#snapshot.secrets, changed);
    return await this.#applyChange({ ...this.#snapshot, secrets }, { secrets: changed });
  }

  async #applyChange(next: Snapshot, change: VersionChange): Promise<readonly string[]> {
    if (this.#loaded === null) return [];
    const version = this.#version + 1;
    const snapshot = { ...next, version };
    const { modules } = this.#loaded;
    const memberships = this.membership.current();
    const problems = await this.#options.pool.apply(
      { version, snapshot, memberships, modules },
      { change },
    );
    if (problems.length === 0) this.#setInForce(version, snapshot, this.#loaded);
    return problems;
  }

  #setInForce(version: number, snapshot: Snapshot, loaded: PluginModules): void {
    this.#version = version;
    this.#snapshot = snapshot;
    this.#loaded = loaded;
    this.#moduleWatches.follow(snapshot.plugins);
    this.#lateFetches.follow(loaded.missing);
    this.#options.mainStats.remoteCode.pending.set(loaded.absent.size);
    this.#options.mainStats.certificates.update(snapshot);
    this.#options.stats.store.gauge("server.config_version").set(version);
  }
}

/** Those of `all` that have changed in their places. */
function replaced<T extends { readonly key: string }>(
  all: readonly T[],
  changed: readonly T[],
): T[] {
  const byKey = new Map(changed.map((one) => [one.key, one]));
  return all.map((one) => byKey.get(one.key) ?? one);
}

/** The same resources in the same order, as far as their settings go. */
function isSameState(state: DesiredState | null, next: DesiredState): boolean {
  if (state === null || state.bootstrap !== next.bootstrap) return false;
  return isSameList(state.listeners, next.listeners) && isSameList(state.clusters, next.clusters);
}

function hasSameModules(before: Snapshot | null, next: Snapshot): boolean {
  const versions = (plugin: WasmPluginConfig | undefined): string =>
    plainText([plugin?.moduleKey, plugin?.version?.name, plugin?.candidates?.map(triedAs)]);
  return next.plugins.every((plugin, at) => versions(plugin) === versions(before?.plugins[at]));
}

function triedAs({ name, moduleKey, role, share }: CandidateConfig): readonly unknown[] {
  return [name, moduleKey, role, share];
}

function isSameList(before: readonly Held<unknown>[], next: readonly Held<unknown>[]): boolean {
  if (before.length !== next.length) return false;
  return next.every((held, at) => held.fingerprint === before[at]?.fingerprint);
}

function namesOf(resources: readonly { readonly config: { readonly name: string } }[]): string[] {
  return resources.map(({ config }) => config.name);
}

/** A worker's problem begins with the configuration path it is about: "PATH: words". */
function located(state: DesiredState, lds: PositionIndex | null, problem: string): string {
  const match = /^((?:static_resources|lds)\S*): ([\s\S]*)$/.exec(problem);
  if (match === null) return problem;
  return problemIn(state, lds, match[1] as string, match[2] as string);
}

function problemIn(
  state: DesiredState,
  lds: PositionIndex | null,
  path: string,
  message: string,
): string {
  if (lds === null || !path.startsWith("lds.")) return problemAt(state.bootstrap, path, message);
  const place = placeOf(lds, path.slice("lds.".length));
  return place === "" ? `${path}: ${message}` : `${place}: ${path}: ${message}`;
}
