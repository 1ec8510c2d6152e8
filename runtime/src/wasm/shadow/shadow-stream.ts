// One stream in the shadow: the version that is tried has a chain of its own, gets copies of what
// the version that serves was given, and both are compared when the stream is over.
//
//   follows -> over: compared, or not because a guest was stopped, or copies were too large
//
// Copies wait while the version that serves is told of a callout's answer: the shadow is told of it
// first, or it would not be where the other one is.
import { BufferQueue } from "../../core/buffer-queue.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import { setDynamicMetadata, StreamInfo } from "../../core/stream-info.ts";
import { FilterManager } from "../../filter/filter-manager.ts";
import type { FilterChainEnds, HttpFilterCallbacks, LocalReply } from "../../filter/http-filter.ts";
import { CallBook, CALLS_MAX } from "./call-book.ts";
import { Comparison } from "./difference.ts";
import { StreamOutcome } from "./outcome.ts";
import type { Shadow } from "./shadow.ts";
import type { UncomparedReason } from "./uncompared.ts";
import type { WatchedHttpFilter } from "./watched-filter.ts";

export const EventKind = {
  RequestHeaders: 0,
  RequestData: 1,
  RequestTrailers: 2,
  ResponseHeaders: 3,
  ResponseData: 4,
  ResponseTrailers: 5,
  Log: 6,
  Destroy: 7,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

/** What the version that serves was given. */
export interface ShadowEvent {
  readonly kind: EventKind;
  /** Headers or trailers. */
  readonly headers: HeaderMap | null;
  readonly body: Buffer | null;
  readonly end: boolean;
}

export interface ShadowedRequest {
  readonly streamId: number;
  readonly method: string;
  readonly path: string;
}

const PATH_MAX = 256;

const NO_BYTES: Buffer = Buffer.alloc(0);

export class ShadowStream implements FilterChainEnds {
  readonly served: StreamOutcome;
  readonly tried: StreamOutcome;
  readonly calls: CallBook;
  readonly #shadow: Shadow;
  readonly #info: StreamInfo;
  readonly #real: StreamInfo;
  readonly #manager: FilterManager;
  #filter: WatchedHttpFilter | null = null;
  readonly #grpcCalls: string[];
  #events: ShadowEvent[];
  /** Of copies that wait, in `#events` or in the chain. */
  #heldBytes: number = 0;
  #eventBytes: number = 0;
  /** The versions have parted: what comes next is not the shadow's stream any more. */
  #hasParted: boolean = false;
  #isRunning: boolean = false;
  #isOver: boolean = false;
  #reason: UncomparedReason | null = null;
  /** Which it is, for who reads its differences. */
  #request: ShadowedRequest;

  constructor(shadow: Shadow, info: StreamInfo) {
    this.#shadow = shadow;
    this.#real = info;
    this.served = new StreamOutcome();
    this.tried = new StreamOutcome();
    this.calls = new CallBook();
    this.#info = new StreamInfo();
    this.#manager = new FilterManager();
    this.#events = [];
    this.#grpcCalls = [];
    this.#request = { streamId: info.streamId, method: "", path: "" };
  }

  /** The tried version's filter; before `begin`. */
  setFilter(filter: WatchedHttpFilter): void {
    this.#filter = filter;
  }

  begin(callbacks: HttpFilterCallbacks): void {
    this.#look();
    const filters = this.#filter === null ? [] : [this.#filter];
    this.#manager.reset(filters, this, this.#info, callbacks.bufferBytesMax);
  }

  // ---- From the filter of the version that serves.

  /** Before its callback: null when nobody wants it. */
  copyMap(map: HeaderMap): HeaderMap | null {
    return this.#isFollowing ? map.copy() : null;
  }

  copyBody(body: BufferQueue): Buffer | null {
    if (!this.#isFollowing || !this.#mayHold(body.length)) return null;
    const copy = Buffer.allocUnsafe(body.length);
    body.copyTo(copy, 0, 0, copy.length);
    return copy;
  }

  get #isFollowing(): boolean {
    return !this.#isOver && !this.#hasParted && this.#reason === null;
  }

  /** Calls of its guest are this stream's until `leave`. */
  enter(): ShadowStream | null {
    return this.#shadow.site.enterServed(this);
  }

  leave(outer: ShadowStream | null): void {
    this.#shadow.site.leaveServed(outer);
  }

  /** Its callback has returned, and its guest has failed or not. */
  give(event: ShadowEvent, hasFailed: boolean): void {
    if (this.#isOver) return;
    if (hasFailed) this.#reason ??= "primary_stopped";
    if (event.kind <= EventKind.Log) this.#look();
    if (event.kind === EventKind.RequestHeaders && event.headers !== null) {
      const { method, path } = event.headers;
      const { streamId } = this.#request;
      this.#request = { streamId, method: method ?? "", path: (path ?? "").slice(0, PATH_MAX) };
    }
    if (event.body !== null) this.#eventBytes += event.body.length;
    this.#events.push(event);
    this.#account();
    if (!this.#shadow.site.holds(this)) this.run();
  }

  /** What the shadow knows of the stream: as it is now, without what the other one has set. */
  #look(): void {
    const own = this.#info;
    const { guestCost, filterState } = own;
    Object.assign(own, this.#real);
    own.guestCost = guestCost;
    own.filterState = this.#stateWith(filterState);
    own.dynamicMetadata = metadataBefore(this.#real, this.served);
    for (const [namespace, key, value] of this.tried.metadata) {
      setDynamicMetadata(own, namespace, key, value);
    }
  }

  /** `own`: with what the shadow has set. */
  #stateWith(own: Map<string, Uint8Array> | null): Map<string, Uint8Array> | null {
    const real = this.#real.filterState;
    if (real === null && own === null) return null;
    const state = new Map(real);
    for (const [key, value] of this.served.stateBefore) {
      if (value === undefined) state.delete(key);
      else state.set(key, value);
    }
    for (const key of this.tried.stateBefore.keys()) {
      const value = own?.get(key);
      if (value !== undefined) state.set(key, value);
    }
    return state;
  }

  // ---- The shadow's turn.

  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#events.length > 0 && !this.#isOver) {
      const event = this.#events.shift() as ShadowEvent;
      this.#eventBytes -= event.body?.length ?? 0;
      this.#noteStop();
      this.#shadow.site.enterTried(this);
      this.#apply(event);
      this.#shadow.site.leaveTried();
      this.#noteStop();
    }
    this.#isRunning = false;
    // What it holds is of no use to anybody.
    if (this.#reason !== null) this.#manager.destroy();
    this.#account();
  }

  #noteStop(): void {
    if (this.#filter?.vm.failure !== null) this.#reason ??= "stopped";
  }

  #apply({ kind, headers, body, end }: ShadowEvent): void {
    const manager = this.#manager;
    if (kind === EventKind.Destroy) {
      manager.destroy();
      this.#finish();
      return;
    }
    if (kind === EventKind.Log) {
      manager.log();
      return;
    }
    if (this.#reason !== null || this.#hasParted || this.#parts(kind)) return;
    if (kind === EventKind.RequestHeaders && headers !== null) manager.decodeHeaders(headers, end);
    if (kind === EventKind.RequestTrailers && headers !== null) manager.decodeTrailers(headers);
    if (kind === EventKind.ResponseHeaders && headers !== null) manager.encodeHeaders(headers, end);
    if (kind === EventKind.ResponseTrailers && headers !== null) manager.encodeTrailers(headers);
    const bytes = body ?? NO_BYTES;
    if (kind === EventKind.RequestData) manager.decodeData(bytes, 0, bytes.length, end);
    if (kind === EventKind.ResponseData) manager.encodeData(bytes, 0, bytes.length, end);
  }

  /** A response comes to one that was answered, or to one that was not: not to both alike. */
  #parts(kind: EventKind): boolean {
    if (kind !== EventKind.ResponseHeaders) return false;
    const { served, tried } = this;
    const comparison = new Comparison();
    comparison.replies(served.reply, tried.reply);
    this.#hasParted = comparison.differences.length > 0 || served.isClosed !== tried.isClosed;
    return this.#hasParted;
  }

  /** Bytes that wait for this stream are the site's, too. */
  #account(): void {
    const held = this.#isOver ? 0 : this.#eventBytes + this.#manager.heldBytes;
    this.#shadow.site.heldBytes += held - this.#heldBytes;
    this.#heldBytes = held;
  }

  #mayHold(bytes: number): boolean {
    if (this.#shadow.mayHold(bytes)) return true;
    this.#reason ??= "over_limit";
    return false;
  }

  #finish(): void {
    this.#isOver = true;
    this.#events = [];
    this.#account();
    const comparison = new Comparison();
    if (this.#reason === null) {
      comparison.outcomes(this.served, this.tried);
      this.#compareCalls(comparison);
    }
    this.#shadow.onStreamOver(this.#reason, comparison.differences, this.#request);
    this.calls.close();
  }

  #compareCalls(comparison: Comparison): void {
    if (this.calls.isCut) {
      this.#shadow.onCallsCut();
      return;
    }
    const { served, shadow } = this.calls.unmatched();
    const tried = [...shadow, ...this.#grpcCalls];
    if (served.length > 0 || tried.length > 0) {
      comparison.add("callouts", served.join("\n\n"), tried.join("\n\n"));
    }
  }

  /** A gRPC call of the shadow: nobody answers those. */
  noteGrpcCall(text: string): void {
    if (this.#grpcCalls.length < CALLS_MAX) this.#grpcCalls.push(text);
  }

  // ---- FilterChainEnds of the shadow's chain: what leaves it goes nowhere.

  onRequestHeaders(headers: HeaderMap, end: boolean): void {
    this.tried.request.takeHeaders(headers, end);
  }

  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.tried.request.takeBody(buffer, from, to, end);
  }

  onRequestTrailers(trailers: HeaderMap): void {
    this.tried.request.takeTrailers(trailers);
  }

  onResponseHeaders(headers: HeaderMap, end: boolean): void {
    this.tried.response.takeHeaders(headers, end);
  }

  onResponseData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.tried.response.takeBody(buffer, from, to, end);
  }

  onResponseTrailers(trailers: HeaderMap): void {
    this.tried.response.takeTrailers(trailers);
  }

  /** Not of its guest: it holds more than a stream may, or has taken the status away. */
  onLocalReply(_reply: LocalReply): void {
    if (this.tried.reply === null) this.#reason ??= "over_limit";
  }

  onFilterReset(_details: string): void {}

  onClearRouteCache(): void {}

  onDecodeReadDisable(_disabled: boolean): void {}

  onEncodeReadDisable(_disabled: boolean): void {}
}

/** A copy, without what the version that serves has set. */
function metadataBefore(
  { dynamicMetadata }: StreamInfo,
  served: StreamOutcome,
): StreamInfo["dynamicMetadata"] {
  if (dynamicMetadata === null) return null;
  const copy = new Map([...dynamicMetadata].map(([name, values]) => [name, new Map(values)]));
  for (const [namespace, key, before] of served.metadataBefore.values()) {
    const values = copy.get(namespace);
    if (before === undefined) values?.delete(key);
    else values?.set(key, before);
    if (values?.size === 0) copy.delete(namespace);
  }
  return copy;
}
