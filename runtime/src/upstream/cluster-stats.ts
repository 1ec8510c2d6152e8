// The traffic counters of one cluster, named as Envoy's; made when the cluster is first used.
import type { Counter, Gauge, Histogram, StatsStore } from "../stats/store.ts";

/** Names that exist for every cluster though nothing here moves them yet. */
const restingCounters: readonly string[] = [
  "assignment_stale",
  "assignment_timeout_received",
  "assignment_use_cached",
  "lb_local_cluster_not_ok",
  "lb_recalculate_zone_structures",
  "lb_subsets_created",
  "lb_subsets_fallback",
  "lb_subsets_fallback_panic",
  "lb_subsets_removed",
  "lb_subsets_selected",
  "lb_zone_cluster_too_small",
  "lb_zone_no_capacity_left",
  "lb_zone_routing_all_directly",
  "lb_zone_routing_cross_zone",
  "lb_zone_routing_sampled",
  "membership_change",
  "original_dst_host_invalid",
  "retry_or_shadow_abandoned",
  "update_attempt",
  "update_empty",
  "update_failure",
  "update_no_rebuild",
  "update_success",
  "upstream_cx_connect_with_0_rtt",
  "upstream_cx_http3_total",
  "upstream_http3_broken",
  "upstream_internal_redirect_failed_total",
  "upstream_internal_redirect_succeeded_total",
  "upstream_rq_0rtt",
  "upstream_rq_maintenance_mode",
  "upstream_rq_per_try_idle_timeout",
  "upstream_rq_retry",
  "upstream_rq_retry_backoff_exponential",
  "upstream_rq_retry_backoff_ratelimited",
  "upstream_rq_retry_limit_exceeded",
  "upstream_rq_retry_overflow",
  "upstream_rq_retry_success",
];

const restingGauges: readonly string[] = [
  "lb_subsets_active",
  "max_host_weight",
  "membership_degraded",
  "membership_excluded",
  "membership_healthy",
  "membership_total",
  "upstream_cx_rx_bytes_buffered",
  "version",
  "warming_state",
];

/** Counters by what they count; the name of each stands in the constructor. */
export class ClusterStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxHttp1Total: Counter;
  readonly cxHttp2Total: Counter;
  readonly cxConnectFail: Counter;
  readonly cxConnectTimeout: Counter;
  readonly cxConnectMs: Histogram;
  readonly cxLengthMs: Histogram;
  readonly rqPerCx: Histogram;
  readonly cxConnectAttemptsExceeded: Counter;
  /** The source address could not be bound. */
  readonly bindErrors: Counter;
  readonly cxOverflow: Counter;
  /** A host has too many pools. */
  readonly cxPoolOverflow: Counter;
  readonly cxNoneHealthy: Counter;
  readonly cxIdleTimeout: Counter;
  /** The peer took no more of the last bytes. */
  readonly cxFlushTimeout: Counter;
  readonly cxMaxDurationReached: Counter;
  readonly cxMaxRequests: Counter;
  readonly cxCloseNotify: Counter;
  readonly cxProtocolError: Counter;
  readonly cxDestroy: Counter;
  readonly cxDestroyLocal: Counter;
  readonly cxDestroyRemote: Counter;
  readonly cxDestroyWithActive: Counter;
  readonly cxDestroyLocalWithActive: Counter;
  readonly cxDestroyRemoteWithActive: Counter;
  readonly cxRxBytesTotal: Counter;
  readonly cxTxBytesTotal: Counter;
  /** Written, and not taken by the kernel. */
  readonly cxTxBytesBuffered: Gauge;
  readonly flowBackedUp: Counter;
  readonly flowDrained: Counter;
  readonly flowPausedReading: Counter;
  readonly flowResumedReading: Counter;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqPendingTotal: Counter;
  readonly rqPendingActive: Gauge;
  readonly rqPendingOverflow: Counter;
  readonly rqActiveOverflow: Counter;
  readonly rqPendingFailureEject: Counter;
  readonly rqCancelled: Counter;
  readonly rqMaxDurationReached: Counter;
  /** By the peer, and by us: streams of HTTP/2 only. */
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqTimeout: Counter;
  readonly rqPerTryTimeout: Counter;
  /** Headgate's own: requests sent again because a kept connection was dead (decision of pools). */
  readonly rqStaleConnectionRetry: Counter;
  readonly lbHealthyPanic: Counter;
  readonly #store: StatsStore;
  readonly #scope: string;

  /** `scope` is "cluster.<name>.". */
  constructor(store: StatsStore, scope: string) {
    this.cxTotal = store.counter(`${scope}upstream_cx_total`);
    this.cxActive = store.gauge(`${scope}upstream_cx_active`);
    this.cxHttp1Total = store.counter(`${scope}upstream_cx_http1_total`);
    this.cxHttp2Total = store.counter(`${scope}upstream_cx_http2_total`);
    this.cxConnectFail = store.counter(`${scope}upstream_cx_connect_fail`);
    this.cxConnectTimeout = store.counter(`${scope}upstream_cx_connect_timeout`);
    this.cxConnectMs = store.histogram(`${scope}upstream_cx_connect_ms`);
    this.cxLengthMs = store.histogram(`${scope}upstream_cx_length_ms`);
    this.rqPerCx = store.histogram(`${scope}upstream_rq_per_cx`);
    this.cxConnectAttemptsExceeded = store.counter(`${scope}upstream_cx_connect_attempts_exceeded`);
    this.bindErrors = store.counter(`${scope}bind_errors`);
    this.cxOverflow = store.counter(`${scope}upstream_cx_overflow`);
    this.cxPoolOverflow = store.counter(`${scope}upstream_cx_pool_overflow`);
    this.cxNoneHealthy = store.counter(`${scope}upstream_cx_none_healthy`);
    this.cxIdleTimeout = store.counter(`${scope}upstream_cx_idle_timeout`);
    this.cxFlushTimeout = store.counter(`${scope}upstream_cx_flush_timeout`);
    this.cxMaxDurationReached = store.counter(`${scope}upstream_cx_max_duration_reached`);
    this.cxMaxRequests = store.counter(`${scope}upstream_cx_max_requests`);
    this.cxCloseNotify = store.counter(`${scope}upstream_cx_close_notify`);
    this.cxProtocolError = store.counter(`${scope}upstream_cx_protocol_error`);
    this.cxDestroy = store.counter(`${scope}upstream_cx_destroy`);
    this.cxDestroyLocal = store.counter(`${scope}upstream_cx_destroy_local`);
    this.cxDestroyRemote = store.counter(`${scope}upstream_cx_destroy_remote`);
    this.cxDestroyWithActive = store.counter(`${scope}upstream_cx_destroy_with_active_rq`);
    this.cxDestroyLocalWithActive = store.counter(
      `${scope}upstream_cx_destroy_local_with_active_rq`,
    );
    this.cxDestroyRemoteWithActive = store.counter(
      `${scope}upstream_cx_destroy_remote_with_active_rq`,
    );
    this.cxRxBytesTotal = store.counter(`${scope}upstream_cx_rx_bytes_total`);
    this.cxTxBytesTotal = store.counter(`${scope}upstream_cx_tx_bytes_total`);
    this.cxTxBytesBuffered = store.gauge(`${scope}upstream_cx_tx_bytes_buffered`);
    this.flowBackedUp = store.counter(`${scope}upstream_flow_control_backed_up_total`);
    this.flowDrained = store.counter(`${scope}upstream_flow_control_drained_total`);
    this.flowPausedReading = store.counter(`${scope}upstream_flow_control_paused_reading_total`);
    this.flowResumedReading = store.counter(`${scope}upstream_flow_control_resumed_reading_total`);
    this.rqTotal = store.counter(`${scope}upstream_rq_total`);
    this.rqActive = store.gauge(`${scope}upstream_rq_active`);
    this.rqPendingTotal = store.counter(`${scope}upstream_rq_pending_total`);
    this.rqPendingActive = store.gauge(`${scope}upstream_rq_pending_active`);
    this.rqPendingOverflow = store.counter(`${scope}upstream_rq_pending_overflow`);
    this.rqActiveOverflow = store.counter(`${scope}upstream_rq_active_overflow`);
    this.rqPendingFailureEject = store.counter(`${scope}upstream_rq_pending_failure_eject`);
    this.rqCancelled = store.counter(`${scope}upstream_rq_cancelled`);
    this.rqMaxDurationReached = store.counter(`${scope}upstream_rq_max_duration_reached`);
    this.rqRxReset = store.counter(`${scope}upstream_rq_rx_reset`);
    this.rqTxReset = store.counter(`${scope}upstream_rq_tx_reset`);
    this.rqTimeout = store.counter(`${scope}upstream_rq_timeout`);
    this.rqPerTryTimeout = store.counter(`${scope}upstream_rq_per_try_timeout`);
    this.rqStaleConnectionRetry = store.counter(`${scope}upstream_rq_stale_connection_retry`);
    this.lbHealthyPanic = store.counter(`${scope}lb_healthy_panic`);
    this.#store = store;
    this.#scope = scope;
  }

  /** A PROXY header had no room for all its TLVs. */
  countCutTlvs(): void {
    this.#store.counter(`${this.#scope}upstream.proxyprotocol.v2_tlvs_exceed_max_length`).inc();
  }

  /** Makes the names that Envoy lists for each cluster from its start; main does so. */
  static defineAll(store: StatsStore, scope: string): void {
    for (const name of restingCounters) store.counter(scope + name);
    for (const name of restingGauges) store.gauge(scope + name);
  }
}

/**
 * Counters of one host, hidden from /stats by their first character; /clusters shows their sums.
 */
export class HostStats {
  readonly cxActive: Gauge;
  readonly cxConnectFail: Counter;
  readonly cxTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqError: Counter;
  readonly rqPendingActive: Gauge;
  readonly rqSuccess: Counter;
  readonly rqTimeout: Counter;
  readonly rqTotal: Counter;

  /** Names are "@host.<cluster>|<address>|<counter>". */
  constructor(store: StatsStore, cluster: string, address: string) {
    const prefix = `@host.${cluster}|${address}|`;
    this.cxActive = store.gauge(`${prefix}cx_active`);
    this.cxConnectFail = store.counter(`${prefix}cx_connect_fail`);
    this.cxTotal = store.counter(`${prefix}cx_total`);
    this.rqActive = store.gauge(`${prefix}rq_active`);
    this.rqError = store.counter(`${prefix}rq_error`);
    this.rqPendingActive = store.gauge(`${prefix}rq_pending_active`);
    this.rqSuccess = store.counter(`${prefix}rq_success`);
    this.rqTimeout = store.counter(`${prefix}rq_timeout`);
    this.rqTotal = store.counter(`${prefix}rq_total`);
  }
}
