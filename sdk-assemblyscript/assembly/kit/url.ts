// URLs taken apart and put together. What stands in them is not changed: no decoding, no default
// ports, no other way to write a host; only scheme and host come in small letters.
import { asciiLower, decimal, wholeNumber } from "../text";

/** An absolute URL with an authority, or the target of a request. */
@final
export class Url {
  /** "" for the target of a request. */
  scheme: string = "";
  /** Before the `@`; null when there is none. */
  userInfo: string | null = null;
  /** "" for the target of a request; an IPv6 address in brackets. */
  host: string = "";
  /** -1 when there is none. */
  port: i32 = -1;
  /** Begins with a slash, or is empty. */
  path: string = "";
  /** Behind the question mark; null when there is none. */
  query: string | null = null;
  /** Behind the `#`; null when there is none. */
  fragment: string | null = null;

  /** `https://host:1/path?query#fragment`; null when the text is not one of this form. */
  static parse(text: string): Url | null {
    const schemeEnd = text.indexOf("://");
    if (schemeEnd <= 0 || !isPrintable(text) || !isScheme(text, schemeEnd)) return null;
    const url = new Url();
    url.scheme = asciiLower(text.substring(0, schemeEnd));
    const start = schemeEnd + 3;
    let end = start;
    while (end < text.length && !isAuthorityEnd(text.charCodeAt(end))) end++;
    if (!url.takeAuthority(text.substring(start, end))) return null;
    url.takeTarget(text, end);
    return url;
  }

  /** `/path?query`, what `:path` holds; null when it does not begin with a slash. */
  static parseTarget(text: string): Url | null {
    if (text.charCodeAt(0) != 0x2f || !isPrintable(text)) return null;
    const url = new Url();
    url.takeTarget(text, 0);
    return url;
  }

  /** The path without `.` and `..`, also when they are written `%2e`, as the URL standard has it. */
  normalizedPath(): string {
    const steps = this.path.split("/");
    const kept: string[] = [];
    // The first step is what stands before the first slash: nothing.
    for (let i = 1; i < steps.length; i++) {
      const dots = dotsOf(steps[i]);
      if (dots == 2 && kept.length > 0) kept.pop();
      if (dots == 0) kept.push(steps[i]);
      else if (i == steps.length - 1) kept.push("");
    }
    return "/" + kept.join("/");
  }

  /** Path and query: what `:path` takes. */
  target(): string {
    const query = this.query;
    const path = this.path == "" ? "/" : this.path;
    return query === null ? path : path + "?" + query;
  }

  /** Host and port: what `:authority` takes. */
  authority(): string {
    return this.port < 0 ? this.host : this.host + ":" + decimal(this.port);
  }

  toString(): string {
    const fragment = this.fragment;
    const userInfo = this.userInfo;
    let text = this.scheme == "" ? "" : this.scheme + "://";
    if (userInfo !== null) text += userInfo + "@";
    const query = this.query;
    text += this.authority() + this.path;
    if (query !== null) text += "?" + query;
    return fragment === null ? text : text + "#" + fragment;
  }

  private takeAuthority(authority: string): bool {
    const at = authority.lastIndexOf("@");
    if (at >= 0) this.userInfo = authority.substring(0, at);
    const place = authority.substring(at + 1);
    const bracket = place.indexOf("]");
    const colon = place.indexOf(":", bracket + 1);
    const host = colon < 0 ? place : place.substring(0, colon);
    if (colon >= 0 && colon + 1 < place.length) {
      this.port = wholeNumber(place.substring(colon + 1));
      if (this.port < 0 || this.port > 65535) return false;
    }
    this.host = asciiLower(host);
    return isHost(host);
  }

  private takeTarget(text: string, start: i32): void {
    const hash = text.indexOf("#", start);
    const end = hash < 0 ? text.length : hash;
    if (hash >= 0) this.fragment = text.substring(hash + 1);
    let pathEnd = start;
    while (pathEnd < end && text.charCodeAt(pathEnd) != 0x3f) pathEnd++;
    this.path = text.substring(start, pathEnd);
    if (pathEnd < end) this.query = text.substring(pathEnd + 1, end);
  }
}

/** No control character, no blank and no backslash, which some read as a slash. */
function isPrintable(text: string): bool {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit <= 0x20 || unit == 0x7f || unit == 0x5c) return false;
  }
  return true;
}

function isAuthorityEnd(unit: i32): bool {
  return unit == 0x2f || unit == 0x3f || unit == 0x23;
}

/** A letter, then letters, digits, `+` `-` `.` */
function isScheme(text: string, end: i32): bool {
  for (let i = 0; i < end; i++) {
    const unit = text.charCodeAt(i);
    if (isLetter(unit)) continue;
    if (i == 0 || !(isDigit(unit) || unit == 0x2b || unit == 0x2d || unit == 0x2e)) return false;
  }
  return true;
}

/** Letters, digits, `-` `.` `_` `~`, or an IPv6 address in brackets as far as its letters go. */
function isHost(host: string): bool {
  const isAddress = host.charCodeAt(0) == 0x5b;
  const start = isAddress ? 1 : 0;
  const end = isAddress ? host.length - 1 : host.length;
  if (end <= start || (isAddress && host.charCodeAt(end) != 0x5d)) return false;
  for (let i = start; i < end; i++) {
    const unit = host.charCodeAt(i);
    if (isDigit(unit) || unit == 0x2e) continue;
    const isHex = (unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x66;
    if (isAddress ? isHex || unit == 0x3a : isLetter(unit)) continue;
    if (isAddress || (unit != 0x2d && unit != 0x5f && unit != 0x7e)) return false;
  }
  return true;
}

function isLetter(unit: i32): bool {
  return (unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a;
}

function isDigit(unit: i32): bool {
  return unit >= 0x30 && unit <= 0x39;
}

/** 1 for `.`, 2 for `..`, in any way of writing; 0 for all else. */
function dotsOf(step: string): i32 {
  let dots = 0;
  let at = 0;
  while (at < step.length && dots < 3) {
    const isPlain = step.charCodeAt(at) == 0x2e;
    const isEncoded =
      step.charCodeAt(at) == 0x25 &&
      step.charCodeAt(at + 1) == 0x32 &&
      (step.charCodeAt(at + 2) | 0x20) == 0x65;
    if (!isPlain && !isEncoded) return 0;
    dots++;
    at += isPlain ? 1 : 3;
  }
  return dots < 3 ? dots : 0;
}
