// The wasm plugins of one version in one worker: those that stay from the version before, new ones,
// those that get another module, and the services that run without traffic. worker-version.ts.
import type { CandidateConfig, Snapshot, WasmPluginConfig } from "../config/snapshot.ts";
import { asVersion } from "../config/plugin-version.ts";
import type { CompiledModule } from "../wasm/compiled-module.ts";
import { AbsentPlugin } from "../wasm/absent-plugin.ts";
import { PluginError } from "../wasm/plugin.ts";
import type { Plugin } from "../wasm/plugin.ts";
import { Shadow } from "../wasm/shadow/shadow.ts";
import { ShadowSite, type ShadowSurroundings } from "../wasm/shadow/shadow-site.ts";
import { VersionChoice } from "../wasm/version-choice.ts";
import type { WasiProvider } from "../wasm/wasi-provider.ts";
import { WasmHost } from "../wasm/wasm-host.ts";
import { NativeFilterServices } from "./native-filters.ts";
import { PluginHandle } from "./plugin-handle.ts";
import type { RunningCanary, RunningShadow } from "./plugin-handle.ts";
import type { RunningVersion, RunningVersions } from "./plugin-handle.ts";
import { plainText } from "./fingerprint.ts";
import { pluginKeys, versionIdOf } from "./plugin-key.ts";
import type { WorkerContext } from "./worker-version.ts";

/** Versions that commit gives to a plugin which the version before has, too. */
interface PreparedSwap {
  readonly handle: PluginHandle;
  readonly next: RunningVersions;
}

export class WorkerPlugins {
  readonly #context: WorkerContext;
  readonly #snapshot: Snapshot;
  readonly #modules: ReadonlyMap<string, CompiledModule>;
  /** Until commit. */
  #previous: WorkerPlugins | null;
  readonly #byKey: Map<string, PluginHandle>;
  /** By their index in the snapshot. */
  readonly #byIndex: Map<number, PluginHandle>;
  readonly #swaps: PreparedSwap[];
  /** For this version; they end with an abort. */
  readonly #made: (Plugin | AbsentPlugin)[];
  /** Plugins start among streams. */
  readonly #isLive: boolean;

  constructor(
    context: WorkerContext,
    snapshot: Snapshot,
    /** By their keys. */
    modules: ReadonlyMap<string, CompiledModule>,
    previous: WorkerPlugins | null,
  ) {
    this.#context = context;
    this.#snapshot = snapshot;
    this.#modules = modules;
    this.#previous = previous;
    this.#byKey = new Map();
    this.#byIndex = new Map();
    this.#swaps = [];
    this.#made = [];
    this.#isLive = previous !== null;
  }

  prepare(problems: string[]): void {
    this.#context.wasmHost ??= new WasmHost(this.#hostContext());
    for (const [index, key] of pluginKeys(this.#snapshot)) {
      if (!this.#runsHere(index)) continue;
      const handle = this.#preparePlugin(key, index, problems);
      if (handle === null) continue;
      this.#byKey.set(key, handle);
      this.#byIndex.set(index, handle);
    }
  }

  #hostContext(): ShadowSurroundings {
    const context = this.#context;
    const { clock, timers, random, stats, log } = context;
    const { server } = this.#snapshot;
    return {
      clock,
      timers,
      random,
      stats,
      logger: log,
      node: this.#snapshot.node,
      workerIndex: this.#context.index,
      callouts: this.#context.callouts,
      drainTimeMs: this.#snapshot.server.drainTimeMs,
      guestMark: this.#context.guestMark,
      native: new NativeFilterServices(clock, random, context.runtime, server.hostname),
      nextTurn: context.surroundings.nextTurn,
      onTrap: (trap) => this.#context.guests.reportTrap(trap),
      shared: this.#context.guests.store,
      gauges: this.#context.guests.gauges,
      get wasiProvider(): WasiProvider | string | undefined {
        return context.wasiProvider ?? undefined;
      },
      traces: context.guests.traces,
    };
  }

  /** A singleton service is the first worker's. */
  #runsHere(index: number): boolean {
    return this.#context.index === 0 || !this.#isSingleton(index);
  }

  #isSingleton(index: number): boolean {
    return this.#snapshot.services.some((one) => one.plugin === index && one.isSingleton);
  }

  /** A plugin that the version before has, too, stays, and with it those of its versions. */
  #preparePlugin(key: string, index: number, problems: string[]): PluginHandle | null {
    const config = this.#snapshot.plugins[index] as WasmPluginConfig;
    const handle = this.#previous?.find(key) ?? null;
    const before = handle?.versions ?? null;
    const primary = this.#prepareVersion(asVersion(config), index, before, problems);
    if (primary === null) return null;
    const canaries: RunningCanary[] = [];
    let shadow: RunningShadow | null = null;
    for (const candidate of config.candidates ?? []) {
      const tried = asVersion(config, candidate);
      if (candidate.role === "shadow") {
        shadow = this.#prepareShadow(tried, candidate, before, problems);
        continue;
      }
      const running = this.#prepareVersion(tried, index, before, problems);
      if (running === null) continue;
      canaries.push({ ...running, choice: new VersionChoice(candidate) });
    }
    const next = { primary, canaries, shadow };
    if (handle === null) return new PluginHandle(key, next);
    this.#swaps.push({ handle, next });
    return handle;
  }

  /** One that runs is taken over, whatever it was: a canary becomes the primary as it is. */
  #prepareVersion(
    config: WasmPluginConfig,
    index: number,
    before: RunningVersions | null,
    problems: string[],
  ): RunningVersion | null {
    const id = versionIdOf(config);
    const all = before === null ? [] : [before.primary, ...before.canaries];
    const known = all.find((one) => one.id === id);
    if (known !== undefined) return { id, plugin: known.plugin };
    const plugin = this.#makePlugin(config, index, problems);
    if (plugin === null) return null;
    this.#made.push(plugin);
    return { id, plugin };
  }

  /** On a host of its own, and so never taken over as anything else. */
  #prepareShadow(
    tried: WasmPluginConfig,
    candidate: CandidateConfig,
    before: RunningVersions | null,
    problems: string[],
  ): RunningShadow | null {
    const id = `${versionIdOf(tried)} ${plainText([candidate.share])}`;
    const known = before?.shadow ?? null;
    if (known?.id === id) return known;
    const base = tried.variantOf === undefined ? null : this.#versionsOf(tried.variantOf)?.shadow;
    const site = base?.shadow.site ?? new ShadowSite(tried.name, this.#hostContext());
    // What names versions is the primary's doing.
    const config = { ...tried, policy: { ...tried.policy, versionHeader: "" } };
    const plugin = this.#makePluginOn(site.host, config, base?.plugin ?? null, problems);
    if (plugin === null) return null;
    this.#made.push(plugin);
    const { guests } = this.#context;
    const shadow = new Shadow(site, plugin, new VersionChoice(candidate), (difference) =>
      guests.reportDifference(difference),
    );
    return { id, plugin, shadow };
  }

  #makePlugin(
    config: WasmPluginConfig,
    index: number,
    problems: string[],
  ): Plugin | AbsentPlugin | null {
    // Main could not fetch it yet.
    if (config.moduleKey === "" && config.code.remote !== null) return new AbsentPlugin(config);
    const host = this.#context.wasmHost as WasmHost;
    const base = config.variantOf === undefined ? null : this.#baseOf(config, config.variantOf);
    const started = this.#isSingleton(index) ? withoutStandby(config) : config;
    return this.#makePluginOn(host, started, base, problems);
  }

  #makePluginOn(
    host: WasmHost,
    config: WasmPluginConfig,
    base: Plugin | null,
    problems: string[],
  ): Plugin | null {
    if (config.refusal !== undefined) {
      problems.push(`${config.where}: ${config.refusal}`);
      return null;
    }
    const module = this.#modules.get(config.moduleKey);
    if (module === undefined) {
      problems.push(`${config.where}: the module of plugin ${config.name} is missing`);
      return null;
    }
    const plugin = host.preparePlugin(config, module, base, false, this.#isLive);
    if (!(plugin instanceof PluginError)) return plugin;
    problems.push(`${config.where}: plugin ${config.name}: ${plugin.reasons.join("; ")}`);
    return null;
  }

  /** The plugin whose VM a variant is on, as it will be after commit: it was prepared before. */
  #baseOf(variant: WasmPluginConfig, index: number): Plugin | null {
    const versions = this.#versionsOf(index);
    if (versions === null) return null;
    const id = versionIdOf(variant);
    const same = [versions.primary, ...versions.canaries].find((one) => one.id === id);
    const { plugin } = same ?? versions.primary;
    return plugin instanceof AbsentPlugin ? null : plugin;
  }

  /** As they will be after commit; null = it was not prepared. */
  #versionsOf(index: number): RunningVersions | null {
    const handle = this.#byIndex.get(index);
    const swap = this.#swaps.find((one) => one.handle === handle);
    return swap?.next ?? handle?.versions ?? null;
  }

  /** For the next version; null = there is none of that key. */
  find(key: string): PluginHandle | null {
    return this.#byKey.get(key) ?? null;
  }

  /** By its index in the snapshot; it was prepared. */
  get(index: number): PluginHandle {
    return this.#byIndex.get(index) as PluginHandle;
  }

  commit(): void {
    for (const { handle, next } of this.#swaps.splice(0)) handle.replace(next);
    this.#made.length = 0;
    for (const handle of this.#services()) handle.hold();
    // After those that were replaced have ended: no tick comes twice.
    for (const handle of this.#byIndex.values()) handle.begin();
    this.#previous = null;
  }

  /** The next version is in force: services that it does not have end. */
  retire(): void {
    for (const handle of this.#services()) handle.release();
  }

  abort(): void {
    this.#swaps.length = 0;
    // New ones, which no stream has seen.
    for (const plugin of this.#made.splice(0)) plugin.drain();
  }

  #services(): PluginHandle[] {
    return this.#snapshot.services.flatMap(({ plugin }) => this.#byIndex.get(plugin) ?? []);
  }
}

/** There is to be one of it, and a standby would be another. */
function withoutStandby(config: WasmPluginConfig): WasmPluginConfig {
  return { ...config, policy: { ...config.policy, standby: "off" } };
}
