// Wasm filters as routes configure them: each distinct configuration is a plugin of its own, on
// the VM of the filter's plugin. Envoy has nothing of the kind.
import type { ConfigNode } from "../config-node.ts";
import type {
  HttpFilterConfig,
  HttpFilterVariant,
  PerFilterConfig,
  WasmPluginConfig,
} from "../snapshot.ts";
import type { FilterLevels } from "./per-filter-reader.ts";
import type { Json } from "../message-value.ts";
import { catalogueConfiguration, readMessage } from "./catalogue-filter-reader.ts";
import type { CataloguedPlugin, Translation } from "./translation.ts";
import { readConfiguration } from "./wasm-reader.ts";

export class FilterVariants {
  /** Indexes of plugins; routes name them by their place here. */
  readonly plugins: number[];
  readonly #t: Translation;
  readonly #filters: readonly HttpFilterConfig[];
  readonly #whereOf: (node: ConfigNode) => string;

  /** `whereOf`: what plugins say of where they stand. Default: their paths. */
  constructor(
    t: Translation,
    filters: readonly HttpFilterConfig[],
    whereOf: (node: ConfigNode) => string = (node) => node.path,
  ) {
    this.#t = t;
    this.#filters = filters;
    this.#whereOf = whereOf;
    this.plugins = [];
  }

  /** Absent = routes ask for none. */
  all(): HttpFilterVariant[] | undefined {
    return this.plugins.length === 0 ? undefined : this.plugins.map((plugin) => ({ plugin }));
  }

  /** What a route says to one of our own filters, read; null when the filter is none of them. */
  levelOf(filterName: string, typed: ConfigNode): Json | null {
    const known = this.#catalogued(filterName);
    if (known === null || known.entry.routeConfig !== typed.typeName) return null;
    return readMessage(this.#t, known.entry, typed);
  }

  /** The place of the plugin that serves these levels, the outermost first. */
  placeLevels(filterName: string, levels: readonly Json[], at: ConfigNode): number | null {
    const known = this.#catalogued(filterName);
    if (known === null) return null;
    const all = known.entry.levels === "all" ? levels : levels.slice(-1);
    return this.#place(known.plugin, {
      pluginConfiguration: catalogueConfiguration(known.filter, all),
      where: this.#whereOf(at),
    });
  }

  /** For a route that forwards nothing: what is said around it to some of our filters is undone. */
  forNoForwarding(
    configs: readonly PerFilterConfig[],
    levels: FilterLevels,
    route: ConfigNode,
  ): PerFilterConfig[] {
    const kept = [...configs];
    for (const filterName of levels.keys()) {
      if (this.#catalogued(filterName)?.entry.forwardedOnly !== true) continue;
      const variant = this.placeLevels(filterName, [], route);
      const at = kept.findIndex((config) => config.filterName === filterName);
      if (at >= 0) kept.splice(at, 1);
      if (variant !== null) kept.push({ filterName, disabled: false, variant });
    }
    return kept;
  }

  /** The place of the plugin that a route's Wasm message asks for; null = problems were told. */
  place(filterName: string, typed: ConfigNode): number | null {
    const filter = this.#filters.find(({ name }) => name === filterName);
    const config = typed.node("config");
    if (filter === undefined || config === undefined) {
      typed.acceptRest("reported as a whole");
      this.#t.wrong(typed, `found no wasm filter "${filterName}", or no config for it`);
      return null;
    }
    // Only these make a root context; the VM is the filter's.
    for (const field of ["name", "vm_config", "failure_policy", "fail_open"]) {
      if (config.has(field)) this.#t.wrong(config, "cannot differ from the filter's", field);
    }
    const rootId = config.string("root_id", "");
    return this.#place(filter.plugin, {
      ...(rootId === "" ? {} : { rootId }),
      pluginConfiguration: readConfiguration(this.#t, config),
      where: this.#whereOf(config),
    });
  }

  #place(variantOf: number, own: Partial<WasmPluginConfig>): number {
    const base = this.#t.plugins[variantOf] as WasmPluginConfig;
    const plugin: WasmPluginConfig = { ...base, ...own, variantOf };
    const known = this.plugins.findIndex((at) => isSame(this.#t.plugins[at], plugin));
    return known >= 0 ? known : this.plugins.push(this.#t.addPlugin(plugin)) - 1;
  }

  #catalogued(filterName: string): (CataloguedPlugin & { readonly plugin: number }) | null {
    const plugin = this.#filters.find(({ name }) => name === filterName)?.plugin ?? -1;
    const known = this.#t.catalogued.get(plugin);
    return known === undefined ? null : { ...known, plugin };
  }
}

function isSame(known: WasmPluginConfig | undefined, plugin: WasmPluginConfig): boolean {
  return (
    known !== undefined &&
    known.variantOf === plugin.variantOf &&
    known.rootId === plugin.rootId &&
    Buffer.from(known.pluginConfiguration).equals(plugin.pluginConfiguration)
  );
}
