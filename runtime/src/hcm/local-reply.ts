// Turns a LocalReply into the headers and body of a response: the one place where errors become
// HTTP. Called by ActiveStream.
import { compileLogFilter, type LogFilter } from "../access-log/log-filter.ts";
import type {
  LocalReplyConfig,
  LocalReplyMapperConfig,
  SubstitutionFormatConfig,
} from "../config/snapshot.ts";
import type { Clock } from "../core/clock.ts";
import { grpcMessage, grpcStatusOfHttp } from "../core/grpc-status.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import type { Runtime } from "../core/runtime.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import { FormatContext } from "../formatter/format-context.ts";
import { compileFormat, type Formatter } from "../formatter/formatter.ts";
import { HeaderTransform } from "../router/header-transform.ts";
import type { ClusterChoice, Route } from "../router/route.ts";

export interface LocalReplyOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly runtime: Runtime;
  /** For %HOSTNAME%. */
  readonly hostname: string;
}

const TEXT = "text/plain";
const JSON_TYPE = "application/json";

/** Formats a body and knows its type. */
class BodyFormat {
  readonly format: Formatter;
  readonly contentType: string;

  constructor(config: SubstitutionFormatConfig, hostname: string) {
    const format = compileFormat(config, hostname);
    if (typeof format !== "function") throw new Error(`body_format: ${format.message}`);
    const byKind = config.kind === "json" ? JSON_TYPE : TEXT;
    this.format = format;
    this.contentType = config.contentType === "" ? byKind : config.contentType;
  }
}

class Mapper {
  readonly filter: LogFilter;
  readonly statusCode: number;
  readonly body: string | null;
  readonly bodyFormat: BodyFormat | null;
  readonly headers: HeaderTransform | null;

  constructor(config: LocalReplyMapperConfig, options: LocalReplyOptions) {
    this.filter = compileLogFilter(config.filter, options);
    this.statusCode = config.statusCode;
    this.body = config.body;
    this.bodyFormat =
      config.bodyFormat === null ? null : new BodyFormat(config.bodyFormat, options.hostname);
    this.headers = HeaderTransform.compile(config.headersToAdd, [], options.hostname);
  }
}

/** Compiled from local_reply_config. */
export class LocalReplyWriter {
  readonly #mappers: readonly Mapper[];
  readonly #bodyFormat: BodyFormat | null;
  readonly #context: FormatContext;

  constructor(config: LocalReplyConfig | null, options: LocalReplyOptions) {
    this.#mappers = (config?.mappers ?? []).map((mapper) => new Mapper(mapper, options));
    const format = config?.bodyFormat ?? null;
    this.#bodyFormat = format === null ? null : new BodyFormat(format, options.hostname);
    this.#context = new FormatContext(options.clock);
  }

  /**
   * Fills `headers`, which already hold the reply's and the route's, and returns the body (one
   * character a byte). For gRPC requests the answer is a head with grpc-status and no body.
   */
  write(
    reply: LocalReply,
    headers: HeaderMap,
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    isGrpc: boolean,
  ): string {
    headers.status = reply.status;
    info.responseCode = reply.status;
    const typeBefore = headers.getById(HeaderId.ContentType);
    const mapper = this.#findMapper(info, requestHeaders, headers);
    if (mapper !== null) this.#mapHead(mapper, headers, info, requestHeaders);
    let body = mapper?.body ?? reply.body;
    const format = mapper?.bodyFormat ?? this.#bodyFormat;
    if (format !== null) body = this.#formatBody(format, body, headers, info, requestHeaders);
    const contentType = format === null ? TEXT : format.contentType;
    if (isGrpc) {
      writeGrpc(headers, reply, contentType, body);
      return "";
    }
    if (body === "") {
      headers.removeById(HeaderId.ContentLength);
      headers.removeById(HeaderId.ContentType);
      return "";
    }
    headers.setById(HeaderId.ContentLength, String(body.length));
    // A type that was there stays, unless it told of another body; one that a mapper set wins.
    const type = headers.getById(HeaderId.ContentType);
    if (type === undefined || (body !== reply.body && type === typeBefore)) {
      headers.setById(HeaderId.ContentType, contentType);
    }
    return body;
  }

  #formatBody(
    format: BodyFormat,
    body: string,
    headers: HeaderMap,
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
  ): string {
    // Only here: %LOCAL_REPLY_BODY% is empty in mappers' headers and in access logs.
    info.localReplyBody = body;
    this.#context.set(info, requestHeaders, headers, null);
    const text = format.format(this.#context);
    this.#context.clear();
    info.localReplyBody = "";
    return text;
  }

  /** A mapper's headers are made while the old status holds, as Envoy does. */
  #mapHead(
    mapper: Mapper,
    headers: HeaderMap,
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
  ): void {
    if (mapper.headers !== null) {
      this.#context.set(info, requestHeaders, headers, null);
      mapper.headers.apply(headers, this.#context);
      this.#context.clear();
    }
    if (mapper.statusCode === 0) return;
    headers.status = mapper.statusCode;
    info.responseCode = mapper.statusCode;
  }

  #findMapper(
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    headers: HeaderMap,
  ): Mapper | null {
    for (let i = 0; i < this.#mappers.length; i += 1) {
      const mapper = this.#mappers[i] as Mapper;
      if (mapper.filter(info, requestHeaders, headers, null)) return mapper;
    }
    return null;
  }
}

/**
 * The route's response headers stand before a reply's own; behind them when the route answered.
 */
export function addHeadersOfReply(
  reply: LocalReply,
  headers: HeaderMap,
  route: Route | null,
  info: StreamInfo,
  requestHeaders: HeaderMap | null,
  choice: ClusterChoice | null,
): void {
  const isOfRoute = route !== null && route.kind !== "route";
  if (isOfRoute) addReplyHeaders(headers, reply.headers);
  route?.finalizeResponseHeaders(headers, info, requestHeaders, choice);
  if (!isOfRoute) addReplyHeaders(headers, reply.headers);
}

/** Appends the headers that a reply brings. */
export function addReplyHeaders(headers: HeaderMap, pairs: readonly string[] | null): void {
  if (pairs === null) return;
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    headers.append(pairs[i] as string, pairs[i + 1] as string);
  }
}

/** A trailers-only response (gRPC over HTTP, "Responses"); the status is the mapped one's. */
function writeGrpc(headers: HeaderMap, reply: LocalReply, contentType: string, body: string): void {
  const httpStatus = headers.status;
  headers.status = 200;
  headers.setById(HeaderId.ContentType, "application/grpc");
  if ((headers.getById(HeaderId.GrpcStatus) ?? "") === "") {
    const grpcStatus = reply.grpcStatus >= 0 ? reply.grpcStatus : grpcStatusOfHttp(httpStatus);
    headers.setById(HeaderId.GrpcStatus, String(grpcStatus));
  }
  // A JSON body ends with a line feed that a header value has no use for.
  const endsLine = contentType === JSON_TYPE && body.endsWith("\n");
  const message = endsLine ? body.slice(0, -1) : body;
  if (message !== "") headers.setById(HeaderId.GrpcMessage, grpcMessage(message));
  headers.removeById(HeaderId.ContentLength);
}
