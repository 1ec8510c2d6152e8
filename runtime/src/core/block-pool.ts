// Memory for bodies that are collected, used again for the next ones: with large buffers of its own
// for each of them V8 collects all the time (1 MiB collected and written back cost 690 us).

export const BLOCK_BYTES: number = 64 * 1024;
/** More than what 64 streams hold while one of their reads waits is given back to V8. */
const FREE_MAX = 64;

/** One per thread. */
export class BlockPool {
  readonly #free: Buffer[];

  constructor() {
    this.#free = [];
  }

  /** Blocks that wait to be used again. */
  get freeCount(): number {
    return this.#free.length;
  }

  /** Uninitialised; BLOCK_BYTES. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  /** Nobody has a view of it any more. */
  give(block: Buffer): void {
    if (this.#free.length < FREE_MAX) this.#free.push(block);
  }
}

export const blockPool: BlockPool = new BlockPool();
