// The codec for property paths ("request\0headers\0host"); called by hosts and by tests of SDKs.

/** Segments joined by NUL, without one at the end, as the Rust and Go SDKs send them. */
export function encodePropertyPath(segments: readonly string[]): string {
  return segments.join("\0");
}

/**
 * The segments of a path; none for an empty one. One NUL at the end is dropped, because the
 * C++ SDK ends every segment with one; empty segments in between are kept.
 */
export function decodePropertyPath(path: string): string[] {
  const trimmed = trimPropertyPath(path);
  return trimmed === "" ? [] : trimmed.split("\0");
}

/** The path as raw text without the one NUL that may end it: a key that all SDKs agree on. */
export function trimPropertyPath(path: string): string {
  return path.endsWith("\0") ? path.slice(0, -1) : path;
}
