// One request with its response: joins codec, filter chain and router; the place where a stream
// ends, is counted and logged. Reused through the factory's capped free list.
//
//   Idle -- start --> Reading head -- decodeHeaders --> Filtering -- response's end, reset -->
//   Ended
//
// A stream ends in #end() and nowhere else. The object is used again only in a later turn: filters,
// the router and the codec may still be on the stack.
import {
  type CodecError,
  type RequestDecoder,
  type ResponseEncoder,
  StreamResetReason,
} from "../codec/codec.ts";
import { HeaderId } from "../core/header-names.ts";
import { HeaderMap } from "../core/header-map.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { FilterManager } from "../filter/filter-manager.ts";
import type { FilterChainEnds, HttpFilter, LocalReply } from "../filter/http-filter.ts";
import { isGrpcRequest } from "../core/grpc-status.ts";
import type { Route, RouterCallbacks } from "../router/route.ts";
import { Router } from "../router/router.ts";
import { opensTunnel } from "../router/tunnel.ts";
import type { ConnectionManager } from "./connection-manager.ts";
import type { HcmContext, StreamRouter } from "./hcm-context.ts";
import { joinRequestLines } from "./joined-headers.ts";
import { addHeadersOfReply } from "./local-reply.ts";
import { replies, replyToCodecError } from "./replies.ts";
import { NormalizeResult, normalizeReplies, redirectReply } from "./request-normalizer.ts";
import { takesContinue } from "./request-sanitizer.ts";
import { isUnroutable, nameCluster, noteRoute } from "./routed.ts";
import { StreamTimeout, type StreamTimeoutReceiver, StreamTimers } from "./stream-timer.ts";
import { UpgradePolicy } from "./upgrade-policy.ts";

const noFilters: readonly HttpFilter[] = [];

export class ActiveStream
  implements RequestDecoder, FilterChainEnds, RouterCallbacks, StreamTimeoutReceiver
{
  readonly streamInfo: StreamInfo;
  readonly #context: HcmContext;
  readonly #filters: FilterManager;
  readonly #router: StreamRouter;
  readonly #timers: StreamTimers;
  /** Of local replies and 100 Continue; responses of upstreams bring their own. */
  #ownHeaders: HeaderMap | null = null;
  #manager: ConnectionManager | null = null;
  #encoder: ResponseEncoder | null = null;
  #requestHeaders: HeaderMap | null = null;
  #responseHeaders: HeaderMap | null = null;
  #responseTrailers: HeaderMap | null = null;
  #route: Route | null = null;
  #isRouteStale: boolean = false;
  /** The headers' `pseudoChanges`, where they alone have decided; -1 = more has. */
  #routedAt: number = -1;
  isHeadRequest: boolean = false;
  #isGrpc: boolean = false;
  upgradeType: string = "";
  /** The whole request has come from the client. */
  isRequestComplete: boolean = false;
  #isResponseComplete: boolean = false;
  #isChainStarted: boolean = false;
  #hasReachedRouter: boolean = false;
  #isUpstreamPaused: boolean = false;
  /** The answer says `connection: close` whatever the client wants. */
  #mustClose: boolean = false;
  /** The client may still be sending: the connection waits before it is closed. */
  closesDelayed: boolean = false;
  /** Monotonic milliseconds of the last byte in either direction. */
  lastActivityMs: number = 0;
  /** Milliseconds without a byte that end the stream; 0 = off. */
  idleTimeoutMs: number = 0;

  constructor(context: HcmContext) {
    this.streamInfo = new StreamInfo();
    this.#context = context;
    this.#filters = new FilterManager();
    this.#timers = new StreamTimers(this, context.timers);
    this.#router = context.createRouter?.(this) ?? new Router(this, context.router);
  }

  /** Begins a stream of `manager`'s connection. */
  start(manager: ConnectionManager, encoder: ResponseEncoder, protocol: number): void {
    const { clock, config, nextStreamId, stats } = this.#context;
    const nowMs = clock.nowMs;
    const connection = manager.callbacks.info;
    this.#manager = manager;
    this.#encoder = encoder;
    this.#route = null;
    this.#isRouteStale = false;
    this.isHeadRequest = false;
    this.#isGrpc = false;
    this.upgradeType = "";
    this.isRequestComplete = false;
    this.#isResponseComplete = false;
    this.#isChainStarted = false;
    this.#hasReachedRouter = false;
    this.#isUpstreamPaused = false;
    this.#mustClose = false;
    this.closesDelayed = false;
    this.lastActivityMs = nowMs;
    this.idleTimeoutMs = config.streamIdleTimeoutMs;
    this.#router.reset();
    this.streamInfo.reset(connection, nextStreamId(), nowMs);
    this.streamInfo.protocol = protocol;
    this.streamInfo.downstreamBytes = encoder;
    this.streamInfo.filterChainName = connection.filterChainName;
    stats.rqTotal.inc();
    stats.rqHttp1Total.inc();
    stats.rqActive.inc();
    this.#timers.start(nowMs, config.requestTimeoutMs, config.maxStreamDurationMs);
  }

  /** In a later turn: lets go of what the stream held. */
  recycle(): void {
    if (this.#requestHeaders !== null) this.#context.http1.giveMap(this.#requestHeaders);
    this.#requestHeaders = null;
    this.#responseHeaders = null;
    this.#responseTrailers = null;
    this.#route = null;
    this.#ownHeaders?.reset();
  }

  // ---- RequestDecoder: from the codec.

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    const { config, normalizer, overload, sanitizer } = this.#context;
    const connection = this.#ownManager().callbacks.info;
    const whole = connection.stream;
    if (whole !== null) whole.protocol = this.streamInfo.protocol;
    this.#requestHeaders = headers;
    joinRequestLines(headers);
    this.isHeadRequest = headers.method === "HEAD";
    this.#isGrpc = isGrpcRequest(headers);
    if (endStream) this.#onRequestComplete();
    // As Envoy: who is answered before this call returns is not known to have sent everything.
    this.closesDelayed = true;
    if (overload.stopRequests.occurs() || overload.shedHeaders.occurs()) return this.#shed();
    if (!config.proxy100Continue && takesContinue(headers)) this.#sendContinue();
    const result = normalizer.normalize(headers, connection.localPort, this.#isGrpc);
    if (result !== NormalizeResult.Ok) return this.#refuse(result, headers);
    sanitizer.sanitize(headers, connection, this.streamInfo);
    this.#chooseRoute(headers);
    this.#startChain();
    if (!this.#takeUpgrade(UpgradePolicy.typeOf(headers))) return;
    this.#filters.decodeHeaders(headers, endStream);
    if (this.#manager !== null) this.closesDelayed = false;
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    this.lastActivityMs = this.#context.clock.nowMs;
    this.streamInfo.bytesReceived += to - from;
    if (endStream) this.#onRequestComplete();
    this.#filters.decodeData(buffer, from, to, endStream);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.lastActivityMs = this.#context.clock.nowMs;
    this.#onRequestComplete();
    this.#filters.decodeTrailers(trailers);
  }

  onDecodeError(error: CodecError): void {
    const reply = replyToCodecError(error);
    this.streamInfo.responseFlags |= reply.responseFlags;
    this.isRequestComplete = false;
    this.#startChain();
    this.#filters.sendLocalReply(reply);
  }

  /** The connection is gone, or the client said that it is. */
  onResetStream(_reason: StreamResetReason): void {
    const info = this.streamInfo;
    const who = this.#ownManager().isPeerGone ? "remote" : "local";
    this.#encoder = null;
    this.#context.stats.rqRxReset.inc();
    info.responseFlags |= ResponseFlag.DownstreamConnectionTermination;
    info.responseCodeDetails = `downstream_${who}_disconnect`;
    this.#end();
  }

  onEncodeWritable(): void {
    if (!this.#isUpstreamPaused) return;
    this.#isUpstreamPaused = false;
    this.#router.responseReadDisable(false);
  }

  // ---- FilterChainEnds: the request leaves the chain towards the router.

  onRequestHeaders(headers: HeaderMap, end: boolean): void {
    this.#hasReachedRouter = true;
    if (end) this.#timers.cancelRequest();
    this.#router.onRequestHeaders(headers, end);
  }

  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (end) this.#timers.cancelRequest();
    this.#router.onRequestData(buffer, from, to, end);
  }

  onRequestTrailers(trailers: HeaderMap): void {
    this.#timers.cancelRequest();
    this.#router.onRequestTrailers(trailers);
  }

  // ---- RouterCallbacks: the response comes from the upstream.

  /** Null = none matched. Chosen again when a filter cleared it. */
  get route(): Route | null {
    const headers = this.#requestHeaders;
    if (this.#isRouteStale && headers !== null && this.#isRouteAffected(headers))
      this.#chooseRoute(headers);
    return this.#route;
  }

  onUpstreamInformational(headers: HeaderMap): void {
    if (!this.#context.config.proxy100Continue) return;
    this.#context.stats.chargeResponse(headers.status);
    this.#encoder?.encodeInformational(headers);
  }

  onUpstreamHeaders(headers: HeaderMap, end: boolean): void {
    this.lastActivityMs = this.#context.clock.nowMs;
    this.#responseHeaders = headers;
    this.#filters.encodeHeaders(headers, end);
  }

  onUpstreamData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.lastActivityMs = this.#context.clock.nowMs;
    this.#filters.encodeData(buffer, from, to, end);
  }

  onUpstreamTrailers(trailers: HeaderMap): void {
    this.lastActivityMs = this.#context.clock.nowMs;
    this.#filters.encodeTrailers(trailers);
  }

  sendLocalReply(reply: LocalReply): void {
    this.#filters.sendLocalReply(reply);
  }

  requestReadDisable(disabled: boolean): void {
    const { stats } = this.#context;
    (disabled ? stats.flowControlPaused : stats.flowControlResumed).inc();
    this.#encoder?.readDisable(disabled);
  }

  // ---- FilterChainEnds: the response leaves the chain towards the codec.

  onResponseHeaders(headers: HeaderMap, end: boolean): void {
    const encoder = this.#encoder;
    if (encoder === null) return;
    const { clock, finisher, stats } = this.#context;
    const info = this.streamInfo;
    this.#responseHeaders = headers;
    this.#timers.cancelRequest();
    finisher.finish(headers, this.#requestHeaders);
    this.#ownManager().drainIfAsked();
    if (!this.isRequestComplete) {
      stats.rqResponseBeforeComplete.inc();
      // As Envoy: even if the rest comes before the answer's end.
      this.closesDelayed = true;
    }
    if (this.#mustClose) headers.setById(HeaderId.Connection, "close");
    info.responseCode = headers.status;
    info.downstreamFirstTxMs = clock.nowMs;
    stats.chargeResponse(headers.status);
    if (end) this.#onResponseComplete();
    encoder.encodeHeaders(headers, end);
    if (end) this.#end();
    else if (opensTunnel(this.upgradeType, headers.status)) encoder.startTunnel();
  }

  onResponseData(buffer: Buffer, from: number, to: number, end: boolean): void {
    const encoder = this.#encoder;
    if (encoder === null) return;
    if (!this.isHeadRequest) this.streamInfo.bytesSent += to - from;
    if (end) this.#onResponseComplete();
    const isTaken = encoder.encodeData(buffer, from, to, end);
    if (end) this.#end();
    else if (!isTaken && !this.#isUpstreamPaused) {
      this.#isUpstreamPaused = true;
      this.#router.responseReadDisable(true);
    }
  }

  onResponseTrailers(trailers: HeaderMap): void {
    const encoder = this.#encoder;
    if (encoder === null) return;
    this.#responseTrailers = trailers;
    this.#onResponseComplete();
    encoder.encodeTrailers(trailers);
    this.#end();
  }

  onLocalReply(reply: LocalReply): void {
    const { localReplies, config } = this.#context;
    const headers = this.#emptyHeaders();
    const info = this.streamInfo;
    const requestHeaders = this.#requestHeaders;
    // A filter may hold the reply: the upstream's answer must not come after it has begun.
    this.#router.destroy();
    this.#context.stats.countReply(reply.details);
    info.responseFlags |= reply.responseFlags;
    info.responseCodeDetails = reply.details.replace(/\s/g, "_");
    // A bad request leaves doubt about where the next one begins.
    if (reply.status === 400 && !config.streamErrorOnInvalidHttpMessage) this.#mustClose = true;
    headers.status = reply.status;
    const choice = this.#router.clusterChoice;
    addHeadersOfReply(reply, headers, this.#route, info, requestHeaders, choice);
    const body = localReplies.write(reply, headers, info, requestHeaders, this.#isGrpc);
    const hasBody = body !== "" && !this.isHeadRequest;
    this.#filters.encodeHeaders(headers, !hasBody);
    if (!hasBody) return;
    const bytes = Buffer.from(body, "latin1");
    this.#filters.encodeData(bytes, 0, bytes.length, true);
  }

  /** The answer has begun: it is cut, and counted as the reply that it would have been. */
  onFilterReset(details: string, responseFlags: number): void {
    const encoder = this.#encoder;
    if (encoder === null) return;
    this.streamInfo.responseFlags |= responseFlags;
    this.streamInfo.responseCodeDetails = details.replace(/\s/g, "_");
    this.closesDelayed = true;
    this.#context.stats.countReply(details);
    this.#context.stats.rqTxReset.inc();
    encoder.resetStream(StreamResetReason.LocalReset);
    this.#end();
  }

  /** The route is chosen when it is asked for: a filter may clear it for each header it changes. */
  onClearRouteCache(): void {
    this.#isRouteStale = true;
  }

  onDecodeReadDisable(disabled: boolean): void {
    this.requestReadDisable(disabled);
  }

  onEncodeReadDisable(disabled: boolean): void {
    this.#router.responseReadDisable(disabled);
  }

  // ---- Timeouts.

  /** Nothing moved for idleTimeoutMs; found out by the connection's look around. */
  onIdleTimeout(): void {
    this.#context.stats.rqIdleTimeout.inc();
    this.#timeOut(this.isRequestComplete ? replies.responseIdle : replies.requestIdle);
  }

  onStreamTimeout(kind: StreamTimeout): void {
    const isRequest = kind === StreamTimeout.Request;
    if (isRequest) this.#context.stats.rqTimeout.inc();
    const { requestDuration, requestHeld, requestTimeout, responseDuration } = replies;
    if (this.isRequestComplete) this.#timeOut(isRequest ? requestHeld : responseDuration);
    else this.#timeOut(isRequest ? requestTimeout : requestDuration);
  }

  #timeOut(reply: LocalReply): void {
    this.streamInfo.responseFlags |= reply.responseFlags;
    this.#startChain();
    this.#filters.sendLocalReply(reply);
  }

  // ---- Private parts.

  /** A method, because V8 calls private getters through its runtime. */
  #ownManager(): ConnectionManager {
    return this.#manager as ConnectionManager;
  }

  #onRequestComplete(): void {
    this.isRequestComplete = true;
    this.streamInfo.requestEndMs = this.lastActivityMs;
  }

  #onResponseComplete(): void {
    this.#isResponseComplete = true;
    if (!this.isRequestComplete) this.closesDelayed = true;
    this.streamInfo.downstreamLastTxMs = this.#context.clock.nowMs;
  }

  /** Answers without filters: they would take what there is too little of. As Envoy. */
  #shed(): void {
    const { bufferBytesMax, config, stats } = this.#context;
    stats.rqOverloadClose.inc();
    this.#isChainStarted = true;
    this.#filters.reset(noFilters, this, this.streamInfo, bufferBytesMax);
    const marks = config.appendLocalOverload;
    this.#filters.sendLocalReply(marks ? replies.overloadedMarked : replies.overloaded);
  }

  /** False: the request was answered. Nothing behind its head is ever read then. */
  #takeUpgrade(type: string | null): boolean {
    if (type === null) return true;
    const { stats, upgrades } = this.#context;
    if (upgrades.allows(type, this.#route)) {
      this.upgradeType = type;
      stats.countUpgrade();
      return true;
    }
    // As Envoy: a CONNECT that nobody routes is answered by the router.
    if (type === "connect" && this.#route === null) return true;
    stats.rqWsOnNonWsRoute.inc();
    this.#filters.sendLocalReply(replies.upgradeRefused);
    return false;
  }

  #emptyHeaders(): HeaderMap {
    this.#ownHeaders ??= new HeaderMap();
    this.#ownHeaders.reset();
    return this.#ownHeaders;
  }

  #sendContinue(): void {
    const headers = this.#emptyHeaders();
    headers.status = 100;
    this.streamInfo.responseCode = 100;
    this.#context.stats.chargeResponse(100);
    this.#encoder?.encodeInformational(headers);
  }

  #refuse(result: NormalizeResult, headers: HeaderMap): void {
    this.#context.stats.countRefusal(result);
    this.#startChain();
    this.#filters.sendLocalReply(normalizeReplies[result] ?? redirectReply(headers.path ?? "/"));
  }

  /** Most filters change headers that no route reads: 0.1 us less for the first of them. */
  #isRouteAffected(headers: HeaderMap): boolean {
    this.#isRouteStale = false;
    return headers.pseudoChanges !== this.#routedAt || isUnroutable(headers);
  }

  #chooseRoute(headers: HeaderMap): void {
    const { config, overload, random, routes } = this.#context;
    const info = this.streamInfo;
    const { isPlain } = routes;
    const isOdd = isUnroutable(headers);
    const tls = info.connection?.tls ?? null;
    const route = isOdd ? null : routes.match(headers, isPlain ? 0 : random.u32(), tls);
    this.#isRouteStale = false;
    this.#routedAt = isPlain && !isOdd ? headers.pseudoChanges : -1;
    this.#route = route;
    noteRoute(info, route);
    this.idleTimeoutMs = config.streamIdleTimeoutMs;
    if (route === null) return;
    if (route.idleTimeoutMs >= 0) {
      this.idleTimeoutMs = route.idleTimeoutMs;
      const limitMs = overload.streamIdleMs(route.idleTimeoutMs);
      if (limitMs > 0) this.#ownManager().checkWithin(limitMs);
    }
    // A route's own limit is the router's to keep.
    if (route.maxStreamDurationMs >= 0) this.#timers.cancelDuration();
  }

  /** Makes the chain once; early failures make it too, so that filters see and log the answer. */
  #startChain(): void {
    if (this.#isChainStarted) return;
    this.#isChainStarted = true;
    const { bufferBytesMax, filters } = this.#context;
    const { room } = this.#filters;
    const perFilter = this.#route?.perFilter ?? null;
    const chain = filters.createFilters(perFilter, this.streamInfo, this.#requestHeaders, room);
    this.#filters.reset(chain, this, this.streamInfo, bufferBytesMax);
  }

  /** Counts, logs, lets go, in Envoy's order: filters' on_log, access logs, the filters' end. */
  #end(): void {
    const manager = this.#manager;
    if (manager === null) return;
    const { accessLoggers, clock, stats } = this.#context;
    const info = this.streamInfo;
    // Otherwise the codec has reset the stream, and that is counted.
    const isOurs = this.#encoder !== null;
    this.#manager = null;
    this.#encoder = null;
    info.endMs = clock.nowMs;
    this.#timers.cancelRequest();
    this.#timers.cancelDuration();
    if (isOurs && !(this.isRequestComplete && this.#isResponseComplete)) stats.rqRxReset.inc();
    if (!this.#hasReachedRouter) nameCluster(info, this.#route, this.#requestHeaders);
    stats.rqActive.dec();
    if (this.upgradeType !== "") stats.cxUpgradesActive.dec();
    stats.rqTime.record(Math.trunc(info.endMs - info.startMs));
    if (this.#isChainStarted) this.#filters.log();
    for (let i = 0; i < accessLoggers.length; i += 1) {
      const logger = accessLoggers[i];
      logger?.log(info, this.#requestHeaders, this.#responseHeaders, this.#responseTrailers);
    }
    if (this.#isChainStarted) this.#filters.destroy();
    this.#router.destroy();
    manager.onStreamEnded(this);
  }
}
