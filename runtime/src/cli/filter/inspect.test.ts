// What `headgate filter inspect` says of modules of all languages, and of those that nobody loads.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { compileGuestWithMap } from "../../../test/guests/compile.ts";
import type { ModuleProfile } from "../../module/module-profile.ts";
import { constant, guestBuilder, op, WasmBuilder } from "../../module/wasm-builder-for-test.ts";
import { runCommand } from "./command-for-test.ts";
import { command } from "./inspect.ts";

const folder = mkdtempSync(join(tmpdir(), "headgate-inspect-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

function guest(name: string): string {
  const path = `../../../../conformance/guests/wasm/${name}.wasm`;
  return fileURLToPath(new URL(path, import.meta.url));
}

/** Written to a file. */
function made(bytes: Uint8Array): string {
  const path = join(folder, "made.wasm");
  writeFileSync(path, bytes);
  return path;
}

function inspect(...argv: readonly string[]): Promise<{ code: number; text: string }> {
  return runCommand(command, argv);
}

async function profile(file: string): Promise<ModuleProfile> {
  return JSON.parse((await inspect(file, "--json")).text) as ModuleProfile;
}

test.each([
  ["rust-auth-callout", "0.2.1", "Rust"],
  ["rust-faulty-dwarf4", "0.2.1", "Rust"],
  ["go-plugins", "0.2.1", "Go"],
  ["as-solo-0.1.0", "0.1.0", "AssemblyScript"],
  ["as-solo-0.2.0", "0.2.0", "AssemblyScript"],
  ["c-redirect", "0.2.1", ""],
])("%s is of abi %s and %s", async (name, abi, language) => {
  const found = await profile(guest(name));
  expect(found).toMatchObject({ abi, origin: { language }, problems: [], envoyProblems: [] });
  expect(found.hooks.map((hook) => hook.name)).toContain("proxy_on_request_headers");
  expect(found.imports.length).toBeGreaterThan(1);
});

test("the text of a small module", async () => {
  const { code, text } = await inspect(guest("c-redirect"), "--functions", "2");
  expect(code).toBe(0);
  expect(text.slice(text.indexOf("\nabi"))).toMatchInlineSnapshot(`
    "
    abi       0.2.1
    made by   unknown (nothing tells)
    memory    6 pages (384 KiB) at the start, no maximum
    features  none
    start     no start section

    hooks
      proxy_on_request_headers

    imports
      env.proxy_send_local_response (i32, i32, i32, i32, i32, i32, i32, i32) -> i32
      env.proxy_get_header_map_value (i32, i32, i32, i32, i32) -> i32

    exports
      memory
      malloc

    sections
             50  type
             68  import
              9  function
              5  memory
             10  global
             74  export
              3  datacount
            942  code
            123  data

    functions: 6, 931 bytes
            621  proxy_on_request_headers
             89  function 7

    warnings
      needs abi 0.2.1: hosts that know 0.2.0 only refuse it
      has no names of functions: backtraces tell numbers
    "
  `);
});

test("sizes by function and library, from the name section", async () => {
  const { wasm } = await compileGuestWithMap("script");
  const { functions, origin, warnings, strippedBytes, bytes } = await profile(made(wasm));
  expect(origin).toMatchObject({
    language: "AssemblyScript",
    evidence: "functions of its library",
  });
  expect(functions.isNamed).toBe(true);
  const sum = functions.groups.reduce((total, group) => total + group.bytes, 0);
  expect(sum).toBe(functions.codeBytes);
  expect(functions.groups.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["assembly", "~lib/util"]),
  );
  expect(functions.largest.map((one) => one.bytes)).toEqual(
    functions.largest.map((one) => one.bytes).toSorted((a, b) => b - a),
  );
  expect(strippedBytes).toBeLessThan(bytes);
  expect(warnings.join()).not.toContain("no names");
});

test("what both refuse, and what only Envoy does", async () => {
  const unknown = guestBuilder((imports) => {
    imports.importFunction("env", "abort", ["i32", "i32", "i32", "i32"], []);
    imports.importFunction("wasi_snapshot_preview1", "path_symlink", wasi(5), ["i32"]);
    imports.importFunction("env", "proxy_continue_request", [], ["i32"]);
  });
  const { code, text } = await inspect(made(unknown.build()));
  expect(code).toBe(1);
  expect(text).toMatch(/Headgate would not load it\n {2}unknown import env\.abort/);
  const found = await profile(made(unknown.build()));
  expect(found.envoyProblems).toEqual([
    expect.stringContaining("unknown import env.abort"),
    "import wasi_snapshot_preview1.path_symlink has another signature there",
    "import env.proxy_continue_request is not part of abi 0.2.1, which the module says it needs",
  ]);
});

function wasi(count: number): string[] {
  return Array.from({ length: count }, () => "i32");
}

test("a start section, and what it calls", async () => {
  const builder = guestBuilder((imports) => {
    imports.importFunction("env", "proxy_log", ["i32", "i32", "i32"], ["i32"]);
  });
  const calls = [...constant(0), ...constant(0), ...constant(0), op.call, 0, op.drop];
  const inner = builder.func({ code: calls });
  builder.start(builder.func({ code: [op.call, inner] }));
  const found = await profile(made(builder.build()));
  expect(found.start).toMatch(/^function \d+$/);
  expect(found.warnings).toContain(
    "has a start section, which runs before the host is ready, may call proxy_log, which crashes " +
      "Envoy: use _initialize",
  );
});

test("hooks that nobody calls, or that do nothing", async () => {
  const builder = guestBuilder();
  const exportAs = "proxy_on_grpc_trailing_metadata";
  builder.func({ params: ["i32", "i32", "i32"], code: [], exportAs });
  builder.func({ code: [], exportAs: "proxy_on_request_header" });
  builder.func({ params: ["i32"], code: [], exportAs: "proxy_on_log" });
  const { warnings, hooks } = await profile(made(builder.build()));
  expect(warnings).toContain(
    "exports proxy_on_grpc_trailing_metadata, which no host calls: " +
      "it is called proxy_on_grpc_receive_trailing_metadata",
  );
  expect(warnings).toContain(
    'exports proxy_on_request_header, which no host calls (did you mean "proxy_on_request_headers"?)',
  );
  expect(warnings).toContainEqual(expect.stringMatching(/hooks that do nothing.*: proxy_on_log$/));
  expect(hooks).toContainEqual({ name: "proxy_on_log", isTrivial: true });
});

test("a plain wasm module is refused with every reason", async () => {
  const { code, text } = await inspect(made(new WasmBuilder().build()));
  expect(code).toBe(1);
  expect(text).toContain("missing or unknown proxy-wasm abi version");
  expect(text).toContain("no allocator");
});

test("what is no module, no file, or wrong use", async () => {
  const none = await inspect(made(Buffer.from("hello")));
  expect(none).toMatchObject({ code: 1, text: expect.stringContaining("not a wasm module") });
  await expect(command.run([])).rejects.toThrow("expected one FILE.wasm");
  await expect(command.run([join(folder, "none.wasm")])).rejects.toThrow("no such file");
  await expect(command.run(["a.wasm", "--functions", "x"])).rejects.toThrow("found x, expected");
  expect(command.help).toContain("examples:");
});
