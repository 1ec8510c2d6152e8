// Decoder of the chunked transfer coding (RFC 9112 7.1) up to the trailers; the connections own one
// each, made with the first chunked body. Strict: CRLF only, nothing between data and CRLF.
import { hexValue } from "./char-tables.ts";
import { ParseResult } from "./codec-errors.ts";

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
const SPACE = 32;
const TAB = 9;
const ZERO = 48;

/**
 * The states, in their order. decode() moves them; Trailers is the last: the connection's
 * parser reads what follows.
 */
const State = {
  Size: 0,
  /** White space after the size, before ";" or CR. */
  Blank: 1,
  Extension: 2,
  SizeLf: 3,
  Data: 4,
  DataCr: 5,
  DataLf: 6,
  Trailers: 7,
} as const;

/** Bytes of one chunk-size line, extensions included. Envoy has no limit here. */
const LINE_BYTES_MAX = 16 * 1024;

/** CRLF, "0", CRLF, CRLF: what stands behind the data of a body's last event. */
export const END_BYTES = 7;

/** Receives the data of chunks; bytes are lent. `isLast`: the body ends here, without trailers. */
export interface ChunkReceiver {
  /** False: stop decoding, the stream is gone. */
  onChunkData(buffer: Buffer, from: number, to: number, isLast: boolean): boolean;
}

export class ChunkDecoder {
  #state: number = State.Size;
  /** Bytes of data that the current chunk still has to bring. */
  #left: number = 0;
  #lineBytes: number = 0;
  #hasDigits: boolean = false;
  #isEnded: boolean = false;

  /** For the next body. */
  reset(): void {
    this.#state = State.Size;
    this.#left = 0;
    this.#lineBytes = 0;
    this.#hasDigits = false;
    this.#isEnded = false;
  }

  /** The last chunk was read: trailers and the empty line come next, unless isEnded. */
  get isAtTrailers(): boolean {
    return this.#state === State.Trailers;
  }

  /** The body ended with the last onChunkData, whose `isLast` was true. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Decodes `buffer[from..to)`. Returns the offset after what it used (`to`, or less when the
   * body's data is over), ParseResult.CodecError, or ParseResult.More when the receiver said stop.
   */
  decode(buffer: Buffer, from: number, to: number, receiver: ChunkReceiver): number {
    let at = from;
    while (at < to) {
      if (this.#state === State.Data) {
        at = this.#data(buffer, at, to, receiver);
        if (at < 0 || this.#isEnded) return at;
      } else if (this.#state === State.Trailers) {
        return at;
      } else {
        if (!this.#step(buffer[at] as number)) return ParseResult.CodecError;
        at += 1;
      }
    }
    return at;
  }

  #data(buffer: Buffer, from: number, to: number, receiver: ChunkReceiver): number {
    const size = Math.min(this.#left, to - from);
    const end = from + size;
    this.#left -= size;
    if (this.#left > 0) {
      return receiver.onChunkData(buffer, from, end, false) ? end : ParseResult.More;
    }
    // Most bodies end right here; then data and end are one event.
    if (isEndAt(buffer, end, to)) {
      this.#state = State.Trailers;
      this.#isEnded = true;
      return receiver.onChunkData(buffer, from, end, true) ? end + END_BYTES : ParseResult.More;
    }
    this.#state = State.DataCr;
    return receiver.onChunkData(buffer, from, end, false) ? end : ParseResult.More;
  }

  /** One byte of framing; false when it is wrong. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case State.Size:
        return this.#sizeByte(byte);
      case State.Blank:
        return this.#blankByte(byte);
      case State.Extension:
        if (byte === CR) this.#state = State.SizeLf;
        else if ((byte < SPACE && byte !== TAB) || byte === 0x7f) return false;
        return this.#countLineByte();
      case State.SizeLf:
        return this.#endLine(byte);
      case State.DataCr:
        this.#state = State.DataLf;
        return byte === CR;
      default:
        this.#state = State.Size;
        this.#lineBytes = 0;
        return byte === LF;
    }
  }

  #sizeByte(byte: number): boolean {
    const digit = hexValue[byte] as number;
    if (digit < 0) return this.#hasDigits && this.#blankByte(byte);
    this.#hasDigits = true;
    this.#left = this.#left * 16 + digit;
    return this.#left <= Number.MAX_SAFE_INTEGER && this.#countLineByte();
  }

  #blankByte(byte: number): boolean {
    if (byte === CR) this.#state = State.SizeLf;
    else if (byte === SEMICOLON) this.#state = State.Extension;
    else if (byte === SPACE || byte === TAB) this.#state = State.Blank;
    else return false;
    return this.#countLineByte();
  }

  #countLineByte(): boolean {
    this.#lineBytes += 1;
    return this.#lineBytes <= LINE_BYTES_MAX;
  }

  #endLine(byte: number): boolean {
    this.#hasDigits = false;
    this.#state = this.#left === 0 ? State.Trailers : State.Data;
    return byte === LF;
  }
}

/** CRLF, "0", CRLF, CRLF: the end of a body without trailers. */
function isEndAt(buffer: Buffer, at: number, to: number): boolean {
  return (
    at + END_BYTES <= to &&
    buffer[at + 2] === ZERO &&
    buffer[at] === CR &&
    buffer[at + 1] === LF &&
    buffer[at + 3] === CR &&
    buffer[at + 4] === LF &&
    buffer[at + 5] === CR &&
    buffer[at + 6] === LF
  );
}
