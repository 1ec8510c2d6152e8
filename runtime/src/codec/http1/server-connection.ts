// The server side of one HTTP/1 connection: bytes of requests in, bytes of responses out. The
// network connection feeds it, the connection manager receives its streams. One stream at a time:
// what a peer pipelines goes back to the sink and waits there.
import { HeaderId } from "../../core/header-names.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import type { Counter } from "../../stats/store.ts";
import {
  type ByteSink,
  type CodecError,
  type RequestDecoder,
  type ResponseEncoder,
  type ServerConnection,
  type ServerConnectionCallbacks,
  StreamResetReason,
} from "../codec.ts";
import { END_BYTES } from "./chunk-decoder.ts";
import type { ChunkReceiver } from "./chunk-decoder.ts";
import { codecErrorOf, ParseResult } from "./codec-errors.ts";
import { headerHasToken, isUpgrade, sanitizeConnection, wantsClose } from "./hop-by-hop.ts";
import { HEAD_INCOMPLETE, Http1Connection, lengthOf, NO_BYTES } from "./http1-connection.ts";
import {
  BodyFraming,
  CHUNKED,
  CONNECTION_CLOSE,
  CONNECTION_KEEP_ALIVE,
  LENGTH_ZERO,
  responseHead,
} from "./serializer.ts";
import type { Http1Shared } from "./shared.ts";

/**
 * What the next byte belongs to. dispatch() moves it forward; complete() back to Head, or to Drop.
 */
const ReadState = {
  Head: 0,
  Length: 1,
  Chunks: 2,
  Trailers: 3,
  /** The request is whole and its response is not, or is not taken: bytes are too early. */
  Done: 4,
  /** An upgrade or CONNECT waits for its answer: bytes are too early. */
  TunnelWait: 5,
  Tunnel: 6,
  /** The connection closes: bytes are ignored. */
  Drop: 7,
} as const;

/** Counters of `http1.`; the same objects for all connections of a connection manager. */
export interface Http1ServerStats {
  readonly droppedHeadersWithUnderscores: Counter;
  readonly requestsRejectedWithUnderscoresInHeaders: Counter;
}

export class Http1ServerConnection
  extends Http1Connection
  implements ServerConnection, ResponseEncoder, ChunkReceiver
{
  /** As Envoy's %PROTOCOL%: 10 or 11, of the request at hand. */
  protocol: number = 11;
  readonly #callbacks: ServerConnectionCallbacks;
  readonly #stats: Http1ServerStats | null;
  #decoder: RequestDecoder | null = null;
  #readState: number = ReadState.Head;
  /** Bytes of content-length that were not read yet. */
  #left: number = 0;
  #isDraining: boolean = false;
  /** The peer has not taken what was written; onWritable() ends it. */
  #isBlocked: boolean = false;
  // Of the request at hand.
  #isHead: boolean = false;
  #isConnect: boolean = false;
  #minorVersion: number = 1;
  #isClosing: boolean = false;

  constructor(
    sink: ByteSink,
    callbacks: ServerConnectionCallbacks,
    options: Http1CodecOptions,
    shared: Http1Shared,
    stats: Http1ServerStats | null,
  ) {
    super(sink, options, shared);
    this.#callbacks = callbacks;
    this.#stats = stats;
  }

  // ---- ServerConnection.

  get hasActiveStream(): boolean {
    return this.#decoder !== null || this.hasPartialHead;
  }

  /** A request head has begun to come and is not whole; for request_headers_timeout. */
  get isReadingHead(): boolean {
    return this.#decoder === null && this.hasPartialHead;
  }

  /**
   * Between two requests, and the peer has not taken the last answer: the next request waits. So
   * who asks without reading makes no more than one answer wait in memory.
   */
  get isWriteBlocked(): boolean {
    return this.#isBlocked && this.#decoder === null && this.#readState === ReadState.Done;
  }

  dispatch(buffer: Buffer, length: number): void {
    let at = 0;
    while (at < length) {
      switch (this.#readState) {
        case ReadState.Head:
          at = this.#readRequestHead(buffer, at, length);
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
        case ReadState.Tunnel:
          this.bytes.received += length - at;
          this.#decoder?.decodeData(buffer, at, length, false);
          return;
        case ReadState.Done:
        case ReadState.TunnelWait:
          this.hold(buffer, at, length);
          return;
        default:
          return;
      }
    }
  }

  onEnd(): void {
    const decoder = this.#decoder;
    if (decoder === null) {
      this.dropPartialHead();
      return;
    }
    // As Envoy: a peer that says FIN before its answer, or in a tunnel, is gone.
    this.#decoder = null;
    decoder.onResetStream(StreamResetReason.ConnectionTermination);
    this.#isClosing = true;
    this.#complete();
  }

  onWritable(): void {
    if (this.isWriteBlocked) {
      this.#readState = ReadState.Head;
      this.releaseHold();
    }
    this.#isBlocked = false;
    this.#decoder?.onEncodeWritable();
  }

  onClose(): void {
    const decoder = this.#decoder;
    this.#decoder = null;
    this.#readState = ReadState.Drop;
    this.dropPartialHead();
    decoder?.onResetStream(StreamResetReason.ConnectionTermination);
  }

  startDrain(): void {
    this.#isDraining = true;
  }

  /** The head that is being read takes too long: `error` is answered as if its bytes were wrong. */
  abortHead(error: CodecError): void {
    if (this.isReadingHead) this.#failWith(error);
  }

  // ---- Reading.

  protected get headMap(): HeaderMap {
    return this.shared.scratch;
  }

  protected parse(buffer: Buffer, from: number, to: number): number {
    const { parser, scratch } = this.shared;
    return this.#readState === ReadState.Trailers
      ? parser.trailers(buffer, from, to, scratch, this.options)
      : parser.request(buffer, from, to, scratch, this.options);
  }

  #readRequestHead(buffer: Buffer, at: number, to: number): number {
    if (!this.hasPartialHead) this.bytes.reset();
    const result = this.readHead(buffer, at, to);
    this.bytes.received += (result < 0 ? to : result) - at;
    if (result === HEAD_INCOMPLETE) return to;
    if (result < 0) return this.#fail(result, to);
    const parser = this.shared.parser;
    if (parser.droppedUnderscores > 0) {
      this.#stats?.droppedHeadersWithUnderscores.add(parser.droppedUnderscores);
    }
    const map = this.shared.scratch;
    this.#isHead = parser.method === "HEAD";
    this.#isConnect = parser.method === "CONNECT";
    this.#minorVersion = parser.minorVersion;
    this.protocol = 10 + parser.minorVersion;
    if (!sanitizeConnection(map)) return this.#fail(ParseResult.ConnectionHeaderRejected, to);
    // HTTP/1.0 has no chunks: a peer that sends them is not trusted with the next request.
    this.#isClosing =
      wantsClose(map, parser.minorVersion) || (parser.minorVersion === 0 && parser.isChunked);
    const hasBody = parser.isChunked || parser.contentLength > 0;
    if (this.#isConnect && hasBody) return this.#fail(ParseResult.BodyDisallowed, to);
    this.#startRequest(map, hasBody);
    return result;
  }

  #startRequest(map: HeaderMap, hasBody: boolean): void {
    const parser = this.shared.parser;
    let readState: number = ReadState.Done;
    // As Envoy: what follows an upgrade's head is the tunnel's, whatever lengths it names.
    if (this.#isConnect || isUpgrade(map)) {
      readState = ReadState.TunnelWait;
    } else if (hasBody) {
      readState = parser.isChunked ? ReadState.Chunks : ReadState.Length;
      this.#left = parser.contentLength;
      if (parser.isChunked) this.startChunks();
    }
    this.#readState = readState;
    this.shared.takeScratch();
    const decoder = this.#callbacks.newStream(this);
    this.#decoder = decoder;
    decoder.decodeHeaders(map, readState === ReadState.Done);
  }

  #readLength(buffer: Buffer, at: number, to: number): number {
    const size = Math.min(this.#left, to - at);
    this.#left -= size;
    const isLast = this.#left === 0;
    if (isLast) this.#readState = ReadState.Done;
    this.bytes.received += size;
    this.#decoder?.decodeData(buffer, at, at + size, isLast);
    return at + size;
  }

  #readChunks(buffer: Buffer, at: number, to: number): number {
    const chunks = this.chunks;
    this.startCount(at);
    const result = chunks.decode(buffer, at, to, this);
    if (result === ParseResult.More) return to;
    if (result < 0) {
      this.countTo(to);
      return this.#fail(result, to);
    }
    if (!chunks.isEnded) this.countTo(result);
    if (chunks.isAtTrailers && !chunks.isEnded) this.#readState = ReadState.Trailers;
    return result;
  }

  /** For the chunk decoder. */
  onChunkData(buffer: Buffer, from: number, to: number, isLast: boolean): boolean {
    if (isLast) this.#readState = ReadState.Done;
    this.countTo(isLast ? to + END_BYTES : to);
    this.#decoder?.decodeData(buffer, from, to, isLast);
    return isLast || this.#readState === ReadState.Chunks;
  }

  #readTrailers(buffer: Buffer, at: number, to: number): number {
    const result = this.readHead(buffer, at, to);
    this.bytes.received += (result < 0 ? to : result) - at;
    if (result === HEAD_INCOMPLETE) return to;
    if (result < 0) return this.#fail(result, to);
    this.#readState = ReadState.Done;
    const map = this.shared.scratch;
    Http1Connection.cleanTrailers(map);
    if (this.options.enableTrailers && map.size > 0) {
      this.shared.takeScratch();
      this.#decoder?.decodeTrailers(map);
    } else {
      this.#decoder?.decodeData(NO_BYTES, 0, 0, true);
    }
    return result;
  }

  /** The peer's bytes are wrong: the stream, or a new one, answers; then the connection closes. */
  #fail(result: number, to: number): number {
    const error = codecErrorOf(result);
    if (result === ParseResult.UnexpectedUnderscore) {
      this.#stats?.requestsRejectedWithUnderscoresInHeaders.add(1);
    }
    this.#callbacks.onProtocolError(error);
    this.#failWith(error);
    return to;
  }

  #failWith(error: CodecError): void {
    this.#readState = ReadState.Drop;
    this.#isClosing = true;
    this.dropPartialHead();
    if (this.#decoder === null) {
      this.#isHead = false;
      this.#isConnect = false;
      this.#minorVersion = 1;
      this.#decoder = this.#callbacks.newStream(this);
    }
    this.#decoder.onDecodeError(error);
  }

  // ---- ResponseEncoder.

  encodeInformational(headers: HeaderMap): void {
    if (this.#decoder === null) return;
    // An HTTP/1.0 peer does not know them (RFC 9110 15.2); of 100 it has asked, and Envoy answers.
    if (this.#minorVersion === 0 && headers.status !== 100) return;
    headers.removeById(HeaderId.ContentLength);
    headers.removeById(HeaderId.TransferEncoding);
    const text = responseHead(headers, this.#minorVersion, "", this.options);
    this.bytes.sent += text.length;
    this.sink.writeText(text);
  }

  encodeHeaders(headers: HeaderMap, endStream: boolean): void {
    if (this.#decoder === null) return;
    const isTunnel =
      headers.status === 101 || (this.#isConnect && headers.status >= 200 && headers.status < 300);
    // An answer before the request's end: the rest is not read, so the connection cannot go on.
    if (this.#readState !== ReadState.Done && !isTunnel) this.#isClosing = true;
    if (this.#isDraining && !isTunnel) this.#isClosing = true;
    headers.removeById(HeaderId.TransferEncoding);
    const framing = isTunnel ? this.#frameTunnel(headers) : this.#frameResponse(headers, endStream);
    const text = responseHead(
      headers,
      this.#minorVersion,
      this.#connectionLine(headers, isTunnel) + framing,
      this.options,
    );
    this.countHead(text, headers);
    if (!this.sink.writeText(text)) this.#isBlocked = true;
    if (endStream) this.#endResponse(null);
  }

  #frameTunnel(headers: HeaderMap): string {
    headers.removeById(HeaderId.ContentLength);
    this.startBody(BodyFraming.Raw, 0);
    return "";
  }

  /** Decides how the body is delimited; returns the line that says so, if it is not there yet. */
  #frameResponse(headers: HeaderMap, endStream: boolean): string {
    const status = headers.status;
    if (status < 200 || status === 204) {
      headers.removeById(HeaderId.ContentLength);
      this.startBody(BodyFraming.None, 0);
      return "";
    }
    const value = headers.getById(HeaderId.ContentLength);
    if (value !== undefined) {
      const length = lengthOf(value);
      if (length >= 0) {
        const hasNoBody = this.#isHead || status === 304;
        this.startBody(hasNoBody ? BodyFraming.None : BodyFraming.Length, length);
        return "";
      }
      headers.removeById(HeaderId.ContentLength);
    }
    if (status === 304) {
      this.startBody(BodyFraming.None, 0);
      return "";
    }
    if (endStream && !this.#isHead) {
      this.startBody(BodyFraming.None, 0);
      return LENGTH_ZERO;
    }
    if (this.#minorVersion === 0) {
      this.#isClosing = true;
      this.startBody(this.#isHead ? BodyFraming.None : BodyFraming.Raw, 0);
      return "";
    }
    this.startBody(this.#isHead ? BodyFraming.None : BodyFraming.Chunked, 0);
    return CHUNKED;
  }

  #connectionLine(headers: HeaderMap, isTunnel: boolean): string {
    if ((headers.seen & (1 << HeaderId.Connection)) !== 0) {
      if (headerHasToken(headers, HeaderId.Connection, "close")) {
        this.#isClosing = true;
        return "";
      }
      if (isTunnel) return "";
      headers.removeById(HeaderId.Connection);
    }
    if (isTunnel) return "";
    if (this.#isClosing) return CONNECTION_CLOSE;
    return this.#minorVersion === 0 ? CONNECTION_KEEP_ALIVE : "";
  }

  encodeData(buffer: Buffer, from: number, to: number, endStream: boolean): boolean {
    if (this.#decoder === null) return true;
    const isTaken = this.writeBody(buffer, from, to, endStream);
    if (!isTaken) this.#isBlocked = true;
    if (endStream) this.#endResponse(null);
    return isTaken;
  }

  encodeTrailers(trailers: HeaderMap): void {
    if (this.#decoder !== null) this.#endResponse(trailers);
  }

  resetStream(_reason: StreamResetReason): void {
    if (this.#decoder === null) return;
    this.#isClosing = true;
    this.#complete();
  }

  readDisable(disabled: boolean): void {
    if (this.#decoder !== null) this.countReadDisable(disabled);
  }

  startTunnel(): void {
    if (this.#readState !== ReadState.TunnelWait) return;
    this.#readState = ReadState.Tunnel;
    this.#isClosing = true;
    this.releaseHold();
  }

  #endResponse(trailers: HeaderMap | null): void {
    if (!this.endBody(trailers)) this.#isBlocked = true;
    if (!this.isBodyWhole) this.#isClosing = true;
    this.#complete();
  }

  /** The stream is over. Its decoder hears nothing more. */
  #complete(): void {
    const closes = this.#isClosing || this.#readState !== ReadState.Done;
    this.#decoder = null;
    if (closes) this.#readState = ReadState.Drop;
    else if (!this.#isBlocked) this.#readState = ReadState.Head;
    this.#isClosing = closes;
    this.releaseReads();
    this.#callbacks.onStreamComplete(closes);
  }
}
