// The end of an HTTP filter chain: chooses cluster and host, has the request answered there, and
// turns what goes wrong into Envoy's answers. Owned by hcm's ActiveStream: one stream at a time.
//
//   Idle -- onRequestHeaders --> Active -- response complete, local reply, destroy --> Done
//   Done -- reset --> Idle
import { assert } from "../core/assert.ts";
import type { Clock } from "../core/clock.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { RouterConfig } from "../config/snapshot.ts";
import type { FilterChainFactory, LocalReply } from "../filter/http-filter.ts";
import type { ClusterManager } from "../upstream/cluster-manager.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";
import type {
  PoolFailureReason,
  PooledConnection,
  StreamResetReason,
} from "../upstream/pool/conn-pool.ts";
import { updateAuthority } from "./resolved-route.ts";
import { RetryState } from "./retry-state.ts";
import type { ClusterChoice, Route, RouterCallbacks } from "./route.ts";
import type { RouterStats } from "./router-stats.ts";
import { RouterTimers, TimeoutKind, type TimeoutReceiver } from "./router-timers.ts";
import { takeControlHeaders, TimeoutPlan } from "./timeouts.ts";
import { RequestOutcome } from "../upstream/request-outcome.ts";
import { replyWithoutHeader } from "../upstream/required-headers.ts";
import {
  failureDetails,
  failureHeaders,
  failureOfPool,
  failureOfReset,
  type UpstreamFailure,
} from "../upstream/upstream-failure.ts";
import { failedHandshake, opensTunnel, rawStart } from "./tunnel.ts";
import { UpstreamFilters, type UpstreamFiltersOwner } from "../upstream/upstream-filters.ts";
import { UpstreamRequest } from "../upstream/upstream-request.ts";

/** What all routers of one connection manager in one thread share. */
export interface RouterContext {
  readonly clusterManager: ClusterManager;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
  readonly config: RouterConfig;
  readonly stats: RouterStats;
  /** Filters of requests to clusters that have none of their own; null = none. */
  readonly upstreamFilters: FilterChainFactory | null;
  /** Bytes that upstream filters may make an attempt collect per direction. */
  readonly bufferBytesMax: number;
}

const State = { Idle: 0, Active: 1, Done: 2 } as const;

export class Router implements UpstreamFiltersOwner, TimeoutReceiver {
  readonly #callbacks: RouterCallbacks;
  readonly #context: RouterContext;
  readonly #upstream: UpstreamRequest;
  readonly #plan: TimeoutPlan;
  readonly #retry: RetryState;
  readonly #timers: RouterTimers;
  readonly #outcome: RequestOutcome;
  #state: number = State.Idle;
  #route: Route | null = null;
  #choice: ClusterChoice | null = null;
  #cluster: Cluster | null = null;
  #headers: HeaderMap | null = null;
  /** Of the attempt; null = it has no filters, or is over. */
  #filters: UpstreamFilters | null = null;
  #spareFilters: UpstreamFilters | null = null;
  #isInternal: boolean = false;
  /** When the whole request had come; -1 = it has not. */
  #requestEndMs: number = -1;
  /** Something of a response went downstream, an informational one included. */
  #hasResponseStarted: boolean = false;
  #hasHeadersStarted: boolean = false;

  constructor(callbacks: RouterCallbacks, context: RouterContext) {
    this.#callbacks = callbacks;
    this.#context = context;
    this.#upstream = new UpstreamRequest(this);
    this.#plan = new TimeoutPlan();
    this.#retry = new RetryState();
    this.#timers = new RouterTimers(this, context.clock, context.timers);
    this.#outcome = new RequestOutcome();
  }

  /** What chooseCluster gave, for finalizeResponseHeaders of local replies; null = not chosen. */
  get clusterChoice(): ClusterChoice | null {
    return this.#choice;
  }

  /** As new, for the next stream of the same owner; the last one must be over. */
  reset(): void {
    assert(this.#state !== State.Active);
    this.#upstream.reset();
    this.#upstream.owner = this;
    this.#retry.reset();
    this.#outcome.reset();
    this.#state = State.Idle;
    this.#route = null;
    this.#choice = null;
    this.#cluster = null;
    this.#headers = null;
    this.#isInternal = false;
    this.#requestEndMs = -1;
    this.#hasResponseStarted = false;
    this.#hasHeadersStarted = false;
  }

  /** The downstream is gone or the stream was answered by somebody else. Nothing follows. */
  onDownstreamReset(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.#state === State.Active) this.#letGo();
    this.#state = State.Done;
  }

  // ---- The request, from the filter chain.

  onRequestHeaders(headers: HeaderMap, end: boolean): void {
    assert(this.#state === State.Idle);
    const { clusterManager, random, stats } = this.#context;
    const callbacks = this.#callbacks;
    const info = callbacks.streamInfo;
    const route = callbacks.route;
    this.#state = State.Active;
    this.#headers = headers;
    stats.rqTotal.inc();
    if (route === null) {
      stats.noRoute.inc();
      this.#reply(404, "", "route_not_found", ResponseFlag.NoRouteFound, null);
      return;
    }
    if (route.kind !== "route") {
      stats.rqDirectResponse.inc();
      this.#finish();
      callbacks.sendLocalReply(route.localReply(headers, info));
      return;
    }
    const choice = route.chooseCluster(headers, route.fixedCluster === "" ? random.u32() : 0);
    const cluster = clusterManager.getCluster(choice.clusterName);
    this.#route = route;
    this.#choice = choice;
    if (cluster === undefined) {
      const status = route.clusterNotFoundStatus;
      stats.noCluster.inc();
      info.upstreamCluster = "";
      this.#reply(status, "", "cluster_not_found", ResponseFlag.NoClusterFound, null);
      return;
    }
    this.#cluster = cluster;
    this.#isInternal = headers.getById(HeaderId.XEnvoyInternal) === "true";
    info.upstreamCluster = cluster.name;
    info.clusterInfo = cluster;
    info.attemptCount = 1;
    this.#send(route, choice, cluster, end);
  }

  /** Bytes lent for the call. */
  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (this.#state !== State.Active) return;
    if (end) this.#requestEndMs = this.#context.clock.nowMs;
    if (this.#filters === null) this.#upstream.sendData(buffer, from, to, end);
    else this.#filters.decodeData(buffer, from, to, end);
    if (end) this.#onRequestComplete();
  }

  onRequestTrailers(trailers: HeaderMap): void {
    if (this.#state !== State.Active) return;
    this.#requestEndMs = this.#context.clock.nowMs;
    if (this.#filters === null) this.#upstream.sendTrailers(trailers);
    else this.#filters.decodeTrailers(trailers);
    this.#onRequestComplete();
  }

  /** Counted: the downstream cannot take more of the response for now, or can again. */
  responseReadDisable(disabled: boolean): void {
    if (this.#state === State.Active) this.#upstream.readDisable(disabled);
  }

  // ---- UpstreamRequestOwner.

  onUpstreamReady(host: Host, connection: PooledConnection): void {
    const info = this.#callbacks.streamInfo;
    const { clock } = this.#context;
    info.setUpstreamHost(host);
    info.upstreamLocalAddress = connection.localAddress;
    info.upstreamProtocol = connection.protocol;
    info.upstreamConnectionId = connection.connectionId;
    info.upstreamTls = connection.tls;
    info.upstreamFirstTxMs = clock.nowMs;
    const headers = this.#headers;
    const route = this.#route;
    if (route?.autoHostRewrite === true && headers !== null && host.hostname !== "") {
      updateAuthority(headers, host.hostname, route.appendXForwardedHost);
    }
    if (this.#requestEndMs >= 0) this.#timers.startPerTry(this.#plan.perTryMs);
    this.#timers.startUpstream(this.#cluster?.config.maxStreamDurationMs ?? 0);
  }

  onUpstreamRequestSent(): void {
    this.#callbacks.streamInfo.upstreamLastTxMs = this.#context.clock.nowMs;
  }

  onUpstreamBackPressure(isPaused: boolean): void {
    this.#callbacks.requestReadDisable(isPaused);
  }

  onUpstreamPoolFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void {
    const failure = failureOfPool(reason);
    if (!failure.isOverload) {
      const info = this.#callbacks.streamInfo;
      info.setUpstreamHost(host);
    }
    this.#fail(failure, transportFailure);
  }

  onUpstreamReset(reason: StreamResetReason, failureReason: string): void {
    const method = this.#headers?.method ?? null;
    if (this.#retry.takeStaleRetry(method, reason, this.#upstream)) {
      this.#cluster?.stats.rqStaleConnectionRetry.inc();
      this.#timers.cancelPerTry();
      this.#upstream.restart();
      return;
    }
    this.#fail(failureOfReset(reason), failureReason);
  }

  onUpstreamInformational(headers: HeaderMap): void {
    this.#hasResponseStarted = true;
    this.#charge(headers.status, this.#upstream.host);
    this.#callbacks.onUpstreamInformational(headers);
  }

  onUpstreamHeaders(headers: HeaderMap, end: boolean): void {
    const route = this.#route;
    const host = this.#upstream.host;
    assert(route !== null);
    assert(host !== null);
    // Filters of the upstream have seen it, those in front do not; as in Envoy.
    headers.removeById(HeaderId.KeepAlive);
    const { clock, config } = this.#context;
    const info = this.#callbacks.streamInfo;
    const status = headers.status;
    if (this.#callbacks.upgradeType !== "" && this.#endsHandshake(headers)) return;
    if (this.#filters === null) info.upstreamFirstRxMs = clock.nowMs;
    info.responseCode = status;
    info.responseCodeDetails = "via_upstream";
    this.#hasResponseStarted = true;
    this.#hasHeadersStarted = true;
    if (this.#requestEndMs >= 0 && !config.suppressEnvoyHeaders) {
      const ms = Math.round(clock.nowMs - this.#requestEndMs);
      headers.setById(HeaderId.XEnvoyUpstreamServiceTime, String(ms));
    }
    this.#charge(status, host);
    if (status < 500) this.#outcome.onHeaders(headers, host, end);
    route.finalizeResponseHeaders(headers, info, this.#headers, this.#choice);
    if (route.includeAttemptCountInResponse) {
      headers.setById(HeaderId.XEnvoyAttemptCount, String(info.attemptCount));
    }
    if (end) this.#onUpstreamComplete();
    this.#callbacks.onUpstreamHeaders(headers, end);
  }

  onUpstreamData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (end) this.#outcome.onDataEnd(this.#upstream.host);
    if (end) this.#onUpstreamComplete();
    this.#callbacks.onUpstreamData(buffer, from, to, end);
  }

  onUpstreamTrailers(trailers: HeaderMap): void {
    this.#outcome.onTrailers(trailers, this.#upstream.host);
    this.#onUpstreamComplete();
    this.#callbacks.onUpstreamTrailers(trailers);
  }

  // ---- UpstreamFiltersOwner.

  onUpstreamFilterReply(reply: LocalReply): void {
    this.#letGo();
    this.#callbacks.sendLocalReply(reply);
  }

  onUpstreamFilterReset(details: string): void {
    this.#letGo();
    this.#callbacks.onFilterReset(details, 0);
  }

  // ---- TimeoutReceiver.

  onTimeout(kind: TimeoutKind): void {
    if (this.#state !== State.Active) return;
    const cluster = this.#cluster;
    const host = this.#upstream.host;
    if (kind === TimeoutKind.StreamDuration) {
      const status = this.#requestEndMs >= 0 ? 504 : 408;
      this.#abort(status, "downstream duration timeout", "max_duration_timeout", 0, false);
      return;
    }
    if (kind === TimeoutKind.UpstreamDuration) {
      const status = this.#requestEndMs >= 0 ? 504 : 408;
      const flag = ResponseFlag.UpstreamMaxStreamDurationReached;
      const details = "upstream_max_stream_duration_reached";
      cluster?.stats.rqMaxDurationReached.inc();
      this.#abort(status, "upstream max stream duration reached", details, flag, false);
      return;
    }
    const isRoute = kind === TimeoutKind.Route;
    if (isRoute) cluster?.stats.rqTimeout.inc();
    else cluster?.stats.rqPerTryTimeout.inc();
    host?.stats.rqTimeout.inc();
    const status = this.#plan.status;
    const body = status === 504 ? "upstream request timeout" : "";
    const details = isRoute ? "response_timeout" : "upstream_per_try_timeout";
    this.#chargeAbort(status);
    this.#abort(status, body, details, ResponseFlag.UpstreamRequestTimeout, false);
  }

  // ---- Private parts.

  #send(route: Route, choice: ClusterChoice, cluster: Cluster, end: boolean): void {
    const { clock, config } = this.#context;
    const headers = this.#headers as HeaderMap;
    const info = this.#callbacks.streamInfo;
    this.#plan.read(route, headers, config);
    if (this.#isInternal) takeControlHeaders(headers);
    if (route.includeRequestAttemptCount) headers.setById(HeaderId.XEnvoyAttemptCount, "1");
    route.finalizeRequestHeaders(headers, info, choice);
    if (headers.scheme === null) headers.scheme = "http";
    // Only a tunnel's bytes go out unframed: header mutations make none.
    if (this.#callbacks.upgradeType === "") headers.removeById(HeaderId.Upgrade);
    const host = cluster.chooseHost(headers, info);
    if (host === null) {
      this.#replyNoHost();
      return;
    }
    this.#outcome.start(headers);
    info.upstreamStartMs = clock.nowMs;
    info.upstreamBytes = this.#upstream;
    const fromMs = info.startMs >= 0 ? info.startMs : clock.nowMs;
    this.#timers.startStream(fromMs, route.maxStreamDurationMs);
    if (end) this.#requestEndMs = clock.nowMs;
    const options = cluster.transportOptions(headers, info.connection);
    const raw = rawStart(route.connect, headers.method, info.connection);
    const filters = cluster.filters ?? this.#context.upstreamFilters;
    const isFiltered = this.#startFilters(filters, headers, route);
    const { isHighPriority } = route;
    this.#upstream.start(cluster, host, options, headers, end, isHighPriority, raw, isFiltered);
    // Chosen, though not connected yet: an answer in between is logged with it.
    if (this.#upstream.isWaiting) info.setUpstreamHost(host);
    // As Envoy: the connection is asked for first, but not waited for.
    this.#filters?.decodeHeaders(headers, end);
    if (end) this.#onRequestComplete();
    // The request of a WebSocket never ends: the timeout runs until the 101.
    else if (this.#callbacks.upgradeType === "websocket") this.#startRouteTimer();
  }

  #replyNoHost(): void {
    this.#charge(503, null);
    const headersToAdd = this.#replyHeaders(false);
    const flag = ResponseFlag.NoHealthyUpstream;
    this.#reply(503, "no healthy upstream", "no_healthy_upstream", flag, headersToAdd);
  }

  /** False: there are none. Of a request that cannot be sent an empty chain says what it lacks. */
  #startFilters(factory: FilterChainFactory | null, headers: HeaderMap, route: Route): boolean {
    const isSendable = replyWithoutHeader(headers) === null;
    if (factory === null && isSendable) return false;
    const info = this.#callbacks.streamInfo;
    const filters = factory?.createFilters(route.perFilter, info, headers, []) ?? [];
    if (filters.length === 0 && isSendable) return false;
    const { clock, bufferBytesMax } = this.#context;
    this.#filters = this.#spareFilters ??= new UpstreamFilters(this, this.#upstream, clock);
    this.#filters.start(filters, info, bufferBytesMax);
    return true;
  }

  #endFilters(): void {
    const filters = this.#filters;
    if (filters === null) return;
    this.#filters = null;
    filters.destroy();
  }

  /** True: the answer to an upgrade is no tunnel's, and given. How long one lasts, others say. */
  #endsHandshake(headers: HeaderMap): boolean {
    const { upgradeType } = this.#callbacks;
    if (opensTunnel(upgradeType, headers.status)) this.#timers.cancelRoute();
    const reply = failedHandshake(upgradeType, headers);
    if (reply === null) return false;
    this.#letGo();
    this.#callbacks.sendLocalReply(reply);
    return true;
  }

  #startRouteTimer(): void {
    if (this.#state === State.Active) this.#timers.startRoute(this.#plan.globalMs);
  }

  /** The route timeout runs from the request's end: a slow upload does not count. */
  #onRequestComplete(): void {
    if (this.#state !== State.Active) return;
    this.#startRouteTimer();
    if (this.#upstream.isSending) this.#timers.startPerTry(this.#plan.perTryMs);
  }

  #onUpstreamComplete(): void {
    const { clock, config } = this.#context;
    const cluster = this.#cluster;
    const info = this.#callbacks.streamInfo;
    if (this.#filters === null) info.upstreamLastRxMs = clock.nowMs;
    if (cluster !== null && config.dynamicStats && this.#requestEndMs >= 0 && !info.healthCheck) {
      const ms = Math.round(clock.nowMs - this.#requestEndMs);
      cluster.responseStats.recordTime(ms, this.#isInternal);
    }
    this.#finish();
    this.#upstream.finish();
    this.#upstream.resume();
    this.#endFilters();
  }

  #fail(failure: UpstreamFailure, transportFailure: string): void {
    const details = failureDetails(failure, this.#hasResponseStarted, transportFailure);
    this.#callbacks.streamInfo.upstreamTransportFailureReason = transportFailure;
    this.#chargeAbort(failure.status);
    this.#abort(failure.status, failure.body, details, failure.responseFlag, failure.isOverload);
  }

  #chargeAbort(status: number): void {
    const host = this.#upstream.host;
    if (!this.#hasHeadersStarted) {
      this.#charge(status, host);
      // A 204 that stands for a timeout is an error of the host all the same.
      if (status < 500) host?.stats.rqError.inc();
    } else if (this.#outcome.isAwaited) {
      host?.stats.rqError.inc();
      this.#context.stats.rqResetAfterResponseStarted.inc();
    }
  }

  /** Ends the stream: by an answer of ours, or by cutting the one that has begun. */
  #abort(
    status: number,
    body: string,
    details: string,
    responseFlag: number,
    isOverload: boolean,
  ): void {
    const headersToAdd = this.#replyHeaders(isOverload);
    this.#letGo();
    this.#reply(status, body, details, responseFlag, headersToAdd);
  }

  #reply(
    status: number,
    body: string,
    details: string,
    responseFlags: number,
    headers: readonly string[] | null,
  ): void {
    this.#finish();
    const reply: LocalReply = { status, body, headers, grpcStatus: -1, details, responseFlags };
    this.#callbacks.sendLocalReply(reply);
  }

  #replyHeaders(isOverload: boolean): readonly string[] | null {
    const showsOverload = isOverload && !this.#context.config.suppressEnvoyHeaders;
    const showsAttempts = this.#route?.includeAttemptCountInResponse === true;
    const attempts = showsAttempts ? this.#callbacks.streamInfo.attemptCount : 0;
    return failureHeaders(showsOverload, attempts);
  }

  #charge(status: number, host: Host | null): void {
    if (!this.#context.config.dynamicStats || this.#callbacks.streamInfo.healthCheck) return;
    this.#cluster?.responseStats.charge(status, this.#isInternal);
    if (status >= 500 && status < 600) host?.stats.rqError.inc();
  }

  #letGo(): void {
    this.#finish();
    this.#upstream.giveUp();
    this.#upstream.resume();
    this.#endFilters();
  }

  /** Nothing of this stream calls back any more. */
  #finish(): void {
    this.#state = State.Done;
    this.#timers.cancelAll();
  }
}
