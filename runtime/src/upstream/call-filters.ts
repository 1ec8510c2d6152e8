// The filters between a call that the runtime makes itself and its connection, as router's
// UpstreamFilters are for proxied requests. Made by AsyncClient, one per call to a cluster that has
// filters.
import { BufferQueue } from "../core/buffer-queue.ts";
import type { Clock } from "../core/clock.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { type StreamInfo, tellsEndApart } from "../core/stream-info.ts";
import { FilterManager } from "../filter/filter-manager.ts";
import type { FilterChainEnds, HttpFilter, LocalReply } from "../filter/http-filter.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import type { PooledConnection, RequestEncoder } from "./pool/conn-pool.ts";
import { replyWithoutHeader } from "./required-headers.ts";

/** A whole request. */
export interface AsyncMessage {
  readonly headers: HeaderMap;
  /** Null = none. */
  readonly body: Buffer | null;
  readonly trailers: HeaderMap | null;
}

/** The call: what leaves the filters on their way back. */
export interface CallFiltersOwner {
  onFilteredHeaders(headers: HeaderMap, end: boolean): void;
  /** Bytes lent for the call. */
  onFilteredData(buffer: Buffer, from: number, to: number, end: boolean): void;
  onFilteredTrailers(trailers: HeaderMap): void;
  onFilterReply(reply: LocalReply): void;
  onFilterReset(): void;
}

const noBytes: Buffer = Buffer.alloc(0);

export class CallFilters implements FilterChainEnds {
  readonly #owner: CallFiltersOwner;
  readonly #manager: FilterManager;
  readonly #info: StreamInfo;
  readonly #clock: Clock;
  /** What left the filters before the connection was there: the message, and what they added. */
  readonly #held: BufferQueue;
  #headers: HeaderMap | null = null;
  #trailers: HeaderMap | null = null;
  #isEnded: boolean = false;
  #encoder: RequestEncoder | null = null;

  /** `bufferBytesMax` as FilterManager's. */
  constructor(
    owner: CallFiltersOwner,
    filters: readonly HttpFilter[],
    info: StreamInfo,
    cluster: Cluster,
    host: Host,
    clock: Clock,
    bufferBytesMax: number,
  ) {
    this.#owner = owner;
    this.#manager = new FilterManager(true);
    this.#info = info;
    this.#clock = clock;
    this.#held = new BufferQueue();
    this.#info.startMs = clock.nowMs;
    this.#info.upstreamStartMs = clock.nowMs;
    this.#info.upstreamCluster = cluster.name;
    this.#info.clusterInfo = cluster;
    this.#info.attemptCount = 1;
    this.#info.setUpstreamHost(host);
    this.#manager.reset(filters, this, this.#info, bufferBytesMax);
  }

  /** The call is over: the filters are told. */
  destroy(): void {
    this.#encoder = null;
    this.#manager.destroy();
  }

  // ---- The request: in, and out towards the connection.

  send({ headers, body, trailers }: AsyncMessage): void {
    headers.scheme ??= "http";
    const hasBody = body !== null && body.length > 0;
    this.#manager.decodeHeaders(headers, !hasBody && trailers === null);
    if (hasBody) this.#manager.decodeData(body, 0, body.length, trailers === null);
    if (trailers !== null) this.#manager.decodeTrailers(trailers);
  }

  /** The connection is there: what has left the filters goes out. */
  onReady(encoder: RequestEncoder, connection: PooledConnection): void {
    this.#encoder = encoder;
    this.#info.upstreamLocalAddress = connection.localAddress;
    this.#info.upstreamProtocol = connection.protocol;
    this.#info.upstreamConnectionId = connection.connectionId;
    this.#info.upstreamTls = connection.tls;
    this.#info.upstreamFirstTxMs = this.#clock.nowMs;
    if (this.#headers === null) return;
    const hasMore = this.#held.length > 0 || this.#trailers !== null;
    encoder.encodeHeaders(this.#headers, this.#isEnded && !hasMore);
    if (this.#held.length > 0) {
      const bytes = this.#held.linearize();
      encoder.encodeData(bytes, 0, bytes.length, this.#isEnded && this.#trailers === null);
    }
    if (this.#trailers !== null) encoder.encodeTrailers(this.#trailers);
  }

  onRequestHeaders(headers: HeaderMap, end: boolean): void {
    const reply = replyWithoutHeader(headers);
    if (reply !== null) {
      this.#manager.sendLocalReply(reply);
      return;
    }
    this.#headers = headers;
    this.#isEnded = end;
    this.#encoder?.encodeHeaders(headers, end);
  }

  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.#isEnded = end;
    if (this.#encoder === null) this.#held.appendCopy(buffer, from, to);
    else this.#encoder.encodeData(buffer, from, to, end);
  }

  onRequestTrailers(trailers: HeaderMap): void {
    this.#isEnded = true;
    if (this.#encoder === null) this.#trailers = trailers;
    else this.#encoder.encodeTrailers(trailers);
  }

  // ---- The response: in from the connection, and out to the call.

  encodeHeaders(headers: HeaderMap, end: boolean): void {
    this.#info.upstreamFirstRxMs = this.#clock.nowMs;
    this.#info.responseCodeDetails = "via_upstream";
    if (end) this.#encoder = null;
    this.#manager.encodeHeaders(headers, end);
  }

  encodeData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (end) this.#encoder = null;
    const isSplit = end && to > from && tellsEndApart(this.#info.upstreamProtocol);
    this.#manager.encodeData(buffer, from, to, end && !isSplit);
    if (isSplit) this.#manager.encodeData(noBytes, 0, 0, true);
  }

  encodeTrailers(trailers: HeaderMap): void {
    this.#encoder = null;
    this.#manager.encodeTrailers(trailers);
  }

  onResponseHeaders(headers: HeaderMap, end: boolean): void {
    this.#owner.onFilteredHeaders(headers, end);
  }

  onResponseData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.#owner.onFilteredData(buffer, from, to, end);
  }

  onResponseTrailers(trailers: HeaderMap): void {
    this.#owner.onFilteredTrailers(trailers);
  }

  onLocalReply(reply: LocalReply): void {
    this.#owner.onFilterReply(reply);
  }

  onFilterReset(_details: string): void {
    this.#owner.onFilterReset();
  }

  /** There is no route. */
  onClearRouteCache(): void {}

  /** The message is here as a whole: its source cannot be stopped. */
  onDecodeReadDisable(_disabled: boolean): void {}

  onEncodeReadDisable(disabled: boolean): void {
    this.#encoder?.readDisable(disabled);
  }
}
