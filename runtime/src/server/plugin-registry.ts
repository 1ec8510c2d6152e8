// What the main thread knows of the versions of plugins: which modules serve, which did before, and
// what each has done. Gives plugins of a snapshot their versions. Used by version-applier.ts.
import type { PluginVersionConfig, WasmPluginConfig } from "../config/snapshot.ts";
import { codeName } from "../config/code-name.ts";
import { versionName } from "../config/version-name.ts";
import { releaseVersionCounts, versionCountsMemory } from "../wasm/version-counts.ts";
import type { PluginModules } from "./plugin-modules.ts";

/** "primary": new streams go to it. "previous": it was replaced; streams may still be on it. */
export type VersionState = "primary" | "previous";

/** One version of the plugins of one name. */
export interface PluginVersion {
  readonly name: string;
  /** Of its module, lower-case hex. */
  readonly sha256: string;
  /** As logs name its code. */
  readonly source: string;
  readonly counts: SharedArrayBuffer;
  readonly state: VersionState;
  /** In that state since then, milliseconds since 1970. */
  readonly sinceMs: number;
}

/** All plugins of one name. */
export interface PluginVersions {
  readonly name: string;
  /** Where they stand in the configuration. */
  readonly where: readonly string[];
  /** Those that serve first, then the others, newest first. */
  readonly versions: readonly PluginVersion[];
}

/** What the plugins of a snapshot say of one name. */
interface InForce {
  readonly where: string[];
  readonly versions: Map<string, PluginVersion>;
}

/** Versions of a name that are remembered after they were replaced. */
const PREVIOUS_MAX = 5;

export class PluginRegistry {
  readonly #threads: number;
  readonly #now: () => number;
  #plugins: ReadonlyMap<string, PluginVersions>;

  /** `threads` run plugins; `now` gives milliseconds since 1970. */
  constructor(threads: number, now: () => number = Date.now) {
    this.#threads = threads;
    this.#now = now;
    this.#plugins = new Map();
  }

  /** Sorted by name. */
  get plugins(): readonly PluginVersions[] {
    return [...this.#plugins.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The same modules, with a version for each plugin that has one. */
  dress(modules: PluginModules): PluginModules {
    const fresh = new Map<string, SharedArrayBuffer>();
    const plugins = modules.snapshot.plugins.map((plugin): WasmPluginConfig => {
      const module = modules.modules.get(plugin.moduleKey);
      if (module === undefined) return plugin;
      const name = versionName(module.sha256, null);
      const counts = this.#countsOf(plugin.name, name, fresh);
      const version: PluginVersionConfig = {
        name,
        moduleKey: module.key,
        configuration: null,
        counts,
      };
      return { ...plugin, version };
    });
    return { ...modules, snapshot: { ...modules.snapshot, plugins } };
  }

  /** What `dress` made is in force. */
  commit({ snapshot, modules }: PluginModules): void {
    const nowMs = this.#now();
    const plugins = new Map<string, InForce>();
    for (const { name, where, code, version } of snapshot.plugins) {
      const entry: InForce = plugins.get(name) ?? { where: [], versions: new Map() };
      plugins.set(name, entry);
      entry.where.push(where);
      if (version === undefined || entry.versions.has(version.name)) continue;
      const { sha256 } = modules.get(version.moduleKey) ?? { sha256: "" };
      const known = this.#find(name, version.name);
      entry.versions.set(version.name, {
        name: version.name,
        sha256,
        source: codeName(code),
        counts: version.counts,
        state: "primary",
        sinceMs: known?.state === "primary" ? known.sinceMs : nowMs,
      });
    }
    const all = [...plugins].map(([name, { where, versions }]): [string, PluginVersions] => {
      const replaced = this.#plugins.get(name)?.versions ?? [];
      const previous = replaced
        .filter((one) => !versions.has(one.name))
        .map((one) => (one.state === "previous" ? one : asPrevious(one, nowMs)))
        .sort((a, b) => b.sinceMs - a.sinceMs)
        .slice(0, PREVIOUS_MAX);
      return [name, { name, where, versions: [...versions.values(), ...previous] }];
    });
    this.#plugins = new Map(all);
  }

  /** The thread is dead, and its streams with it. */
  releaseThread(thread: number): void {
    for (const { versions } of this.#plugins.values()) {
      for (const { counts } of versions) releaseVersionCounts(counts, thread);
    }
  }

  #find(plugin: string, version: string): PluginVersion | undefined {
    return this.#plugins.get(plugin)?.versions.find(({ name }) => name === version);
  }

  /** A version that was there before goes on counting. */
  #countsOf(
    plugin: string,
    version: string,
    fresh: Map<string, SharedArrayBuffer>,
  ): SharedArrayBuffer {
    const known = this.#find(plugin, version)?.counts;
    if (known !== undefined) return known;
    const key = JSON.stringify([plugin, version]);
    const made = fresh.get(key) ?? versionCountsMemory(this.#threads);
    fresh.set(key, made);
    return made;
  }
}

function asPrevious(version: PluginVersion, nowMs: number): PluginVersion {
  return { ...version, state: "previous", sinceMs: nowMs };
}
