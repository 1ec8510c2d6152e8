// Reads the type section and the type encodings of imports; called by wasm-sections.ts only.
import { WasmFormatError } from "./byte-reader.ts";
import type { ByteReader } from "./byte-reader.ts";

/** Types as text ("i32", "funcref"): they are only compared and printed. */
export interface FunctionType {
  readonly params: readonly string[];
  readonly results: readonly string[];
}

export interface MemoryLimits {
  readonly minimumPages: number;
  /** Null when the module sets none. */
  readonly maximumPages: number | null;
  readonly isShared: boolean;
  /** Addresses are i64 (memory64). */
  readonly is64: boolean;
}

const valueTypes: Readonly<Record<number, string>> = {
  0x7f: "i32",
  0x7e: "i64",
  0x7d: "f32",
  0x7c: "f64",
  0x7b: "v128",
  0x78: "i8",
  0x77: "i16",
  0x74: "nullexnref",
  0x73: "nullfuncref",
  0x72: "nullexternref",
  0x71: "nullref",
  0x70: "funcref",
  0x6f: "externref",
  0x6e: "anyref",
  0x6d: "eqref",
  0x6c: "i31ref",
  0x6b: "structref",
  0x6a: "arrayref",
  0x69: "exnref",
};

const REF_NULL = 0x63;
const REF = 0x64;
const FORM_FUNCTION = 0x60;
const FORM_STRUCT = 0x5f;
const FORM_ARRAY = 0x5e;
const FORM_SUB = 0x50;
const FORM_SUB_FINAL = 0x4f;
const FORM_RECURSIVE_GROUP = 0x4e;

/** All types in index order; null for structs and arrays, which no function has as its type. */
export function readTypeSection(reader: ByteReader): readonly (FunctionType | null)[] {
  const types: (FunctionType | null)[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    if (peek(reader) !== FORM_RECURSIVE_GROUP) {
      types.push(readSubType(reader));
      continue;
    }
    reader.skip(1);
    for (let inner = reader.count(); inner > 0; inner -= 1) types.push(readSubType(reader));
  }
  return types;
}

export function readValueType(reader: ByteReader): string {
  const start = reader.at;
  const byte = reader.u8();
  const name = valueTypes[byte];
  if (name !== undefined) return name;
  if (byte === REF) return `(ref ${reader.s33()})`;
  if (byte === REF_NULL) return `(ref null ${reader.s33()})`;
  throw new WasmFormatError(start, `unknown value type 0x${byte.toString(16)}`);
}

export function readMemoryLimits(reader: ByteReader): MemoryLimits {
  const start = reader.at;
  const flags = reader.u8();
  if (flags > 7) throw new WasmFormatError(start, `unknown limits 0x${flags.toString(16)}`);
  const is64 = (flags & 4) !== 0;
  const minimumPages = is64 ? reader.u64() : reader.u32();
  let maximumPages: number | null = null;
  if ((flags & 1) !== 0) maximumPages = is64 ? reader.u64() : reader.u32();
  return { minimumPages, maximumPages, isShared: (flags & 2) !== 0, is64 };
}

function readSubType(reader: ByteReader): FunctionType | null {
  const form = peek(reader);
  if (form === FORM_SUB || form === FORM_SUB_FINAL) {
    reader.skip(1);
    for (let left = reader.count(); left > 0; left -= 1) reader.u32();
  }
  return readCompositeType(reader);
}

function readCompositeType(reader: ByteReader): FunctionType | null {
  const start = reader.at;
  const form = reader.u8();
  if (form === FORM_FUNCTION) {
    return { params: readValueTypes(reader), results: readValueTypes(reader) };
  }
  if (form === FORM_STRUCT) {
    for (let left = reader.count(); left > 0; left -= 1) readField(reader);
    return null;
  }
  if (form === FORM_ARRAY) {
    readField(reader);
    return null;
  }
  throw new WasmFormatError(start, `unknown form of type 0x${form.toString(16)}`);
}

function readField(reader: ByteReader): void {
  readValueType(reader);
  reader.u8();
}

function readValueTypes(reader: ByteReader): readonly string[] {
  const types: string[] = [];
  for (let left = reader.count(); left > 0; left -= 1) types.push(readValueType(reader));
  return types;
}

function peek(reader: ByteReader): number {
  const byte = reader.u8();
  reader.at -= 1;
  return byte;
}
