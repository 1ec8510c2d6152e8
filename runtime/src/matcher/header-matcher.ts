// Conditions on headers (HeaderMatcher), compiled once: used by routes and by access-log filters.
import type { HeaderMatchConfig } from "../config/route-config.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { compileStringMatch } from "./string-matcher.ts";
import type { StringMatcher } from "./string-matcher.ts";

/** One condition on the headers. */
export interface HeaderPredicate {
  matches(headers: HeaderMap): boolean;
}

/**
 * Compiles a HeaderMatcher (envoy.config.route.v3.HeaderMatcher) as Envoy 1.40 evaluates it: of
 * repeated lines each is tried on its own and one that matches is enough; inversion turns the
 * answer for the whole header around. A missing header matches nothing, inverted or not, unless it
 * is treated as empty; for `present` it counts as absent, and inversion counts.
 */
export function compileHeaderMatch(config: HeaderMatchConfig): HeaderPredicate {
  const { name, match, invert, treatMissingAsEmpty } = config;
  if (match.kind === "present") {
    return new PresencePredicate(name, match.present !== invert, treatMissingAsEmpty);
  }
  const matcher =
    match.kind === "range"
      ? new RangeMatcher(match.start, match.end)
      : compileStringMatch(match.string);
  return new ValuePredicate(name, matcher, invert, treatMissingAsEmpty);
}

class PresencePredicate implements HeaderPredicate {
  readonly #name: string;
  readonly #wanted: boolean;
  readonly #treatMissingAsEmpty: boolean;

  constructor(name: string, wanted: boolean, treatMissingAsEmpty: boolean) {
    this.#name = name;
    this.#wanted = wanted;
    this.#treatMissingAsEmpty = treatMissingAsEmpty;
  }

  matches(headers: HeaderMap): boolean {
    return (this.#treatMissingAsEmpty || headers.has(this.#name)) === this.#wanted;
  }
}

class ValuePredicate implements HeaderPredicate {
  readonly #name: string;
  readonly #matcher: StringMatcher;
  readonly #invert: boolean;
  readonly #treatMissingAsEmpty: boolean;

  constructor(name: string, matcher: StringMatcher, invert: boolean, treatMissingAsEmpty: boolean) {
    this.#name = name;
    this.#matcher = matcher;
    this.#invert = invert;
    this.#treatMissingAsEmpty = treatMissingAsEmpty;
  }

  matches(headers: HeaderMap): boolean {
    const first = headers.get(this.#name);
    if (first === undefined) {
      return this.#treatMissingAsEmpty && this.#matcher.matches("") !== this.#invert;
    }
    if (this.#matcher.matches(first)) return !this.#invert;
    return this.#matchesAnother(headers) !== this.#invert;
  }

  /** The first line did not match: do others of the name? */
  #matchesAnother(headers: HeaderMap): boolean {
    const name = this.#name;
    if (name.charCodeAt(0) === 0x3a) return false;
    const values = headers.getAll(name);
    for (let i = 1; i < values.length; i += 1) {
      if (this.#matcher.matches(values[i] as string)) return true;
    }
    return false;
  }
}

/** A decimal 64-bit integer, with a sign if need be, in [start, end). */
class RangeMatcher implements StringMatcher {
  readonly #start: number;
  readonly #end: number;

  constructor(start: number, end: number) {
    this.#start = start;
    this.#end = end;
  }

  matches(text: string): boolean {
    if (!/^[+-]?\d+$/.test(text)) return false;
    const value = Number(text);
    return value >= this.#start && value < this.#end;
  }
}
