// Stats of one listener in one worker, named as Envoy's `listener.<address>.`.
import type { Counter, Gauge, Histogram, StatsStore } from "../stats/store.ts";

export class ListenerStats {
  readonly cxTotal: Counter;
  readonly cxDestroy: Counter;
  readonly cxActive: Gauge;
  readonly cxOverflow: Counter;
  readonly cxOverloadReject: Counter;
  readonly globalCxOverflow: Counter;
  readonly cxLengthMs: Histogram;
  readonly noFilterChainMatch: Counter;
  /** Connections of chains without filters. */
  readonly extensionConfigMissing: Counter;
  readonly preCxActive: Gauge;
  readonly preCxTimeout: Counter;
  readonly listenerFilterRemoteClose: Counter;
  readonly cxTransportSocketConnectTimeout: Counter;
  readonly workerCxTotal: Counter;
  readonly workerCxActive: Gauge;

  constructor(store: StatsStore, statPrefix: string, workerIndex: number) {
    const scope = `listener.${statPrefix}.`;
    this.cxTotal = store.counter(`${scope}downstream_cx_total`);
    this.cxDestroy = store.counter(`${scope}downstream_cx_destroy`);
    this.cxActive = store.gauge(`${scope}downstream_cx_active`);
    this.cxOverflow = store.counter(`${scope}downstream_cx_overflow`);
    this.cxOverloadReject = store.counter(`${scope}downstream_cx_overload_reject`);
    this.globalCxOverflow = store.counter(`${scope}downstream_global_cx_overflow`);
    this.cxLengthMs = store.histogram(`${scope}downstream_cx_length_ms`);
    this.noFilterChainMatch = store.counter(`${scope}no_filter_chain_match`);
    this.extensionConfigMissing = store.counter(`${scope}network_extension_config_missing`);
    this.workerCxTotal = store.counter(`${scope}worker_${workerIndex}.downstream_cx_total`);
    this.workerCxActive = store.gauge(`${scope}worker_${workerIndex}.downstream_cx_active`);
    this.preCxActive = store.gauge(`${scope}downstream_pre_cx_active`);
    this.preCxTimeout = store.counter(`${scope}downstream_pre_cx_timeout`);
    this.listenerFilterRemoteClose = store.counter(
      `${scope}downstream_listener_filter_remote_close`,
    );
    this.cxTransportSocketConnectTimeout = store.counter(
      `${scope}downstream_cx_transport_socket_connect_timeout`,
    );
    // Names that exist from the start though nothing here moves them yet.
    store.counter(`${scope}downstream_listener_filter_error`);
  }
}
