// What the transform refuses, and that it says so at the author's line.
import { expect, test } from "vitest";
import { compilerProblem } from "../transform/compiler-version.mjs";
import { compile } from "./compile-for-test.ts";

const IMPORTS = `import {
  Action, Body, HeaderMap, HttpFilter, log, NetworkFilter, Plugin, property, RequestHeaders,
} from "@headgate/sdk-assemblyscript";
`;
/** The line on which the text behind the imports begins. */
const FIRST = 4;

const CONFIG = "@config class Config { name: string = ''; }\n";
const FILTER = '@filter("f") class F extends HttpFilter<Config> {}\n';

/** Lines of what is said about `text`, behind the imports, as "line:column message". */
async function refused(text: string): Promise<string[]> {
  const { lines, wasm } = await compile({ "assembly/index.ts": IMPORTS + text });
  expect(wasm).toBeNull();
  return lines.map((line) => {
    const [, row, column, message] = /^assembly\/index\.ts\((\d+),(\d+)\) ([^]*)$/.exec(line) ?? [];
    return row === undefined ? line : `${Number(row) - FIRST + 1}:${column} ${message}`;
  });
}

/** As `refused`, for many files at once: reading asc's own library takes longer than all of them. */
async function refusedEach(texts: readonly string[]): Promise<string[][]> {
  const files = texts.map((text, i) => [`assembly/case-${i}.ts`, IMPORTS + text] as const);
  const entry = texts.map((_, i) => `import "./case-${i}";`).join("\n");
  const { lines, wasm } = await compile({
    ...Object.fromEntries(files),
    "assembly/index.ts": entry,
  });
  expect(wasm).toBeNull();
  return texts.map((_, i) =>
    lines
      .filter((line) => line.startsWith(`assembly/case-${i}.ts(`))
      .map((line) => {
        const [, row, column, message] = /\((\d+),(\d+)\) ([^]*)$/.exec(line) ?? [];
        return `${Number(row) - FIRST + 1}:${column} ${message}`;
      }),
  );
}

/** [text, the only thing that is said of it]. */
type Case = readonly [string, RegExp];

/** Cases of which something else is said. */
async function otherwise(cases: readonly Case[]): Promise<unknown[]> {
  const said = await refusedEach(cases.map(([text]) => text));
  return cases.flatMap(([text, message], i) => {
    const own = said[i] ?? [];
    return own.length === 1 && message.test(own[0] ?? "") ? [] : [{ text, message, own }];
  });
}

/** Of a field of a @config class: decorators, name and type. */
const FIELDS: readonly Case[] = [
  ["a: Set<string> = new Set();", /cannot hold Set<string>: use/],
  ["a: Date = new Date(0);", /cannot hold Date: use/],
  ["a: string | null = null;", /cannot hold string \| null, only a @config class may be null/],
  ["a: Map<i32, string> = new Map();", /cannot hold Map<i32, string>: use/],
  ["a: usize = 0;", /cannot hold usize: use/],
  ["a: v128 = i8x16.splat(0);", /cannot hold v128: use/],
  ["a: (x: i32) => i32 = (x) => x;", /cannot hold \(x: i32\) => i32: use/],
  ["a: StaticArray<i32> = [];", /cannot hold StaticArray<i32>: use/],
  ["a: Unknown[] = [];", /cannot hold Unknown: use/],
  ["@range(5, 1) a: u32 = 1;", /^1:24 expected @range\(least, most\), both u32$/],
  ["@range(0, 256) a: u8 = 1;", /u8 holds 0 to 255 only/],
  ["@range(0) a: u8 = 1;", /expected @range/],
  ["@range(0, 1.5) a: u8 = 1;", /expected @range/],
  ["@range(0, 1) a: string = '';", /@range is for numbers/],
  ["@oneOf() a: string = '';", /expected @oneOf of different values, each string/],
  ["@oneOf('a', 'a') a: string = '';", /expected @oneOf/],
  ["@oneOf('a', 1) a: string = '';", /expected @oneOf/],
  ["@oneOf(1, 300) a: u8 = 1;", /expected @oneOf of different values, each u8/],
  ["@oneOf(1, 2) a: f64 = 1;", /@oneOf is for strings and whole numbers/],
  ["@minLength(-1) a: string = '';", /expected @minLength\(1\)/],
  ["@minLength(1) a: u32 = 1;", /@minLength is for strings, arrays and maps/],
  ["@pattern(1) a: string = '';", /expected @pattern\("/],
  ["@pattern('^a$') a: u32 = 1;", /@pattern is for strings/],
  ["@pattern('a(?=b)') a: string = '';", /a pattern cannot have look-around, or flags/],
  ["@pattern('(?i)a') a: string = '';", /a pattern cannot have look-around, or flags/],
  ["@pattern('(a)\\\\1') a: string = '';", /a pattern cannot have a back-reference/],
  ["@pattern('\\\\s') a: string = '';", /a pattern cannot have \\s: it means other characters/],
  ["@pattern('a{1001}') a: string = '';", /a pattern repeats 1000 times at most/],
  ["@pattern('(a') a: string = '';", /no regular expression: .*/],
  ["@key('') a: u32 = 1;", /expected @key\("name"\)/],
  ["@duration('5x') a: u32;", /expected @duration\("10s"\)/],
  ["@duration('1s') a: u32 = 5;", /the default stands in one place: @duration, or here/],
  ["@duration('1h') a: u16;", /u16 holds 65535 at most/],
  ["@duration a: f64 = 1;", /@duration is for whole numbers/],
  ["@bytes('1XB') a: u32;", /expected @bytes\("1MiB"\)/],
  ["@bytes @duration a: u32 = 1;", /@duration is for whole numbers/],
  ["@required(1) a: u32 = 1;", /@required takes nothing/],
  ["@foo a: u32 = 1;", /no such decorator of a configuration: @foo$/],
  [
    "@ragne(1, 2) a: u32 = 1;",
    /no such decorator of a configuration: @ragne, did you mean @range\?/,
  ],
  ["@required private a: u32 = 1;", /a member that a configuration sets is public, not static/],
  ["a: u32 = 1; @key('a') b: u32 = 1;", /^1:46 "a" is a member already, assembly\/case-\d+\.ts:4$/],
  ["a: Config = new Config();", /^1:15 Config contains itself: use "\| null" or an array$/],
  ["constructor(a: i32) {}", /a @config class is made without arguments/],
];

test("refuses fields that cannot be read, each at its place", async () => {
  const classes = FIELDS.map(
    ([field, message]): Case => [`@config class Config { ${field} }`, message],
  );
  expect(await otherwise(classes)).toEqual([]);
});

test("names what a configuration can hold, and says everything at once", async () => {
  const fields = "a: Date; @range(1, 0) b: u32 = 1; @foo c: u32 = 1;";
  const said = await refused(`@config class Config { ${fields} }`);
  expect(said).toEqual([
    "1:27 a configuration cannot hold Date: use bool, string, i8 to i64, u8 to u64, f32, f64, " +
      "a @config class, and arrays and Map<string, ...> of these",
    "1:33 expected @range(least, most), both u32",
    "1:58 no such decorator of a configuration: @foo",
  ]);
});

const CLASSES: readonly Case[] = [
  ["@confg class A {}", /^1:1 no such decorator: @confg, did you mean @config\?$/],
  [
    "class A { @maxBdy('1MiB') a(): void {} }",
    /^1:11 no such decorator: @maxBdy, did you mean @maxBody\?$/,
  ],
  ["@json class A {}", /^1:1 no such decorator: @json$/],
  ["class A { @required a: u32 = 1; }", /^1:11 A is no @config class$/],
  ["class B {} @config class A extends B {}", /a @config class extends @config classes only/],
  ["@config class A<T> {}", /a @config class has no type parameters/],
  ["@config('a') class A {}", /a variant extends an abstract @config class/],
  ["@config abstract class B {} @config class A extends B {}", /name this variant of B: @config/],
  [
    "@config abstract class B {} @config('a') class A extends B {} @config('a') class C extends B {}",
    /B has a variant "a" already/,
  ],
  ["@config abstract class B { type: string = ''; }", /"type" is the member that tells variants/],
  ["@config abstract class B {} @config(1) class A extends B {}", /@config takes one text/],
];

test("refuses classes that cannot be read", async () => {
  expect(await otherwise(CLASSES)).toEqual([]);
});

test("wants variants in the file of their abstract class", async () => {
  const { lines } = await compile({
    "assembly/base.ts": "@config export abstract class Base {}",
    "assembly/index.ts": 'import { Base } from "./base";\n@config("a") class A extends Base {}',
  });
  expect(lines).toEqual([
    "assembly/index.ts(2,20) variants of Base stand in its file, assembly/base.ts:1",
  ]);
});

const FILTERS: readonly Case[] = [
  [
    `${CONFIG}class P extends Plugin<Config> {}`,
    /^2:7 decorate the plugin by @plugin, or override configure$/,
  ],
  ["@filter class F {}", /@filter is for classes that extend HttpFilter<Config> or NetworkFilter/],
  [`${CONFIG}@filter class F extends Plugin<Config> {}`, /@filter is for classes that extend Http/],
  [
    `${CONFIG}@plugin class F extends HttpFilter<Config> {}`,
    /@plugin is for classes that extend Pl/,
  ],
  [`${CONFIG}@filter(1) class F extends HttpFilter<Config> {}`, /expected @filter\("root-id"\)/],
  [`${CONFIG}@filter abstract class F extends HttpFilter<Config> {}`, /can be made as it is/],
  [`${CONFIG}@filter class F<T> extends HttpFilter<Config> {}`, /can be made as it is/],
  ["class B<T> {} class X extends B<X[]> {}", /^1:31 X extends a class of X itself, on which/],
  ["class C {} @filter class F extends HttpFilter<C> {}", /^1:47 C must be a @config class$/],
  ["@filter class F extends HttpFilter<string> {}", /string must be a @config class/],
];

test("refuses filters and plugins that cannot be made", async () => {
  expect(await otherwise(FILTERS)).toEqual([]);
});

test("refuses filters and plugins that do not go together", async () => {
  expect(
    await refused(`${CONFIG}${FILTER}@filter("f") class G extends HttpFilter<Config> {}`),
  ).toEqual(['3:1 root id "f" is taken by assembly/index.ts:5']);
  expect(
    await refused(`${CONFIG}@config class D {} @plugin class P extends Plugin<D> {}\n${FILTER}`),
  ).toEqual(["3:20 its plugin is configured by D, assembly/index.ts:5"]);
});

const HOOKS = [
  [
    "HttpFilter",
    "onRequestHeader(headers: RequestHeaders): Action { return Action.Continue; }",
    "HttpFilter has no hook onRequestHeader: did you mean onRequestHeaders?",
  ],
  [
    "HttpFilter",
    "OnRequestHeaders(headers: RequestHeaders): Action { return Action.Continue; }",
    "HttpFilter has no hook OnRequestHeaders: did you mean onRequestHeaders?",
  ],
  [
    "HttpFilter",
    "onRequestHeaders(headers: RequestHeaders): Action { return Action.Continue; }",
    "HttpFilter has this hook as onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action",
  ],
  [
    "HttpFilter",
    "onRequestHeaders(headers: HeaderMap, endOfStream: bool): Action { return Action.Continue; }",
    "HttpFilter has this hook as onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action",
  ],
  [
    "HttpFilter",
    "onRequestBody(body: Body, endOfStream: bool): void {}",
    "HttpFilter has this hook as onRequestBody(body: Body, endOfStream: bool): Action",
  ],
  [
    "HttpFilter",
    "onFullRequestBody(body: Body): Action { return Action.Continue; }",
    'say how much is collected: @maxBody("1MiB"), or override requestBodyMax',
  ],
  [
    "HttpFilter",
    '@maxBody("8GiB") onFullRequestBody(body: Body): Action { return Action.Continue; }',
    'expected @maxBody("1MiB"), up to 4GiB',
  ],
  [
    "HttpFilter",
    "@maxBody(8) onDone(): bool { return true; }",
    "@maxBody is for onFullRequestBody and onFullResponseBody",
  ],
  ["HttpFilter", "onTick(): void {}", "HttpFilter has no hook onTick: nobody would call it"],
  [
    "NetworkFilter",
    "onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action { return Action.Continue; }",
    "NetworkFilter has no hook onRequestHeaders: nobody would call it",
  ],
] as const;

test("refuses hooks that nobody would call, or that have other parameters", async () => {
  const said = await refusedEach(
    HOOKS.map(
      ([base, method], i) =>
        `${CONFIG}@filter("h${i}") class F extends ${base}<Config> {\n  ${method}\n}`,
    ),
  );
  expect(said).toEqual(HOOKS.map(([, , message]) => [`3:3 ${message}`]));
});

test("takes a hook whose types have other names here, and an author's own methods", async () => {
  const { lines, wasm } = await compile({
    "assembly/index.ts": `
      import { Action, HttpFilter, RequestHeaders as Headers } from "@headgate/sdk-assemblyscript";
      ${CONFIG}
      @filter class F extends HttpFilter<Config> {
        onRequestHeaders(h: Headers, end: boolean): Action { return this.onTeapot(); }
        private onTeapot(): Action { return Action.Continue; }
      }`,
  });
  expect(lines).toEqual([]);
  expect(wasm).not.toBeNull();
});

const BODIES = [
  [
    "for (;;) { if (n > 1) continue; break; }",
    "2:3 a for loop without a condition is compiled wrongly: write while (true)",
  ],
  [
    "store<u32>(n, load<u32>(n, 4), -4);",
    "2:34 store with a negative offset always traps: subtract from the address",
  ],
  [
    "const k = n * 2; [1].forEach((x) => { log.info((x + k).toString()); });",
    "2:55 a function cannot use k of the one around it: pass it as an argument, or keep it in a field",
  ],
  [
    "[1].map<i32>((x) => x + n);",
    "2:27 a function cannot use n of the one around it: pass it as an argument, or keep it in a field",
  ],
  [
    "let f = function (x: i32): i32 { if (x > 0) { for (let i = 0; i < n; i++) {} } return x; };",
    "2:69 a function cannot use n of the one around it: pass it as an argument, or keep it in a field",
  ],
] as const;

test("refuses loops and functions that asc compiles wrongly or not at all", async () => {
  const said = await refusedEach(
    BODIES.map(([body]) => `export function f(n: i32): void {\n  ${body}\n}`),
  );
  expect(said).toEqual(BODIES.map(([, message]) => [message]));
});

test("refuses a function that uses this of the method around it", async () => {
  const text = "export class Q { v: i32 = 1; m(): void { [1].forEach((x) => { this.v = x; }); } }";
  expect(await refused(text)).toEqual([
    "1:63 a function cannot use this of the one around it: take the object as an argument, (self, ...) =>",
  ]);
});

test("takes functions that use their own names, globals, constants and members", async () => {
  const { lines } = await compile({
    "assembly/index.ts": `${IMPORTS}${CONFIG}
      const LIMIT = 3;
      let total = 0;
      class Point { n: i32 = 0; }
      @filter class F extends HttpFilter<Config> {
        onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
          const K = 5;
          const n = headers.path.length;
          if (n > 0) {
            const other = [new Point()];
            other.forEach((point) => { const n = point.n + K; total += n + LIMIT; });
          }
          [1].forEach((x) => { let k = x; while (true) { k++; if (k > 3) break; } });
          { let k = 1; total += k; }
          return Action.Continue;
        }
      }`,
  });
  expect(lines).toEqual([]);
});

const AT_TOP = "this calls the host at top level";

test.each([
  ['log.info("x");', `3:5 ${AT_TOP} (env.proxy_log): no proxy is ready for it then`],
  [
    'const p = property("a").text();',
    `3:25 ${AT_TOP} (env.proxy_get_property): no proxy is ready for it then`,
  ],
  [
    'function g(): i32 { log.warn("w"); return 1; } let n = g(); export function h(): i32 { return n; }',
    `3:56 ${AT_TOP} (env.proxy_log): no proxy is ready for it then`,
  ],
  [
    'class A { static b: bool = A.read(); static read(): bool { log.info(""); return true; } }' +
      "export function h(): bool { return A.b; }",
    `3:30 ${AT_TOP} (env.proxy_log): no proxy is ready for it then`,
  ],
])("refuses at top level %s", async (text, message) => {
  expect(await refused(`${CONFIG}${FILTER}${text}`)).toEqual([message]);
});

test.each([
  ["Math.random()", "3:45", "env.seed: a filter has no randomness of its own"],
  ["<f64>Date.now()", "3:50", "env.Date.now: nowMs() tells the time"],
])("refuses %s, which no proxy has, and says what to write", async (expression, place, name) => {
  const text = `${CONFIG}${FILTER}export function f(n: i32): f64 {     return ${expression}; }`;
  expect(await refused(text)).toEqual([`${place} no proxy provides ${name}`]);
});

test("refuses console, and takes the log for it", async () => {
  const text = `${CONFIG}${FILTER}export function f(): void { console.log("x"); }`;
  expect(await refused(text)).toEqual([
    "3:29 no proxy provides env.console.log: write log.info(...)",
  ]);
});

test("refuses another version of the compiler", () => {
  const options = { bundleMajorVersion: 0, bundleMinorVersion: 28, bundlePatchVersion: 20 };
  expect(compilerProblem(options)).toBeNull();
  expect(compilerProblem({ ...options, bundlePatchVersion: 21 })).toBe(
    "the SDK works with assemblyscript 0.28.20, this is 0.28.21",
  );
});

test("refuses an import of the author's own by its name", async () => {
  const text = `${CONFIG}${FILTER}@external("env", "my_call") declare function mine(): void;
export function f(): void { mine(); }`;
  const said = await refused(text);
  expect(said).toEqual([expect.stringMatching(/ no proxy provides env\.my_call$/)]);
});
