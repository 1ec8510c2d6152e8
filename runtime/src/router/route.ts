// Contracts inside the router's room and with hcm: what a chosen route offers, and how the router
// (the HTTP chain's end) and the stream that owns it talk.
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import type { ConnectConfig, PerFilterConfig, VirtualHostConfig } from "../config/snapshot.ts";

/**
 * One route of a table, resolved at configuration: methods run per request and look nothing up by
 * name. Made by route-table.ts; immutable.
 */
export interface Route {
  /** "" = none. */
  readonly name: string;
  readonly virtualHost: VirtualHostConfig;
  /** For guests: serialised envoy.config.core.v3.Metadata; absent = none. */
  readonly metadata?: Uint8Array | undefined;
  readonly kind: "route" | "redirect" | "direct_response";
  /** The cluster when no request can change it; "" = weighted, by header, or none. */
  readonly fixedCluster: string;
  /**
   * typed_per_filter_config of virtual host and route merged, most specific wins; null = nothing
   * said.
   */
  readonly perFilter: ReadonlyMap<string, PerFilterConfig> | null;
  /** Upgrade types (lower-case) that are allowed or not, whatever the manager says; null = none. */
  readonly upgrades: ReadonlyMap<string, boolean> | null;
  /** CONNECT requests end here; null = they go up as they came. */
  readonly connect: ConnectConfig | null;
  /** Milliseconds, 0 = off. */
  readonly timeoutMs: number;
  /** Text of timeoutMs for x-envoy-expected-rq-timeout-ms, and its whole line with CRLF. */
  readonly timeoutText: string;
  readonly timeoutLine: string;
  /** -1 = not set: the connection manager's stream idle timeout holds. */
  readonly idleTimeoutMs: number;
  /** -1 = not set. */
  readonly maxStreamDurationMs: number;
  readonly clusterNotFoundStatus: number;
  readonly isHighPriority: boolean;
  readonly includeRequestAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  /** Host rewriting "auto": the router sets :authority to the chosen host's name. */
  readonly autoHostRewrite: boolean;
  /** Host rewriting puts the old :authority into x-forwarded-host. */
  readonly appendXForwardedHost: boolean;

  /**
   * Picks the cluster: the entry of the weighted list, the header's value or the fixed name; ""
   * when the header is missing. `randomValue` is a uniform 32-bit number.
   */
  chooseCluster(headers: HeaderMap, randomValue: number): ClusterChoice;
  /**
   * What a request gets on its way to the upstream: path and host rewriting, x-envoy-original-path,
   * header additions and removals of all levels.
   */
  finalizeRequestHeaders(headers: HeaderMap, info: StreamInfo, choice: ClusterChoice): void;
  /** Header additions and removals of all levels on the response (also on local replies). */
  finalizeResponseHeaders(
    headers: HeaderMap,
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    choice: ClusterChoice | null,
  ): void;
  /** For kind "redirect" and "direct_response": the answer. `scheme` is the request's. */
  localReply(headers: HeaderMap, info: StreamInfo): LocalReply;
}

/** The outcome of chooseCluster; one object per weighted entry, made at configuration. */
export interface ClusterChoice {
  readonly clusterName: string;
  /** Index of the weighted entry, -1 = not weighted. */
  readonly weightedIndex: number;
}

/** What the router asks of its stream: served by hcm's ActiveStream. */
export interface RouterCallbacks {
  readonly streamInfo: StreamInfo;
  /** The route that was chosen; null = none matched. */
  readonly route: Route | null;
  /** True when the peer sent HEAD: the response has no body. */
  readonly isHeadRequest: boolean;
  onUpstreamInformational(headers: HeaderMap): void;
  onUpstreamHeaders(headers: HeaderMap, end: boolean): void;
  /** Body bytes lent for the call. */
  onUpstreamData(buffer: Buffer, from: number, to: number, end: boolean): void;
  onUpstreamTrailers(trailers: HeaderMap): void;
  /**
   * Answers in place of the upstream, as long as no headers have left for the client: filters may
   * hold those that were passed on. Otherwise the response is cut. The router is done with the
   * stream afterwards.
   */
  sendLocalReply(reply: LocalReply): void;
  /** A filter behind the router wants the stream cut. */
  onFilterReset(details: string, responseFlags: number): void;
  /** Counted: stops and starts the request body at its source. */
  requestReadDisable(disabled: boolean): void;
  /** The upgrade or CONNECT that was asked for is allowed: lower-case type, "" = none. */
  readonly upgradeType: string;
  /** The whole request has reached the router (for the route timeout's start). */
  readonly isRequestComplete: boolean;
}
