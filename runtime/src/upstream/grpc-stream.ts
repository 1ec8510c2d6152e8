// A gRPC stream that the runtime makes itself (proxy_grpc_call, proxy_grpc_stream) over the same
// clusters and pools as proxied requests; messages are bytes. Its end is told as Envoy tells it.
import { grpcMessage, grpcStatusOfHttp } from "../core/grpc-status.ts";
import { HeaderMap } from "../core/header-map.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import type { Cluster } from "./cluster.ts";
import {
  type GrpcMessageReceiver,
  GrpcFrameReader,
  grpcFrame,
  grpcMessageBytesMax,
} from "./grpc-frames.ts";
import { UpstreamCall } from "./upstream-call.ts";
import type { UpstreamContext } from "./upstream-context.ts";
import { failureDetails, failureHeaders, type UpstreamFailure } from "./upstream-failure.ts";

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
const Code = { Unknown: 2, Internal: 13, Unavailable: 14 } as const;

const STATUS_MAX = 16;
/** Details that stand behind a status that the upstream gave. */
const VIA_UPSTREAM = "via_upstream";
const noBytes: Buffer = Buffer.alloc(0);

export class GrpcStream extends UpstreamCall implements GrpcMessageReceiver {
  readonly #request: GrpcStreamRequest;
  readonly #callbacks: GrpcCallbacks;
  readonly #reader: GrpcFrameReader;
  #isSent: boolean = false;
  /** The receiver is told nothing any more. */
  #isClosed: boolean = false;
  /** Neither the connection nor filters take any more for now. */
  #isPaused: boolean = false;
  /** What was sent since they last did. */
  #unsentBytes: number = 0;

  constructor(context: UpstreamContext, request: GrpcStreamRequest, callbacks: GrpcCallbacks) {
    super(context);
    this.#request = request;
    this.#callbacks = callbacks;
    this.#reader = new GrpcFrameReader(this);
  }

  /** Bytes that filters hold, and that the connection has not taken yet, as far as it tells. */
  get bufferedBytes(): number {
    return (this.#isFlowing ? 0 : this.#unsentBytes) + this.filterBytes;
  }

  /** `cluster` undefined: it is not known any more. */
  start(cluster: Cluster | undefined): void {
    if (cluster === undefined) {
      this.release();
      this.#isClosed = true;
      this.#callbacks.onClose(Code.Unavailable, "Cluster not available");
      return;
    }
    const headers = this.#requestHeaders(cluster.name);
    this.open(cluster, headers, false, this.#request.timeoutMs, grpcMessageBytesMax);
  }

  /** Not before the start, and not after the end. */
  send(message: Buffer, end: boolean): void {
    this.#write(grpcFrame(message), end);
  }

  /** Nothing more will be sent; what comes still comes. */
  closeLocal(): void {
    this.#write(noBytes, true);
  }

  /** Gives up; no callback follows, but filters are still to be told: `cancel`. */
  abandon(): void {
    this.#isClosed = true;
    this.stop();
  }

  /** Gives up; no callback follows. */
  cancel(): void {
    this.#isClosed = true;
    this.release();
  }

  // ---- UpstreamCall.

  protected onNoHost(): void {
    this.#answerLocally(Code.Unavailable, "no healthy upstream", "no_healthy_upstream", null);
  }

  protected onFailed(failure: UpstreamFailure, transportFailure: string): void {
    const details = failureDetails(failure, this.hasAnswer, transportFailure);
    if (this.hasAnswer) {
      this.#break(Code.Internal, details);
      return;
    }
    const headers = failureHeaders(failure.isOverload, 0);
    this.#answerLocally(Code.Unavailable, failure.body, details, headers);
  }

  protected onTimedOut(): void {
    const details = "response_timeout";
    if (this.hasAnswer) this.#break(Code.Internal, details);
    else this.#answerLocally(Code.Unavailable, "upstream request timeout", details, null);
  }

  protected onFilterReply({ status, grpcStatus, body, details, headers }: LocalReply): void {
    const code = grpcStatus >= 0 ? grpcStatus : grpcStatusOfHttp(status);
    this.#answerLocally(code, grpcMessage(body), details.replaceAll(/\s/g, "_"), headers);
  }

  protected onFilterReset(details: string): void {
    this.#break(Code.Internal, details.replaceAll(/\s/g, "_"));
  }

  protected onAnswer(headers: HeaderMap, end: boolean): void {
    if (end) this.complete();
    const isHttpError = headers.status !== 200;
    const isWhole = end && headers.get("grpc-status") !== undefined;
    this.#callbacks.onInitialMetadata(end || isHttpError ? null : headers);
    if (isHttpError && !isWhole) this.#break(grpcStatusOfHttp(headers.status), VIA_UPSTREAM);
    else if (end) this.#tellStatus(headers);
  }

  protected onAnswerData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (this.isOver) return;
    const isGood = this.#reader.read(buffer, from, to);
    if (!isGood) this.#break(Code.Internal, VIA_UPSTREAM);
    else if (end) {
      this.complete();
      this.#tellEnd(null, Code.Unknown, VIA_UPSTREAM);
    }
  }

  protected onAnswerTrailers(trailers: HeaderMap): void {
    if (this.isOver) return;
    this.complete();
    this.#tellStatus(trailers);
  }

  onUpstreamBackPressure(isPaused: boolean): void {
    this.#isPaused = isPaused;
  }

  /** From the frame reader. */
  onMessage(message: Buffer): void {
    if (!this.#isClosed) this.#callbacks.onMessage(message);
  }

  // ---- Private parts.

  #requestHeaders(authority: string): HeaderMap {
    const headers = new HeaderMap();
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
    return headers;
  }

  get #isFlowing(): boolean {
    return !this.#isPaused && !this.isWaiting;
  }

  #write(bytes: Buffer, end: boolean): void {
    if (this.isOver || this.#isSent) return;
    this.#isSent = end;
    if (this.#isFlowing) this.#unsentBytes = 0;
    this.#unsentBytes += bytes.length;
    this.sendData(bytes, end);
  }

  /** As the upstream says it, or filters behind it. */
  #tellStatus(trailers: HeaderMap): void {
    const text = trailers.get("grpc-status");
    const status = text !== undefined && /^\d{1,2}$/.test(text) ? Number(text) : Code.Unknown;
    this.#tellEnd(trailers, status > STATUS_MAX ? Code.Unknown : status, VIA_UPSTREAM);
  }

  /** The answer is no gRPC, or not whole. */
  #break(status: number, details: string): void {
    this.release();
    this.#tellEnd(null, status, details);
  }

  /** As the local reply to a proxied gRPC request: all trailers. */
  #answerLocally(
    status: number,
    message: string,
    details: string,
    headers: readonly string[] | null,
  ): void {
    const trailers = new HeaderMap();
    trailers.status = 200;
    for (let i = 0; headers !== null && i < headers.length; i += 2) {
      trailers.append(headers[i] as string, headers[i + 1] as string);
    }
    trailers.append("content-type", "application/grpc");
    trailers.append("grpc-status", String(status));
    if (message !== "") trailers.append("grpc-message", message);
    this.#callbacks.onInitialMetadata(null);
    this.#tellEnd(trailers, status, details);
  }

  #tellEnd(trailers: HeaderMap | null, status: number, details: string): void {
    if (this.#isClosed) return;
    this.#callbacks.onTrailingMetadata(trailers);
    if (this.#isClosed) return;
    this.#isClosed = true;
    const message = trailers?.get("grpc-message") ?? "";
    this.#callbacks.onClose(status, message === "" ? details : `${message}{${details}}`);
  }
}
