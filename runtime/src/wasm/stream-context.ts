// A stream as its guest sees it: which maps and bodies are there now, and what the guest asked for.
// WasmHttpFilter adds the filter's side.
import { BufferType, MapType } from "proxy-wasm-types";
import type { BufferQueue } from "../core/buffer-queue.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { HeaderId } from "../core/header-names.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { HttpFilterCallbacks, LocalReply } from "../filter/http-filter.ts";
import { Context, DeferredKind } from "./context.ts";
import type { RootContext } from "./root-context.ts";

export abstract class StreamContext extends Context {
  /** Null before the filter has its place in a chain. */
  callbacks: HttpFilterCallbacks | null = null;
  position: number = 0;

  // What a guest may touch now; null = nothing. Set by the filter around callbacks.
  requestHeaders: HeaderMap | null = null;
  requestBody: BufferQueue | null = null;
  requestTrailers: HeaderMap | null = null;
  responseHeaders: HeaderMap | null = null;
  responseBody: BufferQueue | null = null;
  responseTrailers: HeaderMap | null = null;
  /** Nothing follows what the callback is about. */
  isRequestEnd: boolean = false;
  isResponseEnd: boolean = false;
  /** The answer to a body callback was "buffer": the next one sees old and new bytes together. */
  isBufferingRequest: boolean = false;
  isBufferingResponse: boolean = false;
  /** The headers of the direction wait at this filter. */
  areRequestHeadersHeld: boolean = false;
  areResponseHeadersHeld: boolean = false;
  isReplied: boolean = false;
  logging: boolean = false;
  /** The stream is over: what a guest asks for has no effect any more. */
  isOver: boolean = false;

  constructor(root: RootContext) {
    super(root.vm, root.plugin, root);
  }

  /** As new, but for maps and bodies: its stream is over. */
  protected becomeFree(): void {
    this.callbacks = null;
    this.isRequestEnd = false;
    this.isResponseEnd = false;
    this.isBufferingRequest = false;
    this.isBufferingResponse = false;
    this.areRequestHeadersHeld = false;
    this.areResponseHeadersHeld = false;
    this.isReplied = false;
    this.isOver = false;
    this.isRouteStale = false;
    this.declaredProperties = null;
    // What was asked for under the old id and is not done yet is never done.
    this.id = 0;
  }

  override get isLogging(): boolean {
    return this.logging;
  }

  override get hasStream(): boolean {
    return this.callbacks !== null;
  }

  override get streamInfo(): StreamInfo | null {
    return this.callbacks === null ? null : this.callbacks.streamInfo;
  }

  // ---- Maps.

  override readableMap(mapType: number): HeaderMap | null {
    switch (mapType) {
      case MapType.HttpRequestHeaders:
        return this.logging ? this.streamMap(mapType) : this.requestHeaders;
      case MapType.HttpRequestTrailers:
        return this.logging ? null : this.requestTrailers;
      case MapType.HttpResponseHeaders:
        return this.logging ? this.streamMap(mapType) : this.responseHeaders;
      case MapType.HttpResponseTrailers:
        return this.logging ? this.streamMap(mapType) : this.responseTrailers;
      default:
        return this.root.readableMap(mapType);
    }
  }

  override writableMap(mapType: number): HeaderMap | null {
    if (this.isOver) return null;
    switch (mapType) {
      case MapType.HttpRequestHeaders:
        return this.requestHeaders;
      case MapType.HttpRequestTrailers:
        if (this.requestTrailers === null && this.requestBody !== null && this.isRequestEnd) {
          this.requestTrailers = this.callbacks?.addDecodedTrailers() ?? null;
        }
        return this.requestTrailers;
      case MapType.HttpResponseHeaders:
        return this.responseHeaders;
      case MapType.HttpResponseTrailers:
        if (this.responseTrailers === null && this.responseBody !== null && this.isResponseEnd) {
          this.responseTrailers = this.callbacks?.addEncodedTrailers() ?? null;
        }
        return this.responseTrailers;
      default:
        return null;
    }
  }

  /**
   * Envoy chooses the route anew after every change of request headers, for ABI up to 0.2.1; native
   * filters ask for it.
   */
  override onMapChanged(mapType: number): void {
    if (this.vm.settings.native !== null) return;
    if (mapType === MapType.HttpRequestHeaders) this.clearRouteCache();
  }

  override streamMap(mapType: number): HeaderMap | null {
    const { callbacks } = this;
    if (callbacks === null) return null;
    switch (mapType) {
      case MapType.HttpRequestHeaders:
        return callbacks.requestHeaders();
      case MapType.HttpRequestTrailers:
        return callbacks.requestTrailers();
      case MapType.HttpResponseHeaders:
        return callbacks.responseHeaders();
      case MapType.HttpResponseTrailers:
        return callbacks.responseTrailers();
      default:
        return null;
    }
  }

  // ---- Bodies.

  override bodyOf(bufferType: number): BufferQueue | null {
    if (bufferType === BufferType.HttpRequestBody) return this.requestBody;
    return bufferType === BufferType.HttpResponseBody ? this.responseBody : null;
  }

  /**
   * As long as the headers wait here, their content-length follows the body: the right number once
   * all of it is there, none before. Envoy leaves a wrong number standing. Afterwards the codec
   * keeps to the number: that is counted.
   */
  override onBodyResized(bufferType: number): void {
    const isRequest = bufferType === BufferType.HttpRequestBody;
    const isHeld = isRequest ? this.areRequestHeadersHeld : this.areResponseHeadersHeld;
    const headers = isRequest ? this.requestHeaders : this.responseHeaders;
    const body = isRequest ? this.requestBody : this.responseBody;
    if (!isHeld) {
      const { callbacks } = this;
      const sent = isRequest ? callbacks?.requestHeaders() : callbacks?.responseHeaders();
      const isPromised = sent?.getById(HeaderId.ContentLength) !== undefined;
      if (isPromised) this.root.noteBrokenLength();
    }
    if (!isHeld || headers === null || body === null) return;
    if (headers.getById(HeaderId.ContentLength) === undefined) return;
    const isWhole = isRequest ? this.isRequestEnd : this.isResponseEnd;
    if (isWhole) headers.setById(HeaderId.ContentLength, String(body.length));
    else headers.removeById(HeaderId.ContentLength);
  }

  // ---- What the guest asks for; done after its callback.

  /** The maps and the body of that direction are out of reach at once, as in Envoy. */
  override continueStream(isRequest: boolean): void {
    if (this.isOver) return;
    if (isRequest) {
      this.requestHeaders = null;
      this.requestBody = null;
      this.requestTrailers = null;
      this.vm.defer(this, DeferredKind.ContinueRequest, null);
    } else {
      this.responseHeaders = null;
      this.responseBody = null;
      this.responseTrailers = null;
      this.vm.defer(this, DeferredKind.ContinueResponse, null);
    }
  }

  override closeStream(): void {
    if (!this.isOver) this.vm.defer(this, DeferredKind.Close, null);
  }

  override sendLocalReply(reply: LocalReply): void {
    if (this.isOver) return;
    if (this.vm.current === this) this.vm.isIterationStopped = true;
    this.vm.defer(this, DeferredKind.LocalReply, reply);
  }

  /** Once per callback is enough, however many headers change. */
  override clearRouteCache(): void {
    if (this.isRouteStale || this.isOver) return;
    this.isRouteStale = true;
    // The usual case needs no list: the VM looks at the context whose callback returned.
    if (this.vm.current !== this) this.vm.defer(this, DeferredKind.ClearRouteCache, null);
  }

  override flushRoute(): void {
    this.isRouteStale = false;
    this.callbacks?.clearRouteCache();
  }

  override runDeferred(kind: DeferredKind, reply: LocalReply | null): void {
    const { callbacks } = this;
    if (callbacks === null) return;
    switch (kind) {
      case DeferredKind.ContinueRequest:
        this.isBufferingRequest = false;
        this.areRequestHeadersHeld = false;
        callbacks.continueDecoding(this.position);
        return;
      case DeferredKind.ContinueResponse:
        this.isBufferingResponse = false;
        this.areResponseHeadersHeld = false;
        callbacks.continueEncoding(this.position);
        return;
      case DeferredKind.Close:
        this.#close(callbacks);
        return;
      case DeferredKind.LocalReply:
        if (this.isReplied || reply === null) return;
        this.isReplied = true;
        callbacks.sendLocalReply(reply);
        return;
      case DeferredKind.ClearRouteCache:
        this.flushRoute();
        return;
      default:
        return;
    }
  }

  /** Details that a response brought stay as they are. */
  #close(callbacks: HttpFilterCallbacks): void {
    const known = callbacks.streamInfo.responseCodeDetails;
    callbacks.resetStream(known ?? "wasm_close_stream");
  }
}
