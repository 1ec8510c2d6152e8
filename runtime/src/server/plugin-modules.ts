// Loads the wasm modules of a snapshot's plugins in the main thread, once per distinct code.
import type { Snapshot, WasmPluginConfig } from "../config/snapshot.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { ModuleError } from "../module/module-error.ts";
import { loadModule, ModuleCache } from "../module/module-loader.ts";
import type { LoadedModule } from "../module/module-loader.ts";
import type { CompiledModule } from "../wasm/compiled-module.ts";

/** A plugin whose module is no good: its path in the configuration and why. */
export interface PluginProblem {
  readonly path: string;
  readonly message: string;
}

export interface PluginModules {
  /** The snapshot with every plugin's `moduleSha256` filled in. */
  readonly snapshot: Snapshot;
  readonly modules: ReadonlyMap<string, CompiledModule>;
  readonly problems: readonly PluginProblem[];
}

/** One per process, so that reloads with the same code compile nothing. */
export class PluginModuleLoader {
  readonly #cache: ModuleCache;
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#cache = new ModuleCache();
    this.#logger = logger;
  }

  async load(snapshot: Snapshot): Promise<PluginModules> {
    const modules = new Map<string, CompiledModule>();
    const problems: PluginProblem[] = [];
    const plugins: WasmPluginConfig[] = [];
    for (const plugin of snapshot.plugins) {
      const loaded = await this.#loadOne(plugin, problems);
      plugins.push({ ...plugin, moduleSha256: loaded?.sha256 ?? "" });
      if (loaded === null || modules.has(loaded.sha256)) continue;
      modules.set(loaded.sha256, withoutBytes(loaded));
      for (const warning of loaded.warnings) {
        this.#logger.log(LogLevel.Warning, `${plugin.name}: ${warning}`);
      }
    }
    return { snapshot: { ...snapshot, plugins }, modules, problems };
  }

  async #loadOne(
    plugin: WasmPluginConfig,
    problems: PluginProblem[],
  ): Promise<LoadedModule | null> {
    const { filename, inlineBytes, sha256 } = plugin.code;
    const source = inlineBytes === null ? { filename } : { inlineBytes };
    try {
      return await loadModule(source, { cache: this.#cache, sha256: sha256 || undefined });
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
