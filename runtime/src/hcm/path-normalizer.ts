// Makes request paths canonical before a route is chosen: escaped slashes, dot segments, doubled
// slashes. Called by request-normalizer.ts. What is done to which character follows Envoy's
// (Chromium's) tables.

/** Outcome of canonicalPath for a path that must be refused. */
export const PATH_INVALID = null;

/** Characters that are written as they are when they come escaped: unreserved ones (RFC 3986). */
function isUnreserved(code: number): boolean {
  if (code >= 0x30 && code <= 0x39) return true;
  const lower = code | 0x20;
  if (lower >= 0x61 && lower <= 0x7a) return true;
  return code === 0x2d || code === 0x2e || code === 0x5f || code === 0x7e;
}

/** Characters that come plain and are written escaped. */
function mustEscape(code: number): boolean {
  if (code <= 0x20 || code >= 0x7f) return true;
  switch (code) {
    case 0x22:
    case 0x23:
    case 0x3c:
    case 0x3e:
    case 0x5e:
    case 0x60:
    case 0x7b:
    case 0x7c:
    case 0x7d:
      return true;
    default:
      return false;
  }
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Value of the escape `%xx` at `at`; -1 when there is none. */
function escapeAt(text: string, at: number): number {
  if (text.charCodeAt(at) !== 0x25 || at + 2 >= text.length) return -1;
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function queryStart(path: string): number {
  const query = path.indexOf("?");
  return query < 0 ? path.length : query;
}

/** `%2f` and `%5c` before the query become "/" and "\". The same string when there are none. */
export function unescapeSlashes(path: string): string {
  if (path.indexOf("%") < 0) return path;
  const end = queryStart(path);
  const head = path.slice(0, end);
  const plain = head.replace(/%2f/gi, "/").replace(/%5c/gi, "\\");
  return plain === head ? path : plain + path.slice(end);
}

/** Runs of "/" before the query become one. */
export function mergeSlashes(path: string): string {
  const end = queryStart(path);
  const at = path.indexOf("//");
  if (at < 0 || at >= end) return path;
  return path.slice(0, end).replace(/\/{2,}/g, "/") + path.slice(end);
}

/**
 * A path that canonicalPath would not change: letters, digits, and no segment that starts with ".".
 */
const alreadyCanonical = /^(?:\/(?:[\w~!$&'()*+,;=:@[\]-][\w~!$&'()*+,;=:@.[\]-]*)?)+$/;

/**
 * Resolves dot segments ("." and "..", escaped or not), takes "\" as "/", writes unreserved
 * characters plain and unsafe ones escaped. The query stays. PATH_INVALID for an escaped NUL.
 */
export function canonicalPath(path: string): string | null {
  const end = queryStart(path);
  const head = end === path.length ? path : path.slice(0, end);
  if (alreadyCanonical.test(head)) return path;
  const written = writeCanonical(head);
  if (written === PATH_INVALID) return PATH_INVALID;
  return written + path.slice(end);
}

function writeCanonical(head: string): string | null {
  // `segments` are those that are complete; the last one is what stands behind the last slash.
  const segments: string[] = [];
  let segment = "";
  for (let at = 1; at <= head.length; at += 1) {
    const code = at === head.length ? -1 : head.charCodeAt(at);
    if (code === -1 || code === 0x2f || code === 0x5c) {
      const isLast = code === -1;
      if (segment === "..") {
        segments.pop();
        if (isLast) segments.push("");
      } else if (segment === ".") {
        if (isLast) segments.push("");
      } else segments.push(segment);
      segment = "";
      continue;
    }
    const escaped = escapeAt(head, at);
    if (escaped === 0) return PATH_INVALID;
    if (escaped >= 0) {
      segment += isUnreserved(escaped) ? String.fromCharCode(escaped) : head.slice(at, at + 3);
      at += 2;
    } else segment += mustEscape(code) ? escapeOf(code) : head.charAt(at);
  }
  return `/${segments.join("/")}`;
}

function escapeOf(code: number): string {
  return `%${(code + 256).toString(16).slice(1).toUpperCase()}`;
}
