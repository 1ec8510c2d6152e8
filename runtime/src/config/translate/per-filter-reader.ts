// Reads typed_per_filter_config: what a route, a virtual host or a weighted cluster says about the
// filters of the chain.
import type { ConfigNode } from "../config-node.ts";
import type { Json } from "../message-value.ts";
import type { PerFilterConfig } from "../snapshot.ts";
import type { FilterNames } from "./filter-reader.ts";
import type { FilterVariants } from "./filter-variants.ts";
import type { Translation } from "./translation.ts";

const FILTER_CONFIG = "envoy.config.route.v3.FilterConfig";
const WASM = "envoy.extensions.filters.http.wasm.v3.Wasm";
const STRICTER = "the filter could be meant to be stricter here";

/** What route tables, virtual hosts, routes have said to our own filters, the outermost first. */
export type FilterLevels = ReadonlyMap<string, readonly Json[]>;

export interface PerFilter {
  readonly configs: readonly PerFilterConfig[];
  readonly levels: FilterLevels;
}

export const noLevels: FilterLevels = new Map();

/**
 * FilterConfig switches a filter off, or on by an empty `config`; a wasm filter's own message gives
 * it another configuration, and so does what Envoy has for one of ours. `outer` is what was said
 * around this place.
 */
export function readPerFilter(
  t: Translation,
  node: ConfigNode,
  filters: FilterNames,
  variants: FilterVariants,
  outer: FilterLevels,
): PerFilter {
  const configs: PerFilterConfig[] = [];
  const levels = new Map(outer);
  const addLevel = (filterName: string, typed: ConfigNode): boolean => {
    const level = variants.levelOf(filterName, typed);
    if (level === null) return false;
    const all = [...(levels.get(filterName) ?? []), level];
    levels.set(filterName, all);
    const variant = variants.placeLevels(filterName, all, typed);
    if (variant !== null) configs.push({ filterName, disabled: false, variant });
    return true;
  };
  for (const [filterName, typed] of node.map("typed_per_filter_config")) {
    if (addLevel(filterName, typed)) continue;
    if (typed.typeName === WASM && filters.get(filterName) === "runs") {
      const variant = variants.place(filterName, typed);
      if (variant !== null) configs.push({ filterName, disabled: false, variant });
      continue;
    }
    if (typed.typeName !== FILTER_CONFIG) {
      refuse(t, typed, filters.get(filterName) === "left out");
      continue;
    }
    const isOptional = typed.bool("is_optional", false);
    const isDisabled = typed.bool("disabled", false);
    typed.accept("is_optional", "only for filters that Headgate does not have");
    const config = typed.node("config");
    if (isDisabled) {
      config?.acceptRest("the filter is switched off");
      typed.accept("config", "the filter is switched off");
    } else if (!typed.has("config")) {
      t.wrong(typed, `empty configuration of filter "${filterName}", expected config or disabled`);
    } else if (config !== undefined && addLevel(filterName, config)) continue;
    else if (config !== undefined && config.typeName !== "google.protobuf.Any") {
      refuse(t, config, isOptional || filters.get(filterName) === "left out");
      continue;
    }
    configs.push({ filterName, disabled: isDisabled });
  }
  return { configs, levels };
}

function refuse(t: Translation, typed: ConfigNode, isLeftOut: boolean): void {
  typed.acceptRest("reported as a whole");
  const what = `per-route configuration of type ${typed.typeName}`;
  if (isLeftOut) t.warn(typed, `${what} is left out, as the filter is`);
  else t.guarded(typed, what, STRICTER);
}
