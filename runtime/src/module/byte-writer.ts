// Puts bytes of the wasm binary format one behind the other; used by whoever writes modules anew.

export class ByteWriter {
  #bytes: Buffer;
  #size: number = 0;

  /** `expected`: bytes that will do, most likely. */
  constructor(expected: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(16, expected));
  }

  /** What was written. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  get size(): number {
    return this.#size;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#size] = value;
    this.#size += 1;
  }

  put(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  /** `source[from..to)`. */
  copy(source: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from);
    if (to - from > 32) this.#bytes.set(source.subarray(from, to), this.#size);
    else
      for (let i = from; i < to; i += 1) this.#bytes[this.#size + i - from] = source[i] as number;
    this.#size += to - from;
  }

  /** An unsigned LEB128 number of 32 bits. */
  u32(value: number): void {
    let rest = value >>> 0;
    for (; rest >= 0x80; rest >>>= 7) this.u8((rest & 0x7f) | 0x80);
    this.u8(rest);
  }

  #reserve(size: number): void {
    if (this.#size + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.ceil((this.#size + size) * 1.5));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

/** An unsigned LEB128 number of 32 bits. */
export function leb(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** A signed LEB128 number of 32 bits. */
export function signedLeb(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    const isLast = (rest === 0 && byte < 0x40) || (rest === -1 && byte >= 0x40);
    bytes.push(isLast ? byte : byte | 0x80);
    if (isLast) return Uint8Array.from(bytes);
  }
}
