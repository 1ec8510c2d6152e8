// Contracts between the rooms that speak of streams (hcm, upstream) and the codecs that turn them
// into bytes. They hold for HTTP/1 (fed with bytes) and for HTTP/2 (node:http2 owns its socket).
import type { BytesSource } from "../core/bytes-meter.ts";
import type { HeaderMap } from "../core/header-map.ts";

/** Why a stream ended before its end. */
export const StreamResetReason = {
  /** We gave up: timeout, local reply while the other side was busy, drain. */
  LocalReset: 0,
  LocalRefusedStreamReset: 1,
  /** The peer reset this stream (HTTP/2). */
  RemoteReset: 2,
  RemoteRefusedStreamReset: 3,
  /** The connection could not be made; `failureReason` says why. */
  ConnectionFailure: 4,
  /** connect() took longer than connect_timeout. */
  ConnectionTimeout: 5,
  /** The connection closed while the stream was under way. */
  ConnectionTermination: 6,
  /** A circuit breaker or pool limit. */
  Overflow: 7,
  /** The peer broke the protocol. */
  ProtocolError: 8,
} as const;
export type StreamResetReason = (typeof StreamResetReason)[keyof typeof StreamResetReason];

/** What a codec found wrong with a peer's bytes: enough to answer and to log. */
export interface CodecError {
  /** Status to answer a downstream with: 400, 426, 431, 501 ... */
  readonly status: number;
  /** Response code details, for example "http1.codec_error". */
  readonly details: string;
  /** Body of the answer; Envoy uses the status' text. */
  readonly body: string;
}

/** Where a codec writes its bytes: IoHandle satisfies it. Lent and given bytes as IoHandle says. */
export interface ByteSink {
  write(bytes: Buffer): boolean;
  writeText(text: string): boolean;
  writeLent(buffer: Buffer, from: number, to: number): boolean;
  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean;
  readDisable(disabled: boolean): void;
  /**
   * Puts bytes back in front of what will be read next; they come in a later turn, when reading is
   * enabled. A request that came too early waits there.
   */
  unread(bytes: Buffer): void;
}

// ---- Downstream: we are the server.

/**
 * Receives one request (the connection manager's ActiveStream). Body bytes are lent for the call:
 * `buffer[from..to)`. After endStream, decodeTrailers or onResetStream nothing more comes.
 */
export interface RequestDecoder {
  decodeHeaders(headers: HeaderMap, endStream: boolean): void;
  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void;
  decodeTrailers(trailers: HeaderMap): void;
  /** The rest of the request cannot be read: answer with `error` if nothing was answered yet. */
  onDecodeError(error: CodecError): void;
  /** The stream is over without its end; do not call the encoder any more. */
  onResetStream(reason: StreamResetReason): void;
  /** The connection's write queue drained after encodeData answered false. */
  onEncodeWritable(): void;
}

/** Writes one response; given to the connection manager with each new stream. */
export interface ResponseEncoder extends BytesSource {
  /** 1xx other than 101. */
  encodeInformational(headers: HeaderMap): void;
  encodeHeaders(headers: HeaderMap, endStream: boolean): void;
  /** Body bytes lent for the call. False: stop the source until onEncodeWritable. */
  encodeData(buffer: Buffer, from: number, to: number, endStream: boolean): boolean;
  encodeTrailers(trailers: HeaderMap): void;
  /** Gives up: HTTP/1 closes the connection, HTTP/2 resets the stream. No event follows. */
  resetStream(reason: StreamResetReason): void;
  /** Counted: stops and starts the request's body at its source. */
  readDisable(disabled: boolean): void;
  /** After a 101 or CONNECT answer: bytes pass both ways unframed. */
  startTunnel(): void;
}

/** What a server connection asks of the connection manager. */
export interface ServerConnectionCallbacks {
  /** A request began; the answer receives it. `headers` of decodeHeaders stay the stream's own. */
  newStream(encoder: ResponseEncoder): RequestDecoder;
  /**
   * The peer broke the protocol: count it. HTTP/1 calls onDecodeError of the stream (a new one when
   * the head itself is wrong) right after, so that it is answered and logged like any other.
   */
  onProtocolError(error: CodecError): void;
  /**
   * HTTP/1: the response is out, or the stream was reset; called from within encodeX, resetStream
   * or dispatch, as the last thing for that stream. False: the next request may come, in a later
   * turn or when dispatch goes on. True: send what was written and close; nothing more is read.
   */
  onStreamComplete(closeConnection: boolean): void;
}

/** The server side of one connection. */
export interface ServerConnection {
  readonly protocol: number;
  /** Bytes from the peer, lent and writable: `buffer[0..length)`. */
  dispatch(buffer: Buffer, length: number): void;
  /** The peer sent FIN. */
  onEnd(): void;
  onWritable(): void;
  /** The connection is gone: every open stream gets onResetStream. */
  onClose(): void;
  /** Announces the end: HTTP/1 answers with `connection: close`, HTTP/2 sends GOAWAY. */
  startDrain(): void;
  /** True when a request is being read or answered. */
  readonly hasActiveStream: boolean;
}

// ---- Upstream: we are the client.

/** Receives one response (the router's UpstreamRequest, an async call). Body bytes are lent. */
export interface ResponseDecoder {
  /** 1xx other than 101. */
  decodeInformational(headers: HeaderMap): void;
  /** The HeaderMap is the receiver's until the stream ends: see responseHeaders(). */
  decodeHeaders(headers: HeaderMap, endStream: boolean): void;
  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void;
  decodeTrailers(trailers: HeaderMap): void;
  /** The map that the next response head shall be parsed into. */
  responseHeaders(): HeaderMap;
  /**
   * `failureReason` is the transport's, for example "delayed connect error: Connection refused".
   */
  onResetStream(reason: StreamResetReason, failureReason: string): void;
  onEncodeWritable(): void;
}

/** Writes one request. */
export interface RequestEncoder extends BytesSource {
  encodeHeaders(headers: HeaderMap, endStream: boolean): void;
  encodeData(buffer: Buffer, from: number, to: number, endStream: boolean): boolean;
  encodeTrailers(trailers: HeaderMap): void;
  /** Gives up on the stream. No event follows. */
  resetStream(reason: StreamResetReason): void;
  readDisable(disabled: boolean): void;
  startTunnel(): void;
  /** As resetStream, but what was written still leaves before the connection closes. */
  endTunnel(): void;
}

/** What a client connection tells its pool. */
export interface ClientConnectionCallbacks {
  /** Request and response are complete; `reusable` says whether another request may follow. */
  onStreamComplete(reusable: boolean): void;
  /** The peer announced the end, or broke the protocol between responses: use no more. */
  onGoAway(): void;
  /** The peer broke the protocol: count it. onStreamComplete(false) or onGoAway follows. */
  onProtocolError(): void;
}

/** The client side of one connection. */
export interface ClientConnection {
  readonly protocol: number;
  /** Streams that may run at once: 1 for HTTP/1. */
  readonly streamsMax: number;
  newStream(decoder: ResponseDecoder): RequestEncoder;
  dispatch(buffer: Buffer, length: number): void;
  onEnd(): void;
  onWritable(): void;
  onClose(reason: StreamResetReason, failureReason: string): void;
}
