// Calls that the runtime makes itself (proxy_http_call first) over the same clusters and pools as
// proxied requests. The answer comes whole, or not at all.
import { BufferQueue } from "../core/buffer-queue.ts";
import { HeaderMap } from "../core/header-map.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import type { Counter } from "../stats/store.ts";
import type { Cluster } from "./cluster.ts";
import type { ClusterManager } from "./cluster-manager.ts";
import { UpstreamCall } from "./upstream-call.ts";
import type { UpstreamContext } from "./upstream-context.ts";
import type { UpstreamFailure } from "./upstream-failure.ts";

/** Bytes of an answer's body that are kept. */
const bodyBytesMaxDefault = 16 * 1024 * 1024;

export const AsyncFailure = {
  NoCluster: 0,
  NoHealthyUpstream: 1,
  Overflow: 2,
  ConnectionFailure: 3,
  /** The stream ended before an answer began. */
  Reset: 4,
  Timeout: 5,
  /** The answer is longer than the limit. */
  BodyTooLarge: 6,
  ProtocolError: 7,
  /** The answer began, and did not end: by itself or in time. */
  Interrupted: 8,
} as const;
export type AsyncFailure = (typeof AsyncFailure)[keyof typeof AsyncFailure];

/** Exactly one of the two comes, perhaps before send returned; neither after cancel(). */
export interface AsyncCallbacks {
  /** The maps and the body are the receiver's to keep; `trailers` is null when none came. */
  onSuccess(headers: HeaderMap, body: Buffer, trailers: HeaderMap | null): void;
  /** `message`: the body that a proxied request would be answered with, as Envoy words it. */
  onFailure(failure: AsyncFailure, message: string): void;
}

export interface AsyncCall {
  /** Gives up; no callback follows. */
  cancel(): void;
}

export class AsyncClient {
  readonly #manager: ClusterManager;
  readonly #context: UpstreamContext;
  readonly #bodyBytesMax: number;
  readonly #rqTotal: Counter;
  /** Answers that were cut at the limit. */
  readonly #rsTooLarge: Counter;

  /** `bodyBytesMax` default 16 MiB. */
  constructor(
    manager: ClusterManager,
    context: UpstreamContext,
    bodyBytesMax: number = bodyBytesMaxDefault,
  ) {
    this.#manager = manager;
    this.#context = context;
    this.#bodyBytesMax = bodyBytesMax;
    this.#rqTotal = context.stats.counter("http.async-client.rq_total");
    this.#rsTooLarge = context.stats.counter("http.async-client.rs_too_large");
  }

  /** A gRPC call or stream to a cluster that there is counts as a request, too. */
  countStream(): void {
    this.#rqTotal.inc();
  }

  /**
   * Sends a request. `headers` must have :method, :path and :authority and belong to the call from
   * now on, as do `body` and `trailers` (null = none). `timeoutMs` from now to the end of the
   * answer; 0 = none.
   */
  send(
    clusterName: string,
    headers: HeaderMap,
    body: Buffer | null,
    trailers: HeaderMap | null,
    timeoutMs: number,
    callbacks: AsyncCallbacks,
  ): AsyncCall {
    const limit: AnswerLimit = { bodyBytesMax: this.#bodyBytesMax, exceeded: this.#rsTooLarge };
    const request = new AsyncRequest(this.#context, limit, callbacks);
    const cluster = this.#manager.getCluster(clusterName);
    if (cluster === undefined) {
      callbacks.onFailure(AsyncFailure.NoCluster, `unknown cluster '${clusterName}'`);
      return request;
    }
    this.#rqTotal.inc();
    request.start(cluster, { headers, body, trailers }, timeoutMs);
    return request;
  }
}

/** A whole request. */
interface AsyncMessage {
  readonly headers: HeaderMap;
  /** Null = none. */
  readonly body: Buffer | null;
  readonly trailers: HeaderMap | null;
}

/** How much of an answer's body is kept, and who counts those that are longer. */
interface AnswerLimit {
  readonly bodyBytesMax: number;
  readonly exceeded: Counter;
}

class AsyncRequest extends UpstreamCall implements AsyncCall {
  readonly #limit: AnswerLimit;
  readonly #callbacks: AsyncCallbacks;
  readonly #body: BufferQueue;
  #headers: HeaderMap | null = null;

  constructor(context: UpstreamContext, limit: AnswerLimit, callbacks: AsyncCallbacks) {
    super(context);
    this.#limit = limit;
    this.#callbacks = callbacks;
    this.#body = new BufferQueue();
  }

  start(cluster: Cluster, { headers, body, trailers }: AsyncMessage, timeoutMs: number): void {
    const hasBody = body !== null && body.length > 0;
    const isHeadAlone = !hasBody && trailers === null;
    this.open(cluster, headers, isHeadAlone, timeoutMs, this.#limit.bodyBytesMax);
    if (hasBody) this.sendData(body, trailers === null);
    if (trailers !== null) this.sendTrailers(trailers);
  }

  cancel(): void {
    if (!this.isOver) this.release();
  }

  // ---- UpstreamCall.

  protected onNoHost(): void {
    this.#callbacks.onFailure(AsyncFailure.NoHealthyUpstream, "no healthy upstream");
  }

  protected onFailed(failure: UpstreamFailure): void {
    const kind = this.hasAnswer ? AsyncFailure.Interrupted : kindOf(failure);
    this.#callbacks.onFailure(kind, failure.body);
  }

  protected onTimedOut(): void {
    const kind = this.hasAnswer ? AsyncFailure.Interrupted : AsyncFailure.Timeout;
    this.#callbacks.onFailure(kind, "upstream request timeout");
  }

  protected onFilterReply({ status, body, headers }: LocalReply): void {
    const bytes = Buffer.from(body, "latin1");
    this.#callbacks.onSuccess(replyHeaders(status, bytes.length, headers), bytes, null);
  }

  protected onFilterReset(): void {
    this.#callbacks.onFailure(AsyncFailure.Interrupted, "");
  }

  protected onAnswer(headers: HeaderMap, end: boolean): void {
    this.#headers = headers;
    if (end) this.#succeed(null);
  }

  protected onAnswerData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (this.#body.length + (to - from) > this.#limit.bodyBytesMax) {
      this.#limit.exceeded.inc();
      this.release();
      this.#callbacks.onFailure(AsyncFailure.BodyTooLarge, "response body is too large");
      return;
    }
    this.#body.appendCopy(buffer, from, to);
    if (end) this.#succeed(null);
  }

  protected onAnswerTrailers(trailers: HeaderMap): void {
    this.#succeed(trailers);
  }

  /** The message is here as a whole: its source cannot be stopped. */
  onUpstreamBackPressure(): void {}

  // ---- Private parts.

  #succeed(trailers: HeaderMap | null): void {
    this.complete();
    const headers = this.#headers as HeaderMap;
    this.#callbacks.onSuccess(headers, this.#body.linearize(), trailers);
  }
}

/** The head of an answer of ours, as Envoy's; `more` are names and values in turn. */
export function replyHeaders(
  status: number,
  bodyBytes: number,
  more: readonly string[] | null,
): HeaderMap {
  const headers = new HeaderMap();
  headers.status = status;
  for (let i = 0; more !== null && i < more.length; i += 2) {
    headers.append(more[i] as string, more[i + 1] as string);
  }
  if (bodyBytes === 0) return headers;
  headers.append("content-length", String(bodyBytes));
  headers.append("content-type", "text/plain");
  return headers;
}

function kindOf(failure: UpstreamFailure): AsyncFailure {
  if (failure.isOverload) return AsyncFailure.Overflow;
  switch (failure.responseFlag) {
    case ResponseFlag.UpstreamConnectionFailure:
      return AsyncFailure.ConnectionFailure;
    case ResponseFlag.UpstreamProtocolError:
      return AsyncFailure.ProtocolError;
    default:
      return AsyncFailure.Reset;
  }
}
