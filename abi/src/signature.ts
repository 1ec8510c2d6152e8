// The shapes in which hostcalls and callbacks are described, and the words of their tables.
import type { AbiVersion } from "./versions.ts";
import type { EnumName } from "./types.ts";

export type WasmType = "i32" | "i64";

/**
 * What a parameter means. In hostcalls `pointer` is always followed by the `size` of the same
 * bytes, and `out-pointer` by its `out-size`; the tables' test checks it.
 */
export type ParamMeaning =
  /** A number: a count, a code, a flag's bits. */
  | "integer"
  /** 0 is false, everything else is true. */
  | "boolean"
  /** A value of the enumeration in `enumName`. */
  | "enum"
  /** A handle: of a context, a call, a metric, a queue, a file descriptor. */
  | "id"
  /** A time span or a point in time; the name or the row says the unit. */
  | "time"
  /** A position in a buffer. */
  | "offset"
  /** A number of bytes. */
  | "size"
  /** Where bytes of the guest begin; the host copies before it returns. */
  | "pointer"
  /** Where a structure of the guest lies that the host reads (WASI vectors). */
  | "struct"
  /** Where the host writes the address of bytes it allocated through the guest's allocator. */
  | "out-pointer"
  /** Where the host writes the size of those bytes. */
  | "out-size"
  /** Where the host writes 32 bits, not necessarily aligned. */
  | "out-u32"
  /** Where the host writes 64 bits, not necessarily aligned. */
  | "out-u64"
  /** Where the host writes a structure or bytes into room that the guest provides (WASI). */
  | "out-struct";

export interface Param {
  readonly name: string;
  readonly type: WasmType;
  readonly meaning: ParamMeaning;
  /** Which enumeration the values come from; null unless `meaning` is `enum`. */
  readonly enumName: EnumName | null;
}

/** The specification's chapters; a host has one file for each of those with hostcalls. */
export type Chapter =
  | "integration"
  | "memory-management"
  | "context-lifecycle"
  | "logging"
  | "clocks-and-timers"
  | "buffers"
  | "http-fields"
  | "streams"
  | "http-calls"
  | "grpc-calls"
  | "shared-kv-and-queues"
  | "metrics"
  | "properties"
  | "foreign-functions"
  | "toolchain"
  | "wasi";

/** How far Headgate serves a row; shown in the generated README. */
export type Support = "yes" | "partly" | "no";

/** Versions between which something exists; `until` null means that it still does. */
export interface VersionRange {
  readonly since: AbiVersion;
  readonly until: AbiVersion | null;
}

function param(name: string, type: WasmType, meaning: ParamMeaning): Param {
  return { name, type, meaning, enumName: null };
}

export function integer(name: string): Param {
  return param(name, "i32", "integer");
}

export function integer64(name: string): Param {
  return param(name, "i64", "integer");
}

export function flag(name: string): Param {
  return param(name, "i32", "boolean");
}

export function enumOf(name: string, enumName: EnumName): Param {
  return { name, type: "i32", meaning: "enum", enumName };
}

export function id(name: string): Param {
  return param(name, "i32", "id");
}

export function time(name: string): Param {
  return param(name, "i32", "time");
}

export function offset(name: string): Param {
  return param(name, "i32", "offset");
}

export function size(name: string): Param {
  return param(name, "i32", "size");
}

export function struct(name: string): Param {
  return param(name, "i32", "struct");
}

export function outU32(name: string): Param {
  return param(name, "i32", "out-u32");
}

export function outU64(name: string): Param {
  return param(name, "i32", "out-u64");
}

export function outStruct(name: string): Param {
  return param(name, "i32", "out-struct");
}

/** Bytes from the guest: two parameters. */
export function bytes(name: string): readonly Param[] {
  return [param(`${name}_data`, "i32", "pointer"), size(`${name}_size`)];
}

/** Bytes for the guest, allocated by its allocator: two parameters. */
export function outBytes(name: string): readonly Param[] {
  return [
    param(`return_${name}_data`, "i32", "out-pointer"),
    param(`return_${name}_size`, "i32", "out-size"),
  ];
}

/** A signature as text, `(i32, i64) -> i32`; `nil` stands for no result. */
export function formatSignature(params: readonly string[], results: readonly string[]): string {
  return `(${params.join(", ")}) -> ${results.length === 0 ? "nil" : results.join(", ")}`;
}
