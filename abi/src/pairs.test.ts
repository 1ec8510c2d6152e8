// The codec of header lists: what comes out is what went in, and nothing malformed gets through.
import { expect, test } from "vitest";
import { decodePairs, decodePairsInto, encodePairs, encodePairsInto, limits } from "./index.ts";
import { encodedPairsSize, PairsResult } from "./index.ts";

const request = [":method", "GET", ":path", "/a?b=c", "host", "example.com", "x-empty", ""];

function u32(...values: number[]): number[] {
  return values.flatMap((value) => [value, value >>> 8, value >>> 16, value >>> 24]);
}

test("a list survives the round trip, bytes above 0x7f and NULs included", () => {
  const lists = [
    [],
    ["", ""],
    request,
    ["a", "1", "a", "2", "a", "1"],
    ["k\0ey", "\0\0", "latin1", "\x80\xff"],
    ["long", "v".repeat(70_000)],
  ];
  for (const list of lists) {
    const bytes = encodePairs(list);
    expect(bytes.length).toBe(encodedPairsSize(list));
    expect(decodePairs(bytes)).toEqual(list);
  }
});

test("the bytes are those of the specification", () => {
  const text = [0x61, 0, 0x31, 0, 0x62, 0x62, 0, 0];
  expect([...encodePairs(["a", "1", "bb", ""])]).toEqual([
    ...u32(2, 1, 1, 2, 0).map((byte) => byte & 0xff),
    ...text,
  ]);
});

test("encoding writes behind the given offset and tells where it ended", () => {
  const bytes = new Uint8Array(40).fill(7);
  const end = encodePairsInto(["a", "1"], bytes, 10);
  expect(end).toBe(10 + 4 + 8 + 4);
  expect(bytes[9]).toBe(7);
  expect(bytes[end]).toBe(7);
  const out = ["kept", "as is"];
  expect(decodePairsInto(bytes, 10, end - 10, out)).toBe(PairsResult.Ok);
  expect(out).toEqual(["kept", "as is", "a", "1"]);
});

test("no bytes, one zero byte and a zero count are the empty list", () => {
  expect(decodePairs(new Uint8Array())).toEqual([]);
  expect(decodePairs(new Uint8Array(1))).toEqual([]);
  expect(decodePairs(new Uint8Array(4))).toEqual([]);
});

test("a list cut at any byte is malformed, as is one with a byte too many", () => {
  const bytes = encodePairs(request);
  for (let size = 1; size < bytes.length; size += 1) {
    expect([size, decodePairs(bytes.subarray(0, size))]).toEqual([size, PairsResult.Malformed]);
  }
  expect(decodePairs(Uint8Array.of(...bytes, 0))).toBe(PairsResult.Malformed);
});

test("a changed byte is either refused or changes only text, at every byte", () => {
  const bytes = encodePairs(request);
  const textAt = 4 + request.length * 4;
  for (let at = 0; at < bytes.length; at += 1) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] as number) ^ flip;
      const decoded = decodePairs(damaged);
      const isText = at >= textAt && bytes[at] !== 0;
      expect([at, Array.isArray(decoded)]).toEqual([at, isText]);
    }
  }
});

test("lengths that only fit when added modulo 2^32 are malformed", () => {
  // 0xfffffffe + 1 + 1 + 1 wraps around to 1.
  const bytes = Uint8Array.from([...u32(1, 0xffff_fffe, 1), 0, 0]);
  expect(decodePairs(bytes)).toBe(PairsResult.Malformed);
  expect(decodePairs(Uint8Array.from([...u32(1, 0xffff_ffff, 0xffff_ffff), 0]))).toBe(
    PairsResult.Malformed,
  );
});

test("a failed decoding leaves the list alone", () => {
  const bytes = encodePairs(request);
  bytes[bytes.length - 1] = 1;
  const out = ["kept"];
  expect(decodePairsInto(bytes, 0, bytes.length, out)).toBe(PairsResult.Malformed);
  expect(out).toEqual(["kept"]);
});

test("the number of entries and of bytes has a limit, which itself is fine", () => {
  const full = Array.from({ length: limits.pairsCountMax * 2 }, () => "x");
  expect(decodePairs(encodePairs(full))).toEqual(full);
  expect(decodePairs(encodePairs([...full, "one", "more"]))).toBe(PairsResult.TooLarge);

  const overhead = encodedPairsSize(["k", ""]);
  const widest = ["k", "v".repeat(limits.pairsBytesMax - overhead)];
  expect(decodePairs(encodePairs(widest))).toEqual(widest);
  expect(decodePairs(encodePairs(["k", `${widest[1]}v`]))).toBe(PairsResult.TooLarge);
});

test("what cannot be written as bytes is not written as something else", () => {
  expect(() => encodePairs(["k", "a\u010a"])).toThrow("U+10a");
  expect(() => encodePairs(["k"])).toThrow("odd");
});

test("a reader of the host's own is used", () => {
  const bytes = encodePairs(["key", "value"]);
  const out: string[] = [];
  decodePairsInto(bytes, 0, bytes.length, out, (_, start, end) => `${end - start}`);
  expect(out).toEqual(["3", "5"]);
});
