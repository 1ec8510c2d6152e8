// The filters of one shadowed stream. In the chain: the version that serves, which hands copies of
// what it sees on, and two onlookers around it that see what leaves it. Outside of it: the version
// that is tried.
import type { BufferQueue } from "../../core/buffer-queue.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
} from "../../filter/filter-status.ts";
import { FilterWants, type HttpFilter } from "../../filter/http-filter.ts";
import type { HttpFilterCallbacks } from "../../filter/http-filter.ts";
import type { StreamOwner } from "../http-filter.ts";
import type { RootContext } from "../root-context.ts";
import type { MessageOutcome, StreamOutcome } from "./outcome.ts";
import { EventKind, type ShadowStream } from "./shadow-stream.ts";
import { WatchedHttpFilter } from "./watched-filter.ts";

const DECODES: number =
  FilterWants.DecodeHeaders | FilterWants.DecodeData | FilterWants.DecodeTrailers;
const ENCODES: number =
  FilterWants.EncodeHeaders | FilterWants.EncodeData | FilterWants.EncodeTrailers;

/** Keeps what leaves the filter in front of it (requests), or behind it (responses). */
export class Onlooker implements HttpFilter {
  readonly wants: number;
  readonly #message: MessageOutcome;

  /** `wants` of the filters that are compared. */
  constructor(isRequests: boolean, wants: number, message: MessageOutcome) {
    this.wants = wants & (isRequests ? DECODES : ENCODES);
    this.#message = message;
  }

  attach(): void {}

  decodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    this.#message.takeHeaders(headers, end);
    return FilterHeadersStatus.Continue;
  }

  decodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    for (const chunk of data.chunks) this.#message.takeBody(chunk, 0, chunk.length, false);
    if (end) this.#message.isEnded = true;
    return FilterDataStatus.Continue;
  }

  decodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    this.#message.takeTrailers(trailers);
    return FilterTrailersStatus.Continue;
  }

  encodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    return this.decodeHeaders(headers, end);
  }

  encodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    return this.decodeData(data, end);
  }

  encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    return this.decodeTrailers(trailers);
  }

  onLog(): void {}

  onDestroy(): void {}
}

/** The version that serves: the shadow's turn comes when its callback has returned. */
export class ShadowedHttpFilter extends WatchedHttpFilter {
  override readonly wants: number;
  readonly #stream: ShadowStream;

  /** `wants` of both. */
  constructor(root: RootContext, wants: number, streams: StreamOwner, stream: ShadowStream) {
    super(root, wants, streams, stream.served);
    this.wants = wants;
    this.#stream = stream;
  }

  override attach(callbacks: HttpFilterCallbacks, position: number): void {
    super.attach(callbacks, position);
    this.#stream.begin(callbacks);
  }

  override decodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    const copy = this.#stream.copyMap(headers);
    const outer = this.#stream.enter();
    const status = super.decodeHeaders(headers, end);
    this.#stream.leave(outer);
    this.#give(EventKind.RequestHeaders, copy, null, end);
    return status;
  }

  override decodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    const copy = this.#stream.copyBody(data);
    const outer = this.#stream.enter();
    const status = super.decodeData(data, end);
    this.#stream.leave(outer);
    this.#give(EventKind.RequestData, null, copy, end);
    return status;
  }

  override decodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const copy = this.#stream.copyMap(trailers);
    const outer = this.#stream.enter();
    const status = super.decodeTrailers(trailers);
    this.#stream.leave(outer);
    this.#give(EventKind.RequestTrailers, copy, null, true);
    return status;
  }

  override encodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    const copy = this.#stream.copyMap(headers);
    // Not its guest's doing: the shadow has none of its own.
    const { versionHeader, versionText } = this.plugin;
    if (versionHeader !== "") copy?.append(versionHeader, versionText);
    const outer = this.#stream.enter();
    const status = super.encodeHeaders(headers, end);
    this.#stream.leave(outer);
    this.#give(EventKind.ResponseHeaders, copy, null, end);
    return status;
  }

  override encodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    const copy = this.#stream.copyBody(data);
    const outer = this.#stream.enter();
    const status = super.encodeData(data, end);
    this.#stream.leave(outer);
    this.#give(EventKind.ResponseData, null, copy, end);
    return status;
  }

  override encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const copy = this.#stream.copyMap(trailers);
    const outer = this.#stream.enter();
    const status = super.encodeTrailers(trailers);
    this.#stream.leave(outer);
    this.#give(EventKind.ResponseTrailers, copy, null, true);
    return status;
  }

  override onLog(): void {
    const outer = this.#stream.enter();
    super.onLog();
    this.#stream.leave(outer);
    this.#give(EventKind.Log, null, null, true);
  }

  override onDestroy(): void {
    const outer = this.#stream.enter();
    super.onDestroy();
    this.#stream.leave(outer);
    this.#give(EventKind.Destroy, null, null, true);
  }

  #give(kind: EventKind, headers: HeaderMap | null, body: Buffer | null, end: boolean): void {
    this.#stream.give({ kind, headers, body, end }, this.vm.failure !== null);
  }
}

/** The version that is tried: what it asks of its stream goes to a chain of its own. */
export class ShadowHttpFilter extends WatchedHttpFilter {
  protected override readonly keepsWithConnection: boolean = false;

  constructor(root: RootContext, wants: number, streams: StreamOwner, outcome: StreamOutcome) {
    super(root, wants, streams, outcome);
  }
}
