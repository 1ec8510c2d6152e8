// The kit's gzip against Node's, both ways.
import { constants, gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { KitGuest } from "./kit-guest.ts";

let guest: KitGuest;

beforeAll(async () => {
  guest = await KitGuest.create();
});

const MANY = 1 << 22;
const plain = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);
const gunzip = (bytes: Uint8Array, most = MANY): Uint8Array | null =>
  guest.bytes("gunzip_once", [bytes], most);

/** Bytes with repetitions near and far, and bytes without any. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .array(fc.constantFrom("abc", "abcd", "the ", "x", "\0", "\xff", "0123456789".repeat(40)), {
      maxLength: 60,
    })
    .map((all) => Uint8Array.from(Buffer.from(all.join(""), "latin1"))),
);

/** Text of letters that come in no order, the same each time. */
function noise(length: number): Uint8Array {
  let seed = 7;
  return Uint8Array.from({ length }, () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed >>> 24;
  });
}

describe("gzip", () => {
  test("is what Node reads", () => {
    fc.assert(
      fc.property(bytes, (all) => {
        const packed = guest.bytes("gzip_once", [all]) ?? new Uint8Array(0);
        expect(plain(gunzipSync(packed))).toEqual(all);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["nothing", new Uint8Array(0)],
    ["more than the window, far repetitions", Buffer.concat([noise(40_000), noise(40_000)])],
    ["three megabytes of one letter", Buffer.alloc(3_000_001, "a")],
    ["text", Buffer.from("It was the best of times, it was the worst of times. ".repeat(2000))],
    ["noise", noise(100_000)],
  ])("of %s is what Node reads", (_, all) => {
    const packed = guest.bytes("gzip_once", [all]) ?? new Uint8Array(0);
    expect(Buffer.compare(gunzipSync(packed), all)).toBe(0);
    expect(packed.length).toBeLessThan(all.length * 1.13 + 64);
  });

  test("makes a fortieth of text that repeats itself", () => {
    const text = Buffer.from(
      JSON.stringify({ name: "value", count: 12, tags: ["a", "b"] }).repeat(500),
    );
    expect(guest.bytes("gzip_once", [text])?.length).toBeLessThan(text.length / 40);
  });

  test("in pieces is one stream, readable where it was flushed", () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, (one, two, three) => {
        const packed = guest.bytes("gzip_pieces", [one, two, three], 0) ?? new Uint8Array(0);
        expect(plain(gunzipSync(packed))).toEqual(Uint8Array.of(...one, ...two, ...three));
        const cut = guest.bytes("gzip_pieces", [one, two, three], 1) ?? new Uint8Array(0);
        const read = gunzipSync(cut, { finishFlush: constants.Z_SYNC_FLUSH });
        expect(plain(read)).toEqual(Uint8Array.of(...one, ...two));
      }),
      { numRuns: 200 },
    );
  });
});

describe("gunzip", () => {
  const options = fc.record({
    level: fc.integer({ min: 0, max: 9 }),
    strategy: fc.constantFrom(
      constants.Z_DEFAULT_STRATEGY,
      constants.Z_HUFFMAN_ONLY,
      constants.Z_RLE,
      constants.Z_FIXED,
    ),
  });

  test("reads what Node made, in every way that it can", () => {
    fc.assert(
      fc.property(bytes, options, (all, how) => {
        expect(gunzip(gzipSync(all, how))).toEqual(all);
      }),
      { numRuns: 1000 },
    );
    for (const all of [
      noise(200_000),
      Buffer.alloc(1_000_000),
      Buffer.concat([noise(40_000), noise(40_000)]),
    ]) {
      expect(Buffer.compare(gunzip(gzipSync(all)) ?? Buffer.alloc(0), all)).toBe(0);
    }
  });

  test("reads several members, and heads with everything in them", () => {
    const two = Buffer.concat([gzipSync("one "), gzipSync("two")]);
    expect(Buffer.from(gunzip(two) ?? []).toString()).toBe("one two");
    const packed = gzipSync("text");
    const head = Buffer.from([
      0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 2, 0, 9, 9, 65, 0, 66, 0, 1, 2,
    ]);
    const full = Buffer.concat([head, packed.subarray(10)]);
    expect(Buffer.from(gunzip(full) ?? []).toString()).toBe("text");
    for (let length = 0; length < full.length; length += 1) {
      expect(gunzip(full.subarray(0, length))).toBeNull();
    }
  });

  test("gives no more than it is allowed to", () => {
    const packed = gzipSync(Buffer.alloc(100_000));
    expect(gunzip(packed, 100_000)?.length).toBe(100_000);
    expect(gunzip(packed, 99_999)).toBeNull();
    const stored = gzipSync(noise(1000), { level: 0 });
    expect(gunzip(stored, 1000)?.length).toBe(1000);
    expect(gunzip(stored, 999)).toBeNull();
    expect(gunzip(gzipSync(""), 0)?.length).toBe(0);
    const before = guest.memoryBytes;
    expect(gunzip(gzipSync(Buffer.alloc(50_000_000)), 100_000)).toBeNull();
    expect(guest.memoryBytes - before).toBeLessThan(4_000_000);
  });

  test("takes of broken streams what Node takes", () => {
    let taken = 0;
    fc.assert(
      fc.property(
        bytes,
        options,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (all, how, place, change) => {
          const packed = gzipSync(all, how);
          const at = place % packed.length;
          packed[at] = (packed[at] ?? 0) ^ change;
          let expected: Uint8Array | null = null;
          try {
            expected = plain(gunzipSync(packed));
          } catch {
            // Node refuses it.
          }
          // A head that has a check sum of its own: nobody writes one, and it is passed over.
          fc.pre(((packed[3] ?? 0) & 2) === 0);
          taken += expected === null ? 0 : 1;
          expect(gunzip(packed)).toEqual(expected);
        },
      ),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  test("takes any bytes for deflated without a trap", () => {
    const head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (all) => {
        expect(gunzip(Uint8Array.of(...head, ...all), 1000)?.length ?? 0).toBeLessThanOrEqual(1000);
      }),
      { numRuns: 5000 },
    );
  });
});
