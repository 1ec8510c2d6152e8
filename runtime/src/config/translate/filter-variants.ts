// Wasm filters as routes configure them: each distinct configuration is a plugin of its own, on
// the VM of the filter's plugin. Envoy has nothing of the kind.
import type { ConfigNode } from "../config-node.ts";
import type { HttpFilterConfig, HttpFilterVariant, WasmPluginConfig } from "../snapshot.ts";
import type { Translation } from "./translation.ts";
import { readConfiguration } from "./wasm-reader.ts";

export class FilterVariants {
  /** Indexes of plugins; routes name them by their place here. */
  readonly plugins: number[];
  readonly #t: Translation;
  readonly #filters: readonly HttpFilterConfig[];

  constructor(t: Translation, filters: readonly HttpFilterConfig[]) {
    this.#t = t;
    this.#filters = filters;
    this.plugins = [];
  }

  /** Absent = routes ask for none. */
  all(): HttpFilterVariant[] | undefined {
    return this.plugins.length === 0 ? undefined : this.plugins.map((plugin) => ({ plugin }));
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
    const base = this.#t.plugins[filter.plugin] as WasmPluginConfig;
    const plugin: WasmPluginConfig = {
      ...base,
      rootId: config.string("root_id", "") || base.rootId,
      pluginConfiguration: readConfiguration(this.#t, config),
      where: config.path,
      variantOf: filter.plugin,
    };
    // Only these make a root context; the VM is the filter's.
    for (const field of ["name", "vm_config", "failure_policy", "fail_open"]) {
      if (config.has(field)) this.#t.wrong(config, "cannot differ from the filter's", field);
    }
    const known = this.plugins.findIndex((at) => isSame(this.#t.plugins[at], plugin));
    return known >= 0 ? known : this.plugins.push(this.#t.addPlugin(plugin)) - 1;
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
