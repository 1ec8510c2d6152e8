// A wasm plugin as an HTTP filter of one stream: what the filter manager calls becomes callbacks of
// the guest, and the guest's answers become what the manager understands.
import { BufferQueue } from "../core/buffer-queue.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { tellsEndApart } from "../core/stream-info.ts";
import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
} from "../filter/filter-status.ts";
import { FilterWants, type HttpFilter, type HttpFilterCallbacks } from "../filter/http-filter.ts";
import { DeferredKind } from "./context.ts";
import { BRIEF_KEPT, type GuestExports, type GuestFunction } from "./guest-exports.ts";
import { FAIL_STREAM } from "./failure-policy.ts";
import type { RootContext } from "./root-context.ts";
import { StreamContext } from "./stream-context.ts";

/** Who is told that a stream is over. */
export interface StreamOwner {
  onStreamDestroyed(root: RootContext): void;
}

/** Who made the filter, and may take it for another stream. */
export interface HttpFilterOwner extends StreamOwner {
  onFilterFree(filter: WasmHttpFilter): void;
}

/**
 * What the chain need not call. Request headers are always wanted: with them the guest's context
 * begins, and without them the response's callbacks are left out.
 */
export function wantsOf(exports: GuestExports): number {
  let wants: number = FilterWants.DecodeHeaders;
  if (exports.onRequestBody !== null) wants |= FilterWants.DecodeData;
  if (exports.onRequestTrailers !== null) wants |= FilterWants.DecodeTrailers;
  if (exports.onResponseHeaders !== null) wants |= FilterWants.EncodeHeaders;
  if (exports.onResponseBody !== null) wants |= FilterWants.EncodeData;
  if (exports.onResponseTrailers !== null) wants |= FilterWants.EncodeTrailers;
  return wants;
}

/** Six days are told apart. */
const TICKS_PER_MS = 8;

function tickOf(ms: number): number {
  return (ms * TICKS_PER_MS) | 0;
}

function hasBrief({ briefRequestHeaders, briefResponseHeaders }: GuestExports): boolean {
  return briefRequestHeaders !== null || briefResponseHeaders !== null;
}

/** All of them: the first one answers 503. */
export const WANTS_ALL = 63;

export class WasmHttpFilter extends StreamContext implements HttpFilter {
  readonly wants: number;
  readonly #owner: HttpFilterOwner;
  /** A whole number: one with a fraction would be an object of its own in V8. */
  #startTick: number = 0;
  /** The context has its id. */
  #isCreated: boolean = false;
  /** The guest knows it, and has not done with it: see BRIEF_KEPT. */
  #isKnown: boolean = false;
  /** The request's headers came. */
  #isSeen: boolean = false;
  #isFailureTold: boolean = false;

  constructor(root: RootContext, wants: number, owner: HttpFilterOwner) {
    super(root);
    this.wants = wants;
    this.#owner = owner;
  }

  /** Before each stream. */
  begin(): void {
    this.#startTick = tickOf(this.vm.services.clock.nowMs);
    this.timedFor = this.vm.sampler.choose();
    this.plugin.counts.onStream();
  }

  attach(callbacks: HttpFilterCallbacks, position: number): void {
    this.callbacks = callbacks;
    this.position = position;
  }

  // ---- The request.

  decodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    const { vm } = this;
    const { briefRequestHeaders, briefResponseHeaders, onRequestHeaders } = vm.exports;
    this.#isSeen = true;
    if (briefRequestHeaders === null && briefResponseHeaders === null) this.#create();
    if (vm.failure !== null) return this.#failHeaders();
    const callback = briefRequestHeaders ?? onRequestHeaders;
    if (callback === null) return FilterHeadersStatus.Continue;
    this.requestHeaders = headers;
    this.isRequestEnd = end;
    const answer =
      briefRequestHeaders === null
        ? vm.call(this, callback, this.id, headers.size, end ? 1 : 0, 0, 0)
        : this.#callBrief(callback, headers, end);
    if (vm.failure !== null) return this.#failHeaders();
    if (this.#takeStop()) return FilterHeadersStatus.StopAllIterationAndWatermark;
    const status = this.#headersStatus(answer);
    this.areRequestHeadersHeld = status !== FilterHeadersStatus.Continue;
    if (status === FilterHeadersStatus.Continue) this.requestHeaders = null;
    return status;
  }

  decodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    const { vm } = this;
    if (!this.#isKnown) return FilterDataStatus.Continue;
    if (vm.failure !== null) return this.#failData();
    if (vm.exports.onRequestBody === null) return FilterDataStatus.Continue;
    const isSplit = end && data.length > 0 && this.#doesRequestEndApart();
    if (!isSplit) return this.#callRequestBody(data, end);
    const wasReplied = this.isReplied;
    const first = this.#callRequestBody(data, false);
    if (vm.failure !== null || this.isReplied !== wasReplied) return first;
    if (first === FilterDataStatus.StopIterationAndBuffer) {
      return this.#isTooLong(this.requestBody) ? first : this.#callRequestBody(data, end);
    }
    // Bytes that could go on wait for the guest's word on the end: one piece has one status.
    const tail = new BufferQueue();
    const last = this.#callRequestBody(tail, end);
    if (first === FilterDataStatus.StopIterationNoBuffer) data.clear();
    data.moveFrom(tail);
    if (this.requestBody === tail) this.requestBody = data;
    return last;
  }

  #callRequestBody(data: BufferQueue, end: boolean): FilterDataStatus {
    const { vm } = this;
    const callback = vm.exports.onRequestBody;
    if (callback === null) return FilterDataStatus.Continue;
    const held = this.isBufferingRequest ? this.requestBody : null;
    const body = held ?? data;
    if (held !== null && held !== data) held.moveFrom(data);
    this.requestBody = body;
    this.isRequestEnd = end;
    const answer = this.#callBody(callback, body, end);
    if (vm.failure !== null) return this.#failData();
    if (this.#takeStop()) {
      // A later callback may still look at it.
      this.requestBody?.own();
      return FilterDataStatus.StopIterationNoBuffer;
    }
    const status = dataStatus(answer);
    this.isBufferingRequest =
      status === FilterDataStatus.StopIterationAndBuffer && this.requestBody !== null;
    if (!this.isBufferingRequest) this.requestBody = null;
    if (status === FilterDataStatus.Continue) this.areRequestHeadersHeld = false;
    return status;
  }

  decodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const { vm } = this;
    if (!this.#isKnown) return FilterTrailersStatus.Continue;
    if (vm.failure !== null) return this.#failTrailers();
    const callback = vm.exports.onRequestTrailers;
    if (callback === null) return FilterTrailersStatus.Continue;
    this.requestTrailers = trailers;
    const answer = vm.call(this, callback, this.id, trailers.size, 0, 0, 0);
    if (vm.failure !== null) return this.#failTrailers();
    if (this.#takeStop() || answer !== 0) return FilterTrailersStatus.StopIteration;
    this.requestTrailers = null;
    return FilterTrailersStatus.Continue;
  }

  // ---- The response.

  encodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    const { vm, plugin } = this;
    if (plugin.versionHeader !== "") headers.append(plugin.versionHeader, plugin.versionText);
    const { briefResponseHeaders, onResponseHeaders } = vm.exports;
    // Native filters see answers to requests that they have never seen.
    const isFirst = !this.#isCreated && (this.#isSeen || vm.settings.native !== null);
    if (isFirst && briefResponseHeaders === null) this.#create();
    if (!isFirst && !this.#isKnown) return FilterHeadersStatus.Continue;
    if (vm.failure !== null) return this.#failHeaders();
    const callback = briefResponseHeaders ?? onResponseHeaders;
    if (callback === null) return FilterHeadersStatus.Continue;
    this.responseHeaders = headers;
    this.isResponseEnd = end;
    const answer =
      briefResponseHeaders === null
        ? vm.call(this, callback, this.id, headers.size, end ? 1 : 0, 0, 0)
        : this.#callBrief(callback, headers, end);
    if (vm.failure !== null) return this.#failHeaders();
    if (this.#takeStop()) return FilterHeadersStatus.StopAllIterationAndWatermark;
    const status = this.#headersStatus(answer);
    this.areResponseHeadersHeld = status !== FilterHeadersStatus.Continue;
    if (status === FilterHeadersStatus.Continue) this.responseHeaders = null;
    return status;
  }

  encodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    const { vm } = this;
    if (!this.#isKnown) return FilterDataStatus.Continue;
    if (vm.failure !== null) return this.#failData();
    if (vm.exports.onResponseBody === null) return FilterDataStatus.Continue;
    const isSplit = end && data.length > 0 && this.#doesResponseEndApart();
    if (!isSplit) return this.#callResponseBody(data, end);
    const wasReplied = this.isReplied;
    const first = this.#callResponseBody(data, false);
    if (vm.failure !== null || this.isReplied !== wasReplied) return first;
    if (first === FilterDataStatus.StopIterationAndBuffer) {
      return this.#isTooLong(this.responseBody) ? first : this.#callResponseBody(data, end);
    }
    // Bytes that could go on wait for the guest's word on the end: one piece has one status.
    const tail = new BufferQueue();
    const last = this.#callResponseBody(tail, end);
    if (first === FilterDataStatus.StopIterationNoBuffer) data.clear();
    data.moveFrom(tail);
    if (this.responseBody === tail) this.responseBody = data;
    return last;
  }

  #callResponseBody(data: BufferQueue, end: boolean): FilterDataStatus {
    const { vm } = this;
    const callback = vm.exports.onResponseBody;
    if (callback === null) return FilterDataStatus.Continue;
    const held = this.isBufferingResponse ? this.responseBody : null;
    const body = held ?? data;
    if (held !== null && held !== data) held.moveFrom(data);
    this.responseBody = body;
    this.isResponseEnd = end;
    const answer = this.#callBody(callback, body, end);
    if (vm.failure !== null) return this.#failData();
    if (this.#takeStop()) {
      // A later callback may still look at it.
      this.responseBody?.own();
      return FilterDataStatus.StopIterationNoBuffer;
    }
    const status = dataStatus(answer);
    this.isBufferingResponse =
      status === FilterDataStatus.StopIterationAndBuffer && this.responseBody !== null;
    if (!this.isBufferingResponse) this.responseBody = null;
    if (status === FilterDataStatus.Continue) this.areResponseHeadersHeld = false;
    return status;
  }

  encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    const { vm } = this;
    if (!this.#isKnown) return FilterTrailersStatus.Continue;
    if (vm.failure !== null) return this.#failTrailers();
    const callback = vm.exports.onResponseTrailers;
    if (callback === null) return FilterTrailersStatus.Continue;
    this.responseTrailers = trailers;
    const answer = vm.call(this, callback, this.id, trailers.size, 0, 0, 0);
    if (vm.failure !== null) return this.#failTrailers();
    if (this.#takeStop() || answer !== 0) return FilterTrailersStatus.StopIteration;
    this.responseTrailers = null;
    return FilterTrailersStatus.Continue;
  }

  // ---- The end: on_log, then on_done, then on_delete.

  onLog(): void {
    const { vm } = this;
    const callback = vm.exports.onLog;
    // A stream that was answered before its headers came here is logged all the same.
    if (callback !== null || !hasBrief(vm.exports)) this.#create();
    if (vm.failure !== null || callback === null || !this.#isKnown) return;
    this.isOver = true;
    this.logging = true;
    vm.call(this, callback, this.id, 0, 0, 0, 0);
    this.logging = false;
  }

  /** Once for each stream. */
  onDestroy(): void {
    const { vm } = this;
    if (this.#isCreated) {
      const { onDone, onDelete } = vm.exports;
      // No stream waits for proxy_done: a false answer is ignored, as in Envoy.
      this.isOver = true;
      this.#forget();
      const isTold = this.#isKnown && vm.failure === null;
      if (isTold && onDone !== null) vm.call(this, onDone, this.id, 0, 0, 0, 0);
      if (isTold && vm.failure === null && onDelete !== null) {
        vm.call(this, onDelete, this.id, 0, 0, 0, 0);
      }
      vm.contexts.remove(this);
      this.#isCreated = false;
    }
    this.#isKnown = false;
    this.#isSeen = false;
    const code = this.callbacks?.streamInfo.responseCode ?? 0;
    this.#untellCost();
    const durationMs = ((tickOf(vm.services.clock.nowMs) - this.#startTick) >>> 0) / TICKS_PER_MS;
    this.plugin.counts.onStreamDone(durationMs, code);
    this.#forget();
    this.#isFailureTold = false;
    this.becomeFree();
    const owner = this.#owner;
    owner.onStreamDestroyed(this.root);
    owner.onFilterFree(this);
  }

  override onVmOver(): void {
    const isRequestHeld = this.areRequestHeadersHeld || this.isBufferingRequest;
    const isResponseHeld = this.areResponseHeadersHeld || this.isBufferingResponse;
    if ((!isRequestHeld && !isResponseHeld) || this.#fail()) return;
    if (isRequestHeld) this.runDeferred(DeferredKind.ContinueRequest, null);
    else this.runDeferred(DeferredKind.ContinueResponse, null);
  }

  // ---- Private parts.

  #forget(): void {
    this.requestHeaders = null;
    this.requestBody = null;
    this.requestTrailers = null;
    this.responseHeaders = null;
    this.responseBody = null;
    this.responseTrailers = null;
  }

  #create(): void {
    const { vm } = this;
    if (this.#isCreated || vm.failure !== null) return;
    this.#begin();
    const callback = vm.exports.onContextCreate;
    if (callback !== null) vm.call(this, callback, this.id, this.root.id, 0, 0, 0);
  }

  #begin(): void {
    this.#isCreated = true;
    this.#isKnown = true;
    this.#tellCost();
    this.vm.contexts.add(this);
  }

  /** The context begins with the first hook, and may end with each: what the hook answered. */
  #callBrief(callback: GuestFunction, headers: HeaderMap, end: boolean): number {
    if (!this.#isCreated) this.#begin();
    const answer = this.vm.call(
      this,
      callback,
      this.id,
      this.root.id,
      headers.size,
      end ? 1 : 0,
      0,
    );
    this.#isKnown = (answer & BRIEF_KEPT) !== 0;
    return answer & ~BRIEF_KEPT;
  }

  #callBody(callback: GuestFunction, body: BufferQueue, end: boolean): number {
    body.isInCallback = true;
    const answer = this.vm.call(this, callback, this.id, body.length, end ? 1 : 0, 0, 0);
    body.isInCallback = false;
    return answer;
  }

  /** For the access log. */
  #tellCost(): void {
    const info = this.streamInfo;
    if (info === null) return;
    this.nextCost = info.guestCost;
    info.guestCost = this;
  }

  /** The next stream of this filter may begin while the access log of this one is to be written. */
  #untellCost(): void {
    const info = this.streamInfo;
    if (info === null) return;
    if (info.guestCost === this) info.guestCost = this.nextCost;
    for (let one = info.guestCost; one !== null; one = one.nextCost) {
      if (one.nextCost === this) one.nextCost = this.nextCost;
    }
    this.resetCost();
  }

  /** Whether the guest asked for a local reply in the callback that has just returned. */
  #takeStop(): boolean {
    const { vm } = this;
    if (!vm.isIterationStopped) return false;
    vm.isIterationStopped = false;
    return true;
  }

  #headersStatus(answer: number): FilterHeadersStatus {
    switch (answer) {
      case FilterHeadersStatus.Continue:
      // Envoy has no case for it, see decisions: only a local reply ends a stream.
      case FilterHeadersStatus.ContinueAndEndStream:
        return FilterHeadersStatus.Continue;
      case FilterHeadersStatus.StopIteration:
        return this.plugin.allowOnHeadersStopIteration
          ? FilterHeadersStatus.StopIteration
          : FilterHeadersStatus.StopAllIterationAndWatermark;
      case FilterHeadersStatus.StopAllIterationAndBuffer:
        return FilterHeadersStatus.StopAllIterationAndBuffer;
      default:
        return FilterHeadersStatus.StopAllIterationAndWatermark;
    }
  }

  #doesRequestEndApart(): boolean {
    const { callbacks } = this;
    if (callbacks === null || callbacks.isDecodingHeldData()) return false;
    return tellsEndApart(callbacks.streamInfo.protocol);
  }

  /** Local replies and direct responses come in one piece. */
  #doesResponseEndApart(): boolean {
    const { callbacks } = this;
    if (callbacks === null || callbacks.isEncodingHeldData()) return false;
    const { responseCodeDetails, upstreamProtocol } = callbacks.streamInfo;
    return responseCodeDetails === "via_upstream" && tellsEndApart(upstreamProtocol);
  }

  /**
   * More than the chain lets a filter collect, which then looks itself: as in Envoy, before the end
   * comes. A guest that is told of the end first would let such a body go.
   */
  #isTooLong(body: BufferQueue | null): boolean {
    const max = this.callbacks?.bufferBytesMax ?? 0;
    return max > 0 && body !== null && body.length > max;
  }

  /** Answers 503; false when the stream is to pass, which that answer itself is, too. */
  #fail(): boolean {
    this.vm.isIterationStopped = false;
    if (this.plugin.failOpenLegacy || this.#isFailureTold) return false;
    this.#isFailureTold = true;
    this.plugin.counts.onStreamFailed();
    this.callbacks?.sendLocalReply(FAIL_STREAM);
    return true;
  }

  #failHeaders(): FilterHeadersStatus {
    return this.#fail()
      ? FilterHeadersStatus.StopAllIterationAndWatermark
      : FilterHeadersStatus.Continue;
  }

  #failData(): FilterDataStatus {
    return this.#fail() ? FilterDataStatus.StopIterationNoBuffer : FilterDataStatus.Continue;
  }

  #failTrailers(): FilterTrailersStatus {
    return this.#fail() ? FilterTrailersStatus.StopIteration : FilterTrailersStatus.Continue;
  }
}

function dataStatus(answer: number): FilterDataStatus {
  switch (answer) {
    case FilterDataStatus.Continue:
      return FilterDataStatus.Continue;
    case FilterDataStatus.StopIterationAndBuffer:
      return FilterDataStatus.StopIterationAndBuffer;
    case FilterDataStatus.StopIterationAndWatermark:
      return FilterDataStatus.StopIterationAndWatermark;
    default:
      return FilterDataStatus.StopIterationNoBuffer;
  }
}
