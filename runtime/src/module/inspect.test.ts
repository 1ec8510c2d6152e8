// What a module must be to be accepted, told by modules made byte by byte.
import { hostcalls, wasiFunctions } from "proxy-wasm-types";
import { expect, test } from "vitest";
import { inspectModule } from "./inspect.ts";
import type { ModuleReport } from "./inspect.ts";
import { ModuleError } from "./module-error.ts";
import { constant, guestBuilder, op, WasmBuilder } from "./wasm-builder-for-test.ts";

function problemsOf(bytes: Uint8Array): readonly string[] {
  try {
    inspectModule(bytes, "filter.wasm");
  } catch (error) {
    if (error instanceof ModuleError) return error.problems;
    throw error;
  }
  return [];
}

function inspect(builder: WasmBuilder): ModuleReport {
  return inspectModule(builder.build(), "filter.wasm");
}

test("a plain guest is accepted and described", () => {
  const builder = guestBuilder((b) => b.importFunction("env", "proxy_done", [], ["i32"]));
  builder.custom("name", [0, 1, 0]);
  const report = inspect(builder);
  expect(report.abiVersion).toBe("0.2.1");
  expect(report.exportsNames).toEqual(["proxy_abi_version_0_2_1", "memory", "malloc"]);
  expect(report.memory).toEqual({
    minimumPages: 1,
    maximumPages: null,
    isShared: false,
    is64: false,
  });
  expect(report.memoryExport).toBe("memory");
  expect(report.memoryImport).toBeNull();
  expect(report.customSections).toEqual(["name"]);
  expect(report.stubbedImports).toEqual([]);
  expect(report.warnings).toEqual([]);
  expect(report.structure.startFunction).toBeNull();
});

test("every hostcall and WASI function may be imported, under both names of WASI", () => {
  const builder = guestBuilder((b) => {
    for (const row of hostcalls) {
      const params = row.params.map((param) => param.type);
      b.importFunction("env", row.name, params, row.results);
    }
    for (const module of ["wasi_snapshot_preview1", "wasi_unstable"]) {
      for (const row of wasiFunctions) {
        const params = row.params.map((param) => param.type);
        b.importFunction(module, row.name, params, row.results);
      }
    }
    b.importFunction("env", "pthread_equal", ["i32", "i32"], ["i32"]);
    b.importFunction("env", "emscripten_notify_memory_growth", ["i32"], []);
  });
  const report = inspect(builder);
  expect(report.structure.importedFunctions).toBe(hostcalls.length + 2 * 45 + 2);
  expect(report.warnings).toContain("import env.proxy_get_configuration is not part of abi 0.2.1");
  expect(report.warnings.length).toBe(4);
  expect(() => new WebAssembly.Module(builder.build())).not.toThrow();
});

test("the functions that 0.1.0 gives no result are accepted with and without one", () => {
  for (const results of [[], ["i32"]]) {
    const builder = guestBuilder((b) =>
      b.importFunction("env", "proxy_clear_route_cache", [], results),
    );
    expect(problemsOf(builder.build())).toEqual([]);
  }
});

test("all unknown imports and wrong signatures are told at once, with what was expected", () => {
  const builder = guestBuilder((b) => {
    b.importFunction("env", "proxy_frobnicate", ["i32", "i64"], ["i32"]);
    b.importFunction("env", "proxy_log", ["i32", "i32"], ["i32"]);
    b.importFunction("env", "proxy_record_metric", ["i32", "i32"], ["i32"]);
    b.importFunction("env", "proxy_done", [], []);
    b.importFunction("wasi_snapshot_preview1", "proc_raise", ["i32"], ["i32"]);
    b.importFunction("wasi_unstable", "fd_seek", ["i32", "i32", "i32", "i32"], ["i32"]);
    b.importFunction("env", "abort", ["i32", "i32", "i32", "i32"], []);
    b.importFunction("elsewhere", "proxy_log", ["i32", "i32", "i32"], ["i32"]);
    b.importGlobal("env", "g");
  });
  expect(problemsOf(builder.build())).toEqual([
    "unknown import env.proxy_frobnicate (i32, i64) -> i32",
    "import env.proxy_log has signature (i32, i32) -> i32, expected (i32, i32, i32) -> i32",
    "import env.proxy_record_metric has signature (i32, i32) -> i32, expected (i32, i64) -> i32",
    "import env.proxy_done has signature () -> nil, expected () -> i32",
    "unknown import wasi_snapshot_preview1.proc_raise (i32) -> i32",
    "import wasi_unstable.fd_seek has signature (i32, i32, i32, i32) -> i32, " +
      "expected (i32, i64, i32, i32) -> i32",
    "unknown import env.abort (i32, i32, i32, i32) -> nil (assemblyscript's default: " +
      "build with the sdk's asconfig, or --use abort=...)",
    "unknown import elsewhere.proxy_log (i32, i32, i32) -> i32",
    "import env.g is a global, expected functions only",
  ]);
});

test("lenient imports let unknown functions of the ABI and of WASI pass, no others", () => {
  const lenient = guestBuilder((b) => {
    b.importFunction("env", "proxy_frobnicate", ["i32", "i64"], ["i32"]);
    b.importFunction("wasi_snapshot_preview1", "proc_raise", ["i32"], []);
  });
  const report = inspectModule(lenient.build(), "x", { lenientImports: true });
  expect(report.stubbedImports).toEqual([
    { module: "env", name: "proxy_frobnicate", hasResult: true },
    { module: "wasi_snapshot_preview1", name: "proc_raise", hasResult: false },
  ]);
  expect(report.warnings).toHaveLength(2);

  const hopeless = guestBuilder((b) => {
    b.importFunction("env", "abort", [], []);
    b.importFunction("env", "proxy_wide", [], ["i64"]);
    b.importFunction("env", "proxy_log", [], ["i32"]);
  });
  expect(() => inspectModule(hopeless.build(), "x", { lenientImports: true })).toThrow(
    "3 problems",
  );
});

test("without a marker, with a global or an unknown version instead, a module is refused", () => {
  const none = new WasmBuilder().memory(0, 1).export("memory", "memory", 0);
  none.func({ params: ["i32"], results: ["i32"], code: constant(8), exportAs: "malloc" });
  expect(problemsOf(none.build())).toEqual([
    "missing or unknown proxy-wasm abi version: found none, expected an exported function of " +
      "proxy_abi_version_0_1_0, proxy_abi_version_0_2_0, proxy_abi_version_0_2_1",
  ]);
  none.global(1).export("proxy_abi_version_0_2_1", "global", 0);
  none.func({ exportAs: "proxy_abi_version_0_2_100" });
  expect(problemsOf(none.build())[0]).toContain(
    "found a global proxy_abi_version_0_2_1, a function proxy_abi_version_0_2_100, expected",
  );
});

test("the first marker decides, and a global before it does not count", () => {
  const builder = new WasmBuilder().memory(0, 1).export("memory", "memory", 0).global(1);
  builder.export("proxy_abi_version_0_2_1", "global", 0);
  builder.func({ exportAs: "proxy_abi_version_0_1_0" });
  builder.func({ exportAs: "proxy_abi_version_0_2_0" });
  builder.func({ params: ["i32"], results: ["i32"], code: constant(8), exportAs: "malloc" });
  expect(inspect(builder).abiVersion).toBe("0.1.0");
});

test("the header callbacks' signature follows the version", () => {
  for (const [marker, arity, wrong] of [
    ["proxy_abi_version_0_1_0", 2, 3],
    ["proxy_abi_version_0_2_0", 3, 2],
    ["proxy_abi_version_0_2_1", 3, 2],
  ] as const) {
    const build = (count: number): Buffer => {
      const builder = new WasmBuilder().memory(0, 1).export("memory", "memory", 0);
      builder.func({ exportAs: marker });
      builder.func({ params: ["i32"], results: ["i32"], code: constant(8), exportAs: "malloc" });
      const params = Array.from({ length: count }, () => "i32");
      const name = "proxy_on_request_headers";
      builder.func({ params, results: ["i32"], code: constant(0), exportAs: name });
      return builder.build();
    };
    expect(problemsOf(build(arity))).toEqual([]);
    const text = (count: number): string => `(${Array(count).fill("i32").join(", ")}) -> i32`;
    expect(problemsOf(build(wrong))).toEqual([
      `export proxy_on_request_headers has signature ${text(wrong)}, expected ${text(arity)}`,
    ]);
  }
});

test("callbacks of a wrong signature are refused", () => {
  const builder = guestBuilder();
  builder.func({ params: ["i32"], results: [], exportAs: "proxy_on_done" });
  builder.func({ params: ["i32", "i64"], results: [], exportAs: "proxy_on_context_create" });
  expect(problemsOf(builder.build())).toEqual([
    "export proxy_on_context_create has signature (i32, i64) -> nil, expected (i32, i32) -> nil",
    "export proxy_on_done has signature (i32) -> nil, expected (i32) -> i32",
  ]);
});

test("main and __main_void matter beside _initialize only, _start without it only", () => {
  const withMain = guestBuilder();
  withMain.func({ exportAs: "main" });
  withMain.func({ exportAs: "__main_void" });
  expect(problemsOf(withMain.build())).toEqual([]);
  withMain.func({ exportAs: "_initialize" });
  expect(problemsOf(withMain.build())).toEqual([
    "export main has signature () -> nil, expected (i32, i32) -> i32",
    "export __main_void has signature () -> nil, expected () -> i32",
  ]);

  const withStart = guestBuilder();
  withStart.func({ params: ["i32"], exportAs: "_start" });
  expect(problemsOf(withStart.build())).toEqual([
    "export _start has signature (i32) -> nil, expected () -> nil",
  ]);
  withStart.func({ exportAs: "_initialize" });
  expect(problemsOf(withStart.build())).toEqual([]);
});

test("one of two allocators is required, and only the one in use is checked", () => {
  const builder = new WasmBuilder().memory(0, 1).export("memory", "memory", 0);
  builder.func({ exportAs: "proxy_abi_version_0_2_0" });
  expect(problemsOf(builder.build())).toEqual([
    "no allocator: found no exported function malloc or proxy_on_memory_allocate, " +
      "expected one of them",
  ]);
  builder.func({ params: ["i32"], exportAs: "proxy_on_memory_allocate" });
  expect(problemsOf(builder.build())).toEqual([
    "export proxy_on_memory_allocate has signature (i32) -> nil, expected (i32) -> i32",
  ]);
  builder.func({ params: ["i32"], results: ["i32"], code: constant(8), exportAs: "malloc" });
  expect(problemsOf(builder.build())).toEqual([]);

  const badMalloc = new WasmBuilder().memory(0, 1).export("memory", "memory", 0);
  badMalloc.func({ exportAs: "proxy_abi_version_0_2_0" });
  badMalloc.func({ params: ["i64"], results: ["i32"], code: constant(8), exportAs: "malloc" });
  expect(problemsOf(badMalloc.build())).toEqual([
    "export malloc has signature (i64) -> i32, expected (i32) -> i32",
  ]);
});

test("a memory is required: one's own, not shared, with 32-bit addresses", () => {
  const build = (...limits: number[]): Buffer => {
    const builder = new WasmBuilder();
    if (limits.length > 0) builder.memory(...limits);
    builder.func({ exportAs: "proxy_abi_version_0_2_0" });
    builder.func({ params: ["i32"], results: ["i32"], code: constant(8), exportAs: "malloc" });
    return builder.build();
  };
  expect(problemsOf(build())).toEqual(["found no memory, expected one that is exported as memory"]);
  expect(problemsOf(build(1, 2, 16))).toEqual([]);
  expect(problemsOf(build(3, 1, 1))).toEqual([
    "found a shared memory, expected one of the instance's own",
  ]);
  expect(problemsOf(build(4, 1))).toEqual([
    "found a 64-bit memory, expected one with 32-bit addresses",
  ]);
});

test("an imported memory is described, a second one refused", () => {
  const build = (extra: boolean): WasmBuilder => {
    const builder = new WasmBuilder().importMemory("env", "memory", 1, 2, 8);
    if (extra) builder.importMemory("env", "other", 0, 1);
    builder.func({ exportAs: "proxy_abi_version_0_2_0" });
    builder.func({ params: ["i32"], results: ["i32"], code: constant(8), exportAs: "malloc" });
    return builder;
  };
  const report = inspect(build(false));
  expect(report.memoryImport).toEqual({
    module: "env",
    name: "memory",
    minimumPages: 2,
    maximumPages: 8,
  });
  expect(report.memoryExport).toBeNull();
  expect(problemsOf(build(true).build())).toEqual(["import env.other is a second memory"]);
});

test("what the engine would keep outside of the guest's memory has a bound", () => {
  const problemsWith = (change: (builder: WasmBuilder) => void): readonly string[] => {
    const builder = guestBuilder();
    change(builder);
    return problemsOf(builder.build());
  };
  expect(problemsWith((builder) => builder.memory(0, 1))).toEqual([
    "found 2 memories, expected one",
  ]);
  // 2^19 and 2^19 + 1 entries.
  const half = [0x80, 0x80, 0x20];
  const more = [0x81, 0x80, 0x20];
  const large = (builder: WasmBuilder): void => {
    builder.emptyTable("externref", 0, ...half).nullTable(0, ...more);
  };
  expect(problemsWith(large)).toEqual([
    "found tables of 1048577 entries at the start, expected at most 1048576",
  ]);
  const keeping = (builder: WasmBuilder): void => {
    builder.emptyTable("exnref", 0, 1).emptyTable("exnref", 0, 1);
    builder.mutableGlobal("exnref", [0xd0, 0x69]).tag(["i32", "exnref"]);
  };
  expect(problemsWith(keeping)).toEqual([
    "keeps exceptions (exnref) in a table, expected in locals only",
    "keeps exceptions (exnref) in a global, expected in locals only",
    "keeps exceptions (exnref) in another exception, expected in locals only",
  ]);
  const builder = guestBuilder((b) => b.nullTable(0, ...half).tag(["i32"]));
  expect(inspect(builder.emptyTable("externref", 0, ...half)).warnings).toEqual([]);
});

test("callbacks with an empty or constant body are found, with their answer", () => {
  const stream = { params: ["i32", "i32", "i32"], results: ["i32"] };
  const builder = guestBuilder((b) => b.importFunction("env", "proxy_done", [], ["i32"]));
  builder.func({ params: ["i32"], exportAs: "proxy_on_log" });
  builder.func({ params: ["i32"], code: [op.nop, op.return], exportAs: "proxy_on_delete" });
  builder.func({ ...stream, code: constant(0), exportAs: "proxy_on_request_body" });
  const code = [op.nop, ...constant(-70_000), op.return];
  builder.func({ ...stream, locals: ["i64", "i32"], code, exportAs: "proxy_on_response_body" });
  const traps = { params: ["i32"], code: [op.unreachable], exportAs: "proxy_on_tick" };
  builder.func(traps);
  const calls = { params: ["i32"], results: ["i32"], code: [op.call, 0] };
  builder.func({ ...calls, exportAs: "proxy_on_done" });
  const echoes = { ...stream, code: [op.localGet, 0], exportAs: "proxy_on_request_headers" };
  builder.func(echoes);
  const returnsEarly = [...constant(1), op.return, ...constant(2)];
  builder.func({ ...stream, code: returnsEarly, exportAs: "proxy_on_response_headers" });
  builder.func({ exportAs: "_initialize" });
  expect(inspect(builder).trivialCallbacks).toEqual(
    new Map([
      ["proxy_on_log", 0],
      ["proxy_on_delete", 0],
      ["proxy_on_request_body", 0],
      ["proxy_on_response_body", -70_000],
    ]),
  );
});

test("an exported import is no trivial callback", () => {
  const builder = guestBuilder((b) => {
    const index = b.importFunction("env", "proxy_set_effective_context", ["i32"], ["i32"]);
    b.export("proxy_on_done", "function", index);
  });
  expect(inspect(builder).trivialCallbacks.size).toBe(0);
});

test("the producers section is read, and a malformed one ignored", () => {
  const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
  const producers = [1, ...text("language"), 1, ...text("Rust"), ...text("2021")];
  const builder = guestBuilder().custom("producers", producers);
  expect(inspect(builder).producers).toEqual(["language Rust 2021"]);
  builder.custom("producers", [200, 200]);
  expect(inspect(builder).producers).toEqual(["language Rust 2021"]);
});

test("a start function of a wrong signature, or none at its index, is refused", () => {
  const builder = guestBuilder();
  builder.start(1);
  expect(problemsOf(builder.build())).toEqual([
    "the start function has signature (i32) -> i32, expected () -> nil",
  ]);
  builder.start(77);
  expect(problemsOf(builder.build())).toEqual([
    "the start section names function 77, which is not there",
  ]);
});

test("what is no module at all is called by its name", () => {
  const problem = (bytes: Uint8Array): string | undefined => problemsOf(bytes)[0];
  const expected = 'expected "\\u0000asm"';
  expect(problem(Buffer.from(""))).toBe(`byte 0: not a wasm module: begins with "", ${expected}`);
  expect(problem(Buffer.from("(module)"))).toBe(
    `byte 0: not a wasm module: begins with "(mod", ${expected}`,
  );
  expect(problem(Buffer.from("0061736d0d000100", "hex"))).toBe(
    "byte 4: a wasm component was found, expected a core module",
  );
  expect(problem(Buffer.from("0061736d02000000", "hex"))).toBe(
    "byte 4: wasm version 02000000, expected 01000000",
  );
});

test("types of newer proposals are read over", () => {
  // (rec (struct (field i8) (field (mut (ref null 0)))) (sub final 0 ... )) (array i16) (func)
  const types = [
    3, 0x4e, 2, 0x5f, 2, 0x78, 0, 0x63, 0, 1, 0x50, 1, 0, 0x5f, 1, 0x78, 0, 0x5e, 0x77, 1, 0x60, 1,
    0x6f, 1, 0x64, 0x70,
  ];
  const bytes = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, types.length, ...types]);
  const problems = problemsOf(bytes);
  expect(problems).toHaveLength(3);
  expect(problems[0]).toContain("missing or unknown proxy-wasm abi version");
});
