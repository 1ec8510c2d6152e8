// The router's counters under http.<stat_prefix>., named as Envoy's. Made once per connection
// manager.
import type { Counter, StatsStore } from "../stats/store.ts";

/** Names that exist though nothing here moves them yet. */
const restingCounters: readonly string[] = [
  "passthrough_internal_redirect_bad_location",
  "passthrough_internal_redirect_no_route",
  "passthrough_internal_redirect_predicate",
  "passthrough_internal_redirect_too_many_redirects",
  "passthrough_internal_redirect_unsafe_scheme",
  "rq_overload_local_reply",
  // Redirects count as direct responses.
  "rq_redirect",
];

export class RouterStats {
  readonly noCluster: Counter;
  readonly noRoute: Counter;
  readonly rqDirectResponse: Counter;
  readonly rqResetAfterResponseStarted: Counter;
  readonly rqTotal: Counter;

  /** `statPrefix` is the connection manager's. */
  constructor(store: StatsStore, statPrefix: string) {
    const scope = `http.${statPrefix}.`;
    this.noCluster = store.counter(`${scope}no_cluster`);
    this.noRoute = store.counter(`${scope}no_route`);
    this.rqDirectResponse = store.counter(`${scope}rq_direct_response`);
    this.rqResetAfterResponseStarted = store.counter(
      `${scope}rq_reset_after_downstream_response_started`,
    );
    this.rqTotal = store.counter(`${scope}rq_total`);
    for (const name of restingCounters) store.counter(scope + name);
  }
}
