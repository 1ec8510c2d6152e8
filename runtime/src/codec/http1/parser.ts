// Strict parser of HTTP/1 heads and trailers over bytes, in one pass; the connections of this room
// call it. One instance serves a thread: what it found stands in its fields until the next call.
//
// Names are made lower-case in place (the bytes are lent and writable), a hash of the name is
// rolled along and finds its id, lines go to the HeaderMap as offsets, and at the end one latin1
// string is cut. A head that has not come whole is parsed again from its start when more comes:
// everything that is found wrong is found at the same byte then, however the bytes were split.
import { HeaderId, hashHeaderByte, internHeaderName } from "../../core/header-names.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import { latin1 } from "../../core/latin1.ts";
import { isBlank, isHostByte, isTargetByte, isValueByte, tokenLower } from "./char-tables.ts";
import { ParseResult } from "./codec-errors.ts";
import { METHOD_BYTES_MAX, methodAt } from "./methods.ts";
import { setTarget } from "./request-target.ts";

const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
const ZERO = 48;
const SLASH = 47;

/** "HTTP/" */
const versionPrefix = Uint8Array.of(72, 84, 84, 80, SLASH);
const chunkedBytes: Uint8Array = Uint8Array.from(Buffer.from("chunked", "latin1"));

/**
 * Names that are framing headers to servers that take "_" for "-" (CGI and its heirs): such a
 * server sees another body than we do.
 */
const CONTENT_LENGTH_LOOKALIKE = "content_length";
const TRANSFER_ENCODING_LOOKALIKE = "transfer_encoding";
const contentLengthLookalikeHash: number = hashOf(CONTENT_LENGTH_LOOKALIKE);
const transferEncodingLookalikeHash: number = hashOf(TRANSFER_ENCODING_LOOKALIKE);

/** What a transfer-encoding line said. */
const Coding = { None: 0, Chunked: 1, Unknown: 2 } as const;

/** Which rules fields() applies. */
const Section = { Request: 0, Response: 1, Trailers: 2 } as const;

/** Value of `contentLength` when the message has no such header. */
export const NO_LENGTH = -1;

export class HeadParser {
  /** Request method, a constant string; "" after response(). */
  method: string = "";
  /** Response status; 0 after request(). */
  status: number = 0;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  minorVersion: number = 1;
  /** Bytes of the body by content-length, NO_LENGTH without one. At most 2^53-1. */
  contentLength: number = NO_LENGTH;
  /** The body comes in chunks. */
  isChunked: boolean = false;
  /** Header lines that the option `underscores: "drop"` removed. */
  droppedUnderscores: number = 0;

  // Of the head that is being parsed.
  #versionEnd: number = 0;
  #minor: number = 1;
  #lineEnd: number = 0;
  #hostFrom: number = 0;
  #hostTo: number = 0;
  #coding: number = Coding.None;
  #isLengthBad: boolean = false;
  /** The length has leading zeros. */
  #isLengthPadded: boolean = false;
  #hasLookalike: boolean = false;

  /**
   * Parses a request head at `buffer[from..to)` into `map`, which it resets first. Returns the
   * offset after the head or a ParseResult; then the map's content means nothing.
   */
  request(
    buffer: Uint8Array,
    from: number,
    to: number,
    map: HeaderMap,
    options: Http1CodecOptions,
  ): number {
    const end = to - from > options.headBytesMax ? from + options.headBytesMax : to;
    const result = this.#request(buffer, from, end, map, options);
    return result === ParseResult.More && end < to ? ParseResult.HeadersTooLarge : result;
  }

  /** As request(), for a response. */
  response(
    buffer: Uint8Array,
    from: number,
    to: number,
    map: HeaderMap,
    options: Http1CodecOptions,
  ): number {
    const end = to - from > options.headBytesMax ? from + options.headBytesMax : to;
    const result = this.#response(buffer, from, end, map, options);
    return result === ParseResult.More && end < to ? ParseResult.HeadersTooLarge : result;
  }

  /** As request(), for the trailer lines and the empty line after the last chunk. */
  trailers(
    buffer: Uint8Array,
    from: number,
    to: number,
    map: HeaderMap,
    options: Http1CodecOptions,
  ): number {
    const end = to - from > options.headBytesMax ? from + options.headBytesMax : to;
    this.#begin(map);
    this.#lineEnd = from;
    const result = this.#fields(buffer, from, from, end, map, options, Section.Trailers);
    return result === ParseResult.More && end < to ? ParseResult.HeadersTooLarge : result;
  }

  #begin(map: HeaderMap): void {
    map.reset();
    this.method = "";
    this.status = 0;
    this.contentLength = NO_LENGTH;
    this.isChunked = false;
    this.droppedUnderscores = 0;
    this.#coding = Coding.None;
    this.#isLengthBad = false;
    this.#isLengthPadded = false;
    this.#hasLookalike = false;
  }

  #request(
    buffer: Uint8Array,
    from: number,
    end: number,
    map: HeaderMap,
    options: Http1CodecOptions,
  ): number {
    this.#begin(map);
    let at = from;
    // Empty lines before a request are ignored (RFC 9112 2.2); they count as bytes of the head.
    while (at < end && buffer[at] === CR) {
      if (at + 1 === end) return ParseResult.More;
      if (buffer[at + 1] !== LF) return ParseResult.CodecError;
      at += 2;
    }
    const start = at;
    const methodEnd = this.#methodEnd(buffer, at, end);
    if (methodEnd < 0) return methodEnd;
    at = methodEnd + 1;
    const targetFrom = at;
    while (at < end && isTargetByte[buffer[at] as number] !== 0) at += 1;
    if (at === end) return ParseResult.More;
    const targetTo = at;
    if (targetTo === targetFrom) return refuse(buffer[at] as number);
    const after = this.#versionOfRequest(buffer, at, end, options);
    if (after < 0) {
      // HTTP/0.9 asks for a path; without one it is the line that is wrong.
      const isBareWord = buffer[at] === CR && buffer[targetFrom] !== SLASH;
      return after === ParseResult.LowVersion && isBareWord ? ParseResult.CodecError : after;
    }
    this.#lineEnd = after;
    const headEnd = this.#fields(buffer, start, after, end, map, options, 0);
    if (headEnd < 0) return headEnd;
    const targetResult = setTarget(
      map,
      this.method,
      map.rawText(targetFrom, targetTo),
      this.minorVersion === 1,
      options,
    );
    return targetResult < 0 ? targetResult : headEnd;
  }

  /** Offset of the space after the method, whose name is kept; or a ParseResult. */
  #methodEnd(buffer: Uint8Array, from: number, end: number): number {
    // GET first: it is most of what comes.
    if (
      from + 3 < end &&
      buffer[from] === 71 &&
      buffer[from + 1] === 69 &&
      buffer[from + 2] === 84 &&
      buffer[from + 3] === SPACE
    ) {
      this.method = "GET";
      return from + 3;
    }
    let at = from;
    let byte = 0;
    while (at < end && (byte = buffer[at] as number) >= 0x41 && byte <= 0x5a) at += 1;
    if (at - from > METHOD_BYTES_MAX) return ParseResult.CodecError;
    if (at === end) return ParseResult.More;
    if (byte !== SPACE) return byte === 0 ? ParseResult.InvalidCharacters : ParseResult.CodecError;
    const method = methodAt(buffer, from, at);
    if (method === null) return ParseResult.CodecError;
    this.method = method;
    return at;
  }

  /** `at` is the byte that ended the target. Returns the offset of the first field line. */
  #versionOfRequest(
    buffer: Uint8Array,
    at: number,
    end: number,
    options: Http1CodecOptions,
  ): number {
    const byte = buffer[at] as number;
    if (byte === CR) {
      // HTTP/0.9: a request line without a version.
      if (at + 1 === end) return ParseResult.More;
      return buffer[at + 1] === LF ? ParseResult.LowVersion : ParseResult.CodecError;
    }
    if (byte !== SPACE) return refuse(byte);
    const major = this.#version(buffer, at + 1, end);
    if (major < 0) return major;
    const lineEnd = this.#versionEnd;
    if (lineEnd === end) return ParseResult.More;
    if (buffer[lineEnd] !== CR) return refuse(buffer[lineEnd] as number);
    if (lineEnd + 1 === end) return ParseResult.More;
    if (buffer[lineEnd + 1] !== LF) return ParseResult.CodecError;
    if (major !== 1 || this.#minor > 1) return ParseResult.LowVersion;
    if (this.#minor === 0 && !options.acceptHttp10) return ParseResult.LowVersion;
    this.minorVersion = this.#minor;
    return lineEnd + 2;
  }

  /** Reads HTTP/d.d: returns the major version and keeps the minor one. */
  #version(buffer: Uint8Array, from: number, end: number): number {
    let at = from;
    for (let i = 0; i < 5; i += 1, at += 1) {
      if (at === end) return ParseResult.More;
      if (buffer[at] !== versionPrefix[i]) return refuse(buffer[at] as number);
    }
    if (at === end) return ParseResult.More;
    const major = (buffer[at] as number) - 48;
    if (major < 0 || major > 9) return refuse(buffer[at] as number);
    if (at + 1 === end) return ParseResult.More;
    if (buffer[at + 1] !== 46) return refuse(buffer[at + 1] as number);
    if (at + 2 === end) return ParseResult.More;
    const minor = (buffer[at + 2] as number) - 48;
    if (minor < 0 || minor > 9) return refuse(buffer[at + 2] as number);
    this.#minor = minor;
    this.#versionEnd = at + 3;
    return major;
  }

  #response(
    buffer: Uint8Array,
    from: number,
    end: number,
    map: HeaderMap,
    options: Http1CodecOptions,
  ): number {
    this.#begin(map);
    const major = this.#version(buffer, from, end);
    if (major < 0) return major;
    if (major !== 1) return ParseResult.CodecError;
    let at = this.#versionEnd;
    if (at === end) return ParseResult.More;
    if (buffer[at] !== SPACE) return ParseResult.CodecError;
    let status = 0;
    for (let i = 0; i < 3; i += 1) {
      at += 1;
      if (at === end) return ParseResult.More;
      const digit = (buffer[at] as number) - 48;
      if (digit < 0 || digit > 9) return ParseResult.CodecError;
      status = status * 10 + digit;
    }
    if (status < 100) return ParseResult.CodecError;
    at += 1;
    if (at === end) return ParseResult.More;
    // The reason phrase is free, and may be missing together with its space.
    if (buffer[at] !== SPACE && buffer[at] !== CR) return ParseResult.CodecError;
    while (at < end && isValueByte[buffer[at] as number] !== 0) at += 1;
    if (at === end) return ParseResult.More;
    if (buffer[at] !== CR) return ParseResult.CodecError;
    if (at + 1 === end) return ParseResult.More;
    if (buffer[at + 1] !== LF) return ParseResult.CodecError;
    this.#lineEnd = at + 2;
    this.minorVersion = this.#minor === 0 ? 0 : 1;
    const headEnd = this.#fields(buffer, from, at + 2, end, map, options, 1);
    if (headEnd < 0) return headEnd;
    this.status = status;
    // Envoy writes its own reason phrase, so the line is never written back.
    map.setStatusLine(status, false);
    return headEnd;
  }

  /** The field lines from `from` and the empty line; `start` is the head's first byte. */
  #fields(
    buffer: Uint8Array,
    start: number,
    from: number,
    end: number,
    map: HeaderMap,
    options: Http1CodecOptions,
    section: number,
  ): number {
    const linesMax = options.headersMax;
    let at = from;
    let lines = 0;
    let isPlain = true;
    for (;;) {
      if (at === end) return ParseResult.More;
      if (buffer[at] === CR) {
        if (at + 1 === end) return ParseResult.More;
        if (buffer[at + 1] !== LF) return ParseResult.CodecError;
        at += 2;
        break;
      }
      const nameFrom = at;
      let hash = 0;
      let byte = 0;
      let lower = 0;
      // The hash is hashHeaderByte, written out: a call here costs a tenth of the parse.
      while (at < end && (lower = tokenLower[(byte = buffer[at] as number)] as number) !== 0) {
        if (lower !== byte) buffer[at] = lower;
        hash = (Math.imul(hash, 31) + lower) & 0xffff;
        at += 1;
      }
      if (at === end) return ParseResult.More;
      if (byte !== COLON || at === nameFrom) return refuse(byte);
      const nameTo = at;
      at += 1;
      while (at < end && ((byte = buffer[at] as number) === SPACE || byte === TAB)) at += 1;
      const valueFrom = at;
      while (at < end && isValueByte[(byte = buffer[at] as number)] !== 0) at += 1;
      if (at === end) return ParseResult.More;
      if (byte !== CR) return byte === LF ? ParseResult.CodecError : ParseResult.InvalidCharacters;
      if (at + 1 === end) return ParseResult.More;
      if (buffer[at + 1] !== LF) return ParseResult.CodecError;
      let valueTo = at;
      while (valueTo > valueFrom && isBlank(buffer[valueTo - 1] as number)) valueTo -= 1;
      if (valueTo !== at || valueFrom !== nameTo + 2) isPlain = false;
      at += 2;
      lines += 1;
      if (lines > linesMax) return ParseResult.TooManyHeaders;
      const id = internHeaderName(buffer, nameFrom, nameTo, hash);
      map.pushRaw(id, nameFrom, nameTo, valueFrom, valueTo);
      if (id === 0) {
        if (hash === contentLengthLookalikeHash || hash === transferEncodingLookalikeHash) {
          this.#noteLookalike(buffer, nameFrom, nameTo);
        }
      } else if (id <= HeaderId.TransferEncoding) {
        this.#noteFraming(buffer, id, valueFrom, valueTo);
      }
    }
    map.finishRaw(latin1(buffer, start, at), start, this.#lineEnd - start, isPlain);
    const checked = this.#checkFraming(buffer, map, options, section);
    if (checked < 0) return checked;
    if (options.underscores !== "allow") {
      const result = this.#underscores(map, options);
      if (result < 0) return result;
    }
    return at;
  }

  /** Keeps what host, content-length and transfer-encoding say; duplicates are refused later. */
  #noteFraming(buffer: Uint8Array, id: number, from: number, to: number): void {
    if (id === HeaderId.Host) {
      this.#hostFrom = from;
      this.#hostTo = to;
    } else if (id === HeaderId.ContentLength) {
      this.contentLength = lengthAt(buffer, from, to);
      if (this.contentLength < 0) this.#isLengthBad = true;
      this.#isLengthPadded = to - from > 1 && buffer[from] === ZERO;
    } else if (id === HeaderId.TransferEncoding) {
      this.#coding =
        this.#coding === Coding.None && isChunkedAt(buffer, from, to)
          ? Coding.Chunked
          : Coding.Unknown;
    }
  }

  #noteLookalike(buffer: Uint8Array, from: number, to: number): void {
    const name = latin1(buffer, from, to);
    if (name === CONTENT_LENGTH_LOOKALIKE || name === TRANSFER_ENCODING_LOOKALIKE) {
      this.#hasLookalike = true;
    }
  }

  /** The rules against smuggling (RFC 9112 6.3, decisions on strictness). */
  #checkFraming(
    buffer: Uint8Array,
    map: HeaderMap,
    options: Http1CodecOptions,
    section: number,
  ): number {
    // With "drop" they go with the other names of that kind.
    if (this.#hasLookalike && section !== Section.Response && options.underscores !== "drop") {
      return ParseResult.UnexpectedUnderscore;
    }
    if (section === Section.Trailers) return 0;
    if (section === Section.Request && (map.seen & (1 << HeaderId.Host)) !== 0) {
      if ((map.duplicated & (1 << HeaderId.Host)) !== 0) return ParseResult.CodecError;
      for (let i = this.#hostFrom; i < this.#hostTo; i += 1) {
        if (isHostByte[buffer[i] as number] === 0) return ParseResult.InvalidAuthority;
      }
    }
    if (this.#isLengthBad) return ParseResult.CodecError;
    if ((map.duplicated & (1 << HeaderId.ContentLength)) !== 0) return ParseResult.CodecError;
    // Servers that take a leading zero for octal would count otherwise.
    if (this.#isLengthPadded) map.setById(HeaderId.ContentLength, String(this.contentLength));
    if (this.#coding === Coding.None) return 0;
    if (this.contentLength !== NO_LENGTH) {
      if (!options.allowChunkedLength || this.#coding === Coding.Unknown) {
        return ParseResult.ContentLengthAndChunked;
      }
      map.removeById(HeaderId.ContentLength);
      this.contentLength = NO_LENGTH;
    }
    if (this.#coding === Coding.Unknown) return ParseResult.InvalidTransferEncoding;
    this.isChunked = true;
    return 0;
  }

  /** Off the fast path: names with "_" are refused or dropped. */
  #underscores(map: HeaderMap, options: Http1CodecOptions): number {
    for (let i = 0; i < map.entryCount; i += 1) {
      if (!map.isLive(i) || !map.name(i).includes("_")) continue;
      if (options.underscores === "reject") return ParseResult.UnexpectedUnderscore;
      map.removeAt(i);
      this.droppedUnderscores += 1;
    }
    return 0;
  }
}

function hashOf(name: string): number {
  let hash = 0;
  for (const byte of Buffer.from(name, "latin1")) hash = hashHeaderByte(hash, byte);
  return hash;
}

/** A byte that may not stand here: control characters have a text of their own in Envoy. */
function refuse(byte: number): number {
  if (byte === CR || byte === LF || byte === TAB) return ParseResult.CodecError;
  return byte < SPACE || byte === 0x7f ? ParseResult.InvalidCharacters : ParseResult.CodecError;
}

/** Digits only; -1 when it is anything else or above 2^53-1. */
function lengthAt(buffer: Uint8Array, from: number, to: number): number {
  if (from === to) return -1;
  let length = 0;
  for (let i = from; i < to; i += 1) {
    const digit = (buffer[i] as number) - 48;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) return -1;
  }
  return length;
}

function isChunkedAt(buffer: Uint8Array, from: number, to: number): boolean {
  if (to - from !== chunkedBytes.length) return false;
  for (let i = 0; i < chunkedBytes.length; i += 1) {
    if (((buffer[from + i] as number) | 0x20) !== chunkedBytes[i]) return false;
  }
  return true;
}
