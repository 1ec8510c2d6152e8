// Makes guests that call WASI functions and log what came of each; for tests, here and in
// conformance, and for asking Envoy: the same module runs there.
import { wasiFunctions } from "proxy-wasm-types";
import { constant, op, WasmBuilder } from "../../module/wasm-builder-for-test.ts";

/** One call: constants go in; its errno and the bytes at OUT come out. */
export interface WasiCall {
  readonly name: string;
  readonly args: readonly number[];
}

export interface WasiGuestOptions {
  readonly calls: readonly WasiCall[];
  /** Where the calls are made. What came of them is logged in proxy_on_configure or after them. */
  readonly callback?: "_initialize" | "proxy_on_configure" | "proxy_on_request_headers";
  /** Name of the module of the imports. Default "wasi_snapshot_preview1". */
  readonly importModule?: string;
  /** Address and bytes that lie in memory from the start. */
  readonly data?: readonly (readonly [number, Uint8Array | readonly number[]])[];
}

/** What a call answered. */
export interface WasiAnswer {
  /** NO_RESULT when the function has no result. */
  readonly errno: number;
  /** The bytes from OUT on; untouched ones are 0xee. */
  readonly out: Buffer;
}

/** Where calls may write: OUT_BYTES bytes of 0xee, anew for each call. */
export const OUT = 4096;
export const OUT_BYTES = 64;
/** The first address behind the guest's three pages. */
export const END = 196_608;
/** Stands for the errno of proc_exit. */
export const NO_RESULT = 0x7fff_ffff;

const UNTOUCHED = 0xee;
const RESULT = OUT - 4;
const RECORD_BYTES = 4 + OUT_BYTES;
const DIGITS = 1040;
const TEXT = 8192;
const RECORDS = 65_536;
const MARK = "answer ";

const LOOP = [0x03, 0x40];
const BR_IF = 0x0d;
const MEMORY_COPY = [0xfc, 0x0a, 0, 0];
const MEMORY_FILL = [0xfc, 0x0b, 0];
const I32_LOAD8 = [0x2d, 0, 0];
const I32_STORE8 = [0x3a, 0, 0];
const LESS = 0x49;
const AND = 0x71;
const SHIFT_LEFT = 0x74;
const SHIFT_RIGHT = 0x76;
const LOCAL_SET = 0x21;
const I64_CONST = 0x42;

export function wasiGuest(options: WasiGuestOptions): Buffer {
  const { calls, callback = "proxy_on_configure", data = [] } = options;
  const builder = new WasmBuilder();
  const log = builder.importFunction("env", "proxy_log", ["i32", "i32", "i32"], ["i32"]);
  const imported = importWasi(builder, options.importModule ?? "wasi_snapshot_preview1", calls);
  builder.memory(0, 3).export("memory", "memory", 0);
  builder.data(DIGITS, [...Buffer.from("0123456789abcdef")]);
  builder.data(TEXT, [...Buffer.from(MARK)]);
  for (const [at, bytes] of data) builder.data(at, [...bytes]);
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  builder.func({
    params: ["i32"],
    results: ["i32"],
    code: constant(1024),
    exportAs: "malloc",
  });
  const report = builder.func({ params: ["i32"], locals: ["i32", "i32"], code: reporter(log) });
  const makeCalls = calls.flatMap((call, i) => callAndRecord(call, i, imported));
  const reports = calls.flatMap((_, i) => [
    ...constant(RECORDS + i * RECORD_BYTES),
    op.call,
    report,
  ]);
  if (callback === "_initialize") builder.func({ exportAs: "_initialize", code: makeCalls });
  if (callback === "proxy_on_request_headers") {
    builder.func({
      params: ["i32", "i32", "i32"],
      results: ["i32"],
      code: [...makeCalls, ...reports, ...constant(0)],
      exportAs: callback,
    });
    return builder.build();
  }
  const isHere = callback === "proxy_on_configure";
  builder.func({
    params: ["i32", "i32"],
    results: ["i32"],
    code: [...(isHere ? makeCalls : []), ...reports, ...constant(1)],
    exportAs: "proxy_on_configure",
  });
  return builder.build();
}

/** What the guest logged, in the order of its calls. Other messages are left out. */
export function wasiAnswers(messages: readonly string[]): WasiAnswer[] {
  return messages
    .filter((message) => message.startsWith(MARK))
    .map((message) => {
      const record = Buffer.from(message.slice(MARK.length), "hex");
      return { errno: record.readInt32LE(0), out: record.subarray(4) };
    });
}

/** Indexes of the imported functions by their names. */
function importWasi(
  builder: WasmBuilder,
  importModule: string,
  calls: readonly WasiCall[],
): Map<string, number> {
  const indexes = new Map<string, number>();
  for (const { name } of calls) {
    if (indexes.has(name)) continue;
    const row = wasiFunctions.find((known) => known.name === name);
    if (row === undefined) throw new Error(`no such function of WASI: ${name}`);
    const types = row.params.map((param) => param.type);
    indexes.set(name, builder.importFunction(importModule, name, types, row.results));
  }
  return indexes;
}

/** Makes one call and keeps its result, with OUT behind it, in its place of RECORDS. */
function callAndRecord(
  { name, args }: WasiCall,
  index: number,
  imported: ReadonlyMap<string, number>,
): number[] {
  const row = wasiFunctions.find((known) => known.name === name);
  if (row?.params.length !== args.length) throw new Error(`wrong number of arguments: ${name}`);
  const operands = row.params.flatMap((param, i) => {
    const value = constant((args[i] as number) | 0);
    return param.type === "i64" ? [I64_CONST, ...value.slice(1)] : value;
  });
  const call = [...operands, op.call, imported.get(name) as number];
  const result = row.results.length === 0 ? [...call, ...constant(NO_RESULT)] : call;
  return [
    ...constant(OUT),
    ...constant(UNTOUCHED),
    ...constant(OUT_BYTES),
    ...MEMORY_FILL,
    ...constant(RESULT),
    ...result,
    op.i32Store,
    2,
    0,
    ...constant(RECORDS + index * RECORD_BYTES),
    ...constant(RESULT),
    ...constant(RECORD_BYTES),
    ...MEMORY_COPY,
  ];
}

/** The body of `report(record)`: logs MARK and the record's bytes as hexadecimal digits. */
function reporter(log: number): number[] {
  const [record, i, byte] = [0, 1, 2];
  const get = (local: number): number[] => [op.localGet, local];
  /** Stores the digit of a value on the stack's top at TEXT + mark + 2i + offset. */
  const digit = (offset: number, value: readonly number[]): number[] => [
    ...constant(TEXT + MARK.length + offset),
    ...get(i),
    ...constant(1),
    SHIFT_LEFT,
    op.i32Add,
    ...constant(DIGITS),
    ...value,
    op.i32Add,
    ...I32_LOAD8,
    ...I32_STORE8,
  ];
  return [
    ...LOOP,
    ...get(record),
    ...get(i),
    op.i32Add,
    ...I32_LOAD8,
    LOCAL_SET,
    byte,
    ...digit(0, [...get(byte), ...constant(4), SHIFT_RIGHT]),
    ...digit(1, [...get(byte), ...constant(15), AND]),
    ...get(i),
    ...constant(1),
    op.i32Add,
    LOCAL_SET,
    i,
    ...get(i),
    ...constant(RECORD_BYTES),
    LESS,
    BR_IF,
    0,
    op.end,
    ...constant(2),
    ...constant(TEXT),
    ...constant(MARK.length + RECORD_BYTES * 2),
    op.call,
    log,
    op.drop,
  ];
}
