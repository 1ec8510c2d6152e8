// A wasm filter that keeps what its guest does with the stream: of the version that serves, and of
// the one that is tried in its shadow. Made for shadowed streams only.
import type { BufferQueue } from "../../core/buffer-queue.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import type { FilterDataStatus, FilterHeadersStatus } from "../../filter/filter-status.ts";
import type { FilterTrailersStatus } from "../../filter/filter-status.ts";
import type { LocalReply } from "../../filter/http-filter.ts";
import { type HttpFilterOwner, type StreamOwner, WasmHttpFilter } from "../http-filter.ts";
import type { RootContext } from "../root-context.ts";
import { Pause, type StreamOutcome } from "./outcome.ts";

/** All statuses have it. */
const CONTINUE = 0;

/** Filters of this kind serve one stream only. */
class SingleUse implements HttpFilterOwner {
  readonly #streams: StreamOwner;

  constructor(streams: StreamOwner) {
    this.#streams = streams;
  }

  onStreamDestroyed(root: RootContext): void {
    this.#streams.onStreamDestroyed(root);
  }

  onFilterFree(): void {}
}

export class WatchedHttpFilter extends WasmHttpFilter {
  /** What it keeps with the connection is there for later streams. */
  protected readonly keepsWithConnection: boolean = true;
  readonly outcome: StreamOutcome;

  constructor(root: RootContext, wants: number, streams: StreamOwner, outcome: StreamOutcome) {
    super(root, wants, new SingleUse(streams));
    this.outcome = outcome;
  }

  override decodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    const status = super.decodeHeaders(headers, end);
    this.outcome.notePause(Pause.RequestHeaders, status !== CONTINUE);
    return status;
  }

  override decodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    const status = super.decodeData(data, end);
    this.outcome.notePause(Pause.RequestBody, status !== CONTINUE);
    return status;
  }

  override decodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const status = super.decodeTrailers(trailers);
    this.outcome.notePause(Pause.RequestTrailers, status !== CONTINUE);
    return status;
  }

  override encodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    const status = super.encodeHeaders(headers, end);
    this.outcome.notePause(Pause.ResponseHeaders, status !== CONTINUE);
    return status;
  }

  override encodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    const status = super.encodeData(data, end);
    this.outcome.notePause(Pause.ResponseBody, status !== CONTINUE);
    return status;
  }

  override encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const status = super.encodeTrailers(trailers);
    this.outcome.notePause(Pause.ResponseTrailers, status !== CONTINUE);
    return status;
  }

  override sendLocalReply(reply: LocalReply): void {
    if (!this.isOver) this.outcome.reply ??= reply;
    super.sendLocalReply(reply);
  }

  override closeStream(): void {
    if (!this.isOver) this.outcome.isClosed = true;
    super.closeStream();
  }

  override clearRouteCache(): void {
    if (!this.isOver) this.outcome.isRouteCleared = true;
    super.clearRouteCache();
  }

  /** Other headers have the route chosen anew: that the headers differ is told already. */
  override onMapChanged(mapType: number): void {
    const { isRouteCleared } = this.outcome;
    super.onMapChanged(mapType);
    this.outcome.isRouteCleared = isRouteCleared;
  }

  override setFilterState(key: string, value: Uint8Array, isConnections: boolean): boolean {
    const { stateBefore, values } = this.outcome;
    if (!stateBefore.has(key)) stateBefore.set(key, this.streamInfo?.filterState?.get(key));
    const what = isConnections ? "connection's filter state" : "filter state";
    values.set(`${what} ${key}`, Buffer.from(value).toString("latin1"));
    return super.setFilterState(key, value, isConnections && this.keepsWithConnection);
  }

  override setDynamicMetadata(namespace: string, key: string, value: string): boolean {
    const { values, metadata, metadataBefore } = this.outcome;
    const place = `${namespace}\0${key}`;
    const before = this.streamInfo?.dynamicMetadata?.get(namespace)?.get(key);
    if (!metadataBefore.has(place)) metadataBefore.set(place, [namespace, key, before]);
    values.set(`dynamic metadata ${namespace} ${key}`, value);
    metadata.push([namespace, key, value]);
    return super.setDynamicMetadata(namespace, key, value);
  }
}
