// Turns a LocalReply into the headers and body of a response: the one place where errors become
// HTTP. Called by ActiveStream.
import { compileLogFilter, type LogFilter } from "../access-log/log-filter.ts";
import type {
  LocalReplyConfig,
  LocalReplyMapperConfig,
  SubstitutionFormatConfig,
} from "../config/snapshot.ts";
import type { Clock } from "../core/clock.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import { FormatContext } from "../formatter/format-context.ts";
import { compileFormat, type Formatter } from "../formatter/formatter.ts";
import { HeaderTransform } from "../router/header-transform.ts";

export interface LocalReplyOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** For %HOSTNAME%. */
  readonly hostname: string;
}

/** Formats a body and knows its type. */
class BodyFormat {
  readonly format: Formatter;
  readonly contentType: string;

  constructor(config: SubstitutionFormatConfig, hostname: string) {
    const format = compileFormat(config, hostname);
    if (typeof format !== "function") throw new Error(`body_format: ${format.message}`);
    const byKind = config.kind === "json" ? "application/json" : "text/plain";
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
    let body = reply.body;
    let contentType = "text/plain";
    let format = this.#bodyFormat;
    const mapper = this.#findMapper(info, requestHeaders, headers);
    if (mapper !== null) {
      body = mapper.body ?? body;
      info.localReplyBody = body;
      this.#mapHead(mapper, headers, info, requestHeaders);
      format = mapper.bodyFormat ?? format;
    }
    if (format !== null) {
      info.localReplyBody = body;
      this.#context.set(info, requestHeaders, headers, null);
      body = format.format(this.#context);
      contentType = format.contentType;
      this.#context.clear();
    }
    // %LOCAL_REPLY_BODY% is empty in access logs.
    info.localReplyBody = "";
    if (isGrpc) {
      writeGrpc(headers, reply, headers.status, body);
      return "";
    }
    headers.removeById(HeaderId.ContentLength);
    if (body === "") headers.removeById(HeaderId.ContentType);
    else {
      headers.setById(HeaderId.ContentLength, String(body.length));
      const isTyped = format === null && headers.indexOfId(HeaderId.ContentType) >= 0;
      if (!isTyped) headers.setById(HeaderId.ContentType, contentType);
    }
    return body;
  }

  /** Headers are made while the old status holds, as Envoy does. */
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

/** Appends the headers that a reply brings. */
export function addReplyHeaders(headers: HeaderMap, pairs: readonly string[] | null): void {
  if (pairs === null) return;
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    headers.append(pairs[i] as string, pairs[i + 1] as string);
  }
}

/** A trailers-only response (gRPC over HTTP, "Responses"). */
function writeGrpc(headers: HeaderMap, reply: LocalReply, status: number, body: string): void {
  headers.status = 200;
  headers.setById(HeaderId.ContentType, "application/grpc");
  const grpcStatus = reply.grpcStatus >= 0 ? reply.grpcStatus : grpcStatusOfHttp(status);
  if (headers.indexOfId(HeaderId.GrpcStatus) < 0) {
    headers.setById(HeaderId.GrpcStatus, String(grpcStatus));
  }
  if (body !== "") headers.setById(HeaderId.GrpcMessage, percentEncode(body));
  headers.removeById(HeaderId.ContentLength);
}

/** The gRPC status that stands for an HTTP one (gRPC, http-grpc-status-mapping.md). */
export function grpcStatusOfHttp(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

/** Bytes outside 0x20..0x7e and "%" become %XX. */
function percentEncode(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    const isPlain = code >= 0x20 && code <= 0x7e && code !== 0x25;
    out += isPlain ? text.charAt(i) : `%${(code + 256).toString(16).slice(1).toUpperCase()}`;
  }
  return out;
}
