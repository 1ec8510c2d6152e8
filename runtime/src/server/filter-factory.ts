// Makes the HTTP filter chain of each stream from named slots: a slot holds a plugin's handle, so
// that a swap is a change of the handle. The one place that knows that filters are wasm plugins.
import type { HttpFilterConfig } from "../config/snapshot.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { FilterChainFactory, FilterOverride, HttpFilter } from "../filter/http-filter.ts";
import type { PluginHandle } from "./plugin-handle.ts";

/** One filter of the chain. */
class FilterSlot {
  readonly name: string;
  readonly isDisabled: boolean;
  readonly plugin: PluginHandle;

  constructor(config: HttpFilterConfig, plugin: PluginHandle) {
    this.name = config.name;
    this.isDisabled = config.disabled;
    this.plugin = plugin;
  }
}

const NO_FILTERS: readonly HttpFilter[] = [];

/** What routes put in the place of a filter; others where another route table comes. */
export interface FilterVariantHandles {
  readonly variants: readonly PluginHandle[];
}

export const noVariants: FilterVariantHandles = { variants: [] };

export class FilterFactory implements FilterChainFactory {
  readonly #slots: readonly FilterSlot[];
  readonly #variants: FilterVariantHandles;

  constructor(
    configs: readonly HttpFilterConfig[],
    variants: FilterVariantHandles,
    plugins: ReadonlyMap<number, PluginHandle>,
  ) {
    this.#variants = variants;
    this.#slots = configs.map(
      (config) => new FilterSlot(config, plugins.get(config.plugin) as PluginHandle),
    );
  }

  createFilters(
    overrides: ReadonlyMap<string, FilterOverride> | null,
    info: StreamInfo,
    headers: HeaderMap | null,
    filters: HttpFilter[],
  ): readonly HttpFilter[] {
    const slots = this.#slots;
    if (slots.length === 0) return NO_FILTERS;
    for (let i = 0; i < slots.length; i += 1) {
      const slot = slots[i] as FilterSlot;
      const override = overrides === null ? undefined : overrides.get(slot.name);
      if (override === undefined ? slot.isDisabled : override.disabled) continue;
      // Null: the plugin's VM is dead and its policy lets streams pass.
      const variant = override?.variant;
      const named = variant === undefined ? slot.plugin : this.#variants.variants[variant];
      const plugin = named ?? slot.plugin;
      if (plugin.shadow !== null) {
        plugin.addHttpFilters(filters, info, headers);
        continue;
      }
      const filter = plugin.createHttpFilter(info, headers);
      if (filter !== null) filters.push(filter);
    }
    return filters;
  }
}
