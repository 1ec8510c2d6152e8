// Every change of the configuration in the main thread: makes the next state, has it checked and
// prepared everywhere, puts it in force in all workers or leaves everything as it is. One change at
// a time. Made by server.ts.
import { ConfigErrors, describeProblem } from "../config/config-error.ts";
import type { LoadedDiscovery } from "../config/discovery-loader.ts";
import type { ConfigSourceConfig } from "../config/snapshot.ts";
import type { TranslationOptions } from "../config/translate/translation.ts";
import { translateClusters, translateListeners } from "../config/translate/translate-resources.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { FileSubscription, logWarnings } from "../xds/file-subscription.ts";
import type { SubscriptionContext } from "../xds/file-subscription.ts";
import { PathWatcher } from "../xds/path-watcher.ts";
import { SubscriptionStats } from "../xds/subscription-stats.ts";
import { loadConfig } from "./config-loading.ts";
import type { LoadedConfig } from "./config-loading.ts";
import {
  emptyState,
  withBootstrap,
  withDynamicClusters,
  withDynamicListeners,
} from "./desired-state.ts";
import type { DesiredState } from "./desired-state.ts";
import { changedFixedSettings } from "./fixed-settings.ts";
import type { Membership } from "./memberships.ts";
import { PluginRollouts } from "./plugin-rollouts.ts";
import { RejectedListeners } from "./rejected-listeners.ts";
import { ReloadStats } from "./reload-stats.ts";
import { VersionApplier } from "./version-applier.ts";
import type { VersionApplierOptions } from "./version-applier.ts";

const LISTENER = "envoy.config.listener.v3.Listener";
const CLUSTER = "envoy.config.cluster.v3.Cluster";

export interface ConfigUpdatesOptions
  extends Omit<VersionApplierOptions, "context" | "onModuleChanged"> {
  /** Another bootstrap is in force. */
  readonly onReload: (config: LoadedConfig) => void;
  /** Where a guest of that version was stopped last; "" = not known. */
  readonly trapPlace: (plugin: string, version: string) => string;
  /** See PluginRolloutsOptions. */
  readonly keepMap: (sha256: string, map: Uint8Array) => string;
}

export class ConfigUpdates {
  readonly rejectedListeners: RejectedListeners;
  /** Versions of plugins that come by the admin interface. */
  readonly rollouts: PluginRollouts;
  readonly #options: ConfigUpdatesOptions;
  readonly #logger: Logger;
  readonly #reloadStats: ReloadStats;
  readonly #moduleStats: ReloadStats;
  #applier: VersionApplier | null = null;
  #lds: FileSubscription | null = null;
  #cds: FileSubscription | null = null;
  #watcher: PathWatcher | null = null;
  #isReloadWaiting: boolean = false;
  #queue: Promise<unknown>;
  #isStarted: boolean = false;
  #isClosed: boolean = false;

  constructor(options: ConfigUpdatesOptions) {
    this.rejectedListeners = new RejectedListeners();
    this.#options = options;
    this.#logger = options.log.logger("config");
    this.#reloadStats = new ReloadStats(options.stats.store, "server.reload");
    this.#moduleStats = new ReloadStats(options.stats.store, "wasm.module_update");
    this.#queue = Promise.resolve();
    this.rollouts = new PluginRollouts({
      logger: options.log.logger("wasm"),
      stats: options.stats.store,
      applier: () => this.#applier,
      trapPlace: options.trapPlace,
      dropSpace: options.dropSpace,
      keepMap: options.keepMap,
      enqueue: (change) => this.#run(change),
    });
  }

  /** What is in force; null before the start. */
  get state(): DesiredState | null {
    return this.#applier?.state ?? null;
  }

  /** Null before the start. */
  get membership(): Membership | null {
    return this.#applier?.membership ?? null;
  }

  get applier(): VersionApplier | null {
    return this.#applier;
  }

  /**
   * Puts the bootstrap in force, with what its files of xDS hold. Answers with everything that is
   * wrong with the bootstrap, [] when all is well: a bad file of xDS is logged, as in Envoy.
   */
  start(config: LoadedConfig): Promise<readonly string[]> {
    return this.#run(async () => {
      const context = this.#subscriptionContext(config);
      const applier = new VersionApplier({
        ...this.#options,
        context,
        onModuleChanged: (filename) => this.#start(() => this.#reloadModule(filename)),
      });
      this.#applier = applier;
      const { lds, cds } = config.dynamic;
      let state = withBootstrap(emptyState(config), config);
      if (cds !== null) {
        this.#cds = this.#subscribeClusters(context, cds, (discovery) => {
          state = this.#withClusters(state, discovery);
        });
        await this.#cds.poll();
      }
      const problems = await applier.apply(state, { reread: "all", isStart: true });
      if (problems.length > 0) return problems;
      if (lds !== null) {
        this.#lds = this.#subscribeListeners(context, lds);
        await this.#lds.poll();
      }
      this.#isStarted = true;
      this.#watchBootstrap();
      return [];
    });
  }

  /**
   * Reads the bootstrap again, and the modules of all plugins. What is wrong is logged, and nothing
   * changes then.
   */
  reload(reason: string): void {
    // One that waits for its turn will read what is there then.
    if (this.#isReloadWaiting) return;
    this.#isReloadWaiting = true;
    this.#start(async () => {
      this.#isReloadWaiting = false;
      await this.#reload(reason);
    });
  }

  async #reload(reason: string): Promise<void> {
    const applier = this.#applier;
    const state = applier?.state ?? null;
    if (applier === null || state === null || this.#isClosed) return;
    this.#logger.log(LogLevel.Info, `reloading the configuration: ${reason}`);
    this.#reloadStats.attempt.inc();
    const problems = await this.#applyBootstrap(applier, state);
    if (problems.length > 0) {
      this.#reloadStats.rejected.inc();
      const held = `version ${applier.version} stays in force`;
      this.#logger.log(LogLevel.Error, `reload refused, ${held}:\n${problems.join("\n")}`);
      return;
    }
    this.#reloadStats.onSuccess();
    this.#logger.log(LogLevel.Info, `reloaded: version ${applier.version} is in force`);
  }

  /** The file of a module has changed: plugins that have it get the new one, or keep the old. */
  async #reloadModule(filename: string): Promise<void> {
    const applier = this.#applier;
    if (applier === null || this.#isClosed) return;
    this.#moduleStats.attempt.inc();
    const before = applier.version;
    const problems = await applier.rereadModules(new Set([filename]));
    if (problems.length > 0) {
      this.#moduleStats.rejected.inc();
      const text = problems.join("\n");
      this.#logger.log(LogLevel.Error, `module ${filename} refused, nothing changed: ${text}`);
      return;
    }
    this.#moduleStats.onSuccess();
    const held = applier.version === before ? "it is the same" : `version ${applier.version}`;
    this.#logger.log(LogLevel.Info, `module ${filename} was loaded again: ${held}`);
  }

  /** No change comes any more. */
  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    this.rollouts.close();
    this.#lds?.close();
    this.#cds?.close();
    this.#applier?.close();
  }

  async #applyBootstrap(applier: VersionApplier, state: DesiredState): Promise<readonly string[]> {
    let config: LoadedConfig;
    try {
      config = await loadConfig(this.#options.options, 1, state.bootstrap.loaded.schema);
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      return [error.message];
    }
    const fixed = changedFixedSettings(state.bootstrap, config);
    if (fixed.length > 0) return fixed;
    const problems = await applier.apply(withBootstrap(state, config), { reread: "all" });
    if (problems.length > 0) return problems;
    logWarnings(this.#logger, config.warnings);
    this.#options.mainStats.startFlushing(config.statsFlushIntervalMs);
    this.#options.onReload(config);
    // What came by xDS may have certificates in files, or secrets of the bootstrap.
    await this.#cds?.poll();
    await this.#lds?.poll();
    return [];
  }

  /** --watch-config. */
  #watchBootstrap(): void {
    const { configPath, watchConfig } = this.#options.options;
    if (!watchConfig || configPath === "" || this.#isClosed) return;
    const target = { path: configPath, watchedDirectory: "" };
    this.#watcher = new PathWatcher(target, () => this.reload(`${configPath} has changed`));
  }

  #subscriptionContext(config: LoadedConfig): SubscriptionContext {
    const { options, mainStats } = this.#options;
    return {
      schema: config.loaded.schema,
      logger: this.#logger,
      rejectUnknownFields: options.rejectUnknownDynamicFields,
      onUnknownFields: (count) => mainStats.server.server.dynamic_unknown_fields.add(count),
      enqueue: (change) => this.#start(change),
    };
  }

  #subscribeListeners(context: SubscriptionContext, source: ConfigSourceConfig): FileSubscription {
    const scope = "listener_manager.lds.";
    return new FileSubscription(context, {
      kind: "LDS",
      source,
      typeName: LISTENER,
      stats: new SubscriptionStats(this.#options.stats, {
        scope,
        hasEmpty: false,
        hasReload: false,
      }),
      apply: async (discovery) => await this.#applyListeners(discovery),
    });
  }

  async #applyListeners(discovery: LoadedDiscovery): Promise<readonly string[]> {
    const applier = this.#applier as VersionApplier;
    const state = applier.state as DesiredState;
    const clusters = new Set(state.clusters.map(({ resource }) => resource.config.name));
    try {
      const options = this.#translationOptions(state);
      const { value, warnings } = translateListeners(discovery, options, clusters);
      const next = withDynamicListeners(state, value, discovery.versionInfo);
      const problems = await applier.apply(next, {
        lds: discovery.positions,
        isStart: !this.#isStarted,
      });
      this.rejectedListeners.set(discovery, problems);
      if (problems.length === 0) logWarnings(this.#logger, warnings);
      return problems;
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      this.rejectedListeners.set(discovery, error.problems.map(describeProblem));
      throw error;
    }
  }

  /** `onFirst` takes the first response: it comes into force with the bootstrap. */
  #subscribeClusters(
    context: SubscriptionContext,
    source: ConfigSourceConfig,
    onFirst: (discovery: LoadedDiscovery) => void,
  ): FileSubscription {
    const scope = "cluster_manager.cds.";
    const stats = new SubscriptionStats(this.#options.stats, {
      scope,
      hasEmpty: false,
      hasReload: true,
    });
    return new FileSubscription(context, {
      kind: "CDS",
      source,
      typeName: CLUSTER,
      stats,
      apply: async (discovery) => {
        const applier = this.#applier as VersionApplier;
        const { state } = applier;
        if (state === null) {
          onFirst(discovery);
          stats.onReload();
          return [];
        }
        const next = this.#withClusters(state, discovery);
        const problems = await applier.apply(next, {});
        if (problems.length === 0) stats.onReload();
        return problems;
      },
    });
  }

  #withClusters(state: DesiredState, discovery: LoadedDiscovery): DesiredState {
    const { value, warnings } = translateClusters(discovery, this.#translationOptions(state));
    logWarnings(this.#logger, warnings);
    return withDynamicClusters(state, value, discovery.versionInfo);
  }

  #translationOptions(state: DesiredState): TranslationOptions {
    const { ignoreUnsupported, wasmStructAsJson } = this.#options.options;
    const { staticSecrets } = state.bootstrap;
    return { ignoreUnsupported, wasmStructAsJson, staticSecrets };
  }

  /** Our own mistakes end here: what is in force goes on. */
  #start(change: () => Promise<unknown>): void {
    this.#run(change).catch((error: unknown) => {
      const text = error instanceof Error ? error.stack : String(error);
      this.#logger.log(LogLevel.Critical, `an update failed by a fault of ours: ${text}`);
    });
  }

  #run<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(change);
    this.#queue = done.catch(() => undefined);
    return done;
  }
}
