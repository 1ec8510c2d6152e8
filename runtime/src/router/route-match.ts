// Predicates of routes, compiled once: does this request's path, its headers, its query match?
import type { HeaderMap } from "../core/header-map.ts";
import { Regex } from "../core/regex.ts";
import type {
  HeaderMatchConfig,
  QueryParameterMatchConfig,
  RouteMatchConfig,
  StringMatchConfig,
} from "../config/snapshot.ts";

/** One condition on a text. */
export interface StringMatcher {
  matches(text: string): boolean;
}

/** Values of case-insensitive matchers are compared in ASCII lower case. */
export function compileStringMatch(config: StringMatchConfig): StringMatcher {
  const regex = config.kind === "regex" ? Regex.compile(config.value) : null;
  const value = config.ignoreCase ? config.value.toLowerCase() : config.value;
  return new CompiledStringMatcher(config.kind, value, config.ignoreCase, regex);
}

class CompiledStringMatcher implements StringMatcher {
  readonly #kind: StringMatchConfig["kind"];
  readonly #value: string;
  readonly #ignoreCase: boolean;
  readonly #regex: Regex | null;

  constructor(
    kind: StringMatchConfig["kind"],
    value: string,
    ignoreCase: boolean,
    regex: Regex | null,
  ) {
    this.#kind = kind;
    this.#value = value;
    this.#ignoreCase = ignoreCase;
    this.#regex = regex;
  }

  matches(text: string): boolean {
    if (this.#regex !== null) return this.#regex.matches(text);
    const subject = this.#ignoreCase ? text.toLowerCase() : text;
    switch (this.#kind) {
      case "exact":
        return subject === this.#value;
      case "prefix":
        return subject.startsWith(this.#value);
      case "suffix":
        return subject.endsWith(this.#value);
      default:
        return subject.includes(this.#value);
    }
  }
}

/** One condition on the headers. */
export interface HeaderPredicate {
  matches(headers: HeaderMap): boolean;
}

/**
 * Compiles a HeaderMatcher (envoy.config.route.v3.HeaderMatcher). A missing header matches nothing,
 * whether inverted or not, unless it is treated as empty; for `present` inversion counts. Repeated
 * lines are joined by a comma for string matches, as Envoy does.
 */
export function compileHeaderMatch(config: HeaderMatchConfig): HeaderPredicate {
  const test = headerTest(config);
  const { name, invert, treatMissingAsEmpty } = config;
  if (config.match.kind === "present") {
    const wanted = config.match.present !== invert;
    return { matches: (headers) => (treatMissingAsEmpty || headers.has(name)) === wanted };
  }
  return {
    matches: (headers) => {
      const value = valueOf(headers, name);
      if (value === undefined && !treatMissingAsEmpty) return false;
      return test(value ?? "") !== invert;
    },
  };
}

function valueOf(headers: HeaderMap, name: string): string | undefined {
  const first = headers.get(name);
  if (first === undefined || name.charCodeAt(0) === 0x3a) return first;
  const all = headers.getAll(name);
  return all.length > 1 ? all.join(",") : first;
}

function headerTest(config: HeaderMatchConfig): (value: string) => boolean {
  const match = config.match;
  if (match.kind === "range") {
    return (value) => {
      if (!/^[+-]?\d+$/.test(value)) return false;
      const number = Number(value);
      return number >= match.start && number < match.end;
    };
  }
  if (match.kind === "present") return () => true;
  const matcher = compileStringMatch(match.string);
  return (value) => matcher.matches(value);
}

/** One condition on the query, given without its "?". */
export interface QueryPredicate {
  matches(query: string): boolean;
}

/** The first parameter of the name counts. Names and values are compared as they stand. */
export function compileQueryMatch(config: QueryParameterMatchConfig): QueryPredicate {
  const { name, match } = config;
  if (match.kind === "present") return { matches: (query) => queryValue(query, name) !== null };
  const matcher = compileStringMatch(match.string);
  return {
    matches: (query) => {
      const value = queryValue(query, name);
      return value !== null && matcher.matches(value);
    },
  };
}

function queryValue(query: string, name: string): string | null {
  for (let at = 0; at <= query.length; ) {
    let end = query.indexOf("&", at);
    if (end < 0) end = query.length;
    const equals = query.indexOf("=", at);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (query.slice(at, nameEnd) === name)
      return nameEnd === end ? "" : query.slice(nameEnd + 1, end);
    at = end + 1;
  }
  return null;
}

/** Kinds of path conditions, cheapest test first. */
const PathKind = { Any: 0, Prefix: 1, Exact: 2, Separated: 3, Regex: 4 } as const;

/** A RouteMatch, compiled. `matchedPrefixLength` of the last match serves prefix rewriting. */
export class RouteMatcher {
  readonly #kind: number;
  readonly #value: string;
  readonly #firstCode: number;
  readonly #caseSensitive: boolean;
  readonly #regex: Regex | null;
  readonly #headers: readonly HeaderPredicate[] | null;
  readonly #queries: readonly QueryPredicate[] | null;
  readonly #ppm: number;
  readonly #grpc: boolean;

  constructor(config: RouteMatchConfig) {
    const path = config.path;
    this.#caseSensitive = config.caseSensitive;
    this.#regex = path.kind === "regex" ? Regex.compile(path.regex) : null;
    const value = path.kind === "regex" ? "" : path.value;
    this.#value = config.caseSensitive ? value : value.toLowerCase();
    this.#kind = pathKindOf(path.kind, value);
    this.#firstCode = this.#value.length > 1 ? this.#value.charCodeAt(1) : -1;
    this.#headers = config.headers.length === 0 ? null : config.headers.map(compileHeaderMatch);
    this.#queries =
      config.queryParameters.length === 0 ? null : config.queryParameters.map(compileQueryMatch);
    this.#ppm = config.runtimeFractionPpm;
    this.#grpc = config.grpc;
  }

  /** `path` is the request's with query, `pathEnd` where its query or fragment starts. */
  matches(headers: HeaderMap, path: string, pathEnd: number, randomValue: number): boolean {
    if (!this.#matchesPath(path, pathEnd)) return false;
    if (this.#ppm < 1_000_000 && randomValue % 1_000_000 >= this.#ppm) return false;
    if (this.#grpc && !isGrpc(headers)) return false;
    const headerPredicates = this.#headers;
    if (headerPredicates !== null) {
      for (let i = 0; i < headerPredicates.length; i += 1) {
        if (!(headerPredicates[i] as HeaderPredicate).matches(headers)) return false;
      }
    }
    const queryPredicates = this.#queries;
    if (queryPredicates === null) return true;
    const query = path.charCodeAt(pathEnd) === 0x3f ? path.slice(pathEnd + 1) : "";
    for (let i = 0; i < queryPredicates.length; i += 1) {
      if (!(queryPredicates[i] as QueryPredicate).matches(query)) return false;
    }
    return true;
  }

  #matchesPath(path: string, pathEnd: number): boolean {
    if (this.#kind === PathKind.Any) return path.charCodeAt(0) === 0x2f;
    if (this.#regex !== null) {
      return this.#regex.matches(pathEnd === path.length ? path : path.slice(0, pathEnd));
    }
    const value = this.#value;
    if (pathEnd < value.length) return false;
    if (this.#caseSensitive) {
      // Two characters refuse most routes before startsWith is called (0.2 us over 20 routes).
      if (this.#firstCode >= 0 && path.charCodeAt(1) !== this.#firstCode) return false;
      if (!path.startsWith(value)) return false;
    } else if (path.slice(0, value.length).toLowerCase() !== value) return false;
    if (this.#kind === PathKind.Prefix) return true;
    if (pathEnd === value.length) return true;
    return this.#kind === PathKind.Separated && path.charCodeAt(value.length) === 0x2f;
  }
}

function pathKindOf(kind: RouteMatchConfig["path"]["kind"], value: string): number {
  if (kind === "prefix") return value === "/" ? PathKind.Any : PathKind.Prefix;
  if (kind === "path") return PathKind.Exact;
  return kind === "regex" ? PathKind.Regex : PathKind.Separated;
}

function isGrpc(headers: HeaderMap): boolean {
  const type = headers.get("content-type");
  return type !== undefined && /^application\/grpc(\+.*)?$/.test(type);
}
