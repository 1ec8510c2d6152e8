// Reads the primitive encodings of the wasm binary format; called by wasm-sections.ts and its kin.

/** The bytes are no wasm, or wasm of a kind this reader does not know. Becomes a ModuleError. */
export class WasmFormatError extends Error {
  override readonly name = "WasmFormatError";

  constructor(offset: number, message: string) {
    super(`byte ${offset}: ${message}`);
  }
}

// Fatal, because names with invalid UTF-8 are malformed; a byte order mark is part of a name.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A position in bytes that never leaves its range: reading beyond `end` throws. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  u8(): number {
    if (this.at >= this.end) throw new WasmFormatError(this.at, "unexpected end");
    const value = this.bytes[this.at] as number;
    this.at += 1;
    return value;
  }

  /** An unsigned LEB128 number of at most 32 bits. */
  u32(): number {
    const start = this.at;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      if (shift === 28 && byte > 0x0f) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new WasmFormatError(start, "a number has more than 32 bits");
  }

  /** An unsigned LEB128 number of at most 64 bits; loses precision above 2^53. */
  u64(): number {
    const start = this.at;
    let value = 0;
    for (let factor = 1, i = 0; i < 10; i += 1, factor *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new WasmFormatError(start, "a number has more than 64 bits");
  }

  /** A signed LEB128 number of at most 33 bits: an i32 constant or a heap type. */
  s33(): number {
    const start = this.at;
    let value = 0;
    for (let factor = 1, i = 0; i < 5; i += 1, factor *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      // The sign is bit 6 of the last byte.
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - factor * 128;
    }
    throw new WasmFormatError(start, "a number has more than 33 bits");
  }

  /** The number of entries of a vector, each of which takes a byte or more. */
  count(): number {
    const start = this.at;
    const count = this.u32();
    if (count > this.end - this.at) {
      throw new WasmFormatError(start, `${count} entries in ${this.end - this.at} bytes`);
    }
    return count;
  }

  name(): string {
    const start = this.at;
    const from = this.skip(this.u32());
    try {
      return utf8.decode(this.bytes.subarray(from, this.at));
    } catch {
      throw new WasmFormatError(start, "a name is not valid utf-8");
    }
  }

  /** Moves on by `size` bytes and returns where they begin. */
  skip(size: number): number {
    const start = this.at;
    if (size > this.end - start) {
      const left = this.end - start;
      throw new WasmFormatError(start, `${size} bytes expected, ${left} are left`);
    }
    this.at = start + size;
    return start;
  }

  /** What was read must have ended exactly here. */
  expectEnd(what: string): void {
    if (this.at !== this.end) {
      throw new WasmFormatError(this.at, `${this.end - this.at} surplus bytes in ${what}`);
    }
  }
}
