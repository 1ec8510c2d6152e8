// Conditions on query parameters (QueryParameterMatcher), compiled once: used by routes.
import type { QueryParameterMatchConfig } from "../config/route-config.ts";
import { compileStringMatch } from "./string-matcher.ts";

/** One condition on the query, given without its "?". */
export interface QueryPredicate {
  matches(query: string): boolean;
}

/** The first parameter of the name counts. Names and values are compared as they stand. */
export function compileQueryMatch(config: QueryParameterMatchConfig): QueryPredicate {
  const { name, match } = config;
  if (match.kind === "present") {
    const { present } = match;
    return { matches: (query) => (queryValue(query, name) !== null) === present };
  }
  const matcher = compileStringMatch(match.string);
  return {
    matches: (query) => {
      const value = queryValue(query, name);
      return value !== null && matcher.matches(value);
    },
  };
}

/** Value of the first parameter of that name as it stands, "" without "=", null when not there. */
export function queryValue(query: string, name: string): string | null {
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
