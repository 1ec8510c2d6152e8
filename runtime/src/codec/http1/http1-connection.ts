// What both sides of an HTTP/1 connection have in common: waiting for a whole head, decoding
// chunks, writing a body in its framing, stopping the peer. Base of the two connections beside it.
import { BytesMeter } from "../../core/bytes-meter.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import { HeaderId } from "../../core/header-names.ts";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import { latin1 } from "../../core/latin1.ts";
import type { ByteSink } from "../codec.ts";
import { ChunkDecoder } from "./chunk-decoder.ts";
import { ParseResult } from "./codec-errors.ts";
import { HeadBuffer } from "./head-buffer.ts";
import { BodyFraming, CRLF, LAST_CHUNK, chunkStart, trailersText } from "./serializer.ts";
import type { Http1Shared } from "./shared.ts";

/** Stands for "no bytes" in events that have none. */
export const NO_BYTES: Buffer = Buffer.alloc(0);

/** Behind the bytes of the last chunk, when no trailers follow. */
const CHUNKS_END: string = CRLF + LAST_CHUNK + CRLF;

/** readHead() used all bytes and waits for more; all other negative answers are errors. */
export const HEAD_INCOMPLETE: number = ParseResult.More;

/** Fields that must not stand in trailers: they would frame or route (RFC 9110 6.5.1). */
const trailerIdsDropped: readonly number[] = [
  HeaderId.Host,
  HeaderId.ContentLength,
  HeaderId.TransferEncoding,
  HeaderId.Connection,
  HeaderId.Te,
  HeaderId.Trailer,
];

export abstract class Http1Connection {
  protected readonly sink: ByteSink;
  protected readonly options: Http1CodecOptions;
  protected readonly shared: Http1Shared;
  /** Of the stream at hand, or of the last one until the next begins. */
  readonly bytes: BytesMeter = new BytesMeter();
  /** Bytes of a head or of trailers that wait for the rest; null while none do. */
  #pending: HeadBuffer | null = null;
  #chunks: ChunkDecoder | null = null;
  #bodyFraming: number = BodyFraming.None;
  /** Bytes of content-length that were not written yet. */
  #bodyLeft: number = 0;
  #readDisables: number = 0;
  /** Up to where a chunked body has been counted in the bytes at hand. */
  #counted: number = 0;
  #isHolding: boolean = false;

  constructor(sink: ByteSink, options: Http1CodecOptions, shared: Http1Shared) {
    this.sink = sink;
    this.options = options;
    this.shared = shared;
  }

  // ---- Reading.

  /** Parses what the subclass expects now (a head, trailers) at `buffer[from..to)`. */
  protected abstract parse(buffer: Buffer, from: number, to: number): number;

  /** The map that parse() fills. */
  protected abstract get headMap(): HeaderMap;

  /** Some bytes of a head have come, not all. */
  protected get hasPartialHead(): boolean {
    return this.#pending !== null;
  }

  protected dropPartialHead(): void {
    this.#pending = null;
  }

  /**
   * Goes on with a head at `buffer[at..to)`. Returns the offset after it, HEAD_INCOMPLETE, or the
   * parser's error.
   */
  protected readHead(buffer: Buffer, at: number, to: number): number {
    const pending = this.#pending;
    const keepsCase = this.options.headerCase === "preserve";
    if (pending === null && !keepsCase) {
      const result = this.parse(buffer, at, to);
      if (result === ParseResult.More) this.#keep(new HeadBuffer(), buffer, at, to);
      return result;
    }
    const held = pending ?? new HeadBuffer();
    const oldLength = held.length;
    this.#keep(held, buffer, at, to);
    const isOverLimit = held.length > this.options.headBytesMax;
    if (!isOverLimit && !held.isWorthParsing(oldLength)) return ParseResult.More;
    // Names are made lower-case while parsing, so their case can only be kept of a whole head.
    if (keepsCase && !isOverLimit && !held.hasHead()) return ParseResult.More;
    const text = keepsCase ? latin1(held.bytes, 0, held.length) : "";
    const result = this.parse(held.bytes, 0, held.length);
    if (result === ParseResult.More) return result;
    this.#pending = null;
    if (result < 0) return result;
    if (keepsCase) this.headMap.setOriginalCase(text, 0);
    return at + result - oldLength;
  }

  #keep(held: HeadBuffer, buffer: Buffer, at: number, to: number): void {
    held.append(buffer, at, to, this.options.headBytesMax + 1);
    this.#pending = held;
  }

  /** The decoder of chunked bodies, ready for the next one. */
  protected startChunks(): void {
    if (this.#chunks === null) this.#chunks = new ChunkDecoder();
    else this.#chunks.reset();
  }

  protected get chunks(): ChunkDecoder {
    return this.#chunks as ChunkDecoder;
  }

  /** What the body's chunks are decoded from begins at `at`. */
  protected startCount(at: number): void {
    this.#counted = at;
  }

  /** The chunks' bytes have been used up to `to`, their framing included. */
  protected countTo(to: number): void {
    this.bytes.received += to - this.#counted;
    this.#counted = to;
  }

  /** Trailers that may go on: without what would frame or route. */
  protected static cleanTrailers(map: HeaderMap): void {
    for (const id of trailerIdsDropped) map.removeById(id);
  }

  // ---- Stopping the peer. All of it is undone by releaseReads().

  /** Counted, for whoever receives the body. */
  protected countReadDisable(disabled: boolean): void {
    if (!disabled && this.#readDisables === 0) return;
    this.#readDisables += disabled ? 1 : -1;
    this.sink.readDisable(disabled);
  }

  /** Bytes that came too early go back to the sink until releaseHold(). */
  protected hold(buffer: Buffer, from: number, to: number): void {
    if (!this.#isHolding) {
      this.#isHolding = true;
      this.sink.readDisable(true);
    }
    if (to > from) this.sink.unread(Buffer.from(buffer.subarray(from, to)));
  }

  protected releaseHold(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.sink.readDisable(false);
  }

  protected releaseReads(): void {
    for (; this.#readDisables > 0; this.#readDisables -= 1) this.sink.readDisable(false);
    this.releaseHold();
  }

  // ---- Writing a body.

  /**
   * Counts a head that is about to be written: all but its first line and the empty one. To look
   * for the line's end in it would join its pieces once more than the write does.
   */
  protected countHead(text: string, { firstLineWritten }: HeaderMap): void {
    this.bytes.sent += text.length;
    this.bytes.headersSent = text.length - firstLineWritten - CRLF.length;
  }

  /** After the head: how its body is framed; `length` matters for BodyFraming.Length only. */
  protected startBody(framing: number, length: number): void {
    this.#bodyFraming = framing;
    this.#bodyLeft = length;
  }

  /** False: the promised length was not written; the connection must not go on. */
  protected get isBodyWhole(): boolean {
    return this.#bodyFraming !== BodyFraming.Length || this.#bodyLeft === 0;
  }

  /**
   * Writes lent bytes in the body's framing; what exceeds the promised length is not written. The
   * last ones take the end of all chunks with them.
   */
  protected writeBody(buffer: Buffer, from: number, to: number, end: boolean): boolean {
    if (from === to) return true;
    switch (this.#bodyFraming) {
      case BodyFraming.None:
        return true;
      case BodyFraming.Length: {
        const size = Math.min(to - from, this.#bodyLeft);
        // Too much is as wrong as too little: the count says so in isBodyWhole.
        this.#bodyLeft -= to - from;
        this.bytes.sent += Math.max(0, size);
        return size > 0 ? this.sink.writeLent(buffer, from, from + size) : true;
      }
      case BodyFraming.Chunked: {
        const start = chunkStart(to - from);
        const behind = end ? CHUNKS_END : CRLF;
        if (end) this.#bodyFraming = BodyFraming.None;
        this.bytes.sent += start.length + to - from + behind.length;
        return this.sink.writeFramed(start, buffer, from, to, behind);
      }
      default:
        this.bytes.sent += to - from;
        return this.sink.writeLent(buffer, from, to);
    }
  }

  /** Ends the body; trailers go out with chunks only, and when the options allow them. */
  protected endBody(trailers: HeaderMap | null): boolean {
    if (this.#bodyFraming !== BodyFraming.Chunked) return true;
    const hasTrailers = trailers !== null && this.options.enableTrailers;
    const end = hasTrailers ? trailersText(trailers, this.options) : LAST_CHUNK + CRLF;
    this.bytes.sent += end.length;
    return this.sink.writeText(end);
  }
}

/** Value of content-length as a number; -1 when it is not a plain number up to 2^53-1. */
export function lengthOf(value: string): number {
  if (value.length === 0 || value.length > 19) return -1;
  let length = 0;
  for (let i = 0; i < value.length; i += 1) {
    const digit = value.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}
