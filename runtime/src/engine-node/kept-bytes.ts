// Lent bytes that the kernel did not take, until it does: copies in blocks that are used again.
// With memory of its own for each, a slow reader would leave some 50 MiB of it before V8 collects.
// Made by handle-writes.ts.
import { blockPool } from "../core/block-pool.ts";

/** The smallest blocks: what a reader leaves is less than twice as much, but for small pieces. */
const pieceBytes = 64 * 1024;

/** Less gets memory of its own size: a block each would be held by every connection that waits. */
const blockLeastBytes = 16 * 1024;

export class KeptBytes {
  /** In order. */
  readonly pieces: readonly Buffer[];
  readonly #blocks: Buffer[];

  /** Copies `buffer` from `from` to `to`. */
  constructor(buffer: Buffer, from: number, to: number) {
    const pieces: Buffer[] = [];
    this.pieces = pieces;
    this.#blocks = [];
    for (let at = from; at < to; at += pieceBytes) {
      const end = Math.min(at + pieceBytes, to);
      pieces.push(
        end - at < blockLeastBytes ? copyOf(buffer, at, end) : this.#take(buffer, at, end),
      );
    }
  }

  /** False: one small piece of memory of its own. */
  get hasBlocks(): boolean {
    return this.#blocks.length > 0;
  }

  /** Nobody looks at the pieces any more. */
  release(): void {
    for (const block of this.#blocks.splice(0)) blockPool.give(block);
  }

  #take(buffer: Buffer, from: number, to: number): Buffer {
    const block = blockPool.take(to - from);
    this.#blocks.push(block);
    buffer.copy(block, 0, from, to);
    return block.subarray(0, to - from);
  }
}

function copyOf(buffer: Buffer, from: number, to: number): Buffer {
  return Buffer.from(buffer.subarray(from, to));
}
