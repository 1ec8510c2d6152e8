// The JSON Schema that the build puts beside a module says what its decoder says.
import { readFileSync } from "node:fs";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { type Document, FULL } from "./decorated-for-test.ts";
import { isValid, type Schema } from "./json-schema-for-test.ts";
import { buildGuest, MiniHost } from "./mini-host.ts";
import { type Json, struct } from "./struct-for-test.ts";

let module: WebAssembly.Module;
let schema: Schema;
let host: MiniHost;

beforeAll(async () => {
  const built = await buildGuest("decorated", "debug");
  module = new WebAssembly.Module(readFileSync(built.wasm));
  schema = JSON.parse(readFileSync(built.schema ?? "", "utf8")) as Schema;
});

beforeEach(() => {
  host = new MiniHost(module);
  host.setProperty("plugin_root_id", "decorated");
  host.start('{"name":"n"}');
});

/** What a value is replaced with: ends of ranges, other types, almost right texts. */
const GROUPS: readonly (readonly Json[])[] = [
  [null, true, false, 0, 1, -1, 0.5, 1.5, 127, 128, -128, -129, 255, 256, 301, 302, 303, 999],
  [1000, 9999, 10_000, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32, 2 ** 30],
  [2 ** 30 + 1, Number.MAX_SAFE_INTEGER, 1e19, 2e19, -1e19, 1e300],
  ["", "a", "ab", "abc", "abcd", "ÿ😀é", "ÿ😀éx", "n", "allow", "deny", "Allow", "GET", "get"],
  ["cluster", "redirect", "1ms", "2h", "1.5s", "1.5m", "1.2345s", "3601s", " 1s", "1s\n"],
  ["64KiB", "2GiB", "1.5KiB", "7B", "7", "0.5", "-1e2", "1.", "01", "1e", "+1", "Infinity"],
  ["a.b", "a-b", "-a", "a\n"],
  [[], [1], ["GET"], ["a"], [[1]], [["a"]], [null], [{}], [{ prefix: "/" }]],
  [{}, { a: "b" }, { a: 1 }, { prefix: "/" }, { prefix: 1 }, { prefix: "/", mode: "x" }],
  [{ type: "cluster", name: "ab" }, { type: "cluster" }, { type: "redirect" }, { type: "x" }],
  [{ type: "redirect", name: "ab" }, { h: [{ prefix: "/" }] }, { h: [{}] }, { h: {} }],
];
const VALUES: readonly Json[] = GROUPS.flatMap((group) => group);

/** Every document that differs from `document` in one place. */
function* variants(document: Json): Generator<Json> {
  yield* VALUES;
  if (typeof document !== "object" || document === null) return;
  if (Array.isArray(document)) {
    const list = document as readonly Json[];
    for (const [i, item] of list.entries()) {
      yield list.toSpliced(i, 1);
      for (const other of variants(item)) yield list.with(i, other);
    }
    return;
  }
  const object = document as Document;
  yield { ...object, unknown: 1 };
  for (const [name, member] of Object.entries(object)) {
    const { [name]: _, ...rest } = object;
    yield rest;
    yield { ...rest, [`${name}x`]: member };
    for (const other of variants(member)) yield { ...object, [name]: other };
  }
}

const errors = (): string[] => host.logs.filter((line) => line.startsWith("4 configuration "));

/** What a schema cannot say: ranges of what is text, and the author's own validate. */
const BEYOND = [
  /^4 configuration \/wait: must be a duration .* to 1h$/,
  /^4 configuration \/bytesMax: must be a number of bytes or a size .* to 1GiB$/,
  /^4 configuration \/ratio: must be a number from 0 to 1, found a string$/,
  /^4 configuration \/: name and kebab-case must differ$/,
];

test("the schema's title is the root id, and secrets and defaults are said", () => {
  expect(schema).toMatchObject({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "decorated",
    $defs: {
      Rule: { description: "A condition on a path.", required: ["prefix"] },
      Config: {
        properties: {
          whole: { default: -7 },
          ratio: { description: "Between nothing and all.", default: 0.5 },
          pin: { writeOnly: true },
          wait: { default: "10s" },
        },
      },
    },
  });
  expect(JSON.stringify(schema)).not.toContain("1234");
  expect(JSON.stringify(schema)).not.toContain("derived");
});

test("64 bits stand in it exactly", async () => {
  const text = readFileSync((await buildGuest("decorated", "debug")).schema ?? "", "utf8");
  expect(text).toContain('"maximum": 18446744073709551615');
  expect(text).toContain('"minimum": -9223372036854775808');
});

test("agrees with the decoder about thousands of documents, of which many are right", () => {
  const wrong: unknown[] = [];
  const seen = new Set<string>();
  let right = 0;
  for (const document of variants(FULL)) {
    const text = JSON.stringify(document);
    if (seen.has(text)) continue;
    seen.add(text);
    host.logs.length = 0;
    const isAccepted = host.configure(text);
    const isSaid = isValid(schema, document);
    const isBeyond = errors().every((line) => BEYOND.some((pattern) => pattern.test(line)));
    if (isAccepted) right += 1;
    if (isAccepted !== isSaid && !(isSaid && isBeyond))
      wrong.push({ text, isAccepted, said: errors() });
  }
  expect(wrong).toEqual([]);
  expect(seen.size).toBeGreaterThan(4000);
  expect(right).toBeGreaterThan(400);
});

test("the decoder says the same of a Struct as of JSON text", () => {
  const wrong: unknown[] = [];
  for (const document of variants(FULL)) {
    if (typeof document !== "object" || document === null || Array.isArray(document)) continue;
    const isAccepted = host.configure(JSON.stringify(document));
    const bytes = struct(document as Document);
    // No bytes are no configuration, which reads as an empty object.
    if (host.configure(bytes) !== isAccepted) wrong.push(document);
  }
  expect(wrong).toEqual([]);
});
