// Header additions and removals of routes, virtual hosts and tables, compiled once and applied to a
// message in Envoy's order.
import type { HeaderMap } from "../core/header-map.ts";
import type { HeaderAddConfig, HeaderMutationsConfig } from "../config/snapshot.ts";
import type { FormatContext } from "../formatter/format-context.ts";
import { compileText } from "../formatter/formatter.ts";
import type { Formatter } from "../formatter/formatter.ts";

/** One level's changes to one kind of message. */
export class HeaderTransform {
  readonly #add: readonly HeaderAdd[];
  readonly #remove: readonly string[];

  /** Null when there is nothing to do, so that the data plane skips the level with one test. */
  static compile(
    add: readonly HeaderAddConfig[],
    remove: readonly string[],
    hostname: string,
  ): HeaderTransform | null {
    if (add.length === 0 && remove.length === 0) return null;
    return new HeaderTransform(add, remove, hostname);
  }

  private constructor(
    add: readonly HeaderAddConfig[],
    remove: readonly string[],
    hostname: string,
  ) {
    this.#add = add.map((config) => new HeaderAdd(config, hostname));
    this.#remove = remove;
  }

  /** Removals first, then additions (Envoy's HeaderParser::evaluateHeaders). */
  apply(headers: HeaderMap, context: FormatContext): void {
    for (let i = 0; i < this.#remove.length; i += 1) headers.remove(this.#remove[i] as string);
    for (let i = 0; i < this.#add.length; i += 1)
      (this.#add[i] as HeaderAdd).apply(headers, context);
  }
}

class HeaderAdd {
  readonly #name: string;
  readonly #action: HeaderAddConfig["action"];
  readonly #keepEmpty: boolean;
  readonly #value: Formatter;

  constructor(config: HeaderAddConfig, hostname: string) {
    this.#name = config.name;
    this.#action = config.action;
    this.#keepEmpty = config.keepEmptyValue;
    const value = compileText(config.format, { hostname, omitEmptyValues: true });
    if (typeof value !== "function") throw new Error(`${config.name}: ${value.message}`);
    this.#value = value;
  }

  apply(headers: HeaderMap, context: FormatContext): void {
    const value = this.#value(context);
    if (value === "" && !this.#keepEmpty) return;
    const name = this.#name;
    switch (this.#action) {
      case "append_if_exists_or_add":
        headers.append(name, value);
        return;
      case "add_if_absent":
        if (!headers.has(name)) headers.append(name, value);
        return;
      case "overwrite_if_exists_or_add":
        headers.replace(name, value);
        return;
      case "overwrite_if_exists":
        if (headers.has(name)) headers.replace(name, value);
        return;
    }
  }
}

/** The changes of one level for requests and responses; null where there are none. */
export interface LevelTransforms {
  readonly request: HeaderTransform | null;
  readonly response: HeaderTransform | null;
}

export function compileLevel(config: HeaderMutationsConfig, hostname: string): LevelTransforms {
  return {
    request: HeaderTransform.compile(config.requestAdd, config.requestRemove, hostname),
    response: HeaderTransform.compile(config.responseAdd, config.responseRemove, hostname),
  };
}

/**
 * The levels of one route in the order of their application: most specific first (so that the outer
 * level wins), or the other way round. Levels without changes are left out; null = no changes at
 * all.
 */
export function orderLevels(
  levels: readonly (HeaderTransform | null)[],
  mostSpecificWins: boolean,
): readonly HeaderTransform[] | null {
  const present = levels.filter((level) => level !== null);
  if (present.length === 0) return null;
  return mostSpecificWins ? present.reverse() : present;
}
