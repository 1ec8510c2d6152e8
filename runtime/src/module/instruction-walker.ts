// Knows where each wasm instruction ends, and nothing else about it; used by fuel-plan.ts. V8 has
// validated the code before: what is not known here is a proposal that came later, and refused.
import { WasmFormatError } from "./byte-reader.ts";

/** What stands behind an opcode. */
const Shape = {
  Unknown: 0,
  Nothing: 1,
  BlockType: 2,
  /** One number of any width: an index, a constant, a heap type. */
  Number: 3,
  TwoNumbers: 4,
  MemoryAccess: 5,
  F32: 6,
  F64: 7,
  BranchTable: 8,
  ValueTypes: 9,
  TryTable: 10,
  Prefix: 11,
} as const;

const rows: readonly (readonly [from: number, to: number, shape: number])[] = [
  [0x00, 0x01, Shape.Nothing],
  [0x02, 0x04, Shape.BlockType],
  [0x05, 0x05, Shape.Nothing],
  [0x06, 0x06, Shape.BlockType],
  [0x07, 0x09, Shape.Number],
  [0x0a, 0x0b, Shape.Nothing],
  [0x0c, 0x0d, Shape.Number],
  [0x0e, 0x0e, Shape.BranchTable],
  [0x0f, 0x0f, Shape.Nothing],
  [0x10, 0x10, Shape.Number],
  [0x11, 0x11, Shape.TwoNumbers],
  [0x12, 0x12, Shape.Number],
  [0x13, 0x13, Shape.TwoNumbers],
  [0x14, 0x15, Shape.Number],
  [0x18, 0x18, Shape.Number],
  [0x19, 0x1b, Shape.Nothing],
  [0x1c, 0x1c, Shape.ValueTypes],
  [0x1f, 0x1f, Shape.TryTable],
  [0x20, 0x26, Shape.Number],
  [0x28, 0x3e, Shape.MemoryAccess],
  [0x3f, 0x42, Shape.Number],
  [0x43, 0x43, Shape.F32],
  [0x44, 0x44, Shape.F64],
  [0x45, 0xc4, Shape.Nothing],
  [0xd0, 0xd0, Shape.Number],
  [0xd1, 0xd1, Shape.Nothing],
  [0xd2, 0xd2, Shape.Number],
  [0xd3, 0xd4, Shape.Nothing],
  [0xd5, 0xd6, Shape.Number],
  [0xfb, 0xfe, Shape.Prefix],
];

const shapes: Uint8Array = new Uint8Array(256);
for (const [from, to, shape] of rows) shapes.fill(shape, from, to + 1);

const PREFIX_GC = 0xfb;
const PREFIX_MISC = 0xfc;
const PREFIX_SIMD = 0xfd;
/** Reference types with a heap type behind. */
const REF_NULL = 0x63;
const REF = 0x64;
/** In a memory access: an index of the memory follows. */
const HAS_MEMORY_INDEX = 0x40;

export class InstructionWalker {
  readonly #bytes: Uint8Array;
  /** Where the number that `u32` read last ends. */
  after: number = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** An unsigned LEB128 number; `after` is behind it. */
  u32(at: number): number {
    const bytes = this.#bytes;
    let byte = bytes[at] as number;
    let end = at + 1;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = bytes[end] as number;
      end += 1;
      value |= (byte & 0x7f) << shift;
    }
    this.after = end;
    return value >>> 0;
  }

  /** Position of the instruction behind the one at `at`. */
  next(at: number): number {
    const opcode = this.#bytes[at] as number;
    switch (shapes[opcode]) {
      case Shape.Nothing:
        return at + 1;
      case Shape.Number:
        return this.#number(at + 1);
      case Shape.BlockType:
        return this.valueType(at + 1);
      case Shape.MemoryAccess:
        return this.#memoryAccess(at + 1);
      case Shape.TwoNumbers:
        return this.#number(this.#number(at + 1));
      case Shape.F32:
        return at + 5;
      case Shape.F64:
        return at + 9;
      case Shape.BranchTable:
        return this.#numbers(at + 1, 1);
      case Shape.ValueTypes:
        return this.#valueTypes(at + 1);
      case Shape.TryTable:
        return this.#tryTable(at + 1);
      case Shape.Prefix:
        return this.#prefixed(opcode, at);
      default:
        throw new WasmFormatError(at, `unknown instruction 0x${opcode.toString(16)}`);
    }
  }

  /** Position behind a value type or a block type. */
  valueType(at: number): number {
    const byte = this.#bytes[at] as number;
    return this.#number(byte === REF || byte === REF_NULL ? at + 1 : at);
  }

  #number(at: number): number {
    let end = at;
    while ((this.#bytes[end] as number) >= 0x80) end += 1;
    return end + 1;
  }

  /** A vector of numbers, and `more` behind it. */
  #numbers(at: number, more: number): number {
    let left = this.u32(at) + more;
    let end = this.after;
    for (; left > 0; left -= 1) end = this.#number(end);
    return end;
  }

  #valueTypes(at: number): number {
    let left = this.u32(at);
    let end = this.after;
    for (; left > 0; left -= 1) end = this.valueType(end);
    return end;
  }

  /** Kinds 0 and 1 of catches name a tag, all name a label. */
  #tryTable(at: number): number {
    const from = this.valueType(at);
    let left = this.u32(from);
    let end = this.after;
    for (; left > 0; left -= 1) {
      const kind = this.#bytes[end] as number;
      end = this.#number(end + 1);
      if (kind < 2) end = this.#number(end);
    }
    return end;
  }

  /** Offsets have up to 64 bits. */
  #memoryAccess(at: number): number {
    const flags = this.u32(at);
    let end = this.after;
    if ((flags & HAS_MEMORY_INDEX) !== 0) end = this.#number(end);
    return this.#number(end);
  }

  #prefixed(prefix: number, at: number): number {
    const code = this.u32(at + 1);
    const from = this.after;
    let end: number;
    if (prefix === PREFIX_GC) end = this.#gc(code, from);
    else if (prefix === PREFIX_MISC) end = this.#misc(code, from);
    else if (prefix === PREFIX_SIMD) end = this.#simd(code, from);
    else end = this.#threads(code, from);
    if (end >= 0) return end;
    throw new WasmFormatError(at, `unknown instruction 0x${prefix.toString(16)} ${code}`);
  }

  /** Conversions, bulk memory, tables, wide arithmetic. */
  #misc(code: number, at: number): number {
    if (code <= 7 || (code >= 19 && code <= 22)) return at;
    if (code === 8 || code === 10 || code === 12 || code === 14)
      return this.#number(this.#number(at));
    return code <= 17 ? this.#number(at) : -1;
  }

  #simd(code: number, at: number): number {
    if (code <= 11 || code === 92 || code === 93) return this.#memoryAccess(at);
    if (code === 12 || code === 13) return at + 16;
    if (code >= 21 && code <= 34) return at + 1;
    if (code >= 84 && code <= 91) return this.#memoryAccess(at) + 1;
    return code <= 0x113 ? at : -1;
  }

  #threads(code: number, at: number): number {
    if (code === 3) return at + 1;
    return code <= 0x4e ? this.#memoryAccess(at) : -1;
  }

  #gc(code: number, at: number): number {
    if (code === 15 || (code >= 26 && code <= 30)) return at;
    const hasTwo =
      (code >= 2 && code <= 5) || (code >= 8 && code <= 10) || (code >= 17 && code <= 19);
    if (hasTwo) return this.#number(this.#number(at));
    if (code <= 14 || code === 16 || (code >= 20 && code <= 23)) return this.#number(at);
    const isBranchOnCast = code === 24 || code === 25;
    return isBranchOnCast ? this.#number(this.#number(this.#number(at + 1))) : -1;
  }
}
