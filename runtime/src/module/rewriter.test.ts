// A rewritten module does what the original did, with its start function called by the host.
import { expect, test } from "vitest";
import { sameCode } from "../wasm/code-map.ts";
import { inspectModule } from "./inspect.ts";
import { rewriteModule } from "./rewriter.ts";
import type { RewrittenModule } from "./rewriter.ts";
import { constant, guestBuilder, op, store, WasmBuilder } from "./wasm-builder-for-test.ts";
import { readModule } from "./wasm-sections.ts";

function rewrite(builder: WasmBuilder): RewrittenModule {
  const bytes = builder.build();
  const report = inspectModule(bytes, "x");
  return rewriteModule(bytes, report.structure, report.memoryExport);
}

function instantiate(bytes: Uint8Array, imports: WebAssembly.Imports = {}): WebAssembly.Instance {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
}

function memoryOf(instance: WebAssembly.Instance, name = "memory"): Buffer {
  return Buffer.from((instance.exports[name] as WebAssembly.Memory).buffer);
}

function call(instance: WebAssembly.Instance, name: string | null, ...args: number[]): unknown {
  return (instance.exports[name as string] as (...args: number[]) => unknown)(...args);
}

/** Writes memory on start, on top of what a data segment put there, and has code to call. */
function starting(prepare?: (builder: WasmBuilder) => void): WasmBuilder {
  const builder = guestBuilder(prepare);
  builder.data(16, [1, 2, 3, 4, 5, 6, 7, 8]);
  const add = [...constant(16), ...constant(16), op.i32Load, 2, 0, ...constant(1), op.i32Add];
  const code = [...add, op.i32Store, 2, 0, ...store(64, 0x5eed)];
  builder.start(builder.func({ code }));
  const peek = [op.localGet, 0, op.i32Load, 2, 0];
  builder.func({ params: ["i32"], results: ["i32"], code: peek, exportAs: "peek" });
  return builder;
}

test("a module without need of changes comes back as the very same bytes", () => {
  const bytes = guestBuilder().build();
  const report = inspectModule(bytes, "x");
  const rewritten = rewriteModule(bytes, report.structure, report.memoryExport);
  expect(rewritten).toEqual({
    bytes,
    startExport: null,
    memoryExport: "memory",
    memoryImport: null,
    fuelExport: null,
    refillExport: null,
    supplyExport: null,
    codeMap: sameCode,
  });
  expect(rewritten.bytes).toBe(bytes);
});

test("tables grow to their own maximum or to what is left of the limit, shared", () => {
  const grow = 15;
  const builder = guestBuilder((b) => b.nullTable(0, 100).emptyTable("externref", 1, 2, 10));
  builder.emptyTable("externref", 1, 7, 7);
  const params = ["i32"];
  const results = ["i32"];
  const growth = (value: number, table: number): number[] => {
    return [0xd0, value, op.localGet, 0, 0xfc, grow, table];
  };
  builder.func({ params, results, code: growth(0x70, 0), exportAs: "grow0" });
  builder.func({ params, results, code: growth(0x6f, 1), exportAs: "grow1" });
  const bytes = builder.build();
  const report = inspectModule(bytes, "x");
  const options = { memoryPagesMax: 8 };
  const made = rewriteModule(bytes, report.structure, report.memoryExport, options);
  const instance = instantiate(made.bytes);
  // 109 entries of 2^20 are there from the beginning; two tables may grow.
  const share = Math.floor(((1 << 20) - 109) / 2);
  expect(call(instance, "grow0", share + 1)).toBe(-1);
  expect(call(instance, "grow0", share)).toBe(100);
  expect(call(instance, "grow1", 9)).toBe(-1);
  expect(call(instance, "grow1", 8)).toBe(2);
});

test("a start function runs when the host calls it, and does the same", () => {
  const builder = starting();
  const original = instantiate(builder.build());
  const rewritten = rewrite(builder);
  expect(rewritten.startExport).toBe("headgate_start");
  const instance = instantiate(rewritten.bytes);

  expect(call(instance, "peek", 16)).toBe(0x04030201);
  expect(call(instance, "peek", 64)).toBe(0);
  expect(memoryOf(instance).equals(memoryOf(original))).toBe(false);
  call(instance, rewritten.startExport);
  expect(call(instance, "peek", 16)).toBe(0x04030202);
  expect(memoryOf(instance).equals(memoryOf(original))).toBe(true);
});

test("a start function may call the host, which can reach memory by then", () => {
  const seen: string[] = [];
  const run = (bytes: Uint8Array, startExport: string | null): void => {
    const reach = (level: number): number => {
      seen.push(`${level} ${memoryOf(instance).readInt32LE(64)}`);
      return 0;
    };
    const instance = instantiate(bytes, { env: { proxy_set_effective_context: reach } });
    if (startExport !== null) call(instance, startExport);
  };
  const builder = guestBuilder((b) =>
    b.importFunction("env", "proxy_set_effective_context", ["i32"], ["i32"]),
  );
  builder.start(builder.func({ code: [...store(64, 7), ...constant(3), op.call, 0, op.drop] }));

  expect(() => run(builder.build(), null)).toThrow(ReferenceError);
  const rewritten = rewrite(builder);
  run(rewritten.bytes, rewritten.startExport);
  expect(seen).toEqual(["3 7"]);
});

test("an export of the guest's own under our name is not overwritten", () => {
  const builder = starting();
  const result = { results: ["i32"], code: constant(41) };
  builder.func({ ...result, exportAs: "headgate_start" });
  builder.func({ ...result, exportAs: "headgate_start_" });
  const rewritten = rewrite(builder);
  expect(rewritten.startExport).toBe("headgate_start__");
  const instance = instantiate(rewritten.bytes);
  expect(call(instance, "headgate_start")).toBe(41);
  call(instance, "headgate_start__");
  expect(call(instance, "peek", 64)).toBe(0x5eed);
});

test("everything else stays byte for byte, custom sections at their places", () => {
  const builder = starting().custom("name", [0, 2, 1, 120]).custom("other", [1, 2, 3]);
  const before = inspectModule(builder.build(), "x").structure;
  const { bytes } = rewrite(builder);
  const after = inspectModule(bytes, "x").structure;
  expect(after.startFunction).toBeNull();
  expect(after.functions).toEqual(before.functions);
  expect(after.sections.map((s) => `${s.id}${s.name}`)).toEqual(
    before.sections.filter((s) => s.id !== 8).map((s) => `${s.id}${s.name}`),
  );
  for (const section of after.sections.filter((s) => s.id !== 7)) {
    const same = before.sections.find((s) => s.id === section.id && s.name === section.name);
    const old = builder.build().subarray(same?.start, same?.end);
    expect(Buffer.from(bytes).subarray(section.start, section.end)).toEqual(old);
  }
});

test("many exports and long names cross the steps of the size encoding", () => {
  for (const count of [120, 124, 125, 126, 127, 128, 129, 300]) {
    const builder = starting();
    for (let i = 0; i < count; i += 1) builder.export(`x${i}`, "function", 0);
    const { bytes, startExport } = rewrite(builder);
    const report = inspectModule(bytes, "x");
    expect(report.exportsNames.length).toBe(count + 5);
    expect(report.exportsNames.at(-1)).toBe(startExport);
    expect(() => new WebAssembly.Module(bytes)).not.toThrow();
  }
});

test("a memory that is not exported is, under a free name", () => {
  const builder = new WasmBuilder().memory(0, 1).global(5);
  builder.func({ exportAs: "proxy_abi_version_0_2_0" });
  builder.func({ params: ["i32"], results: ["i32"], code: constant(8), exportAs: "malloc" });
  const rewritten = rewrite(builder);
  expect(rewritten.memoryExport).toBe("memory");
  expect(memoryOf(instantiate(rewritten.bytes)).length).toBe(65_536);

  builder.export("memory", "global", 0);
  expect(rewrite(builder).memoryExport).toBe("memory_");
});

test("a memory exported under another name is found there", () => {
  const builder = new WasmBuilder().memory(0, 3).export("mem", "memory", 0);
  builder.func({ exportAs: "proxy_abi_version_0_2_0" });
  builder.func({ params: ["i32"], results: ["i32"], code: constant(8), exportAs: "malloc" });
  expect(rewrite(builder).memoryExport).toBe("mem");
});

test("a memory of its own becomes an import, with the limits that it has by then", () => {
  const bytes = starting().build();
  const { structure } = inspectModule(bytes, "x");
  const options = { isMemoryGiven: true, memoryPagesMax: 3 };
  const rewritten = rewriteModule(bytes, structure, "memory", options);
  expect(rewritten.memoryImport).toEqual({
    module: "headgate",
    name: "memory",
    minimumPages: 1,
    maximumPages: 3,
  });
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 3 });
  const instance = instantiate(rewritten.bytes, { headgate: { memory } });
  expect(instance.exports["memory"]).toBe(memory);
  call(instance, rewritten.startExport);
  const original = instantiate(bytes);
  expect([call(instance, "peek", 16), call(instance, "peek", 64)]).toEqual([
    call(original, "peek", 16),
    0x5eed,
  ]);
});

test("a memory that is imported, or is one of two, stays as it is", () => {
  const importing = guestBuilder((imports) => imports.importMemory("env", "memory", 0, 1));
  const two = guestBuilder().memory(0, 1);
  for (const bytes of [importing.build(), two.build()]) {
    const structure = readModule(bytes);
    const { memoryImport } = rewriteModule(bytes, structure, "memory", { isMemoryGiven: true });
    expect(memoryImport).toBeNull();
  }
});
