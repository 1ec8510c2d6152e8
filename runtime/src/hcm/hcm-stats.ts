// Counters of a connection manager, named as Envoy's: http.<stat_prefix>. and the listener's twins.
// Made once per configuration.
import type { Http1ServerStats } from "../codec/http1/server-connection.ts";
import type { Counter, Gauge, Histogram, StatsStore } from "../stats/store.ts";
import { NormalizeResult } from "./request-normalizer.ts";

/** Names that exist from the start though nothing here moves them yet. */
const restingCounters: readonly string[] = [
  "downstream_cx_http2_total",
  "downstream_cx_http3_total",
  "downstream_rq_http2_total",
  "downstream_rq_http3_total",
  "downstream_rq_rejected_via_ip_detection",
  "downstream_rq_too_many_premature_resets",
];
const restingGauges: readonly string[] = [
  "downstream_cx_http2_active",
  "downstream_cx_http3_active",
];
const tracingCounters: readonly string[] = [
  "random_sampling",
  "service_forced",
  "client_enabled",
  "not_traceable",
  "health_check",
];

/** Responses by class; the listener's twins have the same shape. */
class ResponseClassStats {
  readonly completed: Counter;
  readonly #classes: readonly Counter[];

  constructor(store: StatsStore, scope: string) {
    this.completed = store.counter(`${scope}downstream_rq_completed`);
    this.#classes = [1, 2, 3, 4, 5].map((n) => store.counter(`${scope}downstream_rq_${n}xx`));
  }

  charge(status: number): void {
    this.completed.inc();
    const index = Math.floor(status / 100) - 1;
    this.#classes[index]?.inc();
  }
}

/** The codec's counters: `http1.`, shared by all connection managers, as in Envoy. */
export function createHttp1Stats(store: StatsStore): Http1ServerStats {
  return {
    droppedHeadersWithUnderscores: store.counter("http1.dropped_headers_with_underscores"),
    requestsRejectedWithUnderscoresInHeaders: store.counter(
      "http1.requests_rejected_with_underscores_in_headers",
    ),
  };
}

export class HcmStats {
  readonly #responses: ResponseClassStats;
  readonly #listenerResponses: ResponseClassStats;
  // Connections.
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxSslTotal: Counter;
  readonly cxSslActive: Gauge;
  readonly cxHttp1Total: Counter;
  readonly cxHttp1Active: Gauge;
  readonly cxHttp1SoftDrain: Gauge;
  readonly cxDestroy: Counter;
  readonly cxDestroyLocal: Counter;
  readonly cxDestroyRemote: Counter;
  readonly cxDestroyActiveRq: Counter;
  readonly cxDestroyLocalActiveRq: Counter;
  readonly cxDestroyRemoteActiveRq: Counter;
  readonly cxDelayedCloseTimeout: Counter;
  readonly cxDrainClose: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxMaxDurationReached: Counter;
  readonly cxMaxRequestsReached: Counter;
  readonly cxOverloadDisableKeepAlive: Counter;
  readonly cxProtocolError: Counter;
  /** Upgrades and CONNECTs that were let through, whatever became of them. */
  readonly cxUpgradesTotal: Counter;
  readonly cxUpgradesActive: Gauge;
  readonly cxRxBytesTotal: Counter;
  readonly cxTxBytesTotal: Counter;
  /** Read, and waiting for the request before it to end. */
  readonly cxRxBytesBuffered: Gauge;
  /** Written, and not taken by the kernel. */
  readonly cxTxBytesBuffered: Gauge;
  readonly cxLengthMs: Histogram;
  // Requests.
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqHttp1Total: Counter;
  readonly rqFailedPathNormalization: Counter;
  readonly rqRedirectedWithNormalizedPath: Counter;
  readonly rqNonRelativePath: Counter;
  readonly rqIdleTimeout: Counter;
  readonly rqTimeout: Counter;
  readonly rqHeaderTimeout: Counter;
  readonly rqMaxDurationReached: Counter;
  readonly rqOverloadClose: Counter;
  readonly rqTooLarge: Counter;
  readonly rsTooLarge: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqResponseBeforeComplete: Counter;
  readonly rqWsOnNonWsRoute: Counter;
  readonly rqTime: Histogram;
  readonly flowControlPaused: Counter;
  readonly flowControlResumed: Counter;
  /** Of all managers together: ended, and not kept to be used again. */
  readonly streamsNotKept: Counter;

  /** `listenerStatPrefix` is the address infix of listener stats, "127.0.0.1_10000". */
  constructor(store: StatsStore, statPrefix: string, listenerStatPrefix: string) {
    const http = `http.${statPrefix}.`;
    const cx = `${http}downstream_cx_`;
    const rq = `${http}downstream_rq_`;
    this.#responses = new ResponseClassStats(store, http);
    this.#listenerResponses = new ResponseClassStats(
      store,
      `listener.${listenerStatPrefix}.http.${statPrefix}.`,
    );
    this.cxTotal = store.counter(`${cx}total`);
    this.cxActive = store.gauge(`${cx}active`);
    this.cxSslTotal = store.counter(`${cx}ssl_total`);
    this.cxSslActive = store.gauge(`${cx}ssl_active`);
    this.cxHttp1Total = store.counter(`${cx}http1_total`);
    this.cxHttp1Active = store.gauge(`${cx}http1_active`);
    this.cxHttp1SoftDrain = store.gauge(`${cx}http1_soft_drain`);
    this.cxDestroy = store.counter(`${cx}destroy`);
    this.cxDestroyLocal = store.counter(`${cx}destroy_local`);
    this.cxDestroyRemote = store.counter(`${cx}destroy_remote`);
    this.cxDestroyActiveRq = store.counter(`${cx}destroy_active_rq`);
    this.cxDestroyLocalActiveRq = store.counter(`${cx}destroy_local_active_rq`);
    this.cxDestroyRemoteActiveRq = store.counter(`${cx}destroy_remote_active_rq`);
    this.cxDelayedCloseTimeout = store.counter(`${cx}delayed_close_timeout`);
    this.cxDrainClose = store.counter(`${cx}drain_close`);
    this.cxIdleTimeout = store.counter(`${cx}idle_timeout`);
    this.cxMaxDurationReached = store.counter(`${cx}max_duration_reached`);
    this.cxMaxRequestsReached = store.counter(`${cx}max_requests_reached`);
    this.cxOverloadDisableKeepAlive = store.counter(`${cx}overload_disable_keepalive`);
    this.cxProtocolError = store.counter(`${cx}protocol_error`);
    this.cxUpgradesTotal = store.counter(`${cx}upgrades_total`);
    this.cxUpgradesActive = store.gauge(`${cx}upgrades_active`);
    this.cxRxBytesTotal = store.counter(`${cx}rx_bytes_total`);
    this.cxTxBytesTotal = store.counter(`${cx}tx_bytes_total`);
    this.cxRxBytesBuffered = store.gauge(`${cx}rx_bytes_buffered`);
    this.cxTxBytesBuffered = store.gauge(`${cx}tx_bytes_buffered`);
    this.cxLengthMs = store.histogram(`${cx}length_ms`);
    this.rqTotal = store.counter(`${rq}total`);
    this.rqActive = store.gauge(`${rq}active`);
    this.rqHttp1Total = store.counter(`${rq}http1_total`);
    this.rqFailedPathNormalization = store.counter(`${rq}failed_path_normalization`);
    this.rqRedirectedWithNormalizedPath = store.counter(`${rq}redirected_with_normalized_path`);
    this.rqNonRelativePath = store.counter(`${rq}non_relative_path`);
    this.rqIdleTimeout = store.counter(`${rq}idle_timeout`);
    this.rqTimeout = store.counter(`${rq}timeout`);
    this.rqHeaderTimeout = store.counter(`${rq}header_timeout`);
    this.rqMaxDurationReached = store.counter(`${rq}max_duration_reached`);
    this.rqOverloadClose = store.counter(`${rq}overload_close`);
    this.rqTooLarge = store.counter(`${rq}too_large`);
    this.rsTooLarge = store.counter(`${http}rs_too_large`);
    this.rqRxReset = store.counter(`${rq}rx_reset`);
    this.rqTxReset = store.counter(`${rq}tx_reset`);
    this.rqResponseBeforeComplete = store.counter(`${rq}response_before_rq_complete`);
    this.rqWsOnNonWsRoute = store.counter(`${rq}ws_on_non_ws_route`);
    this.rqTime = store.histogram(`${rq}time`);
    this.flowControlPaused = store.counter(`${http}downstream_flow_control_paused_reading_total`);
    this.flowControlResumed = store.counter(`${http}downstream_flow_control_resumed_reading_total`);
    this.streamsNotKept = store.counter("memory.streams_not_kept");
    for (const name of restingCounters) store.counter(http + name);
    for (const name of restingGauges) store.gauge(http + name);
    for (const name of tracingCounters) store.counter(`${http}tracing.${name}`);
  }

  /** A local reply is made, or a response cut off, by its response code details. */
  countReply(details: string): void {
    if (details === "request_payload_too_large") this.rqTooLarge.inc();
    else if (details === "response_payload_too_large") this.rsTooLarge.inc();
    else if (details === "max_duration_timeout") this.rqMaxDurationReached.inc();
  }

  /** An upgrade or CONNECT is let through. */
  countUpgrade(): void {
    this.cxUpgradesTotal.inc();
    this.cxUpgradesActive.inc();
  }

  /** A request is answered before it is routed. */
  countRefusal(result: NormalizeResult): void {
    if (result === NormalizeResult.NotRelative) this.rqNonRelativePath.inc();
    else if (result === NormalizeResult.BadPath) this.rqFailedPathNormalization.inc();
    else if (result === NormalizeResult.Redirect) this.rqRedirectedWithNormalizedPath.inc();
  }

  /** A response's headers go out; 1xx count too. */
  chargeResponse(status: number): void {
    this.#responses.charge(status);
    this.#listenerResponses.charge(status);
  }
}
