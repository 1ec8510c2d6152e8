// Memory for bodies that are collected, used again for the next ones: with large buffers of its own
// for each of them V8 collects all the time (1 MiB collected and written back cost 690 us).

const KIB = 1024;

/** Sizes of blocks, each with how many of them are kept: more are given back to V8. */
const CLASSES: readonly { readonly bytes: number; readonly freeMax: number }[] = [
  { bytes: 64 * KIB, freeMax: 64 },
  { bytes: 256 * KIB, freeMax: 16 },
  { bytes: 1024 * KIB, freeMax: 8 },
];
export const BLOCK_BYTES_MAX: number = 1024 * KIB;

/** One per thread. */
export class BlockPool {
  /** By classes. */
  readonly #free: readonly Buffer[][];
  /** Blocks that found no place: only grows. */
  refused: number = 0;
  /** How often a queue moved what it held together, to give blocks back: only grows. */
  compactions: number = 0;

  constructor() {
    this.#free = CLASSES.map(() => []);
  }

  /** Bytes of blocks that wait to be used again. */
  get freeBytes(): number {
    let bytes = 0;
    for (const blocks of this.#free) {
      for (const block of blocks) bytes += block.length;
    }
    return bytes;
  }

  /** Uninitialised, with room for `size` bytes, or BLOCK_BYTES_MAX. */
  take(size: number): Buffer {
    const at = classOf(size);
    return this.#free[at]?.pop() ?? Buffer.allocUnsafeSlow(CLASSES[at]?.bytes ?? BLOCK_BYTES_MAX);
  }

  /** Nobody has a view of it any more. */
  give(block: Buffer): void {
    const at = classOf(block.length);
    const free = this.#free[at];
    if (free !== undefined && free.length < (CLASSES[at]?.freeMax ?? 0)) free.push(block);
    else this.refused += 1;
  }
}

function classOf(size: number): number {
  const last = CLASSES.length - 1;
  for (let i = 0; i < last; i += 1) {
    if (size <= (CLASSES[i]?.bytes ?? 0)) return i;
  }
  return last;
}

export const blockPool: BlockPool = new BlockPool();
