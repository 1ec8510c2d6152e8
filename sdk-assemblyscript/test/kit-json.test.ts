// The kit's JSON against Node's own.
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { KitGuest } from "./kit-guest.ts";

let guest: KitGuest;

beforeAll(async () => {
  guest = await KitGuest.create();
});

const again = (text: string): string | null => guest.text("json_again", [Buffer.from(text)]);
const problem = (text: string): string | null => guest.text("json_problem", [text]);
const withLoneSurrogates = fc
  .array(fc.constantFrom("a", '"', "\\", "\n", "\0", "\x1f", "é", "😀", "\ud800", "\udc00"))
  .map((parts) => parts.join(""));

test("reads and writes what Node reads and writes", () => {
  // Numbers that AssemblyScript's parseFloat reads exactly.
  const plain = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Math.trunc(value % 1e6) / 8 : value;
  const values = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value, plain)) as unknown);
  fc.assert(
    fc.property(values, fc.constantFrom("", " ", "\n\t"), (value, space) => {
      const text = JSON.stringify(value, null, space);
      expect(JSON.parse(again(text) ?? "none")).toEqual(JSON.parse(text));
    }),
    { numRuns: 2000 },
  );
});

test("what was read is written again with each number's own digits", () => {
  const copied = (text: string): string | null => guest.text("json_copied", [Buffer.from(text)]);
  const text = '{"id":12345678901234567890,"a":[1.0,-0,1e400,{}],"é":"\\"","t":true,"n":null}';
  expect(copied(text)).toBe(text);
  expect(copied(" 1.50 ")).toBe("1.50");
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      expect(JSON.parse(copied(JSON.stringify(value)) ?? "none")).toEqual(
        JSON.parse(JSON.stringify(value)),
      );
    }),
    { numRuns: 1000 },
  );
});

test("numbers are written as Node writes them", () => {
  const special = [0, -0, 1e21, 1e20, 2 ** 53, -(2 ** 53), 2 ** 63, 5e-324, 1.7976931348623157e308];
  for (const value of [...special, Number.NaN, Number.POSITIVE_INFINITY, 0.1, 1e-7, 123456.789]) {
    expect(guest.text("json_number", [], value)).toBe(JSON.stringify(value));
  }
  fc.assert(
    fc.property(fc.double(), fc.integer(), fc.integer(), (value, whole, digits) => {
      // Of the texts with 17 digits it may be another than Node's, but never another number.
      const text = guest.text("json_number", [], value) ?? "";
      expect(JSON.parse(text)).toBe(Number.isFinite(value) ? value + 0 : null);
      expect(text.length).toBeLessThanOrEqual(26);
      const money = digits / 100;
      expect(guest.text("json_number", [], money)).toBe(JSON.stringify(money));
      expect(guest.text("json_number", [], whole)).toBe(JSON.stringify(whole));
    }),
    { numRuns: 2000 },
  );
});

describe("numbers are read as Node reads them", () => {
  const valueOf = (text: string): string | undefined =>
    guest.text("json_member", [`{"a":${text}}`, "a"])?.split(" ")[2];

  test.each([
    "0",
    "-0",
    "0.0e5",
    "1e400",
    "-1e400",
    "1e-400",
    "1e99999999999",
    "1e-99999999999",
    "5e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "4.9406564584124654e-324",
    "2.2250738585072011e-308",
    "2.2250738585072014e-308",
    "1.7976931348623157e308",
    "1.7976931348623158e308",
    "1.7976931348623159e308",
    "9007199254740993",
    "9007199254740992.5",
    "9007199254740993.0000000000000000000000000000000001",
    "4.1177817598958037e+40",
    "123e-2",
    "0.000000000000000000000000000000000000000000000000000000000001e60",
    "1e22",
    "1e23",
    "1e-22",
    `1${"0".repeat(400)}e-400`,
    `0.${"0".repeat(400)}1e401`,
    `1.${"0".repeat(1000)}1`,
    `9007199254740993.${"0".repeat(1000)}1`,
    `${"9".repeat(1000)}e-1000`,
    "8.5e15",
    "179e306",
  ])("%.30s", (text) => {
    expect(Number(valueOf(text))).toBe((JSON.parse(text) as number) + 0);
  });

  test("whatever their digits are", () => {
    const bits = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    const digits = fc.string({ unit: fc.constantFrom(..."0123456789".split("")), maxLength: 40 });
    const exponents = fc.integer({ min: -360, max: 330 });
    fc.assert(
      fc.property(bits, digits, exponents, (some, fraction, exponent) => {
        const value = new DataView(new ArrayBuffer(8));
        value.setBigUint64(0, some);
        const texts = [
          `1${fraction}e${exponent}`,
          `0.${fraction}5e${exponent}`,
          `${fraction.length}.${fraction}1`,
        ];
        if (Number.isFinite(value.getFloat64(0))) texts.push(`${value.getFloat64(0)}`);
        for (const text of texts) {
          expect({ text, value: Number(valueOf(text)) }).toEqual({ text, value: JSON.parse(text) });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

test("text is written as Node writes it", () => {
  fc.assert(
    fc.property(fc.oneof(withLoneSurrogates, fc.string({ unit: "binary" })), (text) => {
      expect(guest.text("json_text", [text])).toBe(JSON.stringify(text));
    }),
    { numRuns: 2000 },
  );
});

test("takes what Node takes, but for names that appear twice", () => {
  const unit = fc.constantFrom(...'{}[]:,"\\ntrue01-+.eE \t\x0b\x01fals'.split(""));
  const document = fc.json({ maxDepth: 3 });
  const broken = fc.tuple(document, fc.nat(), unit).map(([text, place, letter]) => {
    const at = place % (text.length + 1);
    return text.slice(0, at) + letter + text.slice(at + 1);
  });
  let taken = 0;
  fc.assert(
    fc.property(fc.oneof(broken, fc.string({ unit, maxLength: 8 })), (text) => {
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      taken += isJson ? 1 : 0;
      const expected = isJson ? /^(none|(appears twice|unknown escape or lone).*)$/ : /^(?!none)/;
      expect(problem(text.toWellFormed())).toMatch(expected);
    }),
    { numRuns: 5000 },
  );
  expect(taken).toBeGreaterThan(300);
});

test.each([
  ["", "unexpected end at byte 0"],
  ["[1,]", "expected a value at byte 3"],
  ["[1 2]", "expected a comma or a closing bracket at byte 3"],
  ['{"a" 1}', "expected a colon at byte 5"],
  ["{a:1}", "expected a name in double quotes at byte 1"],
  ["01", "unexpected text behind the document at byte 1"],
  ['"\\ud800"', "unknown escape or lone surrogate at byte 7"],
  ["[".repeat(66), "nested too deep at byte 65"],
])("refuses %.20j", (text, expected) => {
  expect(problem(text)).toBe(expected);
});

test("refuses text that is not UTF-8", () => {
  expect(guest.text("json_again", [Buffer.from('"\xff"', "latin1")])).toBeNull();
});

describe("a member", () => {
  const text =
    '{"t":"x","n":1.50e2,"f":0.5,"y":true,"z":null,"o":{"a":"b"},"l":[1,2],"h":99999999999999999999}';

  test.each([
    ["t", "x - -1.0 -1 true false false 0 true true true true true"],
    ["n", "- 1.50e2 150.0 150 true false false 0 true true true true true"],
    ["f", "- 0.5 0.5 -1 true false false 0 true true true true true"],
    [
      "h",
      "- 99999999999999999999 100000000000000000000.0 -1 true false false 0 true true true true true",
    ],
    ["y", "- - -1.0 -1 true true false 0 true true true true true"],
    ["z", "- - -1.0 -1 true false true 0 true true true true true"],
    ["o", "- - -1.0 -1 true false false 1 true true false false false"],
    ["l", "- - -1.0 -1 true false false 2 true true true true true"],
    ["no", null],
  ])("%s answers every question", (name, expected) => {
    expect(guest.text("json_member", [text, name])).toBe(expected);
  });
});

test("elements are found in any order", () => {
  const all = Array.from({ length: 20 }, (_, i) => i);
  const expected = all.map((i) => (i * 7) % 20).join(" ");
  expect(guest.text("json_jumps", [JSON.stringify(all)])?.trim()).toBe(expected);
});

describe("many members", () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `"n${(i * 7919) % 20_000}":0`);

  test("are read, each once", () => {
    expect(problem(`{${names.join(",")}}`)).toBe("none");
  });

  test.each([1, 17, 18, 19_999])("are refused when number %i is there twice", (position) => {
    const text = `{${[...names, names[position]].join(",")}}`;
    expect(problem(text)).toMatch(/^appears twice at byte \d+$/);
  });

  test.each([2, 16, 17, 18, 19, 40])(
    "of %i with two alike are refused wherever these are",
    (count) => {
      const some = names.slice(0, count);
      expect(problem(`{${some.join(",")}}`)).toBe("none");
      for (let from = 0; from < count; from += 1) {
        const twice = some.map((name, i) => (i === (from + 1) % count ? some[from] : name));
        expect(problem(`{${twice.join(",")}}`)).toMatch(/^appears twice at byte \d+$/);
      }
    },
  );
});

test("a million values are too many, and that is all", () => {
  expect(problem(`[${"1,".repeat((1 << 20) - 3)}1]`)).toBe("none");
  expect(problem(`[${"1,".repeat((1 << 20) - 2)}1]`)).toMatch(/^too many values at byte \d+$/);
  const objects = `[${'{"a":{"b":1}},'.repeat(300_000)}1]`;
  expect(problem(objects)).toMatch(/^too many values at byte \d+$/);
});

test.each([
  ["{nt}", '{"n1":"t"}'],
  ["{nwnw}", '{"n1":-7,"n3":-7}'],
  ["[tw[]{}]", '["t",-7,[],{}]'],
  ["[[t]w]", '[["t"],-7]'],
  ["{n{}n[]}", '{"n1":{},"n4":[]}'],
  ["", "?"],
  ["{", "?"],
  ["{t}", "?"],
  ["{n}", "?"],
  ["{nn}", "?"],
  ["[n]", "?"],
  ["n", "?"],
  ["tt", "?"],
  ["t[]", "?"],
  ["]", "?"],
  ["[}", "?"],
  ["[".repeat(65) + "]".repeat(65), "?"],
  ["[".repeat(64) + "]".repeat(64), "[".repeat(64) + "]".repeat(64)],
])("calls %.12j write %.12j", (calls, expected) => {
  expect(guest.text("json_calls", [calls])).toBe(expected);
});

test("no order of calls writes what is no JSON and says that it is whole", () => {
  const calls = fc.string({ unit: fc.constantFrom(..."{}[]ntw".split("")), maxLength: 20 });
  fc.assert(
    fc.property(calls, (all) => {
      const text = guest.text("json_calls", [all]) ?? "";
      expect(JSON.stringify(text === "?" ? "?" : JSON.parse(text))).toBe(
        text === "?" ? '"?"' : text,
      );
    }),
    { numRuns: 3000 },
  );
});
