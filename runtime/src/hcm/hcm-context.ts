// What all connections of one connection manager in one worker share: everything that its
// configuration says, resolved once; made by server/, immutable.
import type { ServerConnectionCallbacks } from "../codec/codec.ts";
import type { ByteSink, CodecError, ServerConnection } from "../codec/codec.ts";
import type { Http1ServerStats } from "../codec/http1/server-connection.ts";
import type { Http1Shared } from "../codec/http1/shared.ts";
import type { Clock } from "../core/clock.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { OverloadState } from "../core/overload-state.ts";
import type { Random } from "../core/random.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { HcmConfig } from "../config/snapshot.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import type { FilterChainFactory } from "../filter/http-filter.ts";
import type { ClusterChoice, Route, RouterCallbacks } from "../router/route.ts";
import type { RouterContext } from "../router/router.ts";
import type { HcmStats } from "./hcm-stats.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import type { LocalReplyWriter } from "./local-reply.ts";
import type { RequestNormalizer } from "./request-normalizer.ts";
import type { RequestSanitizer } from "./request-sanitizer.ts";
import type { ResponseFinisher } from "./response-finisher.ts";
import type { UpgradePolicy } from "./upgrade-policy.ts";

/** Whether answers ask clients to leave; of the listener, asked once per response. */
export interface DrainDecision {
  /** True: this answer says `connection: close`. A gradual drain answers by chance. */
  drainClose(): boolean;
}

/** Chooses routes: RouteTable. */
export interface RouteSelector {
  /** Of the headers :authority, :path and :method alone decide, and no random number does. */
  readonly isPlain: boolean;
  match(headers: HeaderMap, randomValue: number, tls: TlsInfo | null): Route | null;
}

/** The end of the filter chain as a stream sees it: Router. */
export interface StreamRouter {
  readonly clusterChoice: ClusterChoice | null;
  reset(): void;
  destroy(): void;
  onRequestHeaders(headers: HeaderMap, end: boolean): void;
  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void;
  onRequestTrailers(trailers: HeaderMap): void;
  responseReadDisable(disabled: boolean): void;
}

/** The codec as a connection manager sees it: Http1ServerConnection. */
export interface StreamCodec extends ServerConnection {
  readonly isReadingHead: boolean;
  /** No further request is read: the client has not taken the last answer yet. */
  readonly isWriteBlocked: boolean;
  abortHead(error: CodecError): void;
}

export interface HcmContext {
  readonly config: HcmConfig;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
  readonly stats: HcmStats;
  readonly http1: Http1Shared;
  /** Null = the codec counts nothing of its own. */
  readonly http1Stats: Http1ServerStats | null;
  readonly routes: RouteSelector;
  readonly filters: FilterChainFactory;
  readonly accessLoggers: readonly AccessLogger[];
  readonly router: RouterContext;
  readonly upgrades: UpgradePolicy;
  readonly normalizer: RequestNormalizer;
  readonly sanitizer: RequestSanitizer;
  readonly finisher: ResponseFinisher;
  readonly localReplies: LocalReplyWriter;
  readonly drain: DrainDecision;
  readonly overload: OverloadState;
  /** Bytes that filters may make a stream collect per direction (the listener's buffer limit). */
  readonly bufferBytesMax: number;
  /** Unique in the process. */
  readonly nextStreamId: () => number;
  /** Tests bring others than Router and Http1ServerConnection. */
  readonly createRouter?: (callbacks: RouterCallbacks) => StreamRouter;
  readonly createCodec?: (sink: ByteSink, callbacks: ServerConnectionCallbacks) => StreamCodec;
}
