// The contract of an HTTP filter with the manager that runs its chain. One class serves it in the
// running proxy (wasm's), so that the manager's loops see one class; tests bring another.
import type { BufferQueue } from "../core/buffer-queue.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
} from "./filter-status.ts";

/** Bits of HttpFilter.wants: a callback that is not wanted is not made. */
export const FilterWants = {
  DecodeHeaders: 1,
  DecodeData: 2,
  DecodeTrailers: 4,
  EncodeHeaders: 8,
  EncodeData: 16,
  EncodeTrailers: 32,
} as const;

/** A response made by the proxy or a filter instead of the upstream's. */
export interface LocalReply {
  readonly status: number;
  /** Body text (latin1, one character a byte); "" = none. */
  readonly body: string;
  /** Names and values in turn, added to the response; null = none. */
  readonly headers: readonly string[] | null;
  /** gRPC status for gRPC requests; -1 = derived from `status`. */
  readonly grpcStatus: number;
  /** Response code details; white space becomes "_". */
  readonly details: string;
  /** ResponseFlag bits to add. */
  readonly responseFlags: number;
}

/**
 * One filter in one stream. `end` is true when nothing follows. Maps and queues may be changed in
 * place. A filter that stops must later call continueDecoding or continueEncoding, or reply.
 */
export interface HttpFilter {
  readonly wants: number;
  /** Called once, before anything else, when the filter takes its place in the chain. */
  attach(callbacks: HttpFilterCallbacks, position: number): void;
  decodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus;
  /**
   * `data` holds the new bytes; with AndBuffer statuses the collected ones:
   * callbacks.decodingBuffer.
   */
  decodeData(data: BufferQueue, end: boolean): FilterDataStatus;
  decodeTrailers(trailers: HeaderMap): FilterTrailersStatus;
  encodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus;
  encodeData(data: BufferQueue, end: boolean): FilterDataStatus;
  encodeTrailers(trailers: HeaderMap): FilterTrailersStatus;
  /** The stream is being logged: maps may still be read. Before onDestroy. */
  onLog(): void;
  /** The stream is over; last call. */
  onDestroy(): void;
}

/**
 * What a filter may ask of its stream: served by FilterManager. `position` is the one that attach
 * gave. The calls act at once; a guest's requests are deferred by wasm/ until its callback
 * returned.
 */
export interface HttpFilterCallbacks {
  readonly streamInfo: StreamInfo;
  /**
   * Goes on behind the filter: held headers, collected body, trailers. No effect when not stopped.
   */
  continueDecoding(position: number): void;
  continueEncoding(position: number): void;
  isDecodingStopped(position: number): boolean;
  isEncodingStopped(position: number): boolean;
  /** Answers instead of the upstream. After the response's headers are out the stream is reset. */
  sendLocalReply(reply: LocalReply): void;
  resetStream(details: string): void;
  /**
   * The route is chosen again with the headers as they are now; before the router got them only.
   */
  clearRouteCache(): void;
  /** In a data callback: the bytes waited for a stopped filter, this one or one before it. */
  isDecodingHeldData(): boolean;
  isEncodingHeldData(): boolean;
  /** Bytes collected for stopped filters; null = none. Changeable in place. */
  decodingBuffer(): BufferQueue | null;
  encodingBuffer(): BufferQueue | null;
  /**
   * Adds bytes behind the position: to the collected body while stopped, else on to the next
   * filter.
   */
  addDecodedData(position: number, data: Buffer): void;
  addEncodedData(position: number, data: Buffer): void;
  /** Makes trailers where none came; only while the last data callback (end) is running. */
  addDecodedTrailers(): HeaderMap;
  addEncodedTrailers(): HeaderMap;
  /** Maps of this stream; null = not there (yet). */
  requestHeaders(): HeaderMap | null;
  requestTrailers(): HeaderMap | null;
  responseHeaders(): HeaderMap | null;
  responseTrailers(): HeaderMap | null;
  /** Bytes that may be collected per direction; 0 = no limit. */
  readonly bufferBytesMax: number;
}

/** What a route says about one filter of the chain (typed_per_filter_config). */
export interface FilterOverride {
  readonly disabled: boolean;
  /** Which of the chain's variants stands in the filter's place; absent = itself. */
  readonly variant?: number | undefined;
}

/** Makes the chain for one stream. Slots by name: current factory and version (for swaps). */
export interface FilterChainFactory {
  /**
   * In decode order; the array may be shared only when it is empty. `overrides` is the route's word
   * by filter name, null when it has none: disabled filters are left out. `headers` null: the
   * stream ends before it has any. `room`: an empty array that may be filled and returned.
   */
  createFilters(
    overrides: ReadonlyMap<string, FilterOverride> | null,
    info: StreamInfo,
    headers: HeaderMap | null,
    room: HttpFilter[],
  ): readonly HttpFilter[];
}

/** Both ends of a chain: requests leave it towards the router, responses towards the codec. */
export interface FilterChainEnds {
  onRequestHeaders(headers: HeaderMap, end: boolean): void;
  /** Bytes lent for the call. */
  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void;
  onRequestTrailers(trailers: HeaderMap): void;
  onResponseHeaders(headers: HeaderMap, end: boolean): void;
  onResponseData(buffer: Buffer, from: number, to: number, end: boolean): void;
  onResponseTrailers(trailers: HeaderMap): void;
  /**
   * A local reply shall be made: hcm/local-reply.ts writes it and sends it through the encoders.
   */
  onLocalReply(reply: LocalReply): void;
  /** `responseFlags`: ResponseFlag bits to add. */
  onFilterReset(details: string, responseFlags: number): void;
  onClearRouteCache(): void;
  /** Counted: stops and starts the request body or the response body at its source. */
  onDecodeReadDisable(disabled: boolean): void;
  onEncodeReadDisable(disabled: boolean): void;
}
