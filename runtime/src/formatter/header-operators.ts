// The %COMMANDS% that read headers, trailers, the path and the query: REQ, RESP, TRAILER, PATH ...
import type { HeaderMap } from "../core/header-map.ts";
import type { FormatContext, FormatOperator, FormatValue } from "./format-context.ts";

type Factory = (args: string | null) => FormatOperator | string;

type MapOf = (context: FormatContext) => HeaderMap | null;

/** "MAIN?ALTERNATIVE", lower-cased; an error when there is no name. */
function parseHeaderArgs(args: string | null): { main: string; alternative: string } | string {
  const [main, alternative, ...rest] = (args ?? "").toLowerCase().split("?");
  if (main === undefined || rest.length > 0) return "more than 1 alternative header specified";
  if (main === "" && (alternative ?? "") === "") return "expects the name of a header";
  return { main, alternative: alternative ?? "" };
}

function headerOperator(mapOf: MapOf): Factory {
  return (args) => {
    const names = parseHeaderArgs(args);
    if (typeof names === "string") return names;
    const { main, alternative } = names;
    return (context) => {
      const map = mapOf(context);
      if (map === null) return null;
      const value = map.get(main);
      if (value !== undefined) return value;
      return alternative === "" ? null : (map.get(alternative) ?? null);
    };
  };
}

function byteSize(mapOf: MapOf): Factory {
  return (args) =>
    args === null ? (c): FormatValue => mapOf(c)?.byteSize ?? 0 : "takes no parameters";
}

const requestMap: MapOf = (c) => c.requestHeaders;
const responseMap: MapOf = (c) => c.responseHeaders;
const trailerMap: MapOf = (c) => c.responseTrailers;

/** %PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH)%: with or without query, from :path or x-envoy-original-path. */
const path: Factory = (args) => {
  const [query = "WQ", source = "ORIG_OR_PATH", ...rest] =
    args === null || args === "" ? [] : args.split(":");
  if (rest.length > 0 || !["WQ", "NQ"].includes(query || "WQ")) return "expects WQ or NQ";
  if (!["ORIG", "PATH", "ORIG_OR_PATH"].includes(source))
    return "expects ORIG, PATH or ORIG_OR_PATH";
  return (context) => {
    const headers = context.requestHeaders;
    if (headers === null) return null;
    const original = source === "PATH" ? undefined : headers.get("x-envoy-original-path");
    const text = original ?? (source === "ORIG" ? undefined : (headers.path ?? undefined));
    if (text === undefined) return null;
    const mark = query === "NQ" ? text.indexOf("?") : -1;
    return mark < 0 ? text : text.slice(0, mark);
  };
};

/** Value of the first query parameter of that name. */
const queryParam: Factory = (args) => {
  if (args === null || args === "") return "expects the name of a query parameter";
  return (context) => {
    const text = context.requestHeaders?.path ?? "";
    const mark = text.indexOf("?");
    if (mark < 0) return null;
    for (const pair of text.slice(mark + 1).split("&")) {
      const equals = pair.indexOf("=");
      const name = equals < 0 ? pair : pair.slice(0, equals);
      if (name === args) return equals < 0 ? "" : pair.slice(equals + 1);
    }
    return null;
  };
};

const withoutQuery: Factory = (args) => {
  const names = parseHeaderArgs(args);
  if (typeof names === "string") return names;
  return (context) => {
    const headers = context.requestHeaders;
    const value = headers?.get(names.main) ?? headers?.get(names.alternative);
    if (value === undefined) return null;
    const mark = value.indexOf("?");
    return mark < 0 ? value : value.slice(0, mark);
  };
};

export const headerOperators: Readonly<Record<string, Factory>> = {
  REQ: headerOperator(requestMap),
  RESP: headerOperator(responseMap),
  TRAILER: headerOperator(trailerMap),
  REQ_WITHOUT_QUERY: withoutQuery,
  REQUEST_HEADERS_BYTES: byteSize(requestMap),
  RESPONSE_HEADERS_BYTES: byteSize(responseMap),
  RESPONSE_TRAILERS_BYTES: byteSize(trailerMap),
  PATH: path,
  QUERY_PARAM: queryParam,
};
