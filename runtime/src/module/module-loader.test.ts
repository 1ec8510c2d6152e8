// Loading from files and inline code: limits, pins, the cache, errors, and what workers get.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import asc from "assemblyscript/asc";
import { afterAll, expect, test } from "vitest";
import { ModuleError } from "./module-error.ts";
import { loadModule, ModuleCache } from "./module-loader.ts";
import type { LoadedModule, ModuleLoadOptions, ModuleSource } from "./module-loader.ts";
import { constant, guestBuilder, store, WasmBuilder } from "./wasm-builder-for-test.ts";

const folder = mkdtempSync(join(tmpdir(), "headgate-module-"));
afterAll(() => rmSync(folder, { recursive: true }));

const guest = guestBuilder().build();
const guestSha256 = createHash("sha256").update(guest).digest("hex");

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** With nothing but the memory that it wants. */
function instantiate({ module, memoryImport }: LoadedModule): WebAssembly.Instance {
  if (memoryImport === null) return new WebAssembly.Instance(module);
  const { module: from, name, minimumPages: initial, maximumPages } = memoryImport;
  const given = new WebAssembly.Memory({ initial, maximum: maximumPages ?? initial });
  return new WebAssembly.Instance(module, { [from]: { [name]: given } });
}

async function refusal(source: ModuleSource, options?: ModuleLoadOptions): Promise<ModuleError> {
  const result = await loadModule(source, options).catch((error: unknown) => error);
  if (result instanceof ModuleError) return result;
  throw new Error("expected a ModuleError", { cause: result });
}

test("a file and inline bytes give the same module", async () => {
  const fromFile = await loadModule({ filename: file("guest.wasm", guest) });
  const inline = await loadModule({ inlineBytes: guest });
  expect(fromFile.sha256).toBe(guestSha256);
  expect(inline.sha256).toBe(guestSha256);
  expect(Buffer.from(fromFile.bytes).equals(guest)).toBe(true);
  expect(fromFile).toMatchObject({
    abiVersion: "0.2.1",
    startExport: null,
    memoryExport: "memory",
    memoryImport: { module: "headgate", name: "memory", minimumPages: 1, maximumPages: 2048 },
    memoryPages: { minimum: 1, maximum: 2048 },
    fuelExport: "headgate_fuel",
    refillExport: "headgate_refill",
    supplyExport: "headgate_supply",
    exportsNames: ["proxy_abi_version_0_2_1", "memory", "malloc"],
  });
  expect(instantiate(fromFile).exports["memory"]).toBeInstanceOf(WebAssembly.Memory);
});

test("inline bytes may be changed by their owner after the call", async () => {
  const bytes = Buffer.from(guest);
  const loading = loadModule({ inlineBytes: bytes });
  bytes.fill(0);
  const loaded = await loading;
  expect(Buffer.from(loaded.bytes).equals(guest)).toBe(true);
});

test("an inline string is its utf-8 bytes", async () => {
  // Nothing in this module is above 0x7f, so that it survives as text.
  const isText = guest.every((byte) => byte < 0x80);
  expect(isText).toBe(false);
  const error = await refusal({ inlineString: guest.toString("latin1") });
  expect(error.message).toMatch(/^inline code: byte \d+: /);
  expect((await refusal({ inlineString: "hello" })).message).toBe(
    'inline code: byte 0: not a wasm module: begins with "hell", expected "\\u0000asm"',
  );
});

test("files that are not there, not files, or too large say so", async () => {
  const missing = join(folder, "missing.wasm");
  expect((await refusal({ filename: missing })).message).toBe(
    `${missing}: cannot be read: no such file`,
  );
  expect((await refusal({ filename: folder })).message).toBe(`${folder}: not a regular file`);
  expect((await refusal({ filename: "/dev/zero" })).message).toBe("/dev/zero: not a regular file");

  const filename = file("large.wasm", guest);
  const bytesMax = guest.length;
  await loadModule({ filename }, { bytesMax });
  const error = await refusal({ filename }, { bytesMax: bytesMax - 1 });
  expect(error.message).toBe(
    `${filename}: found ${bytesMax} bytes, expected at most ${bytesMax - 1}`,
  );
  const inline = await refusal({ inlineBytes: guest }, { bytesMax: bytesMax - 1 });
  expect(inline.source).toBe("inline code");
});

test("reading can be called off", async () => {
  const filename = file("guest.wasm", guest);
  const error = await refusal({ filename }, { signal: AbortSignal.abort() });
  expect(error.message).toContain(`${filename}: cannot be read: `);
});

test("remote code is told by its address", async () => {
  const source = { name: "https://example.com/filter.wasm", bytes: guest };
  expect((await loadModule(source, { sha256: guestSha256 })).sha256).toBe(guestSha256);
  const error = await refusal(source, { sha256: "0".repeat(64) });
  expect(error.message).toMatch(/^https:\/\/example.com\/filter.wasm: found sha256 /);
});

test("a pin must be a digest, and the digest of these bytes", async () => {
  const source = { inlineBytes: guest };
  await loadModule(source, { sha256: guestSha256 });
  await loadModule(source, { sha256: guestSha256.toUpperCase() });
  await loadModule(source, { sha256: "" });
  const other = "0".repeat(64);
  expect((await refusal(source, { sha256: other })).message).toBe(
    `inline code: found sha256 ${guestSha256}, expected ${other}`,
  );
  expect((await refusal(source, { sha256: "abc" })).message).toBe(
    'inline code: sha256 pin "abc" is malformed, expected 64 hex digits',
  );
});

test("the same bytes are compiled once, whatever their source", async () => {
  const cache = new ModuleCache();
  const [first, second] = await Promise.all([
    loadModule({ inlineBytes: guest }, { cache }),
    loadModule({ filename: file("guest.wasm", guest) }, { cache }),
  ]);
  expect(second).toBe(first);
  expect(await loadModule({ inlineBytes: guest }, { cache })).toBe(first);
  expect(cache.size).toBe(1);
  expect(await loadModule({ inlineBytes: guest })).not.toBe(first);
  expect(await loadModule({ inlineBytes: guest }, { cache, lenientImports: true })).not.toBe(first);
});

test("the cache forgets what was not used for longest, and never keeps a failure", async () => {
  let forgotten = 0;
  const cache = new ModuleCache(2, () => (forgotten += 1));
  const source = (n: number): ModuleSource => {
    return { inlineBytes: guestBuilder().custom("n", [n]).build() };
  };
  const [a, b, c] = [source(1), source(2), source(3)];
  const first = await loadModule(a, { cache });
  const second = await loadModule(b, { cache });
  expect(await loadModule(a, { cache })).toBe(first);
  await loadModule(c, { cache });
  expect(cache.size).toBe(2);
  expect(await loadModule(a, { cache })).toBe(first);
  expect(await loadModule(b, { cache })).not.toBe(second);

  expect(forgotten).toBe(2);
  cache.setMax(1);
  expect(cache.size).toBe(1);
  expect(forgotten).toBe(3);
  expect(await loadModule(a, { cache })).not.toBe(first);

  const filename = file("broken.wasm", Buffer.from("nonsense"));
  const empty = new ModuleCache();
  const [error, inline] = await Promise.all([
    refusal({ filename }, { cache: empty }),
    refusal({ inlineBytes: Buffer.from("nonsense") }, { cache: empty }),
  ]);
  expect(error.source).toBe(filename);
  expect(inline.source).toBe("inline code");
  expect(empty.size).toBe(0);
});

test("code that V8 refuses is the module's problem", async () => {
  const builder = guestBuilder();
  builder.func({ results: ["i32"], code: [], exportAs: "broken" });
  const error = await refusal({ inlineBytes: builder.build() });
  expect(error.problems).toHaveLength(1);
  expect(error.message).toMatch(/^inline code: invalid code: WebAssembly\.compile\(\)/);
});

test("several problems stand below each other", async () => {
  const builder = guestBuilder((b) => {
    b.importFunction("env", "nothing", [], []);
    b.importFunction("env", "nobody", [], []);
  });
  const error = await refusal({ inlineBytes: builder.build() });
  expect(error.message).toBe(
    "inline code: 2 problems\n  unknown import env.nothing () -> nil\n" +
      "  unknown import env.nobody () -> nil",
  );
});

/** Parts of every kind, so that damage can hit each reader. */
function varied(): Buffer {
  const builder = guestBuilder((b) => {
    b.importFunction("env", "proxy_log", ["i32", "i32", "i32"], ["i32"]);
    b.importFunction("wasi_snapshot_preview1", "fd_seek", ["i32", "i64", "i32", "i32"], ["i32"]);
  });
  builder.global(7).data(16, [1, 2, 3]);
  builder.start(builder.func({ locals: ["i32", "i64"], code: store(64, 1) }));
  const params = ["i32", "i32", "i32"];
  builder.func({ params, results: ["i32"], code: constant(1), exportAs: "proxy_on_request_body" });
  return builder.custom("producers", [1, 1, 65, 1, 1, 66, 1, 67]).build();
}

test("a module cut anywhere, or damaged in any byte, gives a ModuleError or loads", async () => {
  const whole = varied();
  await loadModule({ inlineBytes: whole });
  const damaged: Uint8Array[] = [];
  for (let at = 0; at < whole.length; at += 1) {
    damaged.push(whole.subarray(0, at));
    for (const value of [0, 1, 0x0b, 0x40, 0x7f, 0x80, 0xff, (whole[at] as number) ^ 1]) {
      const copy = Buffer.from(whole);
      copy[at] = value;
      damaged.push(copy);
    }
  }
  const outcomes = { loaded: 0, refused: 0, spoiled: 0, other: [] as unknown[] };
  for (const bytes of damaged) {
    const result = await loadModule({ inlineBytes: bytes }).catch((error: unknown) => error);
    if (!(result instanceof Error)) {
      outcomes.loaded += 1;
    } else if (result instanceof ModuleError) {
      outcomes.refused += 1;
      // Were the original valid and our edit of it not, the edit would be to blame.
      const isInvalid = result.message.includes("invalid code");
      if (isInvalid && WebAssembly.validate(bytes)) outcomes.spoiled += 1;
    } else {
      outcomes.other.push(result);
    }
  }
  expect(outcomes).toMatchObject({ spoiled: 0, other: [] });
  expect(outcomes.refused).toBeGreaterThan(whole.length * 4);
  expect(outcomes.loaded).toBeGreaterThan(10);
});

test("garbage of all lengths is refused", async () => {
  // A fixed seed: the same garbage every time.
  let state = 42;
  const next = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 16;
  };
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  for (let i = 0; i < 500; i += 1) {
    const noise = Array.from({ length: i % 64 }, () => next() & 0x0f);
    const error = await refusal({ inlineBytes: Uint8Array.from([...header, ...noise]) });
    expect(error.problems.length).toBeGreaterThan(0);
  }
});

const workerCode = `
  const { parentPort } = require("node:worker_threads");
  parentPort.once("message", ({ module, startExport, memoryExport, memoryImport, trivialCallbacks }) => {
    const limits = { initial: memoryImport.minimumPages, maximum: memoryImport.maximumPages };
    const given = { [memoryImport.name]: new WebAssembly.Memory(limits) };
    const instance = new WebAssembly.Instance(module, { [memoryImport.module]: given });
    instance.exports[startExport]();
    const memory = new Uint8Array(instance.exports[memoryExport].buffer);
    parentPort.postMessage([memory[64], ...trivialCallbacks]);
  });
`;

test("a loaded module runs in a worker it was posted to", async () => {
  const builder = guestBuilder();
  builder.start(builder.func({ code: store(64, 99) }));
  builder.func({ params: ["i32"], exportAs: "proxy_on_log" });
  const { bytes: _, ...posted } = await loadModule({ inlineBytes: builder.build() });
  const worker = new Worker(workerCode, { eval: true });
  try {
    const answer = new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    worker.postMessage(posted);
    expect(await answer).toEqual([99, ["proxy_on_log", 0]]);
  } finally {
    await worker.terminate();
  }
});

const assemblyScript = `
  const table = new Array<i32>();
  for (let i = 0; i < 4; i++) table.push(i * i);
  export function third(): i32 { return table[3]; }
  export function proxy_abi_version_0_2_1(): void {}
  export function malloc(size: usize): usize { return heap.alloc(size); }
  export function proxy_on_log(context: u32): void {}
  export function proxy_on_done(context: u32): bool { return true; }
  export function proxy_on_request_body(context: u32, size: u32, end: bool): i32 {
    return size > 10 ? 1 : 0;
  }
`;

async function compileAssemblyScript(flags: readonly string[]): Promise<Uint8Array> {
  let binary: Uint8Array | null = null;
  const { error } = await asc.main(["a.ts", "-o", "a.wasm", ...flags], {
    readFile: (name) => (name === "a.ts" ? assemblyScript : null),
    writeFile: (_, contents) => {
      binary = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error !== null || binary === null) throw new Error("asc failed", { cause: error });
  return binary;
}

test("what AssemblyScript compiles loads, its top-level code included", async () => {
  const plain = await compileAssemblyScript([]);
  const error = await refusal({ inlineBytes: plain });
  expect(error.message).toContain("unknown import env.abort (i32, i32, i32, i32) -> nil (");

  const loaded = await loadModule({
    inlineBytes: await compileAssemblyScript(["--use", "abort="]),
  });
  expect(loaded.startExport).toBe("headgate_start");
  expect([...loaded.trivialCallbacks]).toEqual([
    ["proxy_on_log", 0],
    ["proxy_on_done", 1],
  ]);
  const { exports } = instantiate(loaded);
  (exports[loaded.fuelExport as string] as (fuel: number) => number)(1e6);
  (exports["headgate_start"] as () => void)();
  expect((exports["third"] as () => number)()).toBe(9);
});

test("refill does what swap does, within 32 bits", async () => {
  const loaded = await loadModule({ inlineBytes: guestBuilder().build() });
  const { exports } = instantiate(loaded);
  const swap = exports[loaded.fuelExport as string] as (fuel: number) => number;
  const refill = exports[loaded.refillExport as string] as (fuel: number) => number;
  expect([swap(7), refill(5), swap(-3), refill(0x7fffffff), swap(1e12)]).toEqual([
    0, 7, 5, -3, 0x7fffffff,
  ]);
  // What does not fit is the most or the least: a budget that is used up stays so.
  expect([refill(1), swap(-1e12), refill(1), refill(0)]).toEqual([0x7fffffff, 1, -0x80000000, 1]);
});

test("objects on the engine's heap are for guests without fuel only", async () => {
  const drop = 0x1a;
  for (const create of [
    [...constant(7), 0xfb, 0],
    [0xfb, 1],
  ]) {
    let type = 0;
    const builder = guestBuilder((b) => {
      type = b.structType();
    });
    builder.func({ code: [...create, type, drop] });
    const inlineBytes = builder.build();
    const refused = /cannot be metered: byte \d+: makes objects on the engine's heap/;
    await expect(loadModule({ inlineBytes })).rejects.toThrow(refused);
    expect((await loadModule({ inlineBytes }, { isMetered: false })).fuelExport).toBeNull();
  }
});

test("fuel and the cap of memory are what was asked for, and part of the key", async () => {
  const large = guestBuilder().build();
  const plain = await loadModule({ inlineBytes: large }, { isMetered: false, memoryPagesMax: 7 });
  expect([plain.fuelExport, plain.memoryPages.maximum]).toEqual([null, 7]);
  const { exports } = instantiate(plain);
  const memory = exports["memory"] as WebAssembly.Memory;
  memory.grow(6);
  expect(() => memory.grow(1)).toThrow(RangeError);
  const metered = await loadModule({ inlineBytes: large }, { memoryPagesMax: 7 });
  expect(metered.sha256).toBe(plain.sha256);
  expect(metered.key).not.toBe(plain.key);
  const cache = new ModuleCache();
  await loadModule({ inlineBytes: large }, { cache, memoryPagesMax: 7 });
  await loadModule({ inlineBytes: large }, { cache, memoryPagesMax: 8 });
  await loadModule({ inlineBytes: large }, { cache, memoryPagesMax: 8 });
  expect(cache.size).toBe(2);
});

test("a module that begins with more memory than it may have is refused", async () => {
  const builder = new WasmBuilder().memory(0, 12).export("memory", "memory", 0);
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  const malloc = { params: ["i32"], results: ["i32"], code: constant(1024) };
  builder.func({ ...malloc, exportAs: "malloc" });
  const { problems } = await refusal({ inlineBytes: builder.build() }, { memoryPagesMax: 11 });
  expect(problems).toEqual([
    "found a memory of 12 pages of 64 KiB at the start, expected at most 11 (--wasm-policy)",
  ]);
});
