// Filters from their sources: compiled when they have changed, and faults told at the author's line.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect, test } from "vitest";
import { compileFilter } from "./compile.ts";
import { configErrors, loadFilter, openFilters } from "./index.ts";

const SOURCE = new URL("./fixtures/assembly/index.ts", import.meta.url);

afterEach(async () => {
  for (const filter of openFilters()) await filter.close();
});

function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error("it did not fail"),
    (error: Error) => error,
  );
}

/** Without the frames in the SDK and in AssemblyScript's library, which change for other reasons. */
function withoutLibraries(message: string): string {
  return message.replaceAll(/\n {2}at .*(?:~lib\/|offset ).*/g, "");
}

test("a trap names the author's line, and shows it", async () => {
  const t = await loadFilter(SOURCE);
  const error = await failure(t.request({ path: "/part/a" }));
  expect(error.name).toBe("GuestTrapError");
  expect(withoutLibraries(error.message)).toMatchInlineSnapshot(`
    "plugin filter was stopped: unreachable [trap] in proxy_on_request_headers
      Index out of range at ~lib/array.ts line 114 column 42

    runtime/testing/fixtures/assembly/parts.ts:4:10
      2 | export function partOf(path: string, index: i32): string {
      3 |   const parts = path.split("/");
    > 4 |   return parts[index];
        |          ^
      5 | }
      6 |

      at partOf, runtime/testing/fixtures/assembly/parts.ts:4:10
      at Faulty#onRequestHeaders, runtime/testing/fixtures/assembly/index.ts:19:57"
  `);
  // What an editor or a terminal makes a link of; the compiler's own files have none.
  const [first, second] = (error.stack ?? "")
    .split("\n")
    .filter((line) => line.includes("    at "));
  expect(first).toMatch(/at .*partOf \(.*fixtures\/assembly\/parts\.ts:4:\d+\)$/);
  expect(second).toMatch(/fixtures\/assembly\/index\.ts:19:\d+\)$/);
  expect(error.stack).toContain("sources.test.ts");
  expect(error.stack).not.toMatch(/world\.ts|vm\.ts/);
});

test("a strict check names it, too", async () => {
  const t = await loadFilter(SOURCE);
  const error = await failure(t.request({ path: "/early" }));
  expect(error.name).toBe("StrictError");
  expect(withoutLibraries(error.message)).toMatchInlineSnapshot(`
    "proxy_on_request_headers reads the response headers, which are not there now: proxy_get_header_map_size(map_id=HttpResponseHeaders)
    Headers can be touched from their own callback until their message goes on; keep in a field what is needed later.

    runtime/testing/fixtures/assembly/index.ts:23:36
      21 |     if (path == "/early") {
      22 |       // Headers of a response that is not there yet. The SDK itself would not ask.
    > 23 |       proxy_get_header_map_size(2, memory.data(4));
         |                                    ^
      24 |     }
      25 |     return Action.Continue;

      at Faulty#onRequestHeaders, runtime/testing/fixtures/assembly/index.ts:23:36
    (strict check "wrongPhase": { strict: { wrongPhase: false } } turns it off)"
  `);
  expect(error.stack).toMatch(/at .*onRequestHeaders \(.*fixtures\/assembly\/index\.ts:23:\d+\)/);
});

test("decorated filters, with their configuration and their lines", async () => {
  const source = new URL("./fixtures/assembly/decorated.ts", import.meta.url);
  const t = await loadFilter(source, { config: { header: "x-second", depth: 2 } });
  const s = await t.request({ path: "/a/b" });
  expect(s.upstreamRequest?.headers["x-second"]).toBe("b");
  const error = await failure(t.request({ path: "/a" }));
  expect(error.stack).toMatch(/Decorated#onRequestHeaders \(.*assembly\/decorated\.ts:16:\d+\)/);
  expect(await configErrors(source, { config: { depth: 11, none: 1 } })).toEqual([
    "proxy_on_configure answered false",
    expect.stringContaining("/header: is required"),
    expect.stringContaining("/depth: must be"),
    expect.stringContaining("/none: unknown field"),
  ]);
});

test("what a filter keeps is a leak", async () => {
  const t = await loadFilter(SOURCE);
  await expect(t.soak(4000, { request: { path: "/keep" } })).rejects.toThrow(
    /^the guests' memory grew from \d+ to \d+ bytes over 2000 requests, some \d+ bytes for each/,
  );
  const flat = await loadFilter(SOURCE);
  expect((await flat.soak(2000)).requests).toBe(2000);
});

// ---- Compiling.

const folder = mkdtempSync(join(tmpdir(), "headgate-testing-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A project of one's own with the fixture's sources. */
function project(name: string): string {
  const root = join(folder, name);
  mkdirSync(join(root, "node_modules"), { recursive: true });
  const sources = fileURLToPath(new URL("./fixtures/assembly", import.meta.url));
  cpSync(sources, join(root, "assembly"), { recursive: true });
  writeFileSync(join(root, "package.json"), "{}");
  const modules = fileURLToPath(new URL("../../node_modules/@headgate", import.meta.url));
  symlinkSync(modules, join(root, "node_modules", "@headgate"));
  return root;
}

test("only what has changed is compiled anew", async () => {
  const root = project("changes");
  const entry = join(root, "assembly", "index.ts");
  const first = await compileFilter(entry);
  expect(await compileFilter(entry)).toEqual(first);
  const parts = join(root, "assembly", "parts.ts");
  writeFileSync(parts, readFileSync(parts, "utf8").replace("parts[index]", "parts[index - 1]"));
  const second = await compileFilter(entry);
  expect(second.wasm).not.toBe(first.wasm);
  const t = await loadFilter(entry);
  const s = await t.request({ path: "/part/a/b/c/d" });
  expect(s.upstreamRequest?.headers["x-part"]).toBe("c");
});

test("what does not compile is told as the compiler tells it", async () => {
  const root = project("errors");
  const entry = join(root, "assembly", "index.ts");
  writeFileSync(join(root, "assembly", "parts.ts"), "export const partOf = 5;\n");
  const error = await failure(loadFilter(entry));
  expect(error.name).toBe("FilterCompileError");
  expect(error.message).toMatch(/index\.ts does not compile\n\n.*ERROR TS\d+/s);
  expect(error.message).toContain("in assembly/index.ts(19,");

  writeFileSync(entry, "export function proxy_abi_version_0_2_1(): void {}\n");
  const noBase = await failure(loadFilter(entry));
  expect(noBase.message).toMatch(/it must say: export \* from "@headgate\/sdk-assemblyscript\/exp/);
});

test("a source that is not there is told with where it was looked for", async () => {
  const error = await failure(loadFilter("assembly/none.ts"));
  expect(error.message).toContain(`there is no filter assembly/none.ts; paths are relative to`);
  expect((await failure(loadFilter("assembly/index.js"))).message).toBe(
    "found a filter assembly/index.js, expected a .ts or a .wasm file",
  );
});

test("what no proxy loads is refused with every reason", async () => {
  const bytes = Buffer.from("0061736d01000000", "hex");
  const error = await failure(loadFilter(bytes));
  expect(error.name).toBe("ModuleError");
  expect(error.message).toContain("missing or unknown proxy-wasm abi version");
  expect(error.message).toContain("no allocator");
});
