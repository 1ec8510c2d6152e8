// The client side of one HTTP/1 connection: bytes of requests out, bytes of responses in. A pool
// owns it, feeds it, and gives its encoder to one stream at a time.
import { assert } from "../../core/assert.ts";
import { HeaderId } from "../../core/header-names.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import {
  type ByteSink,
  type ClientConnection,
  type ClientConnectionCallbacks,
  type RequestEncoder,
  type ResponseDecoder,
  StreamResetReason,
} from "../codec.ts";
import { END_BYTES } from "./chunk-decoder.ts";
import type { ChunkReceiver } from "./chunk-decoder.ts";
import { ParseResult } from "./codec-errors.ts";
import { isUpgrade, wantsClose } from "./hop-by-hop.ts";
import { HEAD_INCOMPLETE, Http1Connection, lengthOf, NO_BYTES } from "./http1-connection.ts";
import { BodyFraming, CHUNKED, LENGTH_ZERO, requestHead } from "./serializer.ts";
import type { Http1Shared } from "./shared.ts";

/**
 * What the next byte belongs to. newStream() moves from Idle to Head, dispatch() forward,
 * complete() back to Idle or to Dead.
 */
const ReadState = {
  Idle: 0,
  Head: 1,
  Length: 2,
  Chunks: 3,
  Trailers: 4,
  UntilClose: 5,
  Tunnel: 6,
  /** Never used again; bytes are ignored. */
  Dead: 7,
} as const;

/** Interim responses that one request may get; a limit of ours. */
const INTERIM_MAX = 100;

export class Http1ClientConnection
  extends Http1Connection
  implements ClientConnection, RequestEncoder, ChunkReceiver
{
  readonly protocol: number = 11;
  readonly streamsMax: number = 1;
  readonly #callbacks: ClientConnectionCallbacks;
  #decoder: ResponseDecoder | null = null;
  #readState: number = ReadState.Idle;
  #left: number = 0;
  // Of the request at hand.
  #isHead: boolean = false;
  #isConnect: boolean = false;
  #isUpgrade: boolean = false;
  #isRequestDone: boolean = false;
  // Of the response at hand.
  #interimCount: number = 0;
  #hasBytes: boolean = false;
  #isClosing: boolean = false;

  constructor(
    sink: ByteSink,
    callbacks: ClientConnectionCallbacks,
    options: Http1CodecOptions,
    shared: Http1Shared,
  ) {
    super(sink, options, shared);
    this.#callbacks = callbacks;
  }

  // ---- ClientConnection.

  /** Only on an idle connection; the answer is this object: it serves one stream at a time. */
  newStream(decoder: ResponseDecoder): RequestEncoder {
    assert(this.#readState === ReadState.Idle, "newStream on a busy HTTP/1 connection");
    this.#decoder = decoder;
    this.#readState = ReadState.Head;
    this.#isRequestDone = false;
    this.#interimCount = 0;
    this.#hasBytes = false;
    this.#isClosing = false;
    this.bytes.reset();
    return this;
  }

  dispatch(buffer: Buffer, length: number): void {
    let at = 0;
    while (at < length) {
      switch (this.#readState) {
        case ReadState.Head:
          at = this.#readResponseHead(buffer, at, length);
          break;
        case ReadState.Length:
          at = this.#readLength(buffer, at, length);
          break;
        case ReadState.Chunks:
          at = this.#readChunks(buffer, at, length);
          break;
        case ReadState.Trailers:
          at = this.#readTrailers(buffer, at, length);
          break;
        case ReadState.UntilClose:
        case ReadState.Tunnel:
          this.bytes.received += length - at;
          this.#decoder?.decodeData(buffer, at, length, false);
          return;
        case ReadState.Idle:
          // Bytes that nobody asked for: the next response could not be told from them.
          this.#readState = ReadState.Dead;
          this.#callbacks.onProtocolError();
          this.#callbacks.onGoAway();
          return;
        default:
          return;
      }
    }
  }

  onEnd(): void {
    switch (this.#readState) {
      case ReadState.Dead:
        return;
      case ReadState.Idle:
        this.#readState = ReadState.Dead;
        this.#callbacks.onGoAway();
        return;
      case ReadState.Tunnel:
        // As Envoy: a tunnel has no half-closed state.
        this.#reset(StreamResetReason.ConnectionTermination, "");
        return;
      default:
        this.#end(StreamResetReason.ConnectionTermination, "");
    }
  }

  onWritable(): void {
    this.#decoder?.onEncodeWritable();
  }

  onClose(reason: StreamResetReason, failureReason: string): void {
    if (this.#readState === ReadState.Dead) return;
    if (this.#readState === ReadState.Idle) this.#readState = ReadState.Dead;
    else if (this.#readState === ReadState.Tunnel) this.#reset(reason, failureReason);
    else this.#end(reason, failureReason);
  }

  /** The connection ended in the middle of a stream. */
  #end(reason: StreamResetReason, failureReason: string): void {
    if (this.#readState === ReadState.UntilClose) {
      // Envoy takes a reset for the end, too: HTTP/1 cannot tell.
      // The head of an HTTP/1.1 response announced no end: nobody is to count a notice.
      if (!this.#isClosing) this.#callbacks.onGoAway();
      this.#isClosing = true;
      this.#finish()?.decodeData(NO_BYTES, 0, 0, true);
      this.#report();
    } else if (this.#hasBytes && reason === StreamResetReason.ConnectionTermination) {
      this.#failProtocol(0);
    } else {
      this.#reset(reason, failureReason);
    }
  }

  // ---- Reading.

  protected get headMap(): HeaderMap {
    if (this.#readState === ReadState.Trailers) return this.shared.scratch;
    return (this.#decoder as ResponseDecoder).responseHeaders();
  }

  protected parse(buffer: Buffer, from: number, to: number): number {
    const parser = this.shared.parser;
    return this.#readState === ReadState.Trailers
      ? parser.trailers(buffer, from, to, this.headMap, this.options)
      : parser.response(buffer, from, to, this.headMap, this.options);
  }

  #readResponseHead(buffer: Buffer, at: number, to: number): number {
    this.#hasBytes = true;
    const result = this.readHead(buffer, at, to);
    this.bytes.received += (result < 0 ? to : result) - at;
    if (result === HEAD_INCOMPLETE) return to;
    if (result < 0) return this.#failProtocol(to);
    const decoder = this.#decoder as ResponseDecoder;
    const map = decoder.responseHeaders();
    const { status, isChunked, contentLength } = this.shared.parser;
    if (status < 200 || status === 204) {
      // These have no body; a length other than 0 or chunks would be read in two ways.
      if (isChunked || contentLength > 0) return this.#failProtocol(to);
      map.removeById(HeaderId.ContentLength);
    }
    if (status < 200 && status !== 101) {
      this.#interimCount += 1;
      if (this.#interimCount > INTERIM_MAX) return this.#failProtocol(to);
      decoder.decodeInformational(map);
      return result;
    }
    if (status === 101 && !(this.#isUpgrade && isUpgrade(map))) return this.#failProtocol(to);
    if (status === 101 || (this.#isConnect && status < 300)) {
      map.removeById(HeaderId.ContentLength);
      map.removeById(HeaderId.TransferEncoding);
      this.#isClosing = true;
      this.#readState = ReadState.Tunnel;
      decoder.decodeHeaders(map, false);
      return result;
    }
    this.#startResponse(decoder, map, result < to);
    return result;
  }

  #startResponse(decoder: ResponseDecoder, map: HeaderMap, hasMore: boolean): void {
    const { status, minorVersion, isChunked, contentLength } = this.shared.parser;
    this.#isClosing = wantsClose(map, minorVersion) || (minorVersion === 0 && isChunked);
    if (this.#isHead || status === 204 || status === 304 || contentLength === 0) {
      // What follows such a head cannot belong to it.
      if (hasMore) this.#onSurplus();
      this.#finish();
      decoder.decodeHeaders(map, true);
      this.#report();
      return;
    }
    if (isChunked) {
      this.#readState = ReadState.Chunks;
      this.startChunks();
    } else if (contentLength > 0) {
      this.#readState = ReadState.Length;
      this.#left = contentLength;
    } else {
      this.#readState = ReadState.UntilClose;
    }
    decoder.decodeHeaders(map, false);
  }

  #readLength(buffer: Buffer, at: number, to: number): number {
    const size = Math.min(this.#left, to - at);
    this.#left -= size;
    this.bytes.received += size;
    if (this.#left > 0) {
      this.#decoder?.decodeData(buffer, at, at + size, false);
      return at + size;
    }
    if (at + size < to) this.#onSurplus();
    this.#finish()?.decodeData(buffer, at, at + size, true);
    this.#report();
    return to;
  }

  #readChunks(buffer: Buffer, at: number, to: number): number {
    const chunks = this.chunks;
    this.startCount(at);
    const result = chunks.decode(buffer, at, to, this);
    if (result === ParseResult.More) return to;
    if (result < 0) {
      this.countTo(to);
      return this.#failProtocol(to);
    }
    if (!chunks.isEnded) this.countTo(result);
    if (chunks.isEnded) {
      if (result < to) this.#onSurplus();
      this.#report();
      return to;
    }
    if (chunks.isAtTrailers) this.#readState = ReadState.Trailers;
    return result;
  }

  /** For the chunk decoder. */
  onChunkData(buffer: Buffer, from: number, to: number, isLast: boolean): boolean {
    this.countTo(isLast ? to + END_BYTES : to);
    if (!isLast) {
      this.#decoder?.decodeData(buffer, from, to, false);
      return this.#readState === ReadState.Chunks;
    }
    this.#finish()?.decodeData(buffer, from, to, true);
    return true;
  }

  #readTrailers(buffer: Buffer, at: number, to: number): number {
    const result = this.readHead(buffer, at, to);
    this.bytes.received += (result < 0 ? to : result) - at;
    if (result === HEAD_INCOMPLETE) return to;
    if (result < 0) return this.#failProtocol(to);
    if (result < to) this.#onSurplus();
    const decoder = this.#finish();
    const map = this.shared.scratch;
    Http1Connection.cleanTrailers(map);
    if (this.options.enableTrailers && map.size > 0) {
      this.shared.takeScratch();
      decoder?.decodeTrailers(map);
    } else {
      decoder?.decodeData(NO_BYTES, 0, 0, true);
    }
    this.#report();
    return to;
  }

  /** Bytes behind a response belong to nothing: the response counts, the connection does not. */
  #onSurplus(): void {
    this.#isClosing = true;
    this.#callbacks.onProtocolError();
    this.#callbacks.onGoAway();
  }

  /** The peer's bytes are wrong. Returns `to`: nothing more is read. */
  #failProtocol(to: number): number {
    this.#callbacks.onProtocolError();
    this.#reset(StreamResetReason.ProtocolError, "");
    return to;
  }

  #reset(reason: StreamResetReason, failureReason: string): void {
    this.#isClosing = true;
    this.#finish()?.onResetStream(reason, failureReason);
    this.#report();
  }

  /**
   * The stream is over: nothing reaches its decoder after the event that the caller is about to
   * send. Answers that decoder; #report() follows the event.
   */
  #finish(): ResponseDecoder | null {
    const decoder = this.#decoder;
    this.#decoder = null;
    if (!this.#isRequestDone || !this.isBodyWhole) this.#isClosing = true;
    this.#readState = ReadState.Dead;
    this.dropPartialHead();
    this.releaseReads();
    return decoder;
  }

  /** Tells the pool. The connection is idle again only now: the decoder cannot have used it. */
  #report(): void {
    if (!this.#isClosing) this.#readState = ReadState.Idle;
    this.#callbacks.onStreamComplete(!this.#isClosing);
  }

  // ---- RequestEncoder. Calls that come after the stream's end are ignored.

  encodeHeaders(headers: HeaderMap, endStream: boolean): void {
    if (this.#decoder === null) return;
    const method = headers.method ?? "GET";
    this.#isHead = method === "HEAD";
    this.#isConnect = method === "CONNECT";
    this.#isUpgrade = !endStream && isUpgrade(headers);
    headers.removeById(HeaderId.TransferEncoding);
    const framing = this.#frameRequest(headers, method, endStream);
    const text = requestHead(headers, framing, this.options);
    this.countHead(text, headers);
    this.sink.writeText(text);
    if (endStream) this.#isRequestDone = true;
  }

  /** Decides how the body is delimited; returns the line that says so, if it is not there yet. */
  #frameRequest(headers: HeaderMap, method: string, endStream: boolean): string {
    if (this.#isUpgrade || this.#isConnect) {
      if (this.#isConnect) headers.removeById(HeaderId.ContentLength);
      this.startBody(BodyFraming.Raw, 0);
      return "";
    }
    const value = headers.getById(HeaderId.ContentLength);
    if (value !== undefined) {
      const length = lengthOf(value);
      if (length >= 0) {
        this.startBody(BodyFraming.Length, length);
        return "";
      }
      headers.removeById(HeaderId.ContentLength);
    }
    if (!endStream) {
      this.startBody(BodyFraming.Chunked, 0);
      return CHUNKED;
    }
    this.startBody(BodyFraming.None, 0);
    return hasNoBodyByNature(method) ? "" : LENGTH_ZERO;
  }

  encodeData(buffer: Buffer, from: number, to: number, endStream: boolean): boolean {
    if (this.#decoder === null) return true;
    const isTaken = this.writeBody(buffer, from, to, endStream);
    if (endStream) this.#endRequest(null);
    return isTaken;
  }

  encodeTrailers(trailers: HeaderMap): void {
    if (this.#decoder !== null) this.#endRequest(trailers);
  }

  #endRequest(trailers: HeaderMap | null): void {
    this.endBody(trailers);
    this.#isRequestDone = true;
  }

  resetStream(_reason: StreamResetReason): void {
    if (this.#decoder === null) return;
    this.#isClosing = true;
    this.#finish();
    this.#report();
  }

  readDisable(disabled: boolean): void {
    if (this.#decoder !== null) this.countReadDisable(disabled);
  }

  startTunnel(): void {
    if (this.#decoder === null) return;
    this.startBody(BodyFraming.Raw, 0);
  }

  endTunnel(): void {
    this.resetStream(StreamResetReason.LocalReset);
  }
}

/** Methods whose requests get no `content-length: 0` when they have no body (Envoy's list). */
function hasNoBodyByNature(method: string): boolean {
  return (
    method === "GET" ||
    method === "HEAD" ||
    method === "DELETE" ||
    method === "TRACE" ||
    method === "CONNECT"
  );
}
