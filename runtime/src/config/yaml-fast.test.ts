import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { YamlDocument } from "./yaml-document.ts";
import { readYamlFast, type Spans } from "./yaml-fast.ts";
import type { Dialect, RawValue } from "./yaml-scalars.ts";

function plain(value: RawValue | undefined): unknown {
  if (value instanceof Map) {
    return { map: [...value].map(([key, item]) => [key, plain(item as RawValue)]) };
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

function expectAgreement(text: string, dialect: Dialect = "yaml"): boolean {
  const fast = readYamlFast(text, dialect);
  if (fast === undefined) return false;
  const { value, problems } = new YamlDocument(text, dialect).read();
  expect({ text, value: plain(fast), problems: [] }).toEqual({
    text,
    value: plain(value),
    problems,
  });
  return true;
}

const read = [
  "a: 1",
  "a:\n  b: c\n",
  "a:\n- 1\n- 2\nb: 3\n",
  "- - a\n  - b\n- c: d\n  e: f\n",
  "-\n  a: b\n-\n- c\n",
  "a:\nb: ~\nc: null\n",
  "a: |\n  x\n   y\n\n  z\nb: 1\n",
  "a: |-\n  x\n\n\nb: 1\n",
  "a: |+\n  x\n\nb: 1\n",
  "- |\n  x\n- y\n",
  "a: {b: c, d: [e, {f: g}], h: , i: }\n",
  "a: [\n    b, # c\n    d,\n  ]\n",
  '{"a": {"b": [1, 2.5, true, null]}, "c":"d"}',
  "\"a b\": 'it''s'\n'c': \"\\n\\u00e4\\\"\"\n",
  "a: http://x:80/y#z # comment\n",
  "---\n# comment\na: b\n",
  "a: -1\nb: -x\n",
  "a: b c d\n",
  "a:\n    b: 1\n    c: 2\n\n\nd: 3",
  "a: {b: 10:20, c: x#y}\n",
  "a: ':'\nb: \"#\"\n",
  "a?: b\n",
];

test("reads ordinary YAML itself, and exactly as the yaml package does", () => {
  for (const text of read)
    expect({ text, fast: expectAgreement(text) }).toEqual({ text, fast: true });
});

test("reads whole configurations itself", () => {
  for (const name of ["first-proxy.yaml", "quickstart.yaml", "five-mistakes.yaml"]) {
    const text = readFileSync(new URL(`./fixtures/${name}`, import.meta.url), "utf8");
    expect(expectAgreement(text)).toBe(true);
  }
});

test("declines what has more than one reading, is rare, or is wrong", () => {
  const declines = [
    ["", "# only a comment\n", "\ta: b", "a: b\r\n", "\ufeffa: b", "%YAML 1.1\n---\na: b\n"],
    ["a: &x b\n", "a: *x\n", "a: !t b\n", "!ignore a: b\n", "<<: {a: b}\n", "? a\n: b\n"],
    ["a: >\n  b\n", "a: |2\n   b\n", "a: |\nb: c\n", "a: b\n  c\n", 'a: "b\n  c"\n', "a: b: c\n"],
    ["a: b\na: c\n", "{a: 1, a: 2}", "a: b\n---\nc: d\n", "a: b\n...\n", "~: a\n", ": a\n"],
    ["a: [b\n", "a: {b: c\n", "a: [b]]\n", "a: @b\n", "a: `b`\n", "a: %b\n", "a: 'b\n"],
    ['a: "\\x41"\n', 'a: "\\q"\n', "a:\n  b: c\n d: e\n", "- a\nb: c\n", "a: [b c: d]\n"],
    ["a: [\nb]\n", "a: - b\n", "a: {b: c}d\n", "a: 'b' c\n", "a: b\nc\n"],
  ].flat();
  for (const text of declines)
    expect({ text, value: readYamlFast(text, "yaml") }).toEqual({ text });
});

test("declines nesting beyond its limit instead of overflowing the stack", () => {
  expect(readYamlFast(`a: ${"[".repeat(100_000)}`, "yaml")).toBeUndefined();
  expect(readYamlFast(`${"- ".repeat(100_000)}a`, "yaml")).toBeUndefined();
});

test("in JSON numbers are numbers, words are not, and the root is an object or list", () => {
  expect(plain(readYamlFast('{"a": [1.5, 1e2, 9007199254740993, "yes"]}', "json"))).toEqual({
    map: [["a", [1.5, 100, "9007199254740993", "yes"]]],
  });
  expect(readYamlFast("a: b", "json")).toBeUndefined();
});

test("agrees with the yaml package on every text that it reads, however mangled", () => {
  const pieces = [
    [" ", "\n", "-", ":", "#", "{", "}", "[", "]", ",", '"', "'", "|", "a", "0", "\n  ", "- "],
    [": ", "?", "&", "*", "!", "%", ">", "\\", "\n- ", "---\n", "...", "~", "<<", " #", "''"],
  ].flat();
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  let agreed = 0;
  for (let round = 0; round < 6000; round += 1) {
    let text = read[random(read.length)] ?? "";
    for (let edits = random(4); edits > 0; edits -= 1) {
      const at = random(text.length + 1);
      const piece = pieces[random(pieces.length)] ?? "";
      text = text.slice(0, at) + piece + text.slice(at + random(3));
    }
    if (expectAgreement(text, random(5) === 0 ? "json" : "yaml")) agreed += 1;
  }
  expect(agreed).toBeGreaterThan(800);
});

test("notes where keys and values start when asked", () => {
  const text = "a:\n  - b: c\n    d: {e: [f, g]}\n";
  const spans: Spans = new Map();
  const root = readYamlFast(text, "yaml", spans) as ReadonlyMap<string, RawValue>;
  const item = (root.get("a") as readonly RawValue[])[0] as ReadonlyMap<string, RawValue>;
  const at = (container: RawValue, entry: string | number): string[] => {
    const span = spans.get(container)?.get(entry);
    return [text.slice(span?.key, (span?.key ?? 0) + 1), text.slice(span?.value).slice(0, 1)];
  };
  expect(at(root, "a")).toEqual(["a", "a"]);
  expect(at(item, "b")).toEqual(["b", "c"]);
  expect(at(item, "d")).toEqual(["d", "{"]);
  const list = (item.get("d") as ReadonlyMap<string, RawValue>).get("e") as RawValue;
  expect(at(list, 1)).toEqual(["g", "g"]);
});
