// Memory for bytes that are used up before the call that made them returns, as bodies are that a
// filter changes and lets go. Fresh memory for each costs more than what is done with it: pages
// that the kernel clears, and collections.

/** What a few filters make of one read, or of each chunk of it. */
const ROOM_BYTES = 256 * 1024;
/** What one makes of a body that it has collected; for more there is fresh memory. */
const ROOM_BYTES_MAX = 4 * 1024 * 1024;

/** One per thread. What `take` gave is there until the outermost `leave`. */
export class LentRoom {
  #bytes: Buffer | null = null;
  #used: number = 0;
  #depth: number = 0;
  /** What had memory of its own, as there was no room: only grows. */
  refused: number = 0;

  /** Between `enter` and `leave`. */
  get isOpen(): boolean {
    return this.#depth > 0;
  }

  enter(): void {
    this.#depth += 1;
  }

  leave(): void {
    this.#depth -= 1;
    if (this.#depth === 0) this.#used = 0;
  }

  /** Uninitialised; from elsewhere when there is no room. Between `enter` and `leave` only. */
  take(size: number): Buffer {
    let bytes = this.#bytes;
    if (bytes === null || this.#used + size > bytes.length) {
      const wanted = Math.max(ROOM_BYTES, this.#used + size);
      if (wanted > ROOM_BYTES_MAX) {
        this.refused += 1;
        return Buffer.allocUnsafe(size);
      }
      bytes = this.#grow(wanted);
    }
    const from = this.#used;
    this.#used = from + size;
    return bytes.subarray(from, from + size);
  }

  /** What was taken before stays where it is. */
  #grow(wanted: number): Buffer {
    let length = ROOM_BYTES;
    while (length < wanted) length *= 2;
    const bytes = Buffer.allocUnsafeSlow(length);
    this.#bytes = bytes;
    this.#used = 0;
    return bytes;
  }
}

export const lentRoom: LentRoom = new LentRoom();
