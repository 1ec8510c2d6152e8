// @filter, @plugin and @config: what the transform makes of decorated classes, in a running module.
import fc from "fast-check";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { compileGuest, MiniHost } from "./mini-host.ts";
import { type Document, FULL } from "./decorated-for-test.ts";
import { struct } from "./struct-for-test.ts";

let module: WebAssembly.Module;
let host: MiniHost;

beforeAll(async () => {
  module = await compileGuest("decorated", "debug");
});

beforeEach(() => {
  host = new MiniHost(module);
  host.setProperty("plugin_root_id", "decorated");
});

const DEFAULTS =
  "n|true|-1|255|-7|-9223372036854775808|18446744073709551615|0.5|0.25||1234|none|GET|1" +
  "|deny |h|v1|10000|1048576|derived";
/** What is described of the nested rule that nobody asked about. */
const described = (text: string): string => text.replace("|deny |", "|");

const FULL_TEXT =
  "full|false|-128|0|2147483647|12|13|1.0|1.5|renamed|9999|pässw|allow /a|deny /b|HEAD,POST" +
  "|1,2||-3|x=1|ÿ😀=2|h:deny /h|deny /f|cluster ab 5|redirect 307 a,b|redirect 302 |a-b.c|v2x,v3|1500|65536|derived";

const errors = (): string[] =>
  host.logs.filter((line) => line.startsWith("4 configuration ")).map((line) => line.slice(16));

const accepted = (): string | undefined =>
  host.logs.find((line) => line.startsWith("2 "))?.slice(2);

function refusals(document: Document): string[] {
  host.logs.length = 0;
  expect(host.configure(JSON.stringify(document))).toBe(false);
  return errors();
}

test("exports the callbacks of overridden hooks, also the plugin's, and no other", () => {
  const names = WebAssembly.Module.exports(module).map((entry) => entry.name);
  expect(names.sort()).toEqual([
    "_initialize",
    "headgate_request_headers",
    "malloc",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_request_headers",
  ]);
});

test("serves its root id only", () => {
  host.setProperty("plugin_root_id", "another");
  expect(host.start('{"name":"n"}')).toBe(false);
  expect(host.logs).toContain("4 unknown root_id another");
});

test.each([
  ["JSON", JSON.stringify(FULL)],
  ["a serialised Struct", struct(FULL)],
])("reads every kind of field from %s", (_name, configuration) => {
  expect(host.start(configuration)).toBe(true);
  expect(errors()).toEqual([]);
  expect(accepted()).toBe(FULL_TEXT);
});

test("gives the configuration to filters", () => {
  host.start(JSON.stringify(FULL));
  host.request(2, []);
  expect(host.maps.get(0)).toEqual([["x-name", "full"]]);
});

test("takes initialisers and @duration's and @bytes's texts for defaults", () => {
  expect(host.start('{"name":"n"}')).toBe(true);
  expect(accepted()).toBe(described(DEFAULTS));
});

test("names every error at once, with its pointer, unknown members and secrets' places too", () => {
  const wrong: Document = {
    nmae: 1,
    on: "true",
    small: 128,
    byte: -1,
    whole: 1.5,
    wide: "1",
    big: -1,
    ratio: 1.01,
    single: [],
    host: "a..b",
    versions: ["v1", "1", 2],
    pin: 10_000,
    password: "geh",
    rules: [{ prefix: 5, mode: "maybe", more: null }, "rule", {}],
    methods: ["GET", "PUT", 7],
    matrix: [],
    labels: { "a/b": 1 },
    byHost: { h: [{ prefix: true }], i: {} },
    fallback: null,
    nested: [],
    target: { name: "cluster" },
    targets: [
      { type: "other" },
      { type: "cluster", name: "x", status: 301 },
      { type: "redirect", status: 303, weight: -1 },
      { type: 3 },
      4,
    ],
    wait: "2h",
    bytesMax: 1_073_741_825,
  };
  host.start('{"name":"n"}');
  expect(refusals(wrong)).toEqual([
    "/wait: must be a duration as 500ms, 1.5s, 2m or 1h, from 1ms to 1h",
    "/bytesMax: must be a number of bytes or a size as 64KiB or 1MiB, from 0 to 1GiB, found 1073741825",
    "/name: is required",
    "/on: must be true or false, found a string",
    "/small: must be a whole number from -128 to 127, found 128",
    "/byte: must be a whole number from 0 to 255, found -1",
    "/whole: must be a whole number from -2147483648 to 2147483647, found 1.5",
    "/wide: must be a whole number from -9223372036854775808 to 9223372036854775807, found a string",
    "/big: must be a whole number from 0 to 18446744073709551615, found -1",
    "/ratio: must be a number from 0 to 1, found 1.01",
    "/single: must be a number, found an array",
    "/host: must be a string that matches ^[a-z0-9]+([.-][a-z0-9]+)*$",
    "/versions/1: must be a string that matches ^v[0-9]",
    "/versions/2: must be a string that matches ^v[0-9], found 2",
    "/pin: must be a whole number from 1000 to 9999, found a number",
    "/password: must be a string of 4 characters or more",
    "/rules/0/prefix: must be a string, found 5",
    "/rules/0/mode: must be one of allow, deny",
    "/rules/1: must be an object, found a string",
    "/rules/2/prefix: is required",
    "/methods/1: must be one of GET, HEAD, POST",
    "/methods/2: must be one of GET, HEAD, POST, found 7",
    "/matrix: must be an array that is not empty, found 0",
    "/labels/a~1b: must be a string, found 1",
    "/byHost/h/0/prefix: must be a string, found true",
    "/byHost/i: must be an array, found an object",
    "/fallback: must be an object, found null",
    "/nested: must be an object, found an array",
    "/target/type: is required",
    "/targets/0/type: must be one of cluster, redirect",
    "/targets/1/name: must be a string of 2 characters or more",
    "/targets/2/weight: must be a whole number from 0 to 4294967295, found -1",
    "/targets/2/status: must be one of 301, 302, 307, found 303",
    "/targets/3/type: must be one of cluster, redirect, found 3",
    "/targets/4: must be an object, found 4",
    "/nmae: unknown field",
    "/rules/0/more: unknown field",
    "/targets/1/status: unknown field",
  ]);
});

test("never logs what a secret holds, whatever is wrong with it", () => {
  host.start('{"name":"n"}');
  for (const secret of [70_471, 70.471, "704", ["70471"], { k70471: 70_471 }, true]) {
    refusals({ name: "n", pin: secret });
    refusals({ name: "n", password: typeof secret === "string" ? secret : [secret] });
    expect(host.logs.join("\n")).not.toContain("704");
  }
});

test.each([
  ["1ms", 1],
  ["1500ms", 1500],
  ["0.001s", 1],
  ["1.5s", 1500],
  ["1.25s", 1250],
  ["3600s", 3_600_000],
  ["60m", 3_600_000],
  ["1h", 3_600_000],
  ["0s", undefined],
  ["3601s", undefined],
  ["1.s", undefined],
  [".5s", undefined],
  ["1.2345s", undefined],
  ["1.5m", undefined],
  ["1 s", undefined],
  ["1", undefined],
  ["s", undefined],
  ["", undefined],
  ["-1s", undefined],
  ["1S", undefined],
  ["1sec", undefined],
  ["18446744073709551616ms", undefined],
  ["5124095576030432h", undefined],
  [1000, undefined],
])("reads the duration %j", (wait, expected) => {
  const isAccepted = host.start(JSON.stringify({ name: "n", wait }));
  expect(isAccepted ? Number(accepted()?.split("|").at(-3)) : undefined).toBe(expected);
});

test.each([
  [0, 0],
  [1e3, 1000],
  ["7B", 7],
  ["1kB", 1000],
  ["1KiB", 1024],
  ["3MB", 3_000_000],
  ["1MiB", 1_048_576],
  ["1GB", 1_000_000_000],
  ["1GiB", 1_073_741_824],
  ["2GiB", undefined],
  ["1TiB", undefined],
  ["1kb", undefined],
  ["1.5MiB", undefined],
  ["7", undefined],
  [-1, undefined],
  [1.5, undefined],
  ["18446744073709551616B", undefined],
  ["17179869185GiB", undefined],
])("reads the size %j", (bytesMax, expected) => {
  const isAccepted = host.start(JSON.stringify({ name: "n", bytesMax }));
  expect(isAccepted ? Number(accepted()?.split("|").at(-2)) : undefined).toBe(expected);
});

test.each([
  ["18446744073709551615", true],
  ["18446744073709551616", false],
  ["18446744073709551609", true],
  ["1844674407370955161.5e1", true],
  ["9223372036854775808", true],
  ["1e19", true],
  ["2e19", false],
  ["-0", true],
  ["-1", false],
  ["0.5", false],
])("reads %s as 64 bits without a sign: %s", (big, isAccepted) => {
  expect(host.start(`{"name":"n","big":${big}}`)).toBe(isAccepted);
});

test("counts characters, not bytes, for @minLength", () => {
  expect(host.start('{"name":"n","password":"ÿ😀é"}')).toBe(false);
  expect(host.configure('{"name":"n","password":"ÿ😀éx"}')).toBe(true);
});

test("asks the author's validate once all fields are right", () => {
  host.start('{"name":"n"}');
  expect(refusals({ name: "n", "kebab-case": "n" })).toEqual([
    "/: name and kebab-case must differ",
  ]);
  expect(refusals({ name: "n", "kebab-case": "n", on: 1 })).toEqual([
    "/on: must be true or false, found 1",
  ]);
});

test("says only where the text is wrong when it is no JSON", () => {
  host.start('{"name":"n"}');
  host.logs.length = 0;
  expect(host.configure("{name}")).toBe(false);
  expect(errors()).toEqual(["/: expected a name in double quotes at byte 1"]);
});

test("refuses a document that is no object", () => {
  expect(host.start("[]")).toBe(false);
  expect(errors()).toEqual(["/: must be an object, found an array"]);
});

test("never traps, and never accepts what is no configuration, whatever comes", () => {
  host.start('{"name":"n"}');
  const names = fc.constantFrom(...Object.keys(FULL), "type", "prefix", "x");
  const values = fc.constantFrom(...Object.values(FULL));
  const document = fc.dictionary(names, fc.oneof(values, fc.jsonValue({ maxDepth: 3 })));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    document.map((one) => Buffer.from(JSON.stringify(one))),
    document.map((one) => struct(one as Document)),
    // One byte of a right one is another.
    fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
      const right = struct(FULL);
      right[at % right.length] = byte;
      return right;
    }),
  );
  const bounds = { numRuns: 3000, seed: 9 };
  fc.assert(
    fc.property(bytes, (configuration) => {
      host.logs.length = 0;
      const isAccepted = host.configure(configuration);
      return isAccepted === (errors().length === 0);
    }),
    bounds,
  );
  expect(host.configure(JSON.stringify(FULL))).toBe(true);
});

test.each([
  ["starts", ["/a.", "/a.b"], ["/ab", "x/a.", "", "/"]],
  ["ends", [".b", "a.b"], ["ab", ".bc", "", "b"]],
  ["equals", ["c c"], ["c cc", "cc c", "", "c"]],
  ["holds", ["d-dd", "xd-d"], ["d-d", "dd-", "", "d_d-"]],
] as const)("a pattern that is plain text is what it says: %s", (name, right, wrong) => {
  const isTaken = (text: string): boolean =>
    host.start(JSON.stringify({ name: "n", [name]: text }));
  expect(right.map(isTaken)).toEqual(right.map(() => true));
  expect(wrong.map(isTaken)).toEqual(wrong.map(() => false));
  expect(host.logs.join("\n")).toContain(`/${name}: must be a string `);
});
