// Configuration: JSON text, a serialised Struct, plain text; what is accepted, refused, and how
// said.
import { beforeAll, beforeEach, expect, test } from "vitest";
import { compileGuest, MiniHost } from "./mini-host.ts";
import { field, type Json, struct, value } from "./struct-for-test.ts";

let module: WebAssembly.Module;
let host: MiniHost;

beforeAll(async () => {
  module = await compileGuest("probe", "debug");
});

beforeEach(() => {
  host = new MiniHost(module);
});

const FULL = {
  name: "n",
  count: 12,
  offset: -5,
  ratio: 2.5,
  on: false,
  nested: { "deep/er~": "d" },
  list: [1, 2, -3],
  routes: [{ prefix: "/a", mode: "deny" }, { prefix: "/b" }],
  map: { x: "1", "ÿ😀": "2" },
};
const FULL_SUMMARY = "n|12|-5|2.5|false|/nestedd|1|2|-3|deny /a|allow /b|x=1|ÿ😀=2";

const errors = (): string[] =>
  host.logs.filter((line) => line.startsWith("4 ")).map((line) => line.slice(2));

test.each([
  ["compact JSON", JSON.stringify(FULL)],
  ["spaced JSON", ` \r\n\t${JSON.stringify(FULL, null, 2)}\n`],
  ["JSON that begins with a line feed", `\n${JSON.stringify(FULL)}`],
  ["JSON in ASCII only", JSON.stringify(FULL).replace("ÿ😀", "\\u00ff\\ud83d\\uDE00")],
  ["a serialised Struct", struct(FULL)],
])("reads the same from %s", (_name, configuration) => {
  expect(host.start(configuration)).toBe(true);
  expect(host.output()).toBe(FULL_SUMMARY);
  expect(errors()).toEqual([]);
});

test("takes defaults for what is absent", () => {
  expect(host.start('{"name":"only"}')).toBe(true);
  expect(host.output()).toBe("only|7|-1|0.5|true");
});

test.each([
  ["0.25", "0.25"],
  ["-1e-3", "-0.001"],
  ["7", "7.0"],
])("reads %s as a number also from a string, as Envoy makes one of it", (text, read) => {
  for (const form of [text, JSON.stringify(text)]) {
    expect(host.start(`{"name":"only","ratio":${form}}`)).toBe(true);
    expect(host.output()).toBe(`only|7|-1|${read}|true`);
  }
});

test("gives plain text as it is", () => {
  host.setProperty("input", "text");
  expect(host.start("hello, wörld { not json")).toBe(true);
  expect(host.output()).toBe("hello, wörld { not json");
});

test("refuses when the author's function returns null", () => {
  host.setProperty("input", "null");
  expect(host.start("{}")).toBe(false);
});

test("reads no configuration at all as an empty object", () => {
  expect(host.start("")).toBe(false);
  expect(errors()).toEqual(["configuration /name: is required"]);
});

test("names every error of a readable document with its JSON pointer", () => {
  const wrong = {
    name: 5,
    count: 1001,
    offset: 1.5,
    ratio: "1.",
    on: "true",
    nested: [],
    list: [1, "x", null],
    routes: [{ mode: "maybe" }, "route"],
    map: { a: 1 },
  };
  expect(host.start(JSON.stringify(wrong))).toBe(false);
  expect(errors()).toEqual([
    "configuration /name: must be a string, found 5",
    "configuration /count: must be a whole number from 1 to 1000, found 1001",
    "configuration /offset: must be a whole number from -9223372036854775808 to " +
      "9223372036854775807, found 1.5",
    "configuration /ratio: must be a number, found a string",
    "configuration /on: must be true or false, found a string",
    "configuration /nested: must be an object, found an array",
    "configuration /list/1: must be a whole number from -9223372036854775808 to " +
      "9223372036854775807, found a string",
    "configuration /list/2: must be a whole number from -9223372036854775808 to " +
      "9223372036854775807, found null",
    "configuration /routes/0/mode: must be one of allow, deny",
    "configuration /routes/0/prefix: is required",
    "configuration /routes/1: must be an object, found a string",
    "configuration /routes/1/prefix: is required",
    "configuration /map/a: must be a string, found 1",
  ]);
});

test.each(["JSON", "Struct"])("names unknown fields at every depth, from %s", (form) => {
  const wrong = { name: "n", nmae: 1, nested: { "a/b~c": 1 }, routes: [{ prefix: "", z: {} }] };
  expect(host.start(form === "JSON" ? JSON.stringify(wrong) : struct(wrong))).toBe(false);
  expect(errors()).toEqual([
    "configuration /nmae: unknown field",
    "configuration /nested/a~1b~0c: unknown field",
    "configuration /routes/0/z: unknown field",
  ]);
});

test("reports an index outside of an array instead of trapping", () => {
  const list = Array.from({ length: 13 }, () => 0);
  expect(host.start(JSON.stringify({ name: "n", list }))).toBe(false);
  expect(errors()).toEqual(["configuration /list/13: is required"]);
});

test.each([
  ["0", "0"],
  ["-0", "0"],
  ["1.50e2", "150"],
  ["1e3", "1000"],
  ["1000e-3", "1"],
  ["-12.0", "-12"],
  ["0e999999999", "0"],
  ["0.000", "0"],
  [`1${"0".repeat(30)}e-30`, "1"],
  [`0.${"0".repeat(30)}5e31`, "5"],
  ["9223372036854775807", "9223372036854775807"],
  ["-9223372036854775808", "-9223372036854775808"],
  ["9007199254740993", "9007199254740993"],
  ["9223372036854775808", undefined],
  ["-9223372036854775809", undefined],
  ["18446744073709551616", undefined],
  ["184467440737095516160", undefined],
  ["1.5", undefined],
  ["1e-1", undefined],
  ["1e999999999", undefined],
  ["99999999999999999999", undefined],
])("reads the whole number %s exactly", (text, expected) => {
  const isAccepted = host.start(`{"name":"n","offset":${text}}`);
  const read = isAccepted ? host.output() : undefined;
  expect(read).toBe(expected === undefined ? undefined : `n|7|${expected}|0.5|true`);
});

test.each([
  [-(2 ** 63), true],
  [2 ** 63, false],
  [0.5, false],
  [2 ** 53, true],
])("reads the Struct number %d as a whole one: %s", (number, isWhole) => {
  expect(host.start(struct({ name: "n", offset: number }))).toBe(isWhole);
});

/** Which documents are right: JSON.parse, plus what strict means beyond it. */
function isStrictJson(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    let isWellFormed = true;
    const document: unknown = JSON.parse(text, (name: string, member: unknown) => {
      if (!name.isWellFormed()) isWellFormed = false;
      if (typeof member === "string" && !member.isWellFormed()) isWellFormed = false;
      return member;
    });
    const isObject = typeof document === "object" && document !== null && !Array.isArray(document);
    return isObject && isWellFormed && !hasRepeatedName(text);
  } catch {
    return false;
  }
}

/** Good enough for the documents below, whose strings hold no quotes or braces. */
function hasRepeatedName(text: string): boolean {
  const names: Set<string>[] = [];
  for (const [token, name] of text.matchAll(/[{}]|"((?:[^"\\]|\\.)*)"\s*:/g)) {
    if (token === "{") names.push(new Set());
    else if (token === "}") names.pop();
    else {
      const decoded = JSON.parse(`"${name}"`) as string;
      if (names.at(-1)?.has(decoded) === true) return true;
      names.at(-1)?.add(decoded);
    }
  }
  return false;
}

const DOCUMENT = '{"a":[1,-2.5e+3,{}],"ab":"x\\n\\u00e9\\ud83d\\ude00é","b":{"c":null,"d":true}}';

function acceptsAny(bytes: Uint8Array): boolean {
  return host.configure(bytes);
}

test("agrees with JSON.parse about a document broken at every byte", () => {
  host.setProperty("input", "any");
  host.start("{}");
  const document = Buffer.from(DOCUMENT);
  expect(acceptsAny(document)).toBe(true);
  const wrong: string[] = [];
  const bytes = Buffer.from(
    ' \n\t"\\{}[]:,0123789.-+eEuntrfalsb/x\x00\x1f\x7f\x80\xc3\xff',
    "latin1",
  );
  for (let at = 0; at <= document.length; at += 1) {
    const before = document.subarray(0, at);
    const variants = [before, Buffer.concat([before, document.subarray(at + 1)])];
    for (const byte of bytes) {
      const inserted = Buffer.from([byte]);
      variants.push(Buffer.concat([before, inserted, document.subarray(at)]));
      variants.push(Buffer.concat([before, inserted, document.subarray(at + 1)]));
    }
    for (const variant of variants) {
      // Nothing at all is an empty configuration, not malformed JSON.
      if (variant.length === 0) continue;
      if (acceptsAny(variant) !== isStrictJson(variant)) wrong.push(variant.toString("latin1"));
    }
  }
  expect(wrong).toEqual([]);
});

test.each([
  ['{"a":1,"a":2}', "/a: appears twice at byte 10"],
  ['{"a":1,"\\u0061":2}', "/a: appears twice at byte 15"],
  ['{"a":{"b":[0,1,x]}}', "/a/b/2: expected a value at byte 15"],
  ['{"a":{"b":[0,1', "/a/b: expected a comma or a closing bracket at byte 14"],
  ['{"a" 1}', "/a: expected a colon at byte 5"],
  ["{a:1}", "/: expected a name in double quotes at byte 1"],
  ['{"a":1,}', "/: expected a name in double quotes at byte 7"],
  ['{"a":1} x', "/: unexpected text behind the document at byte 8"],
  ['{"a":01}', "/: expected a comma or a closing brace at byte 6"],
  ['{"a":"\\ud800"}', "/a: unknown escape or lone surrogate at byte 12"],
  ['{"a":"\\udc00"}', "/a: unknown escape or lone surrogate at byte 12"],
  ['{"a":"\t"}', "/a: control character in a string at byte 6"],
  ['{"a":"x', "/a: unexpected end of a string at byte 7"],
  ['{"a":', "/a: unexpected end at byte 5"],
  ['{"a":tru}', "/a: expected a value at byte 8"],
  ["[1]", "/: must be an object, found an array"],
  ["hello", "/: expected a value at byte 0"],
  [" ", "/: unexpected end at byte 1"],
])("says where %s is wrong", (text, message) => {
  host.setProperty("input", "any");
  expect(host.start(text)).toBe(false);
  expect(errors()).toEqual([`configuration ${message}`]);
});

test("says that a string is not UTF-8", () => {
  host.setProperty("input", "any");
  expect(host.start(Buffer.from('{"a":"\xc0\xaf"}', "latin1"))).toBe(false);
  expect(errors()).toEqual(["configuration /a: string is not UTF-8 at byte 9"]);
});

test("bounds nesting and does not overflow its stack", () => {
  host.setProperty("input", "any");
  const nested = (depth: number): string => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  expect(host.start(nested(64))).toBe(true);
  expect(host.configure(nested(65))).toBe(false);
  expect(errors()).toEqual([`configuration /a${"/0".repeat(64)}: nested too deep at byte 69`]);
  expect(host.configure("[".repeat(100_000))).toBe(false);
});

test("bounds the number of values", () => {
  host.setProperty("input", "any");
  expect(host.start(`{"a":[${"0,".repeat(1_000_000)}0]}`)).toBe(true);
  expect(host.configure(`{"a":[${"0,".repeat(1_100_000)}0]}`)).toBe(false);
  expect(errors()).toEqual(["configuration /: too many values at byte 2200009"]);
});

test("treats a Struct broken at any byte as wrong, without trapping", () => {
  host.setProperty("input", "any");
  host.start("{}");
  const whole = struct({ a: "text", b: [1, null, true], c: { d: 2.5 } });
  expect(acceptsAny(whole)).toBe(true);
  for (let at = 1; at < whole.length; at += 1) {
    const cut = whole.subarray(0, at);
    // Cut between two members it is a smaller Struct.
    const isSmaller = [1, 2].some((count) => {
      const smaller = struct({ a: "text", ...(count === 2 ? { b: [1, null, true] } : {}) });
      return smaller.equals(cut);
    });
    expect(acceptsAny(cut), `cut at ${at}`).toBe(isSmaller);
    for (const byte of [0, 0x0a, 0x12, 0x22, 0x7f, 0x80, 0xff]) {
      const broken = Buffer.from(whole);
      broken[at] = byte;
      expect(acceptsAny(broken)).toBeTypeOf("boolean");
    }
  }
});

test.each([
  ["infinity", struct({ a: Infinity })],
  ["not a number", struct({ a: NaN })],
  ["a member twice", Buffer.concat([struct({ a: 1 }), struct({ a: 2 })])],
  ["a member without a value", field(1, field(1, Buffer.from("a")))],
  [
    "a key that is not UTF-8",
    field(1, Buffer.concat([field(1, Buffer.from([255])), field(2, value(1))])),
  ],
  ["an endless length", Buffer.from([10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1])],
])("refuses a Struct with %s", (_name, bytes) => {
  host.setProperty("input", "any");
  expect(host.start(bytes)).toBe(false);
});

test("bounds the nesting of a Struct", () => {
  host.setProperty("input", "any");
  let json: Json = [];
  for (let i = 0; i < 63; i += 1) json = [json];
  expect(host.start(struct({ a: json }))).toBe(true);
  expect(host.configure(struct({ a: [[json]] }))).toBe(false);
});

test("keeps the old configuration for streams that began with it", () => {
  host.start('{"name":"old"}');
  host.request(2, [[":path", "/"]]);
  expect(host.configure('{"name":"new"}')).toBe(true);
  host.request(3, [[":path", "/"]]);
  for (const [context, name] of [
    [2, "old"],
    [3, "new"],
  ] as const) {
    host.buffers.set(1, Buffer.from(""));
    host.call("proxy_on_response_body", context, 0, 1);
    expect(Buffer.from(host.buffers.get(1) ?? []).toString()).toBe(name);
  }
});
