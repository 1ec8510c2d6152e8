// What the main thread knows of the versions of plugins: which serve, which did before, what each
// has done. Gives plugins of a snapshot their versions. Used by version-applier.ts.
import { codeName } from "../config/code-name.ts";
import { versionName } from "../config/plugin-version.ts";
import type { CandidateConfig, PluginVersionConfig, WasmPluginConfig } from "../config/snapshot.ts";
import type { CanaryBounds, WasmPolicy } from "../config/wasm-policy.ts";
import type { LoadedModule } from "../module/module-loader.ts";
import { ModuleError } from "../module/module-error.ts";
import type { CompiledModule } from "../wasm/compiled-module.ts";
import { shadowSpace } from "../wasm/shared-names.ts";
import { releaseVersionCounts, versionCountsMemory } from "../wasm/version-counts.ts";
import type { PluginModules, PluginProblem } from "./plugin-modules.ts";
import { isOver } from "./rollouts.ts";
import type { Rollout, Rollouts, StoredVersion, TriedVersion } from "./rollouts.ts";

/**
 * "primary": new streams go to it. "canary": its share of them does. "shadow": it sees copies of
 * its share. "previous": it was replaced; streams may still be on it.
 */
export type VersionState = "primary" | "canary" | "shadow" | "previous";

/** One version of the plugins of one name. */
export interface PluginVersion extends StoredVersion {
  readonly counts: SharedArrayBuffer;
  /** Of the module as the plugin's policy has it prepared. */
  readonly moduleKey: string;
  readonly state: VersionState;
  /** Of one that is tried. */
  readonly trial: Trial | null;
  /** In that state since then, milliseconds since 1970. */
  readonly sinceMs: number;
}

export interface Trial extends Pick<TriedVersion, "share" | "isPromoted"> {
  readonly bounds: CanaryBounds;
}

/** All plugins of one name. */
export interface PluginVersions {
  readonly name: string;
  /** Where they stand in the configuration. */
  readonly where: readonly string[];
  /** Digests of their configured modules: more than one when they are not the same plugin. */
  readonly configured: ReadonlySet<string>;
  /** Those that serve first, then the others, newest first. */
  readonly versions: readonly PluginVersion[];
}

/** Plugins with their versions, before they are in force. */
export interface DressedModules extends PluginModules {
  /** Those that the configuration has not ended. */
  readonly rollouts: Rollouts;
  /** Digests of configured modules by the plugins' names. */
  readonly configured: ReadonlyMap<string, ReadonlySet<string>>;
  /** What serves, by name of plugin, then of version. */
  readonly serving: ReadonlyMap<string, ReadonlyMap<string, ServingVersion>>;
}

type ServingVersion = Omit<PluginVersion, "sinceMs">;

/** Makes a module ready from its bytes. Throws ModuleError. */
export type LoadBytes = (
  name: string,
  bytes: Uint8Array,
  policy: WasmPolicy,
) => Promise<LoadedModule>;

/** Versions of a name that are remembered after they were replaced, with their modules. */
const PREVIOUS_MAX = 5;

export class PluginRegistry {
  readonly #threads: number;
  readonly #now: () => number;
  readonly #dropSpace: (prefix: string) => void;
  readonly #onForgotten: (versions: number) => void;
  #plugins: ReadonlyMap<string, PluginVersions>;
  #rollouts: Rollouts;

  /**
   * `threads` run plugins; `now` gives milliseconds since 1970; `dropSpace` forgets shared
   * data and queues that nobody will use any more; `onForgotten` hears how many versions there is
   * no going back to any more, because too many came after them.
   */
  constructor(
    threads: number,
    now: () => number = Date.now,
    dropSpace: (prefix: string) => void = (): void => {},
    onForgotten: (versions: number) => void = (): void => {},
  ) {
    this.#threads = threads;
    this.#dropSpace = dropSpace;
    this.#onForgotten = onForgotten;
    this.#now = now;
    this.#plugins = new Map();
    this.#rollouts = new Map();
  }

  /** Sorted by name. */
  get plugins(): readonly PluginVersions[] {
    return [...this.#plugins.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Of that name; undefined = no plugin has it. */
  find(plugin: string): PluginVersions | undefined {
    return this.#plugins.get(plugin);
  }

  /** In force. */
  get rollouts(): Rollouts {
    return this.#rollouts;
  }

  /** The same plugins, each with the versions that it is to serve. */
  async dress(
    modules: PluginModules,
    rollouts: Rollouts,
    loadBytes: LoadBytes,
  ): Promise<DressedModules> {
    return await new Dressing(modules, rollouts, loadBytes, (plugin, version) => {
      const known = this.#versionOf(plugin, version)?.counts;
      return known ?? versionCountsMemory(this.#threads);
    }).run();
  }

  /** What `dress` made is in force. */
  commit({ snapshot, rollouts, configured, serving }: DressedModules): void {
    const nowMs = this.#now();
    const plugins = new Map<string, PluginVersions>();
    for (const { name, where } of snapshot.plugins) {
      const known = plugins.get(name);
      const places = [...(known?.where ?? []), where];
      const digests = configured.get(name) ?? new Set();
      const versions = known?.versions ?? this.#versionsOf(name, serving.get(name), digests, nowMs);
      plugins.set(name, { name, where: places, configured: digests, versions });
    }
    const before = this.#plugins;
    this.#plugins = plugins;
    this.#rollouts = rollouts;
    for (const name of new Set([...before.keys(), ...plugins.keys()])) {
      this.#dropSpacesOf(name, before.get(name), plugins.get(name));
    }
  }

  /** What a shadow has written goes with it, a version's own space with the last that uses it. */
  #dropSpacesOf(
    plugin: string,
    before: PluginVersions | undefined,
    now: PluginVersions | undefined,
  ): void {
    if (shadowOf(before) !== shadowOf(now)) this.#dropSpace(shadowSpace(plugin));
    const used = new Set(now?.versions.map(({ space }) => space));
    const gone = new Set(before?.versions.map(({ space }) => space));
    for (const space of gone) if (space !== "" && !used.has(space)) this.#dropSpace(space);
  }

  /** The thread is dead, and its streams with it. */
  releaseThread(thread: number): void {
    for (const { versions } of this.#plugins.values()) {
      for (const { counts } of versions) releaseVersionCounts(counts, thread);
    }
  }

  /** Those that serve now, and those that did. */
  #versionsOf(
    plugin: string,
    serving: ReadonlyMap<string, ServingVersion> | undefined,
    configured: ReadonlySet<string>,
    nowMs: number,
  ): readonly PluginVersion[] {
    const now = [...(serving?.values() ?? [])].map((version): PluginVersion => {
      const known = this.#versionOf(plugin, version.name);
      const isSame = known?.state === version.state;
      return { ...version, sinceMs: isSame ? known.sinceMs : nowMs };
    });
    const before = this.#plugins.get(plugin)?.versions ?? [];
    const previous = before
      .filter((one) => serving?.has(one.name) !== true)
      .map((one) => (one.state === "previous" ? one : asPrevious(one, nowMs)))
      .sort((a, b) => b.sinceMs - a.sinceMs);
    const kept = previous.filter((one, at) => at < PREVIOUS_MAX || isConfigured(one, configured));
    if (kept.length < previous.length) this.#onForgotten(previous.length - kept.length);
    return [...now, ...kept];
  }

  #versionOf(plugin: string, version: string): PluginVersion | undefined {
    return this.#plugins.get(plugin)?.versions.find(({ name }) => name === version);
  }
}

function shadowOf(plugin: PluginVersions | undefined): string {
  return plugin?.versions.find(({ state }) => state === "shadow")?.name ?? "";
}

/** It is as the configuration has it: there is always a way back to that. */
function isConfigured(
  { configuration, sha256 }: PluginVersion,
  digests: ReadonlySet<string>,
): boolean {
  return configuration === null && digests.has(sha256);
}

function asPrevious(version: PluginVersion, nowMs: number): PluginVersion {
  return { ...version, state: "previous", trial: null, sinceMs: nowMs };
}

/** One run over the plugins of a snapshot. */
class Dressing {
  readonly #loaded: PluginModules;
  readonly #wanted: Rollouts;
  readonly #loadBytes: LoadBytes;
  /** A version that was there before goes on counting. */
  readonly #countsOf: (plugin: string, version: string) => SharedArrayBuffer;
  readonly #byKey: Map<string, LoadedModule>;
  readonly #rollouts: Map<string, Rollout>;
  readonly #modules: Map<string, CompiledModule>;
  readonly #configured: Map<string, Set<string>>;
  readonly #serving: Map<string, Map<string, ServingVersion>>;
  readonly #problems: PluginProblem[];

  constructor(
    loaded: PluginModules,
    wanted: Rollouts,
    loadBytes: LoadBytes,
    countsOf: (plugin: string, version: string) => SharedArrayBuffer,
  ) {
    this.#loaded = loaded;
    this.#wanted = wanted;
    this.#loadBytes = loadBytes;
    this.#countsOf = countsOf;
    this.#byKey = new Map([...loaded.byPlugin.values()].map((one) => [one.key, one]));
    this.#rollouts = new Map();
    this.#modules = new Map();
    this.#configured = new Map();
    this.#serving = new Map();
    this.#problems = [...loaded.problems];
  }

  async run(): Promise<DressedModules> {
    const { snapshot } = this.#loaded;
    for (const { name, moduleKey } of snapshot.plugins) {
      const digests = this.#configured.get(name) ?? new Set();
      this.#configured.set(name, digests);
      const module = this.#byKey.get(moduleKey);
      if (module !== undefined) digests.add(module.sha256);
    }
    for (const [name, rollout] of this.#wanted) {
      const digests = this.#configured.get(name);
      if (digests === undefined || [...digests].some((digest) => isOver(rollout, digest))) continue;
      this.#rollouts.set(name, rollout);
    }
    const plugins: WasmPluginConfig[] = [];
    for (const plugin of snapshot.plugins) plugins.push(await this.#dress(plugin));
    return {
      ...this.#loaded,
      snapshot: { ...snapshot, plugins },
      modules: this.#modules,
      problems: this.#problems,
      rollouts: this.#rollouts,
      configured: this.#configured,
      serving: this.#serving,
    };
  }

  async #dress(plugin: WasmPluginConfig): Promise<WasmPluginConfig> {
    const rollout = this.#rollouts.get(plugin.name);
    const pushed = rollout?.primary ?? null;
    const version =
      pushed === null ? this.#ownVersion(plugin) : await this.#stored(plugin, pushed, "primary");
    if (version === null) return plugin;
    const own = { ...plugin, moduleKey: version.moduleKey, version };
    const tried = rollout?.tried ?? null;
    if (tried === null) return own;
    const { role, share, isPromoted } = tried;
    const trial = { share, isPromoted, bounds: plugin.policy.canary };
    const stored = await this.#stored(plugin, tried.version, role, trial);
    if (stored === null) return own;
    const candidate: CandidateConfig = { ...stored, role, share };
    return { ...own, candidates: [candidate] };
  }

  #ownVersion(plugin: WasmPluginConfig): PluginVersionConfig | null {
    const module = this.#byKey.get(plugin.moduleKey);
    if (module === undefined) return null;
    const { sha256, bytes } = module;
    const name = versionName(sha256, null);
    const source = codeName(plugin.code);
    const stored = { name, sha256, bytes, configuration: null, space: "", source };
    return this.#serve(plugin, stored, module, "primary", null);
  }

  async #stored(
    plugin: WasmPluginConfig,
    version: StoredVersion,
    state: VersionState,
    trial: Trial | null = null,
  ): Promise<PluginVersionConfig | null> {
    const name = `version ${version.name} of plugin ${plugin.name}`;
    try {
      const module = await this.#loadBytes(name, version.bytes, plugin.policy);
      return this.#serve(plugin, version, module, state, trial);
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      this.#problems.push({ path: plugin.where, message: error.message });
      return null;
    }
  }

  #serve(
    plugin: WasmPluginConfig,
    version: StoredVersion,
    module: LoadedModule,
    state: VersionState,
    trial: Trial | null,
  ): PluginVersionConfig {
    const { bytes: _bytes, ...compiled } = module;
    this.#modules.set(module.key, compiled);
    const ofPlugin = this.#serving.get(plugin.name) ?? new Map<string, ServingVersion>();
    this.#serving.set(plugin.name, ofPlugin);
    const { name, configuration, space } = version;
    const counts = ofPlugin.get(name)?.counts ?? this.#countsOf(plugin.name, name);
    ofPlugin.set(name, { ...version, counts, moduleKey: module.key, state, trial });
    // What a route gives the guest is the route's, whatever was pushed.
    const own = plugin.variantOf === undefined ? configuration : null;
    return { name, moduleKey: module.key, configuration: own, space, counts };
  }
}
