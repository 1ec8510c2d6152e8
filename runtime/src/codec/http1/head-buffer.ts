// Bytes of a head or of trailers that has not come whole; a connection has one while it waits.

const LF = 10;
/** Ends a head: of its last line, and of an empty one. */
const END: Buffer = Buffer.from("\r\n\r\n");
const SIZE_FIRST = 1024;

/** So many line ends may each be worth a look: an error in the first lines is answered at once. */
const EAGER_LOOKS_MAX = 16;

export class HeadBuffer {
  #bytes: Buffer;
  #length: number = 0;
  /** Parse again at this length even when no line has ended since. */
  #parseAt: number = 0;
  /** Length at the last look. */
  #parsedLength: number = 0;
  #eagerLooks: number = 0;
  /** The end of the head cannot stand before this. */
  #endFrom: number = 0;

  constructor() {
    this.#bytes = Buffer.allocUnsafeSlow(SIZE_FIRST);
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
   * True when parsing anew can tell more, and may cost it: the head may have ended since
   * `oldLength`, one of the first lines has, or the bytes have grown by a quarter and a line end.
   * So whatever a sender does, a byte is parsed a limited number of times, in whatever pieces it
   * comes (head-buffer.test.ts counts).
   */
  isWorthParsing(oldLength: number): boolean {
    const hasLineEnd = this.#bytes.subarray(oldLength, this.#length).indexOf(LF) >= 0;
    let isWorth = this.#length >= this.#parseAt;
    if (!isWorth && hasLineEnd) {
      if (this.#eagerLooks < EAGER_LOOKS_MAX) {
        this.#eagerLooks += 1;
        isWorth = true;
      } else {
        isWorth = this.#length * 4 >= this.#parsedLength * 5 || this.#mayEndSince(oldLength);
      }
    }
    if (!isWorth) return false;
    this.#parsedLength = this.#length;
    this.#parseAt = this.#length * 2;
    return true;
  }

  /** True when the bytes hold a whole head or whole trailers. */
  hasHead(): boolean {
    if (this.#length >= 2 && this.#bytes[0] === 13 && this.#bytes[1] === LF) return true;
    const hasEnd = this.#mayEndSince(this.#endFrom);
    this.#endFrom = this.#length;
    return hasEnd;
  }

  /**
   * True when an empty line behind a line that is not empty ends at `oldLength` or later. Empty
   * lines before a request end nothing, however many there are.
   */
  #mayEndSince(oldLength: number): boolean {
    const from = Math.max(oldLength - END.length, 0);
    const fresh = this.#bytes.subarray(from, this.#length);
    for (let at = fresh.indexOf(END); at >= 0; at = fresh.indexOf(END, at + 2)) {
      if (at > 0 && fresh[at - 1] !== LF) return true;
    }
    return false;
  }
}
