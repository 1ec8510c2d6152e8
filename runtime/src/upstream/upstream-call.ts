// A request that the runtime makes itself, over the same clusters, filters and pools as proxied
// ones: from the choice of its host to its end, with what is counted. AsyncClient's calls and gRPC
// streams are made of it.
//
//   new -- open --> answered -- release --> over
//            \___ onNoHost, onFailed, onTimedOut, onFilterReply, onFilterReset, release ___/
import type { HeaderMap } from "../core/header-map.ts";
import { HeaderId } from "../core/header-names.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { FilterChainFactory, LocalReply } from "../filter/http-filter.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import type { PoolFailureReason, PooledConnection, StreamResetReason } from "./pool/conn-pool.ts";
import type { UpstreamContext } from "./upstream-context.ts";
import { RequestOutcome } from "./request-outcome.ts";
import { failureOfPool, failureOfReset, type UpstreamFailure } from "./upstream-failure.ts";
import { UpstreamFilters, type UpstreamFiltersOwner } from "./upstream-filters.ts";
import { UpstreamRequest } from "./upstream-request.ts";

const RESET_LATE = "http.async-client.rq_reset_after_downstream_response_started";

export abstract class UpstreamCall extends TimerEntry implements UpstreamFiltersOwner {
  protected readonly context: UpstreamContext;
  /** The answer's head is there, and has passed the filters. */
  protected hasAnswer: boolean = false;
  #isOver: boolean = false;
  readonly #upstream: UpstreamRequest;
  readonly #outcome: RequestOutcome;
  #cluster: Cluster | null = null;
  #host: Host | null = null;
  /** Null = the cluster has none, or the call is over. */
  #filters: UpstreamFilters | null = null;
  /** Null = there are no filters to see it. */
  #info: StreamInfo | null = null;
  /** -1 = the request has not ended. */
  #requestEndMs: number = -1;

  constructor(context: UpstreamContext) {
    super();
    this.context = context;
    this.#upstream = new UpstreamRequest(this);
    this.#outcome = new RequestOutcome();
  }

  /** Nothing comes any more, and nothing is sent. */
  get isOver(): boolean {
    return this.#isOver;
  }

  // ---- What becomes of it. When one of the first five comes, the call is over.

  protected abstract onNoHost(): void;
  protected abstract onFailed(failure: UpstreamFailure, transportFailure: string): void;
  protected abstract onTimedOut(): void;
  protected abstract onFilterReply(reply: LocalReply): void;
  protected abstract onFilterReset(details: string): void;
  protected abstract onAnswer(headers: HeaderMap, end: boolean): void;
  /** Bytes lent for the call. */
  protected abstract onAnswerData(buffer: Buffer, from: number, to: number, end: boolean): void;
  protected abstract onAnswerTrailers(trailers: HeaderMap): void;
  abstract onUpstreamBackPressure(isPaused: boolean): void;

  // ---- The request.

  /**
   * `timeoutMs` from now to the end of the answer; 0 = none. `bufferBytesMax` as FilterManager's.
   */
  protected open(
    cluster: Cluster,
    headers: HeaderMap,
    end: boolean,
    timeoutMs: number,
    bufferBytesMax: number,
  ): void {
    const { clock, timers } = this.context;
    headers.setById(HeaderId.XEnvoyInternal, "true");
    if (timeoutMs > 0) headers.setById(HeaderId.XEnvoyExpectedRqTimeoutMs, String(timeoutMs));
    const host = cluster.chooseHost(headers, null);
    if (host === null) {
      cluster.responseStats.charge(503, true);
      this.#isOver = true;
      this.onNoHost();
      return;
    }
    this.#cluster = cluster;
    this.#host = host;
    this.#outcome.start(headers);
    if (end) this.#requestEndMs = clock.nowMs;
    if (timeoutMs > 0) timers.schedule(this, clock.nowMs + timeoutMs);
    const options = cluster.transportOptions(headers, null);
    if (cluster.filters !== null) this.#startFilters(cluster.filters, headers, bufferBytesMax);
    const isFiltered = this.#filters !== null;
    this.#upstream.start(cluster, host, options, headers, end, false, null, isFiltered);
    this.#filters?.decodeHeaders(headers, end);
  }

  /** Not after the end. */
  protected sendData(bytes: Buffer, end: boolean): void {
    if (this.#isOver) return;
    if (end) this.#requestEndMs = this.context.clock.nowMs;
    if (this.#filters === null) this.#upstream.sendData(bytes, 0, bytes.length, end);
    else this.#filters.decodeData(bytes, 0, bytes.length, end);
  }

  protected sendTrailers(trailers: HeaderMap): void {
    if (this.#isOver) return;
    this.#requestEndMs = this.context.clock.nowMs;
    if (this.#filters === null) this.#upstream.sendTrailers(trailers);
    else this.#filters.decodeTrailers(trailers);
  }

  /** No connection has taken it yet. */
  protected get isWaiting(): boolean {
    return this.#upstream.isWaiting;
  }

  /** Of the request, in filters. */
  protected get filterBytes(): number {
    return this.#filters?.requestBytes ?? 0;
  }

  /** The answer is complete: the connection is free, once it has the whole request. */
  protected complete(): void {
    if (this.#requestEndMs >= 0) {
      const ms = Math.round(this.context.clock.nowMs - this.#requestEndMs);
      this.#cluster?.responseStats.recordTime(ms, true);
    }
    this.#upstream.finish();
    this.release();
  }

  /** Nothing is sent any more, nothing comes; filters are still to be told: `release`. */
  protected stop(): void {
    this.#isOver = true;
    this.context.timers.cancel(this);
    this.#upstream.giveUp();
  }

  /** Gives up what is left of it; nothing follows. */
  protected release(): void {
    this.stop();
    const filters = this.#filters;
    this.#filters = null;
    filters?.destroy();
  }

  override onDeadline(): void {
    if (this.#cluster !== null) this.#cluster.stats.rqTimeout.inc();
    this.#host?.stats.rqTimeout.inc();
    if (!this.hasAnswer) this.#charge(504);
    this.release();
    this.onTimedOut();
  }

  // ---- UpstreamRequestOwner.

  onUpstreamReady(_host: Host, connection: PooledConnection): void {
    const info = this.#info;
    if (info === null) return;
    info.upstreamLocalAddress = connection.localAddress;
    info.upstreamProtocol = connection.protocol;
    info.upstreamConnectionId = connection.connectionId;
    info.upstreamTls = connection.tls;
    info.upstreamFirstTxMs = this.context.clock.nowMs;
  }

  onUpstreamRequestSent(): void {
    if (this.#info !== null) this.#info.upstreamLastTxMs = this.context.clock.nowMs;
  }

  onUpstreamInformational(headers: HeaderMap): void {
    headers.reset();
  }

  onUpstreamHeaders(headers: HeaderMap, end: boolean): void {
    this.hasAnswer = true;
    headers.removeById(HeaderId.KeepAlive);
    this.#charge(headers.status);
    if (headers.status < 500) this.#outcome.onHeaders(headers, this.#host as Host, end);
    if (this.#requestEndMs >= 0) {
      const ms = Math.round(this.context.clock.nowMs - this.#requestEndMs);
      headers.setById(HeaderId.XEnvoyUpstreamServiceTime, String(ms));
    }
    this.onAnswer(headers, end);
  }

  onUpstreamData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (end && !this.#isOver) this.#outcome.onDataEnd(this.#host);
    this.onAnswerData(buffer, from, to, end);
  }

  onUpstreamTrailers(trailers: HeaderMap): void {
    if (!this.#isOver) this.#outcome.onTrailers(trailers, this.#host);
    this.onAnswerTrailers(trailers);
  }

  onUpstreamPoolFailure(reason: PoolFailureReason, _host: Host, transportFailure: string): void {
    this.#fail(failureOfPool(reason), transportFailure);
  }

  onUpstreamReset(reason: StreamResetReason, failureReason: string): void {
    this.#fail(failureOfReset(reason), failureReason);
  }

  // ---- UpstreamFiltersOwner.

  /** As Envoy: an answer like others, but nobody is charged with it. */
  onUpstreamFilterReply(reply: LocalReply): void {
    this.release();
    if (this.hasAnswer) this.onFilterReset(reply.details);
    else this.onFilterReply(reply);
  }

  onUpstreamFilterReset(details: string): void {
    this.release();
    this.onFilterReset(details);
  }

  // ---- Private parts.

  #startFilters(factory: FilterChainFactory, headers: HeaderMap, bufferBytesMax: number): void {
    const { clock, random } = this.context;
    const cluster = this.#cluster as Cluster;
    const info = new StreamInfo();
    info.streamId = random.u32();
    const filters = factory.createFilters(null, info, headers, []);
    if (filters.length === 0) return;
    headers.scheme ??= "http";
    info.startMs = clock.nowMs;
    info.upstreamStartMs = clock.nowMs;
    info.upstreamCluster = cluster.name;
    info.clusterInfo = cluster;
    info.attemptCount = 1;
    info.isOwnCall = true;
    info.setUpstreamHost(this.#host as Host);
    this.#info = info;
    this.#filters = new UpstreamFilters(this, this.#upstream, clock);
    this.#filters.start(filters, info, bufferBytesMax);
  }

  #fail(failure: UpstreamFailure, transportFailure: string): void {
    if (!this.hasAnswer) this.#charge(failure.status);
    else if (this.#outcome.isAwaited) {
      this.#host?.stats.rqError.inc();
      this.context.stats.counter(RESET_LATE).inc();
    }
    this.release();
    this.onFailed(failure, transportFailure);
  }

  /** Success is for the outcome to tell. */
  #charge(status: number): void {
    this.#cluster?.responseStats.charge(status, true);
    if (status >= 500) this.#host?.stats.rqError.inc();
  }
}
