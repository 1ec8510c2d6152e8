// Loads the wasm modules of a snapshot's plugins in the main thread, once per distinct code.
import type { Snapshot, WasmPluginConfig } from "../config/snapshot.ts";
import { policyOf } from "../config/wasm-policy.ts";
import type { WasmPolicies, WasmPolicy } from "../config/wasm-policy.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { ModuleError } from "../module/module-error.ts";
import { loadModule, ModuleCache } from "../module/module-loader.ts";
import type { RemoteFetcher } from "./remote-code.ts";
import type { LoadedModule, ModuleSource } from "../module/module-loader.ts";
import type { CompiledModule } from "../wasm/compiled-module.ts";
import { pluginKeys } from "./plugin-key.ts";

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
}

/** One per process, so that reloads with the same code compile nothing. */
export class PluginModuleLoader {
  readonly #cache: ModuleCache;
  readonly #logger: Logger;
  /** Of the version in force, by the plugins' keys. */
  #inForce: ReadonlyMap<string, LoadedModule>;

  constructor(logger: Logger) {
    this.#cache = new ModuleCache();
    this.#logger = logger;
    this.#inForce = new Map();
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
    const problems: PluginProblem[] = [];
    const plugins: WasmPluginConfig[] = [];
    const keys = pluginKeys(snapshot);
    for (const [index, plugin] of snapshot.plugins.entries()) {
      const key = keys.get(index) ?? "";
      const isReread = reread === "all" || reread.has(plugin.code.filename);
      const known = isReread ? undefined : this.#inForce.get(key);
      const policy = policyOf(policies, plugin.name);
      const loaded = known ?? (await this.#loadOne(plugin, policy, fetcher, problems));
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
    return { snapshot: { ...snapshot, plugins }, modules, byPlugin, problems };
  }

  /** These are in force now. */
  commit(modules: PluginModules): void {
    this.#inForce = modules.byPlugin;
  }

  #isInForce({ key }: LoadedModule): boolean {
    return [...this.#inForce.values()].some((loaded) => loaded.key === key);
  }

  async #loadOne(
    plugin: WasmPluginConfig,
    policy: WasmPolicy,
    fetcher: RemoteFetcher | null,
    problems: PluginProblem[],
  ): Promise<LoadedModule | null> {
    const { filename, inlineBytes, sha256, remote } = plugin.code;
    // --mode validate asks nobody, as Envoy does.
    if (remote !== null && fetcher === null) return null;
    try {
      const local = inlineBytes === null ? { filename } : { inlineBytes };
      const source: ModuleSource =
        remote === null || fetcher === null
          ? local
          : { remoteUri: remote.uri, bytes: await fetcher.fetch(remote, sha256) };
      return await loadModule(source, {
        cache: this.#cache,
        sha256: sha256 || undefined,
        isMetered: policy.fuel !== null,
        memoryPagesMax: policy.memoryPagesMax,
      });
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      problems.push({ path: plugin.where, message: error.message });
      return null;
    }
  }
}

function withoutBytes(loaded: LoadedModule): CompiledModule {
  const { bytes: _bytes, ...compiled } = loaded;
  return compiled;
}
