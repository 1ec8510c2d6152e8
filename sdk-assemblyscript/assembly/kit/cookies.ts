// Cookies (RFC 6265): what a Cookie header holds, and what Set-Cookie says.
import { asciiLower, signedDecimal } from "../text";

/** The value of a cookie in a Cookie header, the first of that name; null when it is not there. */
export function cookieValue(header: string, name: string): string | null {
  const cookies = Cookies.parse(header);
  return cookies.get(name);
}

/** All cookies of a Cookie header, in order. Parts without `=` are left out. */
@final
export class Cookies {
  private readonly names: string[] = [];
  private readonly values: string[] = [];

  static parse(header: string): Cookies {
    const cookies = new Cookies();
    let from = 0;
    while (from < header.length) {
      let end = header.indexOf(";", from);
      if (end < 0) end = header.length;
      const equals = header.indexOf("=", from);
      // Looked for no further than the part that has none: else it is found for a later part, too.
      if (equals < 0) break;
      if (equals < end) {
        cookies.names.push(trimBlanks(header, from, equals));
        cookies.values.push(unquote(trimBlanks(header, equals + 1, end)));
        from = end + 1;
      } else {
        from = header.lastIndexOf(";", equals) + 1;
      }
    }
    return cookies;
  }

  get length(): i32 {
    return this.names.length;
  }

  nameAt(index: i32): string | null {
    return index < 0 || index >= this.names.length ? null : this.names[index];
  }

  valueAt(index: i32): string | null {
    return index < 0 || index >= this.values.length ? null : this.values[index];
  }

  get(name: string): string | null {
    return this.valueAt(this.names.indexOf(name));
  }
}

/** One cookie as Set-Cookie gives it to a client. */
@final
export class SetCookie {
  /** "" when not said. */
  domain: string = "";
  /** "" when not said. */
  path: string = "";
  /** As it was written, see http-date; "" when not said. */
  expires: string = "";
  /** Seconds; i64.MIN_VALUE when not said. */
  maxAge: i64 = i64.MIN_VALUE;
  isSecure: bool = false;
  isHttpOnly: bool = false;
  /** "Strict", "Lax" or "None"; "" when not said. */
  sameSite: string = "";

  constructor(
    public name: string,
    public value: string,
  ) {}

  /** Reads a Set-Cookie header; null when it names no cookie. Attributes that nobody knows are dropped. */
  static parse(header: string): SetCookie | null {
    const parts = header.split(";");
    const first = parts[0];
    const equals = first.indexOf("=");
    if (equals < 0) return null;
    const name = trimBlanks(first, 0, equals);
    if (name == "") return null;
    const cookie = new SetCookie(name, unquote(trimBlanks(first, equals + 1, first.length)));
    for (let i = 1; i < parts.length; i++) cookie.takeAttribute(parts[i]);
    return cookie;
  }

  /** As a Set-Cookie header; null when a part holds what would end it or begin another. */
  toString(): string {
    const header = this.header();
    return header === null ? "" : header;
  }

  /** As `toString`, but null where that is "". */
  header(): string | null {
    const isSafe =
      isToken(this.name) && isCookieText(this.value) && isCookieText(this.domain) &&
      isAttribute(this.path) && isAttribute(this.expires) && isToken("x" + this.sameSite);
    if (!isSafe) return null;
    let text = this.name + "=" + this.value;
    if (this.domain != "") text += "; Domain=" + this.domain;
    if (this.path != "") text += "; Path=" + this.path;
    if (this.expires != "") text += "; Expires=" + this.expires;
    if (this.maxAge != i64.MIN_VALUE) text += "; Max-Age=" + signedDecimal(this.maxAge);
    if (this.isSecure) text += "; Secure";
    if (this.isHttpOnly) text += "; HttpOnly";
    return this.sameSite == "" ? text : text + "; SameSite=" + this.sameSite;
  }

  private takeAttribute(part: string): void {
    const equals = part.indexOf("=");
    const end = equals < 0 ? part.length : equals;
    const name = asciiLower(trimBlanks(part, 0, end));
    const value = equals < 0 ? "" : trimBlanks(part, equals + 1, part.length);
    if (name == "domain") this.domain = asciiLower(value);
    else if (name == "path") this.path = value;
    else if (name == "expires") this.expires = value;
    else if (name == "max-age") this.takeMaxAge(value);
    else if (name == "secure") this.isSecure = true;
    else if (name == "httponly") this.isHttpOnly = true;
    else if (name == "samesite") this.sameSite = value;
  }

  /** Digits, perhaps behind a minus; cut to what 64 bits hold with room to add. */
  private takeMaxAge(text: string): void {
    const start = text.charCodeAt(0) == 0x2d ? 1 : 0;
    let value: i64 = 0;
    for (let i = start; i < text.length; i++) {
      const digit = text.charCodeAt(i) - 48;
      if (<u32>digit > 9) return;
      if (value < 1000000000000) value = value * 10 + digit;
    }
    if (text.length > start) this.maxAge = start == 1 ? 0 - value : value;
  }
}

/** A part without blanks and tabs at its ends. */
function trimBlanks(text: string, start: i32, end: i32): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.substring(from, to);
}

function isBlank(unit: i32): bool {
  return unit == 0x20 || unit == 0x09;
}

function unquote(text: string): string {
  const last = text.length - 1;
  const isQuoted = last > 0 && text.charCodeAt(0) == 0x22 && text.charCodeAt(last) == 0x22;
  return isQuoted ? text.substring(1, last) : text;
}

/** Of RFC 9110's tokens: no blanks, no separators. */
function isToken(text: string): bool {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit <= 0x20 || unit >= 0x7f || "\"(),/:;<=>?@[\\]{}".includes(text.charAt(i))) return false;
  }
  return text != "";
}

/** No control character, blank, comma, semicolon, quote, backslash. */
function isCookieText(text: string): bool {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit <= 0x20 || unit >= 0x7f || unit == 0x22 || unit == 0x2c) return false;
    if (unit == 0x3b || unit == 0x5c) return false;
  }
  return true;
}

/** No control character and no semicolon. */
function isAttribute(text: string): bool {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit >= 0x7f || unit == 0x3b) return false;
  }
  return true;
}
