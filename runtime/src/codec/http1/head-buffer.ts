// Bytes of a head or of trailers that has not come whole; a connection has one while it waits.

const LF = 10;
const SIZE_FIRST = 1024;

export class HeadBuffer {
  #bytes: Buffer;
  #length: number;
  /** Parse again at this length even when no line has ended since. */
  #parseAt: number;

  constructor() {
    this.#bytes = Buffer.allocUnsafeSlow(SIZE_FIRST);
    this.#length = 0;
    this.#parseAt = 0;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  /**
   * Copies lent bytes `buffer[from..to)`, as many as fit in `bytesMax` in all; returns how many.
   */
  append(buffer: Buffer, from: number, to: number, bytesMax: number): number {
    const count = Math.min(to - from, bytesMax - this.#length);
    const need = this.#length + count;
    if (need > this.#bytes.length) {
      const bigger = Buffer.allocUnsafeSlow(Math.max(need, this.#bytes.length * 2));
      this.#bytes.copy(bigger, 0, 0, this.#length);
      this.#bytes = bigger;
    }
    buffer.copy(this.#bytes, this.#length, from, from + count);
    this.#length = need;
    return count;
  }

  /**
   * True when parsing anew can tell more: since `oldLength` a line has ended, or the bytes have
   * doubled. A sender of single bytes cannot make us parse its head for each of them.
   */
  isWorthParsing(oldLength: number): boolean {
    if (this.#length >= this.#parseAt) {
      this.#parseAt = this.#length * 2;
      return true;
    }
    const lineEnd = this.#bytes.indexOf(LF, oldLength);
    return lineEnd >= 0 && lineEnd < this.#length;
  }

  /** True when the bytes hold a whole head or whole trailers. */
  hasHead(): boolean {
    if (this.#length >= 2 && this.#bytes[0] === 13 && this.#bytes[1] === LF) return true;
    const at = this.#bytes.indexOf("\r\n\r\n", 0, "latin1");
    return at >= 0 && at + 4 <= this.#length;
  }
}
