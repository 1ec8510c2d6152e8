// Loads the wasm modules of a snapshot's plugins in the main thread, once per distinct code.
import { shownUri } from "../config/code-name.ts";
import type { Snapshot, WasmPluginConfig } from "../config/snapshot.ts";
import { policyOf } from "../config/wasm-policy.ts";
import type { WasmPolicies, WasmPolicy } from "../config/wasm-policy.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { ModuleError } from "../module/module-error.ts";
import { loadModule, ModuleCache } from "../module/module-loader.ts";
import { FetchError } from "./remote-code.ts";
import type { MissingModule, RemoteFetcher } from "./remote-code.ts";
import type { LoadedModule, ModuleSource } from "../module/module-loader.ts";
import type { CompiledModule } from "../wasm/compiled-module.ts";
import { codeKeyOf, pluginKeys } from "./plugin-key.ts";

/** A plugin whose module is no good: its path in the configuration and why. */
export interface PluginProblem {
  readonly path: string;
  readonly message: string;
}

export interface PluginModules {
  /** The snapshot with every plugin's `moduleKey` and `policy` filled in. */
  readonly snapshot: Snapshot;
  /** By their keys. */
  readonly modules: ReadonlyMap<string, CompiledModule>;
  /** By the plugins' keys: what `commit` remembers. */
  readonly byPlugin: ReadonlyMap<string, LoadedModule>;
  readonly problems: readonly PluginProblem[];
  /** Keys of plugins that go into force without a module, because it cannot be fetched now. */
  readonly absent: ReadonlySet<string>;
  /** Their modules, each once. */
  readonly missing: readonly MissingModule[];
}

/** What one load collects. */
interface LoadRun {
  /** Null = nobody is asked. */
  readonly fetcher: RemoteFetcher | null;
  readonly problems: PluginProblem[];
  /** What could not be had, so that plugins with the same code ask once. */
  readonly failed: Set<string>;
  readonly absent: Set<string>;
  /** By what is asked for. */
  readonly missing: Map<string, MissingModule>;
}

/**
 * Modules that are kept, replaced ones among them, or twice as many as are in force: each has its
 * bytes and its machine code, 100 KiB for a small one.
 */
const KEPT_MIN = 8;

/** One per process, so that reloads with the same code compile nothing. */
export class PluginModuleLoader {
  readonly #cache: ModuleCache;
  readonly #logger: Logger;
  readonly #lenientImports: boolean;
  /** Of the version in force, by the plugins' keys. */
  #inForce: ReadonlyMap<string, LoadedModule>;
  /** Keys of plugins that are in force without a module. */
  #absent: ReadonlySet<string>;

  /** `onForgotten`: a module that will be compiled again if it comes back. */
  constructor(logger: Logger, lenientImports = false, onForgotten: () => void = (): void => {}) {
    this.#cache = new ModuleCache(KEPT_MIN, onForgotten);
    this.#logger = logger;
    this.#lenientImports = lenientImports;
    this.#inForce = new Map();
    this.#absent = new Set();
  }

  /**
   * `reread`: these files, or all of them, are read again even if the plugin is in force as it is;
   * otherwise its module stays, whatever its file has become.
   */
  async load(
    snapshot: Snapshot,
    policies: WasmPolicies,
    reread: "all" | ReadonlySet<string> = "all",
    fetcher: RemoteFetcher | null = null,
  ): Promise<PluginModules> {
    const modules = new Map<string, CompiledModule>();
    const byPlugin = new Map<string, LoadedModule>();
    const run: LoadRun = {
      fetcher,
      problems: [],
      failed: new Set(),
      absent: new Set(),
      missing: new Map(),
    };
    const plugins: WasmPluginConfig[] = [];
    const keys = pluginKeys(snapshot);
    for (const [index, plugin] of snapshot.plugins.entries()) {
      const key = `${keys.get(index) ?? ""} ${codeKeyOf(plugin)}`;
      const isReread = reread === "all" || reread.has(plugin.code.filename);
      const known = isReread ? undefined : this.#inForce.get(key);
      const policy = policyOf(policies, plugin.name);
      const mayAsk = reread === "all" || !this.#absent.has(key);
      const loaded = known ?? (await this.#loadOne(plugin, key, policy, mayAsk, run));
      plugins.push({ ...plugin, policy, moduleKey: loaded?.key ?? "" });
      if (loaded === null) continue;
      byPlugin.set(key, loaded);
      if (modules.has(loaded.key)) continue;
      modules.set(loaded.key, withoutBytes(loaded));
      if (known !== undefined || this.#isInForce(loaded)) continue;
      for (const warning of loaded.warnings) {
        this.#logger.log(LogLevel.Warning, `${plugin.name}: ${warning}`);
      }
    }
    const { problems, absent } = run;
    const missing = [...run.missing.values()];
    return { snapshot: { ...snapshot, plugins }, modules, byPlugin, problems, absent, missing };
  }

  /** Bytes that did not come by the configuration. Throws ModuleError. */
  async loadBytes(name: string, bytes: Uint8Array, policy: WasmPolicy): Promise<LoadedModule> {
    return await loadModule(
      { name, bytes },
      {
        cache: this.#cache,
        lenientImports: this.#lenientImports,
        isMetered: policy.fuel !== null,
        memoryPagesMax: policy.memoryPagesMax,
      },
    );
  }

  /** By its key, as long as it is kept. */
  find(key: string): Promise<LoadedModule> | undefined {
    return this.#cache.find(key);
  }

  /** These are in force now. */
  commit(modules: PluginModules): void {
    this.#inForce = modules.byPlugin;
    this.#cache.setMax(Math.max(KEPT_MIN, 2 * modules.modules.size));
    this.#absent = modules.absent;
  }

  #isInForce({ key }: LoadedModule): boolean {
    return [...this.#inForce.values()].some((loaded) => loaded.key === key);
  }

  async #loadOne(
    plugin: WasmPluginConfig,
    key: string,
    policy: WasmPolicy,
    mayAsk: boolean,
    run: LoadRun,
  ): Promise<LoadedModule | null> {
    const { filename, inlineBytes, sha256, remote } = plugin.code;
    // --mode validate asks nobody, as Envoy does.
    if (remote !== null && run.fetcher === null) return null;
    try {
      let source: ModuleSource = inlineBytes === null ? { filename } : { inlineBytes };
      if (remote !== null) {
        const bytes = await this.#fetch(plugin, mayAsk, run);
        if (bytes === null) return this.#withoutModule(plugin, key, run);
        source = { name: shownUri(remote.uri), bytes };
      }
      return await loadModule(source, {
        cache: this.#cache,
        sha256: sha256 || undefined,
        lenientImports: this.#lenientImports,
        isMetered: policy.fuel !== null,
        memoryPagesMax: policy.memoryPagesMax,
      });
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      run.problems.push({ path: plugin.where, message: error.message });
      return null;
    }
  }

  /** Null = it cannot be had now, or was not to be asked for. */
  async #fetch(plugin: WasmPluginConfig, mayAsk: boolean, run: LoadRun): Promise<Buffer | null> {
    const { sha256, remote } = plugin.code;
    const { fetcher, failed } = run;
    const what = askedBy(plugin);
    if (remote === null || fetcher === null || failed.has(what)) return null;
    if (!mayAsk) return fetcher.kept(sha256);
    try {
      return await fetcher.fetch(remote, sha256);
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      const text = `plugin ${plugin.name}: its module cannot be had now: ${error.message}`;
      this.#logger.log(LogLevel.Error, text);
      failed.add(what);
      return null;
    }
  }

  /** The one in force has the wanted digest; else the failure policy decides about streams. */
  #withoutModule(plugin: WasmPluginConfig, key: string, run: LoadRun): LoadedModule | null {
    const held = this.#inForce.get(key);
    if (held !== undefined) return held;
    const { remote, sha256 } = plugin.code;
    if (remote?.isRequired === true) {
      const message = `${shownUri(remote.uri)}: cannot be had now, see nack_on_code_cache_miss`;
      run.problems.push({ path: plugin.where, message });
      return null;
    }
    if (remote !== null) run.missing.set(askedBy(plugin), { remote, sha256 });
    run.absent.add(key);
    return null;
  }
}

/** Where its code comes from, how, and what it has to be. */
function askedBy({ code }: WasmPluginConfig): string {
  return JSON.stringify([code.remote, code.sha256]);
}

function withoutBytes(loaded: LoadedModule): CompiledModule {
  const { bytes: _bytes, ...compiled } = loaded;
  return compiled;
}
