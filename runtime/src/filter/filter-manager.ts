// Runs the filters of one stream: requests from the codec's side to the router's, responses back.
// Owned by hcm's ActiveStream, and for the filters behind the router by its UpstreamFilters; reset
// and used again for the next stream.
import type { BufferQueue } from "../core/buffer-queue.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import { type DirectionOwner, FilterDirection } from "./filter-direction.ts";
import type {
  FilterChainEnds,
  HttpFilter,
  HttpFilterCallbacks,
  LocalReply,
} from "./http-filter.ts";

const REQUEST_TOO_LARGE: LocalReply = {
  status: 413,
  body: "Payload Too Large",
  headers: null,
  grpcStatus: -1,
  details: "request_payload_too_large",
  responseFlags: 0,
};
const RESPONSE_TOO_LARGE: LocalReply = {
  status: 500,
  body: "Internal Server Error",
  headers: null,
  grpcStatus: -1,
  details: "response_payload_too_large",
  responseFlags: 0,
};
const STATUS_MISSING: LocalReply = {
  status: 502,
  body: "missing required header: :status",
  headers: null,
  grpcStatus: -1,
  details: "filter_removed_required_response_headers{missing_required_header:_:status}",
  responseFlags: 0,
};

const noFilters: readonly HttpFilter[] = [];

/**
 * What a callback asks for that would re-enter the chain or end the stream (a local reply, a reset)
 * is done when that callback has returned.
 */
export class FilterManager implements HttpFilterCallbacks, DirectionOwner {
  readonly #decode: FilterDirection;
  readonly #encode: FilterDirection;
  readonly #isUpstream: boolean;
  #filters: readonly HttpFilter[];
  /** For the next chain: V8 gives a new array 17 places, and each store of it a write barrier. */
  readonly room: HttpFilter[];
  #ends: FilterChainEnds | null = null;
  #streamInfo: StreamInfo | null = null;
  #bufferBytesMax: number = 0;
  #pendingReply: LocalReply | null = null;
  /** "" = none asked. */
  #pendingReset: string | null = null;
  /** A local reply replaces a response that the chain has seen: it goes straight to the codec. */
  #isBypassed: boolean = false;
  #bypassHeaders: HeaderMap | null = null;
  #isLogged: boolean = false;
  #isDestroyed: boolean = true;

  /** `isUpstream`: local replies are for the stream in front of the router to make and to send. */
  constructor(isUpstream = false) {
    this.#decode = new FilterDirection(true, this);
    this.#encode = new FilterDirection(false, this);
    this.#isUpstream = isUpstream;
    this.#filters = noFilters;
    this.room = [];
  }

  /**
   * Begins a stream: each filter is attached. `bufferBytesMax` bounds what is collected per
   * direction for stopped filters, 0 = no limit.
   */
  reset(
    filters: readonly HttpFilter[],
    ends: FilterChainEnds,
    streamInfo: StreamInfo,
    bufferBytesMax: number,
  ): void {
    this.#filters = filters;
    this.#ends = ends;
    this.#streamInfo = streamInfo;
    this.#bufferBytesMax = bufferBytesMax;
    this.#pendingReply = null;
    this.#pendingReset = null;
    this.#isBypassed = false;
    this.#bypassHeaders = null;
    this.#isLogged = false;
    this.#isDestroyed = false;
    let wantsAny = 0;
    for (let i = 0; i < filters.length; i += 1) {
      const filter = filters[i] as HttpFilter;
      filter.attach(this, i);
      wantsAny |= filter.wants;
    }
    this.#decode.reset(filters, wantsAny, ends, bufferBytesMax);
    this.#encode.reset(filters, wantsAny, ends, bufferBytesMax);
  }

  // ---- The request, from the codec.

  decodeHeaders(headers: HeaderMap, end: boolean): void {
    this.#decode.start(headers, end);
  }

  /** Bytes lent for the call. */
  decodeData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.#decode.data(buffer, from, to, end);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.#decode.end(trailers);
  }

  // ---- The response, from the router or a local reply. Its end also ends the request's iteration.

  encodeHeaders(headers: HeaderMap, end: boolean): void {
    if (this.#isDestroyed) return;
    if (end) this.#decode.abort();
    if (this.#isBypassed) {
      this.#bypassHeaders = headers;
      this.#ends?.onResponseHeaders(headers, end);
    } else this.#encode.start(headers, end);
  }

  /** Bytes lent for the call. */
  encodeData(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (this.#isDestroyed) return;
    if (end) this.#decode.abort();
    if (this.#isBypassed) this.#ends?.onResponseData(buffer, from, to, end);
    else this.#encode.data(buffer, from, to, end);
  }

  encodeTrailers(trailers: HeaderMap): void {
    if (this.#isDestroyed) return;
    this.#decode.abort();
    if (this.#isBypassed) this.#ends?.onResponseTrailers(trailers);
    else this.#encode.end(trailers);
  }

  /** The response's headers left the chain: no local reply is possible any more. */
  get areResponseHeadersOut(): boolean {
    return this.#bypassHeaders !== null || this.#encode.areHeadersOut;
  }

  /** Bytes of both directions that wait at filters. */
  get heldBytes(): number {
    return this.#decode.heldBytes + this.#encode.heldBytes;
  }

  /** The stream is logged: once, before destroy. */
  log(): void {
    if (this.#isLogged || this.#isDestroyed) return;
    this.#isLogged = true;
    for (let i = 0; i < this.#filters.length; i += 1) (this.#filters[i] as HttpFilter).onLog();
  }

  /** The stream is over; nothing is called afterwards but onDestroy of each filter, once. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    const filters = this.#filters;
    for (let i = 0; i < filters.length; i += 1) (filters[i] as HttpFilter).onDestroy();
    while (this.room.length > 0) this.room.pop();
    this.#decode.release();
    this.#encode.release();
    this.#filters = noFilters;
    this.#ends = null;
    this.#pendingReply = null;
    this.#pendingReset = null;
    this.#bypassHeaders = null;
  }

  // ---- HttpFilterCallbacks.

  get streamInfo(): StreamInfo {
    return this.#streamInfo as StreamInfo;
  }

  get bufferBytesMax(): number {
    return this.#bufferBytesMax;
  }

  continueDecoding(position: number): void {
    if (!this.#isDestroyed) this.#decode.continueFrom(position);
  }

  continueEncoding(position: number): void {
    if (!this.#isDestroyed) this.#encode.continueFrom(this.#encodeIndex(position));
  }

  isDecodingStopped(position: number): boolean {
    return !this.#isDestroyed && this.#decode.isStopped(position);
  }

  isEncodingStopped(position: number): boolean {
    return !this.#isDestroyed && this.#encode.isStopped(this.#encodeIndex(position));
  }

  sendLocalReply(reply: LocalReply): void {
    if (this.#isDestroyed || this.#pendingReset !== null || this.#pendingReply !== null) return;
    if (!this.#abortRunning()) {
      this.#reply(reply);
      return;
    }
    this.#pendingReply = reply;
  }

  resetStream(details: string): void {
    if (this.#isDestroyed || this.#pendingReset !== null) return;
    if (!this.#abortRunning()) {
      this.#ends?.onFilterReset(details, 0);
      return;
    }
    this.#pendingReply = null;
    this.#pendingReset = details;
  }

  clearRouteCache(): void {
    this.#ends?.onClearRouteCache();
  }

  isDecodingHeldData(): boolean {
    return this.#decode.isMovingHeld;
  }

  isEncodingHeldData(): boolean {
    return this.#encode.isMovingHeld;
  }

  decodingBuffer(position = -1): BufferQueue | null {
    if (this.#isDestroyed) return null;
    return position < 0 ? this.#decode.deepestBuffer() : this.#decode.buffer(position);
  }

  encodingBuffer(position = -1): BufferQueue | null {
    if (this.#isDestroyed) return null;
    if (position < 0) return this.#encode.deepestBuffer();
    return this.#encode.buffer(this.#encodeIndex(position));
  }

  addDecodedData(position: number, data: Buffer): void {
    if (!this.#isDestroyed) this.#decode.add(position, data);
  }

  addEncodedData(position: number, data: Buffer): void {
    if (!this.#isDestroyed) this.#encode.add(this.#encodeIndex(position), data);
  }

  addDecodedTrailers(): HeaderMap {
    return this.#decode.addTrailers();
  }

  addEncodedTrailers(): HeaderMap {
    return this.#encode.addTrailers();
  }

  requestHeaders(): HeaderMap | null {
    return this.#decode.headers;
  }

  requestTrailers(): HeaderMap | null {
    return this.#decode.trailers;
  }

  responseHeaders(): HeaderMap | null {
    return this.#bypassHeaders ?? this.#encode.headers;
  }

  responseTrailers(): HeaderMap | null {
    return this.#encode.trailers;
  }

  // ---- DirectionOwner.

  onAbortedCallback(): void {
    if (this.#decode.isInCallback || this.#encode.isInCallback) return;
    const reset = this.#pendingReset;
    const reply = this.#pendingReply;
    this.#pendingReset = null;
    this.#pendingReply = null;
    if (reset !== null) this.#ends?.onFilterReset(reset, 0);
    else if (reply !== null) this.#reply(reply);
  }

  onTooMuchHeld(isDecode: boolean): void {
    this.sendLocalReply(isDecode ? REQUEST_TOO_LARGE : RESPONSE_TOO_LARGE);
  }

  onStatusMissing(): void {
    this.sendLocalReply(STATUS_MISSING);
  }

  // ---- Private parts.

  #encodeIndex(position: number): number {
    return this.#filters.length - 1 - position;
  }

  /** Stops the directions whose callback runs; false when none does. */
  #abortRunning(): boolean {
    const isDecoding = this.#decode.isInCallback;
    const isEncoding = this.#encode.isInCallback;
    if (isDecoding) this.#decode.abort();
    if (isEncoding) this.#encode.abort();
    return isDecoding || isEncoding;
  }

  /**
   * As Envoy decides: a response that did not begin is made and runs through all encoders; one that
   * filters have seen is replaced past them; one that is out can only be broken off.
   */
  #reply(reply: LocalReply): void {
    this.#decode.abort();
    if (this.#isUpstream) {
      this.#encode.abort();
      this.#ends?.onLocalReply(reply);
      return;
    }
    if (this.areResponseHeadersOut) {
      this.#encode.abort();
      this.#ends?.onFilterReset(reply.details, reply.responseFlags);
      return;
    }
    if (this.#encode.isStarted) {
      this.#encode.abort();
      this.#isBypassed = true;
    }
    this.#ends?.onLocalReply(reply);
  }
}
