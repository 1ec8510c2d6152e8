// Known names: every one is found by its bytes, and nothing else is.
import { expect, test } from "vitest";
import {
  HeaderId,
  hashHeaderByte,
  headerIdOf,
  headerNames,
  internHeaderName,
} from "./header-names.ts";

function intern(name: string): number {
  const bytes = Buffer.from(`x${name}x`, "latin1");
  let hash = 0;
  for (const byte of Buffer.from(name, "latin1")) hash = hashHeaderByte(hash, byte);
  return internHeaderName(bytes, 1, bytes.length - 1, hash);
}

test("ids, names and bytes agree", () => {
  for (const [key, id] of Object.entries(HeaderId)) {
    const name = headerNames[id] as string;
    if (id === 0) continue;
    expect(key.toLowerCase()).toBe(name.replaceAll("-", ""));
    expect(headerIdOf(name)).toBe(id);
    expect(intern(name)).toBe(id);
  }
  expect(headerNames).toHaveLength(Object.keys(HeaderId).length);
});

test("other names have no id, near misses included", () => {
  for (const name of ["x", "hos", "hostt", "Host", "content_length", "x-request-ie", "accepu"]) {
    expect(headerIdOf(name)).toBe(0);
    expect(intern(name)).toBe(0);
  }
});

test("a hash is never trusted: any name under any known name's hash is told apart", () => {
  for (const known of headerNames.slice(1)) {
    let hash = 0;
    for (const byte of Buffer.from(known, "latin1")) hash = hashHeaderByte(hash, byte);
    const other = Buffer.from(`${known.slice(0, -1)}~`, "latin1");
    expect(internHeaderName(other, 0, other.length, hash)).toBe(0);
  }
});

test("the names that the data plane tests by mask have ids below 31", () => {
  for (const name of [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
  ]) {
    expect(headerIdOf(name)).toBeLessThan(31);
  }
});
