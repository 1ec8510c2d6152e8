// What is kept of a filter chain whose routes come by RDS, to read what they say about its filters.
// Made by hcm-reader.ts, used by translate-resources.ts for each table that comes.
import type { FilterNames } from "./filter-reader.ts";
import { FilterVariants } from "./filter-variants.ts";
import type { HttpFilterConfig, RouteVariantConfig, WasmPluginConfig } from "../snapshot.ts";
import type { CataloguedPlugin, Translation } from "./translation.ts";

/** One filter of the chain that is a plugin. */
interface ChainFilter {
  readonly config: HttpFilterConfig;
  readonly plugin: WasmPluginConfig;
  /** Null = none of ours. */
  readonly catalogued: CataloguedPlugin | null;
}

export class RdsChain {
  /** RdsConfig.key. */
  readonly key: string;
  /** All of the chain, the router too. */
  readonly names: FilterNames;
  readonly #filters: readonly ChainFilter[];

  /** `filters` name plugins of `t`. */
  constructor(
    t: Translation,
    key: string,
    names: FilterNames,
    filters: readonly HttpFilterConfig[],
  ) {
    this.key = key;
    this.names = names;
    this.#filters = filters.map((config) => ({
      config,
      plugin: t.plugins[config.plugin] as WasmPluginConfig,
      catalogued: t.catalogued.get(config.plugin) ?? null,
    }));
  }

  /** For one reading of a table by a translation of its own. */
  startVariants(t: Translation): FilterVariants {
    const filters = this.#filters.map(({ config, plugin, catalogued }) => {
      const at = t.addPlugin(plugin);
      if (catalogued !== null) t.catalogued.set(at, catalogued);
      return { ...config, plugin: at };
    });
    // Their file is not the configuration's.
    return new FilterVariants(t, filters, (node) => node.where());
  }

  /** What the reading has made of startVariants. */
  variantsOf(t: Translation, variants: FilterVariants): RouteVariantConfig[] {
    return variants.plugins.map((at) => {
      const plugin = t.plugins[at] as WasmPluginConfig;
      const { variantOf = -1, rootId, pluginConfiguration, where } = plugin;
      // The chain's plugins came first, in their order.
      return { filter: variantOf, own: { rootId, pluginConfiguration, where }, plugin: -1 };
    });
  }
}

/**
 * The same for chains that can share a table: routers alone. Filters are plugins of one chain, and
 * so are those that routes put in their places. Where code comes from is no part of it: another
 * module is no other chain.
 */
export function rdsKey(
  t: Translation,
  source: readonly unknown[],
  filters: readonly HttpFilterConfig[],
): string {
  if (filters.length === 0) return JSON.stringify(source);
  const plugins = filters.map(({ plugin }) => {
    const config = t.plugins[plugin] as WasmPluginConfig;
    const { code: _code, where: _where, moduleKey: _key, ...own } = config;
    return Object.entries(own).map(([name, value]) => [name, asText(value)]);
  });
  const key = JSON.stringify([...source, t.owner, plugins]);
  const before = t.rdsChains.filter((chain) => chain.key.startsWith(`${key}#`));
  return `${key}#${before.length}`;
}

function asText(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
}
