// Backtraces as proxies print them, with the lines of their authors added.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileGuestWithMap } from "../../../test/guests/compile.ts";
import { launcher } from "../../../test/launcher.ts";
import { frameIn } from "../../module/backtrace.ts";
import { readModule } from "../../module/wasm-sections.ts";

const dwarf = fileURLToPath(
  new URL("../../../../conformance/guests/wasm/rust-faulty-dwarf4.wasm", import.meta.url),
);
const folder = mkdtempSync(join(tmpdir(), "headgate-symbolicate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, "script.wasm");
const map = join(folder, "elsewhere.map");
/** Where an exported callback begins, and its middle. */
let index = 0;
let offset = 0;

beforeAll(async () => {
  const built = await compileGuestWithMap("script");
  writeFileSync(file, built.wasm);
  writeFileSync(map, built.map);
  const { exports, bodies, importedFunctions } = readModule(built.wasm);
  index = exports.find(({ name }) => name === "proxy_on_request_headers")?.index ?? 0;
  const body = bodies[index - importedFunctions] ?? { start: 0, end: 0 };
  offset = (body.start + body.end) >> 1;
});

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

function symbolicate(argv: readonly string[], input = ""): Outcome {
  const command = ["filter", "symbolicate", ...argv];
  const { status, stdout, stderr } = spawnSync(launcher, command, {
    input,
    encoding: "utf8",
    timeout: 60_000,
  });
  return { code: status, out: stdout, error: stderr };
}

test.each([
  ["Envoy", "  0:  0x29e5 - proxy_on_tick", -1],
  ["wasmtime", "    3: 0x29e5 - <unknown>!main", -1],
  ["Headgate", "  at main (function 42, 0x29e5)", 42],
  ["Node.js", "    at main (wasm://wasm/0a1b:wasm-function[42]:0x29e5)", 42],
  ["a browser", "main@http://a/b.wasm:wasm-function[42]:0x29E5", 42],
  ["a runner that changed V8's words", "    at main (wasm://wasm/0a1b:1:10726)", -1],
  ["a log", "[critical] 0: 0x29e5 - main", -1],
  ["a test", "  at function 42, offset 0x29e5", -1],
  ["nobody", "0x29e5", -1],
])("a frame as %s prints it", (_name, line, at) => {
  expect(frameIn(line)).toEqual({ index: at, offset: 0x29e5 });
});

test.each([
  "",
  "Proxy-Wasm plugin in-VM backtrace:",
  "pointer 0x29e5 freed",
  "a: 0x5",
  "12:30 0x1",
])("no frame is %j", (line) => {
  expect(frameIn(line)).toBeNull();
});

test("an Envoy backtrace gets its lines, and keeps all others", () => {
  const hex = `0x${offset.toString(16)}`;
  const trace = [
    "[critical][wasm] Function: proxy_on_request_headers failed: unreachable",
    "Proxy-Wasm plugin in-VM backtrace:",
    `  0:  ${hex} - proxy_on_request_headers`,
    "  1:  0x7 - nothing",
    "",
  ].join("\n");
  const { code, out, error } = symbolicate([file, "--map", map], trace);
  expect(error).toBe("");
  const lines = out.split("\n");
  expect(lines[0]).toBe("[critical][wasm] Function: proxy_on_request_headers failed: unreachable");
  expect(lines[2]).toMatch(
    /- proxy_on_request_headers assembly\/script\/proxy_on_request_headers at /,
  );
  expect(lines[2]).toMatch(/ at assembly\/script\.ts:\d+:\d+$/);
  expect(lines[3]).toBe("  1:  0x7 - nothing");
  expect(lines).toHaveLength(5);
  expect(code).toBe(0);
});

test("the map beside a module that was renamed", () => {
  const renamed = join(folder, "renamed.wasm");
  writeFileSync(renamed, readFileSync(file));
  writeFileSync(`${renamed}.map`, readFileSync(map));
  const { code, out } = symbolicate([renamed, `0x${offset.toString(16)}`]);
  expect(out).toContain(" at assembly/script.ts:");
  expect(code).toBe(0);
});

test("offsets as arguments, and what a machine reads", () => {
  const { code, out } = symbolicate([file, `0x${offset.toString(16)}`, "--map", map, "--json"]);
  expect(code).toBe(0);
  const source = readFileSync(new URL("../../../test/guests/assembly/script.ts", import.meta.url));
  const [frame] = JSON.parse(out) as { line: number; function: number; name: string }[];
  expect(frame).toMatchObject({ function: index, offset, file: "assembly/script.ts" });
  const line = source.toString().split("\n")[(frame?.line ?? 0) - 1];
  expect(line).toContain('on("request_headers"');
});

test("a line table in the module, and a module that was stripped of it", () => {
  const bytes = readFileSync(dwarf);
  const { bodies, sections } = readModule(bytes);
  const largest = bodies.toSorted((a, b) => b.end - b.start - (a.end - a.start))[0];
  const middle = `0x${(((largest?.start ?? 0) + (largest?.end ?? 0)) >> 1).toString(16)}`;
  const own = symbolicate([dwarf, middle]);
  expect(own.out).toMatch(/^0x[0-9a-f]+ \S.* at \S+\.rs:\d+:\d+$/m);
  expect(own.code).toBe(0);

  const stripped = join(folder, "stripped.wasm");
  const kept = sections.filter(({ id }) => id !== 0);
  const parts = kept.map(({ start, end }) => bytes.subarray(start, end));
  writeFileSync(stripped, Buffer.concat([bytes.subarray(0, 8), ...parts]));
  expect(symbolicate([stripped, middle])).toMatchObject({
    code: 1,
    error: expect.stringContaining("found no source map and no line table"),
  });
  expect(symbolicate([stripped, middle, "--map", dwarf]).out).toBe(own.out);
});

test("what cannot be is told", () => {
  expect(symbolicate([file, "--map", map], "all is well\n")).toMatchObject({
    code: 1,
    out: "all is well\n",
    error: expect.stringContaining("found no frames"),
  });
  expect(symbolicate([file, "--map", map, "0x1"])).toMatchObject({
    code: 1,
    error: expect.stringContaining("is it the module that ran?"),
  });
  expect(symbolicate([file, "--map", dwarf, "0x1"]).error).toContain("is not of the module");
  expect(symbolicate([file, "--map", join(folder, "none")]).error).toContain("no such file");
  expect(symbolicate([file, "29e5"])).toMatchObject({ code: 2 });
  expect(symbolicate([])).toMatchObject({ code: 2 });
  expect(symbolicate(["--help"]).out).toContain("examples:");
});
