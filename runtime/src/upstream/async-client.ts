// Calls that the runtime makes itself (proxy_http_call first) over the same clusters and pools as
// proxied requests. The answer comes whole, or not at all.
import { BufferQueue } from "../core/buffer-queue.ts";
import { HeaderMap } from "../core/header-map.ts";
import { HeaderId } from "../core/header-names.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { FilterChainFactory, LocalReply } from "../filter/http-filter.ts";
import type { Counter } from "../stats/store.ts";
import { type AsyncMessage, CallFilters, type CallFiltersOwner } from "./call-filters.ts";
import type { Cluster } from "./cluster.ts";
import type { ClusterManager } from "./cluster-manager.ts";
import type { Host } from "./host.ts";
import {
  PoolFailureReason,
  type PendingStream,
  type PoolCallbacks,
  type PooledConnection,
  type RequestEncoder,
  type ResponseDecoder,
  StreamResetReason,
} from "./pool/conn-pool.ts";
import type { UpstreamContext } from "./upstream-context.ts";
import { failureOfPool, failureOfReset } from "./upstream-failure.ts";

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
    headers.setById(HeaderId.XEnvoyInternal, "true");
    if (timeoutMs > 0) headers.setById(HeaderId.XEnvoyExpectedRqTimeoutMs, String(timeoutMs));
    const message: AsyncMessage = { headers, body, trailers };
    const limit: AnswerLimit = { bodyBytesMax: this.#bodyBytesMax, exceeded: this.#rsTooLarge };
    const request = new AsyncRequest(this.#context, message, limit, callbacks);
    const cluster = this.#manager.getCluster(clusterName);
    if (cluster === undefined) {
      request.fail(AsyncFailure.NoCluster, `unknown cluster '${clusterName}'`);
      return request;
    }
    this.#rqTotal.inc();
    const host = cluster.chooseHost(headers, null);
    if (host === null) {
      cluster.responseStats.charge(503, true);
      request.fail(AsyncFailure.NoHealthyUpstream, "no healthy upstream");
      return request;
    }
    request.start(cluster, host, timeoutMs);
    return request;
  }
}

/** How much of an answer's body is kept, and who counts those that are longer. */
interface AnswerLimit {
  readonly bodyBytesMax: number;
  readonly exceeded: Counter;
}

class AsyncRequest
  extends TimerEntry
  implements AsyncCall, PoolCallbacks, ResponseDecoder, CallFiltersOwner
{
  readonly #context: UpstreamContext;
  readonly #message: AsyncMessage;
  readonly #limit: AnswerLimit;
  readonly #callbacks: AsyncCallbacks;
  readonly #responseHeaders: HeaderMap;
  readonly #responseBody: BufferQueue;
  #startMs: number = 0;
  #cluster: Cluster | null = null;
  #host: Host | null = null;
  #pending: PendingStream | null = null;
  #encoder: RequestEncoder | null = null;
  /** Null = the cluster has none, or the call is over. */
  #filters: CallFilters | null = null;
  /** The head is there, and has passed the filters. */
  #hasAnswer: boolean = false;
  #isDone: boolean = false;

  constructor(
    context: UpstreamContext,
    message: AsyncMessage,
    limit: AnswerLimit,
    callbacks: AsyncCallbacks,
  ) {
    super();
    this.#context = context;
    this.#message = message;
    this.#limit = limit;
    this.#callbacks = callbacks;
    this.#responseHeaders = new HeaderMap();
    this.#responseBody = new BufferQueue();
  }

  get decoder(): ResponseDecoder {
    return this;
  }

  start(cluster: Cluster, host: Host, timeoutMs: number): void {
    const { clock, timers } = this.#context;
    this.#cluster = cluster;
    this.#host = host;
    this.#startMs = clock.nowMs;
    if (timeoutMs > 0) timers.schedule(this, clock.nowMs + timeoutMs);
    const options = cluster.transportOptions(this.#message.headers, null);
    if (cluster.filters !== null) this.#startFilters(cluster.filters, cluster, host);
    const pending = cluster.newStream(host, options, this, false, false);
    if (!this.#isDone && this.#encoder === null) this.#pending = pending;
    this.#filters?.send(this.#message);
  }

  #startFilters(factory: FilterChainFactory, cluster: Cluster, host: Host): void {
    const { clock, random } = this.#context;
    const info = new StreamInfo();
    info.streamId = random.u32();
    const filters = factory.createFilters(null, info, this.#message.headers);
    if (filters.length === 0) return;
    const bytesMax = this.#limit.bodyBytesMax;
    this.#filters = new CallFilters(this, filters, info, cluster, host, clock, bytesMax);
  }

  cancel(): void {
    if (this.#isDone) return;
    this.#giveUp(StreamResetReason.LocalReset);
  }

  fail(failure: AsyncFailure, message: string): void {
    if (this.#isDone) return;
    this.#finish();
    this.#callbacks.onFailure(failure, message);
  }

  override onDeadline(): void {
    this.#cluster?.stats.rqTimeout.inc();
    this.#host?.stats.rqTimeout.inc();
    this.#chargeFailure(504);
    const failure = this.#hasAnswer ? AsyncFailure.Interrupted : AsyncFailure.Timeout;
    this.#giveUp(StreamResetReason.LocalReset);
    this.#callbacks.onFailure(failure, "upstream request timeout");
  }

  // ---- PoolCallbacks.

  onPoolReady(encoder: RequestEncoder, _host: Host, connection: PooledConnection): void {
    this.#pending = null;
    this.#encoder = encoder;
    if (this.#filters !== null) {
      this.#filters.onReady(encoder, connection);
      return;
    }
    const { headers, body, trailers } = this.#message;
    const hasBody = body !== null && body.length > 0;
    encoder.encodeHeaders(headers, !hasBody && trailers === null);
    if (hasBody) encoder.encodeData(body, 0, body.length, trailers === null);
    if (trailers !== null) encoder.encodeTrailers(trailers);
  }

  onPoolFailure(reason: PoolFailureReason, _host: Host, _transportFailure: string): void {
    this.#pending = null;
    this.#chargeFailure(503);
    const isOverflow = reason === PoolFailureReason.Overflow;
    const failure = isOverflow ? AsyncFailure.Overflow : AsyncFailure.ConnectionFailure;
    this.fail(failure, failureOfPool(reason).body);
  }

  // ---- ResponseDecoder.

  responseHeaders(): HeaderMap {
    return this.#responseHeaders;
  }

  decodeInformational(headers: HeaderMap): void {
    headers.reset();
  }

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    if (endStream) this.#encoder = null;
    if (this.#filters === null) this.onFilteredHeaders(headers, endStream);
    else this.#filters.encodeHeaders(headers, endStream);
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    if (endStream) this.#encoder = null;
    if (this.#filters === null) this.onFilteredData(buffer, from, to, endStream);
    else this.#filters.encodeData(buffer, from, to, endStream);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.#encoder = null;
    if (this.#filters === null) this.onFilteredTrailers(trailers);
    else this.#filters.encodeTrailers(trailers);
  }

  // ---- CallFiltersOwner.

  onFilteredHeaders(headers: HeaderMap, endStream: boolean): void {
    this.#hasAnswer = true;
    const isServerError = headers.status >= 500;
    const stats = this.#host?.stats;
    (isServerError ? stats?.rqError : stats?.rqSuccess)?.inc();
    this.#cluster?.responseStats.charge(headers.status, true);
    const ms = Math.max(0, Math.round(this.#context.clock.nowMs - this.#startMs));
    headers.setById(HeaderId.XEnvoyUpstreamServiceTime, String(ms));
    if (endStream) this.#succeed(null);
  }

  onFilteredData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    if (this.#responseBody.length + (to - from) > this.#limit.bodyBytesMax) {
      this.#limit.exceeded.inc();
      this.#giveUp(StreamResetReason.LocalReset);
      this.#callbacks.onFailure(AsyncFailure.BodyTooLarge, "response body is too large");
      return;
    }
    this.#responseBody.appendCopy(buffer, from, to);
    if (endStream) this.#succeed(null);
  }

  onFilteredTrailers(trailers: HeaderMap): void {
    this.#succeed(trailers);
  }

  /** As Envoy: an answer like others, but nobody is charged with it. */
  onFilterReply({ status, body, headers }: LocalReply): void {
    if (this.#hasAnswer) {
      this.onFilterReset();
      return;
    }
    this.#giveUp(StreamResetReason.LocalReset);
    const bytes = Buffer.from(body, "latin1");
    this.#callbacks.onSuccess(replyHeaders(status, bytes.length, headers), bytes, null);
  }

  onFilterReset(): void {
    this.#giveUp(StreamResetReason.LocalReset);
    this.#callbacks.onFailure(AsyncFailure.Interrupted, "");
  }

  onResetStream(reason: StreamResetReason, _failureReason: string): void {
    this.#encoder = null;
    const { status, body } = failureOfReset(reason);
    this.#chargeFailure(status);
    this.fail(this.#hasAnswer ? AsyncFailure.Interrupted : kindOf(reason), body);
  }

  /** The body was handed over as a whole; the connection holds what does not leave at once. */
  onEncodeWritable(): void {}

  // ---- Private parts.

  #succeed(trailers: HeaderMap | null): void {
    this.#encoder = null;
    this.#cluster?.responseStats.recordTime(
      Math.round(this.#context.clock.nowMs - this.#startMs),
      true,
    );
    this.#finish();
    this.#callbacks.onSuccess(this.#responseHeaders, this.#responseBody.linearize(), trailers);
  }

  #chargeFailure(code: number): void {
    if (this.#hasAnswer) return;
    this.#cluster?.responseStats.charge(code, true);
    this.#host?.stats.rqError.inc();
  }

  #giveUp(reason: StreamResetReason): void {
    const pending = this.#pending;
    const encoder = this.#encoder;
    this.#finish();
    pending?.cancel();
    encoder?.resetStream(reason);
  }

  #finish(): void {
    this.#isDone = true;
    this.#pending = null;
    this.#encoder = null;
    this.#context.timers.cancel(this);
    const filters = this.#filters;
    this.#filters = null;
    filters?.destroy();
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

function kindOf(reason: StreamResetReason): AsyncFailure {
  return reason === StreamResetReason.ProtocolError
    ? AsyncFailure.ProtocolError
    : AsyncFailure.Reset;
}
