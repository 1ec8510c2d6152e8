// What the build tells: diagnostics as data and as lines of tsc's form, and what a module weighs.
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { diagnosticLine, formatDiagnostics, moduleSize, parseDiagnostics } from "../build.mjs";
import { buildGuest, guestPath } from "./mini-host.ts";

const OUTPUT = `WARNING AS201: Conversion from type 'f64' to 'i32' requires an explicit cast.
   :
 9 │ return 1.5
   │        ~~~
   └─ in assembly/a b.ts(9,12)

ERROR TS2394: This overload signature is not compatible with its implementation signature.
     :
   8 │ onRequestHeaders(headers: RequestHeaders): Action {
     │ ~~~~~~~~~~~~~~~~
     └─ in a.ts(8,3)
     :
 153 │ onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
     │ ~~~~~~~~~~~~~~~~
     └─ in ~lib/sdk/context.ts(153,3)

ERROR: Without a place

FAILURE 2 compile error(s)
`;

test("takes asc's output apart", () => {
  expect(parseDiagnostics(OUTPUT)).toEqual([
    {
      severity: "warning",
      code: "AS201",
      message: "Conversion from type 'f64' to 'i32' requires an explicit cast.",
      file: "assembly/a b.ts",
      line: 9,
      column: 12,
      frame: " 9 │ return 1.5\n   │        ~~~\n",
    },
    {
      severity: "error",
      code: "TS2394",
      message:
        "This overload signature is not compatible with its implementation signature. " +
        "(see ~lib/sdk/context.ts(153,3))",
      file: "a.ts",
      line: 8,
      column: 3,
      frame:
        "   8 │ onRequestHeaders(headers: RequestHeaders): Action {\n     │ ~~~~~~~~~~~~~~~~\n",
    },
    {
      severity: "error",
      code: "",
      message: "Without a place",
      file: "",
      line: 0,
      column: 0,
      frame: "",
    },
  ]);
  expect(parseDiagnostics("")).toEqual([]);
});

test("writes lines that editors jump to", () => {
  const [warning, error, placeless] = parseDiagnostics(OUTPUT);
  expect(warning && diagnosticLine(warning)).toBe(
    "assembly/a b.ts(9,12): warning AS201: Conversion from type 'f64' to 'i32' requires an " +
      "explicit cast.",
  );
  expect(placeless && diagnosticLine(placeless)).toBe("error: Without a place");
  expect(error && formatDiagnostics([error])).toMatch(
    /^a\.ts\(8,3\): error TS2394: .*\n {3}8 │ onRequestHeaders.*\n {5}│ ~+$/,
  );
});

let module: Uint8Array;

beforeAll(async () => {
  module = readFileSync(await guestPath("plain", "release"));
});

test("weighs a module's sections and functions so that nothing is left over", () => {
  const { bytes, stripped, sections, functions } = moduleSize(module);
  expect(bytes).toBe(module.length);
  // Magic and version stand before the first section.
  expect(sections.reduce((sum, section) => sum + section.bytes, 8)).toBe(bytes);
  const custom = sections.filter(({ name }) => name === "name" || name === "sourceMappingURL");
  expect(stripped).toBe(custom.reduce((left, section) => left - section.bytes, bytes));
  const code = sections.find(({ name }) => name === "code")?.bytes ?? 0;
  const inside = functions.reduce((sum, one) => sum + one.bytes, 0);
  // Id, length and count of the section: two bytes and two more at most for each number.
  expect(code - inside).toBeGreaterThanOrEqual(3);
  expect(code - inside).toBeLessThanOrEqual(7);
});

test("names functions by the name section, from the largest", () => {
  const { functions } = moduleSize(module);
  const sizes = functions.map(({ bytes }) => bytes);
  expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  const hook = functions.find(({ name }) => name.endsWith("/exports/base/proxy_on_configure"));
  const exported = WebAssembly.Module.exports(new WebAssembly.Module(module));
  expect(exported.map(({ name }) => name)).toContain("proxy_on_configure");
  expect(hook?.bytes).toBeGreaterThan(10);
  expect(new Set(functions.map(({ index }) => index)).size).toBe(functions.length);
});

test("weighs a module without names and imports, and one with each kind of import", () => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  expect(moduleSize(Uint8Array.from(header))).toEqual({
    bytes: 8,
    stripped: 8,
    sections: [],
    functions: [],
  });
  const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
  const entry = (kind: number[]): number[] => [...text("m"), ...text("n"), ...kind];
  const imports = [
    ...entry([0, 0]),
    ...entry([1, 0x70, 1, 1, 2]),
    ...entry([2, 0, 1]),
    ...entry([3, 0x7f, 0]),
    ...entry([0, 0]),
  ];
  const section = (id: number, content: number[]): number[] => [id, content.length, ...content];
  const bytes = Uint8Array.from([
    ...header,
    ...section(1, [1, 0x60, 0, 0]),
    ...section(2, [5, ...imports]),
    ...section(3, [1, 0]),
    ...section(10, [1, 2, 0, 0x0b]),
  ]);
  expect(WebAssembly.Module.imports(new WebAssembly.Module(bytes))).toHaveLength(5);
  expect(moduleSize(bytes).functions).toEqual([{ index: 2, name: "#2", bytes: 3 }]);
  expect(moduleSize(bytes).sections.map(({ name }) => name)).toEqual([
    "type",
    "import",
    "function",
    "code",
  ]);
});

test("maps what the transform wrote to the class that it is written for", async () => {
  const { map } = await buildGuest("decorated", "debug");
  const found = new SourceMap(JSON.parse(readFileSync(map, "utf8")) as never);
  const source = "assembly/index.ts";
  const guest = join(import.meta.dirname, "guests", "decorated", source);
  const lines = readFileSync(guest, "utf8").split("\n");
  const reached = new Set<number>();
  for (let offset = 0; offset < 200_000; offset += 1) {
    const entry = found.findEntry(0, offset);
    // Bytes in front of the code have no source.
    const { originalSource = "", originalLine = 0 } = entry as {
      originalSource?: string;
      originalLine?: number;
    };
    if (originalSource.endsWith(source)) reached.add(originalLine);
  }
  expect(Math.max(...reached)).toBeLessThan(lines.length);
  const lineOf = (text: string): number => lines.findIndex((line) => line.startsWith(text));
  expect(reached).toContain(lineOf("class Config"));
  expect(reached).toContain(lineOf("class Rule"));
});
