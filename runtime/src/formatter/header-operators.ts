// The %COMMANDS% that read headers, trailers, the path and the query: REQ, RESP, TRAILER, PATH ...
import type { HeaderMap } from "../core/header-map.ts";
import { headerIdOf } from "../core/header-names.ts";
import type { FormatContext, FormatOperator, FormatValue } from "./format-context.ts";

type Factory = (args: string) => FormatOperator | string;

type MapOf = (context: FormatContext) => HeaderMap | null;

const HEADER_NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]*$/;

/** "MAIN?ALTERNATIVE", lower-cased, each may be ""; or what is wrong. */
function parseHeaderArgs(args: string): { main: string; alternative: string } | string {
  if (args === "") return "requires parameters";
  const [main = "", alternative = "", ...rest] = args.toLowerCase().split("?");
  if (rest.length > 0) return `more than 1 alternative header specified in token: ${args}`;
  if (!HEADER_NAME.test(main) || !HEADER_NAME.test(alternative)) {
    return "invalid header configuration, format string contains invalid characters";
  }
  return { main, alternative };
}

function headerOperator(mapOf: MapOf): Factory {
  return (args) => {
    const names = parseHeaderArgs(args);
    if (typeof names === "string") return names;
    const first = valueOf(names.main);
    const second = names.alternative === "" ? noValue : valueOf(names.alternative);
    return (context) => {
      const map = mapOf(context);
      return map === null ? null : (first(map) ?? second(map) ?? null);
    };
  };
}

type ValueOf = (map: HeaderMap) => string | undefined;

const noValue: ValueOf = () => undefined;

/** As HeaderMap.get(), with the name looked up once. */
function valueOf(name: string): ValueOf {
  const id = headerIdOf(name);
  return id === 0 ? (map): string | undefined => map.getOther(name) : (map) => map.getById(id);
}

function byteSize(mapOf: MapOf): Factory {
  return (args) =>
    args === ""
      ? (c): FormatValue => mapOf(c)?.byteSize ?? 0
      : "does not take any parameters or length";
}

const requestMap: MapOf = (c) => c.requestHeaders;
const responseMap: MapOf = (c) => c.responseHeaders;
const trailerMap: MapOf = (c) => c.responseTrailers;

/**
 * %PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH)%: with or without query, from :path or x-envoy-original-path.
 */
const path: Factory = (args) => {
  const [query = "", source = "ORIG_OR_PATH"] = args.split(":");
  if (!["", "WQ", "NQ"].includes(query)) return `has an invalid option ${query}, expected WQ or NQ`;
  if (!["ORIG", "PATH", "ORIG_OR_PATH"].includes(source)) {
    return `has an invalid option ${source}, expected ORIG, PATH or ORIG_OR_PATH`;
  }
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

/** Value of the first query parameter of that name, percent-decoded. */
const queryParam: Factory = (args) => {
  if (args === "") return "requires parameters";
  return (context) => {
    const text = context.requestHeaders?.path ?? "";
    const mark = text.indexOf("?");
    if (mark < 0) return null;
    const end = text.indexOf("#", mark);
    for (const pair of text.slice(mark + 1, end < 0 ? text.length : end).split("&")) {
      const equals = pair.indexOf("=");
      const name = equals < 0 ? pair : pair.slice(0, equals);
      if (percentDecoded(name) === args) {
        return equals < 0 ? "" : percentDecoded(pair.slice(equals + 1));
      }
    }
    return null;
  };
};

/** Bytes for %XX; what is not such a triplet stays. */
function percentDecoded(text: string): string {
  if (!text.includes("%")) return text;
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

export const headerOperators: Readonly<Record<string, Factory>> = {
  REQ: headerOperator(requestMap),
  REQUEST_HEADER: headerOperator(requestMap),
  RESP: headerOperator(responseMap),
  RESPONSE_HEADER: headerOperator(responseMap),
  TRAILER: headerOperator(trailerMap),
  RESPONSE_TRAILER: headerOperator(trailerMap),
  REQUEST_HEADERS_BYTES: byteSize(requestMap),
  RESPONSE_HEADERS_BYTES: byteSize(responseMap),
  RESPONSE_TRAILERS_BYTES: byteSize(trailerMap),
  PATH: path,
  QUERY_PARAM: queryParam,
};
