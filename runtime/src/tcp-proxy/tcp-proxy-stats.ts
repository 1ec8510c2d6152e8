// Counters of a TCP proxy, named as Envoy's `tcp.<stat_prefix>.`; made once per configuration.
import type { Counter, Gauge, StatsStore } from "../stats/store.ts";

/** Names that exist from the start though nothing here moves them. */
const restingCounters: readonly string[] = [
  "downstream_cx_drain_close",
  "downstream_cx_overload_close",
  "early_data_received_count_total",
  "route_delayed_total",
];

export class TcpProxyStats {
  readonly cxTotal: Counter;
  /** The cluster is not there. */
  readonly cxNoRoute: Counter;
  readonly cxRxBytesTotal: Counter;
  readonly cxTxBytesTotal: Counter;
  /** Written, and not taken by the kernel. */
  readonly cxTxBytesBuffered: Gauge;
  readonly flowPausedReading: Counter;
  readonly flowResumedReading: Counter;
  readonly idleTimeout: Counter;
  readonly maxDuration: Counter;
  /** Upstream connections that still had bytes to send when the downstream was gone. */
  readonly upstreamFlushTotal: Counter;
  readonly upstreamFlushActive: Gauge;

  constructor(store: StatsStore, statPrefix: string) {
    const scope = `tcp.${statPrefix}.`;
    this.cxTotal = store.counter(`${scope}downstream_cx_total`);
    this.cxNoRoute = store.counter(`${scope}downstream_cx_no_route`);
    this.cxRxBytesTotal = store.counter(`${scope}downstream_cx_rx_bytes_total`);
    this.cxTxBytesTotal = store.counter(`${scope}downstream_cx_tx_bytes_total`);
    this.cxTxBytesBuffered = store.gauge(`${scope}downstream_cx_tx_bytes_buffered`);
    this.flowPausedReading = store.counter(`${scope}downstream_flow_control_paused_reading_total`);
    this.flowResumedReading = store.counter(
      `${scope}downstream_flow_control_resumed_reading_total`,
    );
    this.idleTimeout = store.counter(`${scope}idle_timeout`);
    this.maxDuration = store.counter(`${scope}max_downstream_connection_duration`);
    this.upstreamFlushTotal = store.counter(`${scope}upstream_flush_total`);
    this.upstreamFlushActive = store.gauge(`${scope}upstream_flush_active`);
    // Nothing that was read waits here.
    store.gauge(`${scope}downstream_cx_rx_bytes_buffered`);
    for (const name of restingCounters) store.counter(scope + name);
  }
}
