// The kit's Protocol Buffers against the library that the runtime uses.
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { KitGuest } from "./kit-guest.ts";

let guest: KitGuest;

beforeAll(async () => {
  guest = await KitGuest.create();
});

const numbers = fc.oneof(
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  fc.bigInt({ min: -300n, max: 300n }),
);

test("writes every kind of field as the library does", () => {
  fc.assert(
    fc.property(
      numbers,
      fc.double(),
      fc.string(),
      fc.uint8Array(),
      (number, double, text, bytes) => {
        const unsigned = BigInt.asUintN(64, number);
        const inner = new BinaryWriter();
        inner.tag(1, WireType.LengthDelimited).string("inner");
        const expected = new BinaryWriter()
          .tag(1, WireType.Varint)
          .uint64(unsigned)
          .tag(2, WireType.Varint)
          .int64(number)
          .tag(3, WireType.Varint)
          .sint64(number)
          .tag(4, WireType.Varint)
          .bool((number & 1n) !== 0n)
          .tag(5, WireType.Bit64)
          .double(double)
          .tag(6, WireType.Bit32)
          .fixed32(floatBits(double))
          .tag(7, WireType.Bit64)
          .fixed64(unsigned)
          .tag(8, WireType.Bit32)
          .fixed32(Number(BigInt.asUintN(32, number)))
          .tag(9, WireType.LengthDelimited)
          .string(text.toWellFormed())
          .tag(10, WireType.LengthDelimited)
          .bytes(bytes)
          .tag(536870911, WireType.LengthDelimited)
          .bytes(inner.finish())
          .finish();
        const written = guest.bytes("proto_write", [number, text, bytes], double);
        expect(Buffer.from(written ?? []).toString("hex")).toBe(
          Buffer.from(expected).toString("hex"),
        );
      },
    ),
    { numRuns: 1000 },
  );
});

/** A float's bits; the library refuses what is too large for one. */
function floatBits(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0);
}

/** Field, u64, i64, u32, i32, signed, bool, double, bytes, fields inside, text. */
function line(...parts: (string | number | bigint | boolean)[]): string {
  return `${parts.join(" ")}\n`;
}

test("reads every kind of field", () => {
  const bytes = new BinaryWriter()
    .tag(1, WireType.Varint)
    .int64(-2n)
    .tag(2, WireType.Bit32)
    .sfixed32(-2)
    .tag(3, WireType.Bit64)
    .double(0.5)
    .tag(4, WireType.Bit32)
    .float(1.5)
    .tag(5, WireType.LengthDelimited)
    .string("é")
    .tag(536870911, WireType.LengthDelimited)
    .bytes(Uint8Array.of(8, 1, 16, 2))
    .finish();
  expect(guest.text("proto_read", [bytes])).toBe(
    line(1, (1n << 64n) - 2n, -2, 4294967294, -2, 9223372036854775807n, true, "0.0", 0, 0, "") +
      line(2, 4294967294, -2, 4294967294, -2, 2147483647, true, "nan", 0, 0, "").replace(
        "nan",
        "NaN",
      ) +
      line(
        3,
        4602678819172646912n,
        4602678819172646912n,
        0,
        0,
        2301339409586323456n,
        true,
        0.5,
        0,
        0,
        "",
      ) +
      line(4, 1069547520, 1069547520, 1069547520, 1069547520, 534773760, true, 1.5, 0, 0, "") +
      line(5, 0, 0, 0, 0, 0, false, "0.0", 2, 0, "é") +
      line(536870911, 0, 0, 0, 0, 0, false, "0.0", 4, 2, "\b\u0001\u0010\u0002"),
  );
});

test("takes what the library takes, and says where it does not", () => {
  /** The numbers of the fields, and whether it is broken. Groups and fields 0 are refused by both. */
  function fieldsOf(bytes: Uint8Array): string {
    const reader = new BinaryReader(bytes);
    let fields = "";
    try {
      while (reader.pos < reader.len) {
        const [field, type] = reader.tag();
        if (type === WireType.StartGroup || type === WireType.EndGroup) return `${fields}broken`;
        reader.skip(type);
        if (reader.pos > reader.len) return `${fields}broken`;
        fields += `${field} `;
      }
    } catch {
      return `${fields}broken`;
    }
    return fields;
  }
  const byte = fc.constantFrom(0, 1, 2, 3, 8, 9, 10, 13, 16, 18, 26, 127, 128, 129, 255);
  let whole = 0;
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 14 }), (all) => {
      const bytes = Uint8Array.from(all);
      const answer = guest.text("proto_read", [bytes]) ?? "";
      const lines = answer.match(/^\d+ \d+ -?\d+ \d+ /gm) ?? [];
      const fields = lines.map((one) => `${one.split(" ")[0]} `).join("");
      const seen = fields + (answer.endsWith("broken") ? "broken" : "");
      whole += seen.endsWith("broken") ? 0 : 1;
      expect({ all, seen }).toEqual({ all, seen: fieldsOf(bytes) });
    }),
    { numRuns: 5000 },
  );
  expect(whole).toBeGreaterThan(300);
});
