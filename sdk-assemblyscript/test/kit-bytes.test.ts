// The kit's text forms of bytes and its hashes against Node's own.
import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { KitGuest } from "./kit-guest.ts";

let guest: KitGuest;

beforeAll(async () => {
  guest = await KitGuest.create();
});

const anyBytes = fc.uint8Array({ maxLength: 200 });
const anyText = fc.string({ unit: "binary", maxLength: 40 });
const withLoneSurrogates = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
  .map((units) => String.fromCharCode(...units));

describe("base64", () => {
  test("is Node's, both ways and in both alphabets", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const [plain, url] = (["base64", "base64url"] as const).map((form) =>
          Buffer.from(bytes).toString(form),
        );
        expect(guest.text("base64_encode", [bytes])).toBe(plain);
        expect(guest.text("base64_encode_url", [bytes])).toBe(url);
        expect(guest.bytes("base64_decode", [plain ?? ""])).toEqual(bytes);
        expect(guest.bytes("base64_decode_url", [url ?? ""])).toEqual(bytes);
      }),
    );
  });

  test("takes only the one text that its bytes have", () => {
    const unit = fc.constantFrom(..."AQgwxyz019+/-_= \n\u00e9\u0141".split(""));
    const texts = fc.oneof(fc.string({ unit, maxLength: 9 }), fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(texts, (text) => {
        for (const form of ["base64", "base64url"] as const) {
          const bytes = Buffer.from(text, form);
          const expected = bytes.toString(form) === text ? Uint8Array.from(bytes) : null;
          const name = form === "base64" ? "base64_decode" : "base64_decode_url";
          expect(guest.bytes(name, [text])).toEqual(expected);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

test("hexadecimal digits are Node's, and nothing else is taken", () => {
  fc.assert(
    fc.property(anyBytes, anyText, (bytes, text) => {
      const digits = Buffer.from(bytes).toString("hex");
      expect(guest.text("hex_encode", [bytes])).toBe(digits);
      expect(guest.bytes("hex_decode", [digits])).toEqual(bytes);
      expect(guest.bytes("hex_decode", [digits.toUpperCase()])).toEqual(bytes);
      const isHex = /^([0-9a-f]{2})*$/i.test(text);
      expect(guest.bytes("hex_decode", [text]) !== null).toBe(isHex);
    }),
  );
  for (const text of ["0", "0g", "g0", "0\u0130", "\u0660\u0660", "@@", "``", "0x"]) {
    expect(guest.bytes("hex_decode", [text])).toBeNull();
  }
});

describe("percent encoding", () => {
  const broken = fc.array(
    fc.constantFrom("%", "%4", "%41", "%zz", "%c3%a9", "%c3", "%ff", "%e2%82%ac", "+", "a", "é"),
    { maxLength: 8 },
  );

  test("is encodeURIComponent, a lone surrogate as U+FFFD", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, withLoneSurrogates), (text) => {
        expect(guest.text("percent_encode", [text])).toBe(encodeURIComponent(text.toWellFormed()));
      }),
      { numRuns: 1000 },
    );
    expect(guest.text("percent_encode_keeping", ["/a b/é", "/"])).toBe("/a%20b/%C3%A9");
    expect(guest.text("percent_encode_keeping", ["!", ""])).toBe("%21");
  });

  test("is decoded as decodeURIComponent does, null where that throws", () => {
    const expected = (text: string): string | null => {
      try {
        return decodeURIComponent(text);
      } catch {
        return null;
      }
    };
    fc.assert(
      fc.property(broken, (parts) => {
        const text = parts.join("");
        expect(guest.text("percent_decode_strictly", [text])).toBe(expected(text));
      }),
      { numRuns: 2000 },
    );
  });

  test("is decoded leniently as the URL standard says", () => {
    const byteOf = (_: string, digits: string): string =>
      String.fromCharCode(Number.parseInt(digits, 16));
    fc.assert(
      fc.property(broken, (parts) => {
        const text = parts.join("");
        const raw = Buffer.from(text).toString("latin1");
        const bytes = Buffer.from(raw.replaceAll(/%([0-9a-f]{2})/gi, byteOf), "latin1");
        const expected = new TextDecoder().decode(bytes);
        expect(guest.text("percent_decode", [text])).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});

test("UTF-8 is Node's, both ways", () => {
  fc.assert(
    fc.property(withLoneSurrogates, anyBytes, (text, bytes) => {
      const encoded = Uint8Array.from(Buffer.from(text.toWellFormed()));
      expect(guest.bytes("utf8_bytes", [text])).toEqual(encoded);
      const lenient = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
      expect(guest.text("utf8_text", [bytes])).toBe(lenient);
      const isBroken = !Buffer.from(lenient).equals(bytes);
      expect(guest.text("utf8_text_strictly", [bytes])).toBe(isBroken ? null : lenient);
    }),
  );
});

test("bytes are found where Node finds them, and empty ones nowhere", () => {
  const few = (maxLength: number): fc.Arbitrary<Uint8Array> =>
    fc.array(fc.constantFrom(0, 1, 255), { maxLength }).map((items) => Uint8Array.from(items));
  fc.assert(
    fc.property(few(30), few(4), fc.integer({ min: -2, max: 32 }), (bytes, part, from) => {
      const expected = part.length === 0 ? -1 : Buffer.from(bytes).indexOf(part, Math.max(0, from));
      expect(guest.text("index_of_bytes", [bytes, part], from)).toBe(String(expected));
    }),
    { numRuns: 3000 },
  );
});

test("secrets are the same when every byte is", () => {
  fc.assert(
    fc.property(anyBytes, fc.nat(), (bytes, position) => {
      expect(guest.bool("same_secret", [bytes, bytes])).toBe(true);
      expect(guest.bool("same_secret", [bytes, Uint8Array.of(...bytes, 0)])).toBe(false);
      if (bytes.length === 0) return;
      const other = bytes.slice();
      const at = position % bytes.length;
      other[at] = (bytes[at] ?? 0) ^ (1 << (position % 8));
      expect(guest.bool("same_secret", [bytes, other])).toBe(false);
    }),
  );
  expect(guest.bool("same_secret_text", ["pässword", "pässword"])).toBe(true);
  expect(guest.bool("same_secret_text", ["pässword", "passwörd"])).toBe(false);
  expect(guest.bool("same_secret_text", ["", "a"])).toBe(false);
});

describe.each([
  [160, "sha1"],
  [256, "sha256"],
  [384, "sha384"],
  [512, "sha512"],
] as const)("SHA of %i bits", (bits, algorithm) => {
  test("is Node's for every length around the blocks", () => {
    for (let length = 0; length < 300; length += 1) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255);
      const expected = createHash(algorithm).update(bytes).digest("hex");
      const digest = guest.bytes("hash_once", [bytes], bits);
      expect(Buffer.from(digest ?? []).toString("hex")).toBe(expected);
    }
  });

  test("is the same in pieces, and as HMAC with any key", () => {
    const long = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(long, long, long, (one, other, key) => {
        const expected = createHash(algorithm).update(one).update(other).digest();
        const digest = guest.bytes("hash_pieces", [one, other], bits);
        expect(digest).toEqual(Uint8Array.from(expected));
        const code = createHmac(algorithm, key).update(one).update(other).digest();
        expect(guest.bytes("hmac_pieces", [key, one, other], bits)).toEqual(Uint8Array.from(code));
      }),
    );
  });
});

test("a megabyte hashes as Node has it, and HMAC of one array as in pieces", () => {
  const bytes = Buffer.alloc(1_000_001, "abcdefghi");
  const expected = Uint8Array.from(createHash("sha256").update(bytes).digest());
  expect(guest.bytes("hash_once", [bytes], 256)).toEqual(expected);
  const code = createHmac("sha256", "key").update(bytes).digest();
  expect(guest.bytes("hmac_sha256", [Buffer.from("key"), bytes])).toEqual(Uint8Array.from(code));
});
