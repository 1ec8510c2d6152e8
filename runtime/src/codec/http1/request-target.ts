// What stands in a request line between method and version, put into the HeaderMap (RFC 9112 3.2).
// The parser calls it with a target of visible ASCII.
import type { HeaderMap } from "../../core/header-map.ts";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import { isHostByte } from "./char-tables.ts";
import { ParseResult } from "./codec-errors.ts";

/**
 * Sets :method, :path, :authority (and :scheme for an absolute target). Returns 0 or a ParseResult.
 * `isHttp11` is false for HTTP/1.0, whose request line cannot be written back.
 */
export function setTarget(
  map: HeaderMap,
  method: string,
  target: string,
  isHttp11: boolean,
  options: Http1CodecOptions,
): number {
  if (method === "CONNECT") return setConnectTarget(map, target);
  if (target.charCodeAt(0) === 0x2f) {
    map.setRequestLine(method, target, isHttp11);
  } else if (target === "*") {
    if (method !== "OPTIONS") return ParseResult.InvalidUrl;
    map.setRequestLine(method, target, isHttp11);
  } else {
    const result = setAbsoluteTarget(map, method, target, options);
    if (result < 0) return result;
  }
  if (!isHttp11 && map.authority === null && options.defaultHostForHttp10 !== "") {
    map.authority = options.defaultHostForHttp10;
  }
  return 0;
}

/** authority-form: host and port, both needed; the Host line gives way to it. */
function setConnectTarget(map: HeaderMap, target: string): number {
  const colon = target.lastIndexOf(":");
  if (colon <= 0 || colon === target.length - 1) return ParseResult.InvalidUrl;
  if (!isAuthority(target)) return ParseResult.InvalidUrl;
  map.setRequestLine("CONNECT", "", false);
  map.path = null;
  map.authority = target;
  return 0;
}

function setAbsoluteTarget(
  map: HeaderMap,
  method: string,
  target: string,
  options: Http1CodecOptions,
): number {
  const schemeEnd = target.indexOf("://");
  if (schemeEnd <= 0) return ParseResult.CodecError;
  if (!options.allowAbsoluteUrl) {
    // The manager refuses a path that does not begin with "/".
    map.setRequestLine(method, target, false);
    return 0;
  }
  const scheme = target.slice(0, schemeEnd).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return ParseResult.InvalidScheme;
  const authorityFrom = schemeEnd + 3;
  let authorityTo = authorityFrom;
  while (authorityTo < target.length && !endsAuthority(target.charCodeAt(authorityTo))) {
    authorityTo += 1;
  }
  const authority = target.slice(authorityFrom, authorityTo);
  // Userinfo ("@") is refused here as it is in Host: recipients read it in two ways.
  if (!isAuthority(authority)) return ParseResult.InvalidUrl;
  const path = authorityTo === target.length ? "/" : target.slice(authorityTo);
  map.setRequestLine(method, path, false);
  map.authority = authority;
  map.scheme = scheme;
  return 0;
}

function endsAuthority(char: number): boolean {
  return char === 0x2f || char === 0x3f || char === 0x23;
}

/** host, or host:port with a port of 0..65535; IPv6 in brackets. */
function isAuthority(text: string): boolean {
  if (text === "") return false;
  for (let i = 0; i < text.length; i += 1) {
    if (isHostByte[text.charCodeAt(i)] !== 1) return false;
  }
  let hostEnd = text.indexOf(":");
  if (text.charCodeAt(0) === 0x5b) {
    hostEnd = text.indexOf("]") + 1;
    if (hostEnd === 0) return false;
  }
  if (hostEnd === 0) return false;
  if (hostEnd < 0 || hostEnd === text.length) return true;
  return text.charCodeAt(hostEnd) === 0x3a && isPort(text, hostEnd + 1);
}

function isPort(text: string, from: number): boolean {
  let port = 0;
  for (let i = from; i < text.length; i += 1) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
    if (port > 65535) return false;
  }
  return from < text.length;
}
