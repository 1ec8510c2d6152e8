// One request and its response in the harness: both ends of the filter chain, played without sockets.
import { ConnectionInfo } from "../src/core/connection-info.ts";
import type { Clock } from "../src/core/clock.ts";
import { HeaderMap } from "../src/core/header-map.ts";
import { Protocol, StreamInfo } from "../src/core/stream-info.ts";
import { FilterManager } from "../src/filter/filter-manager.ts";
import type { FilterChainEnds, HttpFilter, LocalReply } from "../src/filter/http-filter.ts";
import { addReplyHeaders, type LocalReplyWriter } from "../src/hcm/local-reply.ts";
import type { LogLine } from "./log-recorder.ts";
import {
  addressOf,
  type BodyInput,
  bufferOf,
  fillMap,
  type HeaderInput,
  listOf,
  recordOf,
} from "./message.ts";

export type { BodyInput, HeaderInput } from "./message.ts";

export interface UpstreamResponse {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: HeaderInput;
  /** Default: none. Pieces come one after another. */
  readonly body?: BodyInput;
  readonly trailers?: HeaderInput;
  /** More is to come, by sendResponseData or endResponse. Default false. */
  readonly isOpen?: boolean;
}

/** What the upstream gets. */
export interface UpstreamRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly headerList: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string>>;
}

export interface FilterRequest {
  /** Default "GET". */
  readonly method?: string;
  /** Default "/". */
  readonly path?: string;
  /** Default "example.com". */
  readonly authority?: string;
  /** Default "http". */
  readonly scheme?: string;
  readonly headers?: HeaderInput;
  readonly body?: BodyInput;
  readonly trailers?: HeaderInput;
  /** More is to come, by sendData or endRequest. Default false. */
  readonly isOpen?: boolean;
  /** What the downstream speaks. Default "http1". */
  readonly protocol?: "http1" | "http2";
  /** Default: 200 without a body. "never": no answer comes, unless by respond. */
  readonly upstream?:
    | UpstreamResponse
    | "never"
    | ((request: UpstreamRequest) => UpstreamResponse | "never");
  /** Facts of the stream that properties tell, such as routeName. */
  readonly info?: Partial<Pick<StreamInfo, "routeName" | "virtualHostName" | "upstreamCluster">>;
  /** "ip:port" of the peer. Default "127.0.0.1:50000". */
  readonly remoteAddress?: string;
}

export interface LocalReplyFacts {
  readonly status: number;
  readonly details: string;
  readonly grpcStatus: number;
}

const EMPTY: Buffer = Buffer.alloc(0);

/** As the router answers for an upstream that closes its connection without a word. */
const UPSTREAM_RESET: LocalReply = {
  status: 503,
  body: "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
  headers: null,
  grpcStatus: -1,
  details: "upstream_reset_before_response_started{connection_termination}",
  responseFlags: 0,
};

/** Live: its fields follow what happens. Fields of what has not come are empty, `status` is 0. */
export class FilterExchange implements FilterChainEnds {
  /** Of the answer that the downstream gets. */
  status: number;
  headers: Readonly<Record<string, string>>;
  headerList: readonly (readonly [string, string])[];
  body: Buffer;
  trailers: Readonly<Record<string, string>>;
  /** What left the chain towards the upstream; null = not even headers. */
  upstreamRequest: UpstreamRequest | null;
  /** A filter or the proxy answered by itself. */
  localReply: LocalReplyFacts | null;
  /** Details of a reset; null = none. */
  reset: string | null;
  /** The route was asked to be chosen again so many times. */
  routeCacheClears: number;
  readonly info: StreamInfo;
  readonly #request: FilterRequest;
  readonly #manager: FilterManager;
  readonly #filters: readonly HttpFilter[];
  readonly #clock: Clock;
  readonly #localReplies: LocalReplyWriter;
  readonly #bufferBytesMax: number;
  readonly #allLogs: readonly LogLine[];
  readonly #logsFrom: number;
  #logsTo: number;
  #isRequestComplete: boolean;
  #isAnswered: boolean;
  #isResponseComplete: boolean;
  #isHead: boolean;
  /** The upstream's answer has begun to come in. */
  isResponseGiven: boolean;
  isOver: boolean;

  constructor(
    request: FilterRequest,
    filters: readonly HttpFilter[],
    clock: Clock,
    localReplies: LocalReplyWriter,
    bufferBytesMax: number,
    streamId: number,
    logs: readonly LogLine[],
  ) {
    this.status = 0;
    this.headers = {};
    this.headerList = [];
    this.body = EMPTY;
    this.trailers = {};
    this.upstreamRequest = null;
    this.localReply = null;
    this.reset = null;
    this.routeCacheClears = 0;
    this.info = new StreamInfo();
    this.#request = request;
    this.#manager = new FilterManager();
    this.#filters = filters;
    this.#clock = clock;
    this.#localReplies = localReplies;
    this.#bufferBytesMax = bufferBytesMax;
    this.#allLogs = logs;
    this.#logsFrom = logs.length;
    this.#logsTo = -1;
    this.#isRequestComplete = false;
    this.#isAnswered = false;
    this.#isResponseComplete = false;
    this.#isHead = request.method === "HEAD";
    this.isResponseGiven = false;
    this.isOver = false;
    const peer = addressOf(request.remoteAddress ?? "127.0.0.1:50000");
    const connection = new ConnectionInfo(1, peer, addressOf("127.0.0.1:10000"), clock.nowMs);
    this.info.reset(connection, streamId, clock.nowMs);
    this.info.protocol = request.protocol === "http2" ? Protocol.Http2 : Protocol.Http11;
    Object.assign(this.info, request.info ?? {});
  }

  /** What was logged while the stream was alive. */
  get logs(): readonly LogLine[] {
    const end = this.#logsTo < 0 ? this.#allLogs.length : this.#logsTo;
    return this.#allLogs.slice(this.#logsFrom, end);
  }

  /** Guests' messages of the stream. */
  get messages(): readonly string[] {
    return this.logs.filter((line) => line.isGuests).map((line) => line.message);
  }

  /** Method and path as they came. */
  get requestLine(): string {
    const { method = "GET", path = "/" } = this.#request;
    return `${method} ${path}`;
  }

  get text(): string {
    return this.body.toString("utf8");
  }

  /** The request goes in, piece by piece. */
  start(): void {
    const { method, path, authority, scheme } = this.#request;
    const headers = new HeaderMap();
    headers.method = method ?? "GET";
    headers.path = path ?? "/";
    headers.authority = authority ?? "example.com";
    headers.scheme = scheme ?? "http";
    fillMap(headers, this.#request.headers);
    const pieces = bufferOf(this.#request.body);
    const trailers = mapOf(this.#request.trailers);
    const endsPlainly = trailers === null && this.#request.isOpen !== true;
    this.#manager.reset(this.#filters, this, this.info, this.#bufferBytesMax);
    this.#manager.decodeHeaders(headers, pieces.length === 0 && endsPlainly);
    for (const [i, piece] of pieces.entries()) {
      this.#decodeData(piece, i === pieces.length - 1 && endsPlainly);
    }
    if (trailers !== null) this.#manager.decodeTrailers(trailers);
  }

  #decodeData(piece: Buffer, end: boolean): void {
    if (this.#isResponseComplete || this.reset !== null) return;
    this.info.bytesReceived += piece.length;
    this.#manager.decodeData(piece, 0, piece.length, end);
  }

  /** Of a request that is open. */
  sendData(piece: string | Uint8Array): void {
    this.#decodeData(Buffer.from(piece as Uint8Array), false);
  }

  endRequest(trailers?: HeaderInput): void {
    if (trailers === undefined) this.#decodeData(EMPTY, true);
    else this.#manager.decodeTrailers(mapOf(trailers) as HeaderMap);
  }

  /** A filter holds what has come of the request. */
  get isRequestHeld(): boolean {
    return this.#filters.some((_, at) => this.#manager.isDecodingStopped(at));
  }

  /** A filter holds what has come of the response. */
  get isResponseHeld(): boolean {
    return this.#filters.some((_, at) => this.#manager.isEncodingStopped(at));
  }

  get isRequestComplete(): boolean {
    return this.#isRequestComplete;
  }

  get isResponseComplete(): boolean {
    return this.#isResponseComplete;
  }

  /** Does what is due from outside; whether it did something. */
  pump(): boolean {
    if (this.isOver) return false;
    if (this.#isResponseComplete || this.reset !== null) {
      this.#finish();
      return true;
    }
    if (!this.#isRequestComplete || this.#isAnswered) return false;
    this.#isAnswered = true;
    const given = this.#request.upstream ?? {};
    const seen = this.upstreamRequest as UpstreamRequest;
    const response = typeof given === "function" ? given(seen) : given;
    if (response !== "never") this.respond(response);
    return true;
  }

  /** The downstream goes away. */
  abort(): void {
    if (this.isOver) return;
    this.reset ??= "downstream_remote_disconnect";
    this.#finish();
  }

  #finish(): void {
    this.isOver = true;
    this.info.endMs = this.#clock.nowMs;
    this.#manager.log();
    this.#manager.destroy();
    this.#logsTo = this.#allLogs.length;
  }

  /** The upstream answers. What comes after an answer of a filter's own is not read any more. */
  respond(response: UpstreamResponse): void {
    this.#isAnswered = true;
    this.isResponseGiven = true;
    this.info.upstreamProtocol = Protocol.Http11;
    this.info.upstreamHost = "127.0.0.1:8080";
    this.info.upstreamFirstRxMs = this.#clock.nowMs;
    this.info.responseCode = response.status ?? 200;
    this.info.responseCodeDetails = "via_upstream";
    const headers = new HeaderMap();
    headers.status = response.status ?? 200;
    fillMap(headers, response.headers);
    const pieces = this.#isHead ? [] : bufferOf(response.body);
    const trailers = mapOf(response.trailers);
    const endsPlainly = trailers === null && response.isOpen !== true;
    this.#manager.encodeHeaders(headers, pieces.length === 0 && endsPlainly);
    for (const [i, piece] of pieces.entries()) {
      this.#encodeData(piece, i === pieces.length - 1 && endsPlainly);
    }
    if (trailers !== null) this.#encodeTrailers(trailers);
  }

  #encodeData(piece: Buffer, end: boolean): void {
    if (this.localReply !== null || this.reset !== null) return;
    this.#manager.encodeData(piece, 0, piece.length, end);
  }

  #encodeTrailers(trailers: HeaderMap): void {
    if (this.localReply !== null || this.reset !== null) return;
    this.#manager.encodeTrailers(trailers);
  }

  /** Of a response that is open. */
  sendResponseData(piece: string | Uint8Array): void {
    this.#encodeData(Buffer.from(piece as Uint8Array), false);
  }

  endResponse(trailers?: HeaderInput): void {
    if (trailers === undefined) this.#encodeData(EMPTY, true);
    else this.#encodeTrailers(mapOf(trailers) as HeaderMap);
  }

  /** The upstream breaks off: before its answer the proxy answers, later the stream is reset. */
  breakOff(): void {
    this.#isAnswered = true;
    this.isResponseGiven = true;
    if (this.#manager.areResponseHeadersOut) {
      this.onFilterReset("upstream_reset_after_response_started{connection_termination}");
    } else this.#manager.sendLocalReply(UPSTREAM_RESET);
  }

  // ---- FilterChainEnds: towards the upstream.

  onRequestHeaders(headers: HeaderMap, end: boolean): void {
    const headerList = listOf(headers);
    this.upstreamRequest = { headers: recordOf(headers), headerList, body: EMPTY, trailers: {} };
    this.#isRequestComplete = end;
  }

  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void {
    const seen = this.upstreamRequest as UpstreamRequest;
    const body = Buffer.concat([seen.body, buffer.subarray(from, to)]);
    this.upstreamRequest = { ...seen, body };
    this.#isRequestComplete = end;
  }

  onRequestTrailers(trailers: HeaderMap): void {
    const seen = this.upstreamRequest as UpstreamRequest;
    this.upstreamRequest = { ...seen, trailers: recordOf(trailers) };
    this.#isRequestComplete = true;
  }

  // ---- FilterChainEnds: towards the downstream.

  onResponseHeaders(headers: HeaderMap, end: boolean): void {
    this.status = headers.status;
    this.headers = recordOf(headers);
    this.headerList = listOf(headers);
    this.#isResponseComplete = end;
  }

  onResponseData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.body = Buffer.concat([this.body, buffer.subarray(from, to)]);
    this.info.bytesSent = this.body.length;
    this.#isResponseComplete = end;
  }

  onResponseTrailers(trailers: HeaderMap): void {
    this.trailers = recordOf(trailers);
    this.#isResponseComplete = true;
  }

  /** As the connection manager answers, without the headers that it adds to all (server, date). */
  onLocalReply(reply: LocalReply): void {
    this.#isAnswered = true;
    const { status, details, grpcStatus } = reply;
    this.localReply = { status, details, grpcStatus };
    this.info.responseCodeDetails = details;
    const headers = new HeaderMap();
    addReplyHeaders(headers, reply.headers);
    const requestHeaders = this.#manager.requestHeaders();
    const isGrpc = requestHeaders?.get("content-type")?.startsWith("application/grpc") ?? false;
    const text = this.#localReplies.write(reply, headers, this.info, requestHeaders, isGrpc);
    const body = Buffer.from(text, "latin1");
    const hasBody = body.length > 0 && !this.#isHead;
    this.#manager.encodeHeaders(headers, !hasBody);
    if (hasBody) this.#manager.encodeData(body, 0, body.length, true);
  }

  onFilterReset(details: string): void {
    this.reset = details;
    this.info.responseCodeDetails ??= details;
  }

  onClearRouteCache(): void {
    this.routeCacheClears += 1;
  }

  onDecodeReadDisable(): void {}

  onEncodeReadDisable(): void {}
}

function mapOf(input: HeaderInput | undefined): HeaderMap | null {
  if (input === undefined) return null;
  const map = new HeaderMap();
  fillMap(map, input);
  return map;
}
