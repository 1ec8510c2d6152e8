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
  /** Of the message at hand, by index of #add; null = that header is not set. */
  readonly #values: (string | null)[];

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
    const all = add.map((config) => new HeaderAdd(config, hostname));
    this.#add = [...all.filter((one) => one.overwrites), ...all.filter((one) => !one.overwrites)];
    this.#remove = remove;
    this.#values = all.map(() => null);
  }

  /**
   * Removals first; then all values are made, before one is set, and set: overwriting ones first
   * (Envoy's HeaderParser::evaluateHeaders).
   */
  apply(headers: HeaderMap, context: FormatContext): void {
    const add = this.#add;
    const values = this.#values;
    for (let i = 0; i < this.#remove.length; i += 1) headers.remove(this.#remove[i] as string);
    for (let i = 0; i < add.length; i += 1) {
      values[i] = (add[i] as HeaderAdd).evaluate(headers, context);
    }
    for (let i = 0; i < add.length; i += 1) {
      const value = values[i] as string | null;
      if (value !== null) (add[i] as HeaderAdd).apply(headers, value);
      values[i] = null;
    }
  }
}

class HeaderAdd {
  /** Otherwise it appends. */
  readonly overwrites: boolean;
  readonly #name: string;
  readonly #action: HeaderAddConfig["action"];
  readonly #keepEmpty: boolean;
  readonly #value: Formatter;

  constructor(config: HeaderAddConfig, hostname: string) {
    this.overwrites = config.action.startsWith("overwrite");
    this.#name = config.name;
    this.#action = config.action;
    this.#keepEmpty = config.keepEmptyValue;
    const value = compileText(config.format, { hostname, omitEmptyValues: true });
    if (typeof value !== "function") throw new Error(`${config.name}: ${value.message}`);
    this.#value = value;
  }

  /** The value to set, null when there is none. */
  evaluate(headers: HeaderMap, context: FormatContext): string | null {
    const value = this.#value(context);
    if (value === "" && !this.#keepEmpty) return null;
    if (this.#action === "add_if_absent") return headers.has(this.#name) ? null : value;
    if (this.#action === "overwrite_if_exists") return headers.has(this.#name) ? value : null;
    return value;
  }

  apply(headers: HeaderMap, value: string): void {
    if (this.overwrites) headers.replace(this.#name, value);
    else headers.append(this.#name, value);
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
