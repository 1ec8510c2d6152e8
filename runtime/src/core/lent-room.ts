// Memory for bytes that are used up before the call that made them returns, as bodies are that a
// filter changes and lets go. Fresh memory for each costs more than what is done with it: pages
// that the kernel clears, and collections.

/** What a few filters make of one read, or of each chunk of it. */
const ROOM_BYTES = 256 * 1024;

/** One per thread. What `take` gave is there until the outermost `leave`. */
export class LentRoom {
  #bytes: Buffer | null = null;
  #used: number = 0;
  #depth: number = 0;

  enter(): void {
    this.#depth += 1;
  }

  leave(): void {
    this.#depth -= 1;
    if (this.#depth === 0) this.#used = 0;
  }

  /** Uninitialised; from elsewhere when there is no room. Between `enter` and `leave` only. */
  take(size: number): Buffer {
    const from = this.#used;
    const to = from + size;
    if (to > ROOM_BYTES) return Buffer.allocUnsafe(size);
    this.#bytes ??= Buffer.allocUnsafeSlow(ROOM_BYTES);
    this.#used = to;
    return this.#bytes.subarray(from, to);
  }
}

export const lentRoom: LentRoom = new LentRoom();
