// A gRPC stream that the runtime makes itself (proxy_grpc_call, proxy_grpc_stream) over the same
// clusters and pools as proxied requests; messages are bytes. Its end is told as Envoy tells it.
import { HeaderMap } from "../core/header-map.ts";
import { HeaderId } from "../core/header-names.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import { type GrpcMessageReceiver, GrpcFrameReader, grpcFrame } from "./grpc-frames.ts";
import {
  type PendingStream,
  type PoolCallbacks,
  type PoolFailureReason,
  type RequestEncoder,
  type ResponseDecoder,
  StreamResetReason,
} from "./pool/conn-pool.ts";
import type { UpstreamContext } from "./upstream-context.ts";
import {
  failureDetails,
  failureOfPool,
  failureOfReset,
  type UpstreamFailure,
} from "./upstream-failure.ts";

/** What comes, in this order; onClose is the last, and nothing comes after cancel(). */
export interface GrpcCallbacks {
  /** Null = an answer without any, for example one that is all trailers. */
  onInitialMetadata(metadata: HeaderMap | null): void;
  onMessage(message: Buffer): void;
  onTrailingMetadata(metadata: HeaderMap | null): void;
  onClose(status: number, message: string): void;
}

export interface GrpcStreamRequest {
  /** "/package.Service/Method". */
  readonly path: string;
  /** Names and values. */
  readonly metadata: readonly string[];
  /** 0 = none. */
  readonly timeoutMs: number;
}

/** Statuses of gRPC that the runtime itself gives. */
const Code = {
  Unknown: 2,
  PermissionDenied: 7,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  Unauthenticated: 16,
} as const;

const STATUS_MAX = 16;
/** Details that stand behind a status that the upstream gave. */
const VIA_UPSTREAM = "via_upstream";

export class GrpcStream
  extends TimerEntry
  implements PoolCallbacks, ResponseDecoder, GrpcMessageReceiver
{
  readonly #context: UpstreamContext;
  readonly #request: GrpcStreamRequest;
  readonly #callbacks: GrpcCallbacks;
  readonly #reader: GrpcFrameReader;
  readonly #headers: HeaderMap;
  readonly #responseHeaders: HeaderMap;
  /** What waits for a connection. */
  #waiting: Buffer[];
  #isEndWaiting: boolean = false;
  #isSent: boolean = false;
  #isOver: boolean = false;
  #hasAnswer: boolean = false;
  #cluster: Cluster | null = null;
  #host: Host | null = null;
  #pending: PendingStream | null = null;
  #encoder: RequestEncoder | null = null;
  #startMs: number = 0;
  /** Bytes that the connection has not taken yet, as far as it tells. */
  bufferedBytes: number = 0;

  constructor(context: UpstreamContext, request: GrpcStreamRequest, callbacks: GrpcCallbacks) {
    super();
    this.#context = context;
    this.#request = request;
    this.#callbacks = callbacks;
    this.#reader = new GrpcFrameReader(this);
    this.#headers = new HeaderMap();
    this.#responseHeaders = new HeaderMap();
    this.#waiting = [];
  }

  get decoder(): ResponseDecoder {
    return this;
  }

  /** Nothing comes any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** `cluster` undefined: it is not known any more. */
  start(cluster: Cluster | undefined): void {
    if (this.#isOver) return;
    if (cluster === undefined) {
      this.#end(Code.Unavailable, "Cluster not available");
      return;
    }
    const { clock, timers } = this.#context;
    const { timeoutMs } = this.#request;
    this.#cluster = cluster;
    this.#startMs = clock.nowMs;
    const headers = this.#requestHeaders(cluster.name);
    const host = cluster.chooseHost(headers, null);
    if (host === null) {
      cluster.responseStats.charge(503, true);
      this.#answerLocally("no healthy upstream", "no_healthy_upstream");
      return;
    }
    this.#host = host;
    if (timeoutMs > 0) timers.schedule(this, clock.nowMs + timeoutMs);
    const options = cluster.transportOptions(headers, null);
    const pending = cluster.newStream(host, options, this, false, false);
    if (!this.#isOver && this.#encoder === null) this.#pending = pending;
  }

  /** Not after the end. */
  send(message: Buffer, end: boolean): void {
    if (this.#isOver || this.#isSent || this.#isEndWaiting) return;
    this.#write(grpcFrame(message), end);
  }

  /** Nothing more will be sent; what comes still comes. */
  closeLocal(): void {
    if (this.#isOver || this.#isSent || this.#isEndWaiting) return;
    this.#write(null, true);
  }

  /** Gives up; no callback follows. */
  cancel(): void {
    if (!this.#isOver) this.#giveUp();
  }

  override onDeadline(): void {
    this.#cluster?.stats.rqTimeout.inc();
    this.#host?.stats.rqTimeout.inc();
    this.#charge(504);
    this.#giveUp();
    this.#isOver = false;
    this.#answerLocally("upstream request timeout", "response_timeout");
  }

  // ---- PoolCallbacks.

  onPoolReady(encoder: RequestEncoder): void {
    this.#pending = null;
    this.#encoder = encoder;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.bufferedBytes = 0;
    encoder.encodeHeaders(this.#headers, false);
    for (const frame of waiting) this.#encode(frame, false);
    if (this.#isEndWaiting) this.#encode(null, true);
  }

  onPoolFailure(reason: PoolFailureReason, _host: Host, transportFailure: string): void {
    this.#pending = null;
    this.#fail(failureOfPool(reason), transportFailure);
  }

  // ---- ResponseDecoder.

  responseHeaders(): HeaderMap {
    return this.#responseHeaders;
  }

  decodeInformational(headers: HeaderMap): void {
    headers.reset();
  }

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    this.#hasAnswer = true;
    this.#charge(headers.status);
    const ms = Math.max(0, Math.round(this.#context.clock.nowMs - this.#startMs));
    headers.setById(HeaderId.XEnvoyUpstreamServiceTime, String(ms));
    const isHttpError = headers.status !== 200;
    const isWhole = endStream && headers.get("grpc-status") !== undefined;
    this.#callbacks.onInitialMetadata(endStream || isHttpError ? null : headers);
    if (this.#isOver) return;
    if (isWhole) this.#onTrailers(headers);
    else if (isHttpError) this.#break(statusOfHttp(headers.status));
    else if (endStream) this.#onTrailers(headers);
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    if (this.#isOver) return;
    const isGood = this.#reader.read(buffer, from, to);
    if (this.#isOver) return;
    if (!isGood) this.#break(Code.Internal);
    else if (endStream) this.#break(Code.Unknown);
  }

  decodeTrailers(trailers: HeaderMap): void {
    if (!this.#isOver) this.#onTrailers(trailers);
  }

  onResetStream(reason: StreamResetReason, failureReason: string): void {
    this.#encoder = null;
    if (this.#hasAnswer) this.#break(Code.Internal);
    else this.#fail(failureOfReset(reason), failureReason);
  }

  onEncodeWritable(): void {
    this.bufferedBytes = 0;
  }

  /** From the frame reader. */
  onMessage(message: Buffer): void {
    if (!this.#isOver) this.#callbacks.onMessage(message);
  }

  // ---- Private parts.

  #requestHeaders(authority: string): HeaderMap {
    const headers = this.#headers;
    const { path, metadata, timeoutMs } = this.#request;
    headers.method = "POST";
    headers.path = path;
    headers.authority = authority;
    headers.append("te", "trailers");
    if (timeoutMs > 0) headers.append("grpc-timeout", `${timeoutMs}m`);
    headers.append("content-type", "application/grpc");
    for (let i = 0; i + 1 < metadata.length; i += 2) {
      headers.append(metadata[i] as string, metadata[i + 1] as string);
    }
    headers.setById(HeaderId.XEnvoyInternal, "true");
    if (timeoutMs > 0) headers.setById(HeaderId.XEnvoyExpectedRqTimeoutMs, String(timeoutMs));
    return headers;
  }

  #write(frame: Buffer | null, end: boolean): void {
    if (this.#encoder !== null) {
      this.#encode(frame, end);
      return;
    }
    if (frame !== null) {
      this.#waiting.push(frame);
      this.bufferedBytes += frame.length;
    }
    if (end) this.#isEndWaiting = true;
  }

  #encode(frame: Buffer | null, end: boolean): void {
    const encoder = this.#encoder;
    if (encoder === null) return;
    const bytes = frame ?? Buffer.alloc(0);
    if (end) this.#isSent = true;
    const isTaken = encoder.encodeData(bytes, 0, bytes.length, end);
    if (!isTaken) this.bufferedBytes += bytes.length;
  }

  #onTrailers(trailers: HeaderMap): void {
    const text = trailers.get("grpc-status");
    const status = text !== undefined && /^\d{1,2}$/.test(text) ? Number(text) : Code.Unknown;
    const message = trailers.get("grpc-message") ?? "";
    this.#callbacks.onTrailingMetadata(trailers);
    if (this.#isOver) return;
    const details = message === "" ? VIA_UPSTREAM : `${message}{${VIA_UPSTREAM}}`;
    this.#end(status > STATUS_MAX ? Code.Unknown : status, details);
  }

  /** The answer is no gRPC, or not whole. */
  #break(status: number): void {
    this.#callbacks.onTrailingMetadata(null);
    if (!this.#isOver) this.#end(status, VIA_UPSTREAM);
  }

  #fail(failure: UpstreamFailure, transportFailure: string): void {
    this.#charge(failure.status);
    this.#answerLocally(failure.body, failureDetails(failure, false, transportFailure));
  }

  /** As the local reply to a proxied gRPC request: all trailers. */
  #answerLocally(message: string, details: string): void {
    if (this.#isOver) return;
    const trailers = new HeaderMap();
    trailers.status = 200;
    trailers.append("content-type", "application/grpc");
    trailers.append("grpc-status", String(Code.Unavailable));
    trailers.append("grpc-message", message);
    this.#callbacks.onInitialMetadata(null);
    if (!this.#isOver) this.#callbacks.onTrailingMetadata(trailers);
    if (!this.#isOver) this.#end(Code.Unavailable, `${message}{${details}}`);
  }

  #end(status: number, message: string): void {
    this.#giveUp();
    this.#callbacks.onClose(status, message);
  }

  /** The stream is reset unless both sides have ended. */
  #giveUp(): void {
    const pending = this.#pending;
    const encoder = this.#encoder;
    this.#isOver = true;
    this.#pending = null;
    this.#encoder = null;
    this.#waiting = [];
    this.bufferedBytes = 0;
    this.#context.timers.cancel(this);
    pending?.cancel();
    encoder?.resetStream(StreamResetReason.LocalReset);
  }

  #charge(code: number): void {
    this.#cluster?.responseStats.charge(code, true);
    const stats = this.#host?.stats;
    (code >= 500 ? stats?.rqError : stats?.rqSuccess)?.inc();
  }
}

/** As gRPC maps what a proxy answers. */
function statusOfHttp(status: number): number {
  switch (status) {
    case 400:
      return Code.Internal;
    case 401:
      return Code.Unauthenticated;
    case 403:
      return Code.PermissionDenied;
    case 404:
      return Code.Unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code.Unavailable;
    default:
      return Code.Unknown;
  }
}
