// Heads and chunk framing as text, for both connections of this room. A head is one string: ropes
// of slices of what came and prebuilt lines, flattened once by the write (bench/micro/serializer).
import type { HeaderMap } from "../../core/header-map.ts";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import { statusLine } from "./status-line.ts";

/** How the body of a message that is written is delimited. */
export const BodyFraming = {
  /** No body may follow the head (1xx, 204, 304, answers to HEAD). */
  None: 0,
  Length: 1,
  Chunked: 2,
  /** Until the connection closes, or a tunnel. */
  Raw: 3,
} as const;

/** Lines that the codec itself adds, behind all others. */
export const CONNECTION_CLOSE = "connection: close\r\n";
export const CONNECTION_KEEP_ALIVE = "connection: keep-alive\r\n";
export const LENGTH_ZERO = "content-length: 0\r\n";
export const CHUNKED = "transfer-encoding: chunked\r\n";
/** The last chunk, without the empty line that follows the trailers. */
export const LAST_CHUNK = "0\r\n";
export const CRLF = "\r\n";

/** A request head with `extra` (lines of the codec) and the empty line. */
export function requestHead(map: HeaderMap, extra: string, options: Http1CodecOptions): string {
  const head = map.serializeRequest() + extra + CRLF;
  return options.headerCase === "proper" ? properCase(head, head.indexOf("\n") + 1) : head;
}

/** A response head with `extra` (lines of the codec) and the empty line. */
export function responseHead(
  map: HeaderMap,
  minorVersion: number,
  extra: string,
  options: Http1CodecOptions,
): string {
  const head = map.serializeResponse(statusLine(map.status, minorVersion)) + extra + CRLF;
  return options.headerCase === "proper" ? properCase(head, head.indexOf("\n") + 1) : head;
}

/** The last chunk with trailers and the end. */
export function trailersText(map: HeaderMap, options: Http1CodecOptions): string {
  const text = map.serializeLines(LAST_CHUNK) + CRLF;
  return options.headerCase === "proper" ? properCase(text, LAST_CHUNK.length) : text;
}

/** Size line of a chunk. */
export function chunkStart(size: number): string {
  return `${size.toString(16)}\r\n`;
}

/**
 * Names as `Proper-Case`: the first letter and each letter after a byte that is neither letter nor
 * digit become upper-case, as in Envoy's proper_case_words. `from` is the offset of the first line.
 */
export function properCase(text: string, from: number): string {
  let out = text.slice(0, from);
  let at = from;
  while (at < text.length) {
    const lineEnd = text.indexOf("\n", at) + 1;
    const colon = text.indexOf(":", at);
    if (lineEnd === 0 || colon < 0 || colon > lineEnd) break;
    let isStart = true;
    for (; at < colon; at += 1) {
      const char = text.charAt(at);
      out += isStart ? char.toUpperCase() : char;
      isStart = !isAlphaNumeric(text.charCodeAt(at));
    }
    out += text.slice(colon, lineEnd);
    at = lineEnd;
  }
  return out + text.slice(at);
}

function isAlphaNumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a);
}
