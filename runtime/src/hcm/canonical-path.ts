// Makes request paths canonical before a route is chosen: escaped slashes, dot segments, doubled
// slashes. Called by request-normalizer.ts; which character is treated how was asked of Envoy 1.40.

/** Paths that canonicalPath does not change: no escape, no backslash, no dot behind a slash. */
const plainPath = /^(?:[\w\-~!$&'()*+,:;=@[\]/]|(?<!\/)\.)*$/;
/** A "." or ".." with path parameters, which servlet containers ignore: `/a/..;x=1/b`. */
const dotParameters = /(^|\/)(\.{1,2});[^/]*/g;
const NO_PERCENT = -8;

/** `%2f` and `%5c` before the query become "/" and "\". The same string when there are none. */
export function unescapeSlashes(path: string): string {
  const end = queryStart(path);
  const percent = path.indexOf("%");
  if (percent < 0 || percent >= end) return path;
  const head = path.slice(0, end);
  const plain = head.replace(/%2f/gi, "/").replace(/%5c/gi, "\\");
  return plain.length === head.length ? path : plain + path.slice(end);
}

/** Runs of "/" before the query become one; nothing but slashes becomes "//", as in Envoy. */
export function mergeSlashes(path: string): string {
  const end = queryStart(path);
  const at = path.indexOf("//");
  if (at < 0 || at >= end) return path;
  const merged = path.slice(0, end).replace(/\/{2,}/g, "/");
  return (merged === "/" ? "//" : merged) + path.slice(end);
}

/**
 * Resolves dot segments ("." and "..", escaped or not, with or without parameters), takes "\" as
 * "/", writes unreserved characters plain and unsafe ones escaped. The query stays as it is. Null
 * for an escaped NUL: such a request is refused.
 */
export function canonicalPath(path: string): string | null {
  const end = queryStart(path);
  const head = end === path.length ? path : path.slice(0, end);
  if (plainPath.test(head)) return path;
  const written = writeCanonical(head.replace(dotParameters, "$1$2"));
  return written === null ? null : written + path.slice(end);
}

function queryStart(path: string): number {
  const query = path.indexOf("?");
  return query < 0 ? path.length : query;
}

function writeCanonical(text: string): string | null {
  let out = "";
  /** Where in `out` the last "%" stands that began no escape. */
  let lonePercent = NO_PERCENT;
  let at = 0;
  while (at < text.length) {
    const dot = dotLength(text, at);
    if (dot > 0) {
      const consumed = out.endsWith("/") ? dotSegmentLength(text, at + dot) : -1;
      at += dot;
      if (consumed < 0) out += ".";
      else {
        if (isDotDot(text, at)) out = parentOf(out);
        if (lonePercent >= out.length) lonePercent = NO_PERCENT;
        at += consumed;
      }
      continue;
    }
    const code = text.charCodeAt(at);
    if (code !== 0x25) {
      out += code === 0x5c ? "/" : writtenAs(code);
      at += 1;
      continue;
    }
    const escaped = escapeAt(text, at);
    if (escaped === 0) return null;
    if (escaped < 0) {
      lonePercent = out.length;
      out += "%";
      at += 1;
      continue;
    }
    out += isUnreserved(escaped) ? String.fromCharCode(escaped) : text.slice(at, at + 3);
    at += 3;
    if (isUnreserved(escaped) && lonePercent >= out.length - 3) {
      out = withoutNestedEscape(out, lonePercent, text.charAt(at));
    }
  }
  return out;
}

/** 1 for ".", 3 for "%2e", 0 for anything else. */
function dotLength(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code === 0x2e) return 1;
  return code === 0x25 && escapeAt(text, at) === 0x2e ? 3 : 0;
}

/**
 * What belongs to a dot segment behind its first dot, which ends at `at`: another dot, the slash.
 * -1 when the dot only begins a name.
 */
function dotSegmentLength(text: string, at: number): number {
  const second = dotLength(text, at);
  for (let end = at; end <= at + second; end += second) {
    if (end >= text.length) return end - at;
    const code = text.charCodeAt(end);
    if (code === 0x2f || code === 0x5c) return end + 1 - at;
    if (second === 0) return -1;
  }
  return -1;
}

function isDotDot(text: string, at: number): boolean {
  return dotLength(text, at) > 0;
}

/** Without its last segment; "/" stays. */
function parentOf(path: string): string {
  return path.length <= 1 ? path : path.slice(0, path.lastIndexOf("/", path.length - 2) + 1);
}

/**
 * `%2%65` must not become the new escape `%2e`: when the character that was just unescaped makes
 * the lone percent sign an escape, that sign is written as "%25" (Chromium's rule).
 */
function withoutNestedEscape(out: string, percent: number, next: string): string {
  const takesNext = percent === out.length - 2;
  if (takesNext && next === "") return out;
  if (escapeAt(takesNext ? out + next : out, percent) < 0) return out;
  return `${out.slice(0, percent)}%25${out.slice(percent + 1)}`;
}

/** Value of the escape `%xx` at `at`; -1 when there is none. */
function escapeAt(text: string, at: number): number {
  if (text.charCodeAt(at) !== 0x25 || at + 2 >= text.length) return -1;
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Letters, digits, "-", ".", "_", "~" (RFC 3986, 2.3). */
function isUnreserved(code: number): boolean {
  if (code >= 0x30 && code <= 0x39) return true;
  if (code >= 0x80) return false;
  const lower = code | 0x20;
  if (code >= 0x40 && lower >= 0x61 && lower <= 0x7a) return true;
  return code === 0x2d || code === 0x2e || code === 0x5f || code === 0x7e;
}

/** A character that came plain; those that no URI may have are escaped. */
function writtenAs(code: number): string {
  if (code > 0x20 && code < 0x7f && !'"#<>^`{|}'.includes(String.fromCharCode(code))) {
    return String.fromCharCode(code);
  }
  return `%${(code + 256).toString(16).slice(1).toUpperCase()}`;
}
