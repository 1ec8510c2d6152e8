// One attempt to have a request answered: waits for a connection, holds what arrives meanwhile,
// writes the request and hands the response to its owner: a Router, which uses it again, or an
// UpstreamCall.
//
//   Idle -- start --> Waiting -- onPoolReady --> Sending -- response, reset or giveUp --> Idle
import { BytesMeter } from "../core/bytes-meter.ts";
import { assert } from "../core/assert.ts";
import { BufferQueue } from "../core/buffer-queue.ts";
import { HeaderMap } from "../core/header-map.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import {
  type PendingStream,
  type PoolCallbacks,
  type PoolFailureReason,
  type PooledConnection,
  type RequestEncoder,
  type ResponseDecoder,
  StreamResetReason,
} from "./pool/conn-pool.ts";
import type { TransportOptions } from "./transport-options.ts";
import { openTcpUpstream } from "./tcp-upstream.ts";

/** What the request tells its owner. */
export interface UpstreamRequestOwner {
  /** A connection is there; request headers may still be changed for this host. */
  onUpstreamReady(host: Host, connection: PooledConnection): void;
  onUpstreamPoolFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void;
  onUpstreamInformational(headers: HeaderMap): void;
  onUpstreamHeaders(headers: HeaderMap, end: boolean): void;
  onUpstreamData(buffer: Buffer, from: number, to: number, end: boolean): void;
  onUpstreamTrailers(trailers: HeaderMap): void;
  onUpstreamReset(reason: StreamResetReason, failureReason: string): void;
  /** The whole request was handed to the connection. */
  onUpstreamRequestSent(): void;
  /** Stops and starts the request's body at its source; not counted: true and false in turn. */
  onUpstreamBackPressure(isPaused: boolean): void;
}

export class UpstreamRequest implements PoolCallbacks, ResponseDecoder {
  /** The host that took or failed the attempt; null while none did. */
  host: Host | null = null;
  streamsBefore: number = 0;
  wasBodySent: boolean = false;
  hasResponse: boolean = false;
  /** Whom it tells: the router or call, or the filters behind it. */
  owner: UpstreamRequestOwner;
  readonly #responseHeaders: HeaderMap;
  readonly #held: BufferQueue;
  #cluster: Cluster | null = null;
  #chosenHost: Host | null = null;
  #options: TransportOptions | null = null;
  #headers: HeaderMap | null = null;
  /** Filters still have the headers: nothing is written before they let them go. */
  #areHeadersHeld: boolean = false;
  #isHighPriority: boolean = false;
  #rawStart: Buffer | null = null;
  #isStarted: boolean = false;
  #isRequestEnded: boolean = false;
  #isRequestSent: boolean = false;
  #trailers: HeaderMap | null = null;
  #pending: PendingStream | null = null;
  #encoder: RequestEncoder | null = null;
  /** Those of the connection while it is ours: it counts on with its next stream. */
  #wireBytes: BytesMeter | null = null;
  readonly #ownBytes: BytesMeter = new BytesMeter();
  #isPaused: boolean = false;
  #readDisables: number = 0;

  constructor(owner: UpstreamRequestOwner) {
    this.owner = owner;
    this.#responseHeaders = new HeaderMap();
    this.#held = new BufferQueue();
  }

  /**
   * Asks for a connection; owner is told when there is one or none, perhaps before this returns.
   * `rawStart`: what a TCP connection begins with; null = HTTP. `holdsHeaders`: they go out with
   * sendHeaders, which then says whether they are the end.
   */
  start(
    cluster: Cluster,
    host: Host,
    options: TransportOptions | null,
    headers: HeaderMap,
    end: boolean,
    isHighPriority: boolean,
    rawStart: Buffer | null,
    holdsHeaders: boolean,
  ): void {
    assert(!this.#isStarted);
    this.#options = options;
    this.#rawStart = rawStart;
    this.#cluster = cluster;
    this.#chosenHost = host;
    this.#headers = headers;
    this.#areHeadersHeld = holdsHeaders;
    this.#isHighPriority = isHighPriority;
    this.#isRequestEnded = end && !holdsHeaders;
    this.#ask(cluster, host, false);
  }

  /** The same once more after a reset, on a connection that was not idle. */
  restart(): void {
    const cluster = this.#cluster;
    const host = this.#chosenHost;
    assert(cluster !== null);
    assert(host !== null);
    assert(!this.wasBodySent);
    this.#isRequestSent = false;
    this.host = null;
    this.#ask(cluster, host, true);
  }

  /** Of the last attempt. */
  get bytes(): BytesMeter {
    return this.#wireBytes ?? this.#ownBytes;
  }

  /** True when the connection has the whole request. */
  get isRequestSent(): boolean {
    return this.#isRequestSent;
  }

  /** A host is chosen and its connection is not there yet. */
  get isWaiting(): boolean {
    return this.#pending !== null;
  }

  /** A connection was given and the response is not complete. */
  get isSending(): boolean {
    return this.#encoder !== null;
  }

  /** Those of `start` that were held. */
  sendHeaders(end: boolean): void {
    const encoder = this.#encoder;
    this.#areHeadersHeld = false;
    this.#isRequestEnded = end;
    if (encoder === null) return;
    encoder.encodeHeaders(this.#headers as HeaderMap, end);
    if (end && this.#encoder === encoder) this.#noteSent();
  }

  sendData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.#isRequestEnded = end;
    const encoder = this.#encoder;
    if (encoder === null) {
      this.#held.appendCopy(buffer, from, to);
      const max = this.#cluster?.config.perConnectionBufferBytesMax ?? 0;
      if (!end && this.#held.length > max) this.#pause(true);
      return;
    }
    if (to > from) this.wasBodySent = true;
    const isFlowing = encoder.encodeData(buffer, from, to, end);
    if (end) this.#noteSent();
    else if (!isFlowing && this.#encoder === encoder) this.#pause(true);
  }

  sendTrailers(trailers: HeaderMap): void {
    this.#isRequestEnded = true;
    const encoder = this.#encoder;
    if (encoder === null) {
      this.#trailers = trailers;
      return;
    }
    this.wasBodySent = true;
    encoder.encodeTrailers(trailers);
    this.#noteSent();
  }

  /** Counted: stops and starts the response's body at its source. */
  readDisable(disabled: boolean): void {
    if (!disabled && this.#readDisables === 0) return;
    this.#readDisables += disabled ? 1 : -1;
    this.#encoder?.readDisable(disabled);
  }

  /** Ends the attempt, wherever it stands; nothing follows. */
  giveUp(): void {
    const pending = this.#pending;
    const encoder = this.#encoder;
    this.#release();
    pending?.cancel();
    encoder?.resetStream(StreamResetReason.LocalReset);
  }

  /**
   * The response is complete. A request that is not cannot be finished any more, and neither can
   * its connection be used again.
   */
  finish(): void {
    const encoder = this.#encoder;
    const isSent = this.#isRequestSent;
    this.#release();
    if (!isSent) encoder?.resetStream(StreamResetReason.LocalReset);
  }

  /** The attempt is over: the rest of the request's body may be read, and is dropped. */
  resume(): void {
    this.#pause(false);
  }

  /** Lets go of everything that belonged to the last request; it must be over. */
  reset(): void {
    assert(!this.#isStarted);
    this.host = null;
    this.streamsBefore = 0;
    this.wasBodySent = false;
    this.hasResponse = false;
    this.#responseHeaders.reset();
    this.#held.clear();
    this.#cluster = null;
    this.#chosenHost = null;
    this.#options = null;
    this.#headers = null;
    this.#areHeadersHeld = false;
    this.#isHighPriority = false;
    this.#rawStart = null;
    this.#isRequestEnded = false;
    this.#isRequestSent = false;
    this.#trailers = null;
    this.#isPaused = false;
    this.#readDisables = 0;
  }

  // ---- PoolCallbacks.

  get decoder(): ResponseDecoder {
    return this;
  }

  onPoolReady(encoder: RequestEncoder, host: Host, connection: PooledConnection): void {
    const headers = this.#headers;
    assert(headers !== null);
    this.#pending = null;
    this.#encoder = encoder;
    this.#wireBytes = encoder.bytes;
    this.host = host;
    this.streamsBefore = connection.streamsBefore;
    this.owner.onUpstreamReady(host, connection);
    for (let i = 0; i < this.#readDisables; i += 1) encoder.readDisable(true);
    if (this.#areHeadersHeld) return;
    const hasMore = this.#held.length > 0 || this.#trailers !== null;
    encoder.encodeHeaders(headers, this.#isRequestEnded && !hasMore);
    this.#sendHeld(encoder);
    if (this.#isRequestEnded && this.#encoder === encoder) this.#noteSent();
  }

  onPoolFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void {
    this.host = host;
    this.#release();
    this.owner.onUpstreamPoolFailure(reason, host, transportFailure);
  }

  // ---- ResponseDecoder.

  responseHeaders(): HeaderMap {
    return this.#responseHeaders;
  }

  decodeInformational(headers: HeaderMap): void {
    this.hasResponse = true;
    this.owner.onUpstreamInformational(headers);
  }

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    this.hasResponse = true;
    this.owner.onUpstreamHeaders(headers, endStream);
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    this.owner.onUpstreamData(buffer, from, to, endStream);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.owner.onUpstreamTrailers(trailers);
  }

  onResetStream(reason: StreamResetReason, failureReason: string): void {
    this.#release();
    this.owner.onUpstreamReset(reason, failureReason);
  }

  onEncodeWritable(): void {
    this.#pause(false);
  }

  // ---- Private parts.

  #ask(cluster: Cluster, host: Host, avoidIdle: boolean): void {
    this.#isStarted = true;
    this.#ownBytes.reset();
    const options = this.#options;
    const pending =
      this.#rawStart === null
        ? cluster.newStream(host, options, this, this.#isHighPriority, avoidIdle)
        : openTcpUpstream(cluster, host, options, this, this.#rawStart);
    // Answered before newStream returned: then there is nothing to wait for.
    if (this.#isStarted && this.#encoder === null) this.#pending = pending;
  }

  #sendHeld(encoder: RequestEncoder): void {
    const held = this.#held;
    const trailers = this.#trailers;
    const last = held.chunkCount - 1;
    let isFlowing = true;
    for (let i = 0; i <= last && this.#encoder === encoder; i += 1) {
      const chunk = held.chunks[i] as Buffer;
      const end = this.#isRequestEnded && i === last && trailers === null;
      this.wasBodySent = true;
      isFlowing = encoder.encodeData(chunk, 0, chunk.length, end);
    }
    // What did not leave is copied by the connection; onEncodeWritable starts the source again.
    held.clear();
    if (trailers !== null && this.#encoder === encoder) {
      this.wasBodySent = true;
      encoder.encodeTrailers(trailers);
      this.#trailers = null;
    }
    if (this.#encoder === encoder && !this.#isRequestEnded) this.#pause(!isFlowing);
  }

  #noteSent(): void {
    this.#isRequestSent = true;
    this.owner.onUpstreamRequestSent();
  }

  #pause(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    this.owner.onUpstreamBackPressure(isPaused);
  }

  #release(): void {
    this.#isStarted = false;
    this.#pending = null;
    this.#encoder = null;
    if (this.#wireBytes !== null) this.#ownBytes.copy(this.#wireBytes);
    this.#wireBytes = null;
    this.#held.clear();
  }
}
