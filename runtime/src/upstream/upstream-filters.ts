// The filters between a Router or UpstreamCall and its UpstreamRequest: they begin when a host is
// chosen, whether its connection is there or not, and end with the attempt. Made when a request
// first needs them; a Router uses them again.
import type { Clock } from "../core/clock.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { tellsEndApart } from "../core/stream-info.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import { FilterManager } from "../filter/filter-manager.ts";
import type { FilterChainEnds, HttpFilter, LocalReply } from "../filter/http-filter.ts";
import type { Host } from "./host.ts";
import type { PoolFailureReason, PooledConnection, StreamResetReason } from "./pool/conn-pool.ts";
import { replyWithoutHeader } from "./required-headers.ts";
import type { UpstreamRequest, UpstreamRequestOwner } from "./upstream-request.ts";

/** What filters may ask of the router or call in front of them. */
export interface UpstreamFiltersOwner extends UpstreamRequestOwner {
  /** The attempt is over: this is the answer, if there is still one to be given. */
  onUpstreamFilterReply(reply: LocalReply): void;
  /** The whole stream is broken off. */
  onUpstreamFilterReset(details: string): void;
}

const noBytes: Buffer = Buffer.alloc(0);

export class UpstreamFilters implements FilterChainEnds, UpstreamRequestOwner {
  readonly #owner: UpstreamFiltersOwner;
  readonly #request: UpstreamRequest;
  readonly #clock: Clock;
  readonly #manager: FilterManager;
  #info: StreamInfo | null = null;
  /** They hold so much of the request that its source stands still. */
  #isSourcePaused: boolean = false;

  constructor(owner: UpstreamFiltersOwner, request: UpstreamRequest, clock: Clock) {
    this.#owner = owner;
    this.#request = request;
    this.#clock = clock;
    this.#manager = new FilterManager(true);
  }

  /** `bufferBytesMax` as FilterManager's. */
  start(filters: readonly HttpFilter[], info: StreamInfo, bufferBytesMax: number): void {
    this.#info = info;
    this.#isSourcePaused = false;
    this.#request.owner = this;
    this.#manager.reset(filters, this, info, bufferBytesMax);
  }

  /** The attempt is over: the filters are told. */
  destroy(): void {
    this.#manager.destroy();
    this.#info = null;
    if (this.#isSourcePaused) this.onDecodeReadDisable(false);
  }

  /** What filters hold of the request's body. */
  get requestBytes(): number {
    return this.#manager.decodingBuffer()?.length ?? 0;
  }

  // ---- The request, from the owner.

  decodeHeaders(headers: HeaderMap, end: boolean): void {
    this.#manager.decodeHeaders(headers, end);
  }

  decodeData(buffer: Buffer, from: number, to: number, end: boolean): void {
    const isSplit = end && to > from && tellsEndApart(this.#info?.protocol ?? 0);
    this.#manager.decodeData(buffer, from, to, end && !isSplit);
    if (isSplit) this.#manager.decodeData(noBytes, 0, 0, true);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.#manager.decodeTrailers(trailers);
  }

  // ---- FilterChainEnds: the request leaves the chain towards the connection.

  onRequestHeaders(headers: HeaderMap, end: boolean): void {
    const reply = replyWithoutHeader(headers);
    if (reply === null) this.#request.sendHeaders(end);
    else this.#manager.sendLocalReply(reply);
  }

  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.#request.sendData(buffer, from, to, end);
  }

  onRequestTrailers(trailers: HeaderMap): void {
    this.#request.sendTrailers(trailers);
  }

  // ---- UpstreamRequestOwner: the response comes from the connection.

  onUpstreamHeaders(headers: HeaderMap, end: boolean): void {
    const info = this.#info;
    if (info !== null) {
      info.upstreamFirstRxMs = this.#clock.nowMs;
      info.responseCodeDetails = "via_upstream";
    }
    if (end) this.#onResponseEnd();
    this.#manager.encodeHeaders(headers, end);
  }

  onUpstreamData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (end) this.#onResponseEnd();
    const isSplit = end && to > from && tellsEndApart(this.#info?.upstreamProtocol ?? 0);
    this.#manager.encodeData(buffer, from, to, end && !isSplit);
    if (isSplit) this.#manager.encodeData(noBytes, 0, 0, true);
  }

  onUpstreamTrailers(trailers: HeaderMap): void {
    this.#onResponseEnd();
    this.#manager.encodeTrailers(trailers);
  }

  onUpstreamReady(host: Host, connection: PooledConnection): void {
    this.#owner.onUpstreamReady(host, connection);
  }

  onUpstreamPoolFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void {
    this.#owner.onUpstreamPoolFailure(reason, host, transportFailure);
  }

  /** As Envoy: nothing of them concerns filters. */
  onUpstreamInformational(headers: HeaderMap): void {
    this.#owner.onUpstreamInformational(headers);
  }

  onUpstreamReset(reason: StreamResetReason, failureReason: string): void {
    this.#owner.onUpstreamReset(reason, failureReason);
  }

  onUpstreamRequestSent(): void {
    this.#owner.onUpstreamRequestSent();
  }

  onUpstreamBackPressure(isPaused: boolean): void {
    this.#owner.onUpstreamBackPressure(isPaused);
  }

  // ---- FilterChainEnds: the response leaves the chain towards the owner.

  onResponseHeaders(headers: HeaderMap, end: boolean): void {
    this.#owner.onUpstreamHeaders(headers, end);
  }

  onResponseData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.#owner.onUpstreamData(buffer, from, to, end);
  }

  onResponseTrailers(trailers: HeaderMap): void {
    this.#owner.onUpstreamTrailers(trailers);
  }

  onLocalReply(reply: LocalReply): void {
    this.#owner.onUpstreamFilterReply(reply);
  }

  onFilterReset(details: string): void {
    this.#owner.onUpstreamFilterReset(details);
  }

  /** The route led here: it stays. */
  onClearRouteCache(): void {}

  onDecodeReadDisable(disabled: boolean): void {
    this.#isSourcePaused = disabled;
    this.#owner.onUpstreamBackPressure(disabled);
  }

  onEncodeReadDisable(disabled: boolean): void {
    this.#request.readDisable(disabled);
  }

  // ---- Private parts.

  /** The connection is free for others, however long filters hold what came. */
  #onResponseEnd(): void {
    if (this.#info !== null) this.#info.upstreamLastRxMs = this.#clock.nowMs;
    this.#request.finish();
    this.#request.resume();
  }
}
