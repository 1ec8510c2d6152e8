// Bytes in order, as views of Buffers: what filters and paused streams hold of a body.
import { BLOCK_BYTES_MAX, blockPool } from "./block-pool.ts";
import { type LentRoom, lentRoom } from "./lent-room.ts";

/** Blocks are compacted when no more than one part in as many is in use. */
const SPARSE_PARTS = 4;
/** Queues that hold less have memory of their own for each piece. */
const BLOCKS_FROM_BYTES = 16 * 1024;

/**
 * Owned by one stream. Grows without a limit of its own: the owner compares `length` with a limit.
 * Bytes on their way are lent, up to `own`: most leave before the call returns that brought them.
 */
export class BufferQueue {
  #chunks: Buffer[];
  #length: number = 0;
  /** Null = all bytes are the queue's own. */
  #room: LentRoom | null = null;
  /** It has been on its way: what it keeps of that may stand in blocks of the pool. */
  #mayHaveBlocks: boolean = false;
  /**
   * A filter's data callback has it: what is put in place of all may be lent for the call. Set by
   * the filter, not by who calls it: what it shows its guest may be what was held, another queue.
   */
  isInCallback: boolean = false;
  /** Null = none. */
  #blocks: Buffer[] | null = null;
  #blockBytes: number = 0;
  /** Bytes of the last block that are in use, and the chunk that ends there. */
  #filled: number = 0;
  #filling: Buffer | null = null;

  constructor() {
    this.#chunks = [];
  }

  /** Bytes held. */
  get length(): number {
    return this.#length;
  }

  get chunkCount(): number {
    return this.#chunks.length;
  }

  /** The chunks in order; not to be changed. */
  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  /** Takes `bytes` over: the caller never touches them again. */
  append(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  prepend(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.unshift(bytes);
    this.#length += bytes.length;
  }

  /** Copies lent bytes `buffer[from..to)`. */
  appendCopy(buffer: Buffer, from: number, to: number): void {
    if (to <= from) return;
    const copy = Buffer.allocUnsafe(to - from);
    buffer.copy(copy, 0, from, to);
    this.#chunks.push(copy);
    this.#length += copy.length;
  }

  /** Begins with lent bytes `buffer[from..to)`; further ones may stand in `room`. */
  lend(room: LentRoom, buffer: Buffer, from: number, to: number): void {
    this.#room = room;
    this.#mayHaveBlocks = true;
    if (to > from) this.append(buffer.subarray(from, to));
  }

  /** Before it outlives the call: copies what is lent. */
  own(): void {
    if (this.#room === null) return;
    this.#room = null;
    if (this.#length === 0) return;
    const lent = this.#chunks;
    const blocks = this.#blocks;
    this.#forgetBlocks();
    this.#chunks = [];
    this.#length = 0;
    for (const chunk of lent) this.#appendInBlocks(chunk, 0, chunk.length);
    for (const block of blocks ?? []) blockPool.give(block);
  }

  /** The last thing that happens to it: all has been used up. */
  release(): void {
    if (this.#blocks !== null) this.clear();
  }

  /** Nobody has a view of them any more. */
  #giveBlocks(): void {
    const blocks = this.#blocks;
    if (blocks === null) return;
    this.#forgetBlocks();
    for (const block of blocks) blockPool.give(block);
  }

  #forgetBlocks(): void {
    this.#blocks = null;
    this.#blockBytes = 0;
    this.#filled = 0;
    this.#filling = null;
  }

  /** As appendCopy, in blocks as soon as it is much. */
  #appendInBlocks(buffer: Buffer, from: number, to: number): void {
    const isMuch = this.#blocks !== null || this.#length + to - from >= BLOCKS_FROM_BYTES;
    if (!this.#mayHaveBlocks || !isMuch) {
      this.appendCopy(buffer, from, to);
      return;
    }
    for (let at = from; at < to; ) {
      const block = this.#openBlock(to - at);
      const start = this.#filled;
      const size = Math.min(block.length - start, to - at);
      buffer.copy(block, start, at, at + size);
      this.#filled = start + size;
      this.#showFilled(block, start, size);
      at += size;
    }
  }

  /** The last block has room, for all of `size` if that can be. */
  #openBlock(size: number): Buffer {
    const blocks = this.#blocks;
    const last = blocks?.at(-1);
    if (last !== undefined && this.#filled + size <= last.length) return last;
    // One piece is copied to a guest, and written, at once.
    const isSmall = (this.#length + size) * 2 <= BLOCK_BYTES_MAX;
    const mayGrow = blocks === null || (blocks.length === 1 && this.#blockBytes < BLOCK_BYTES_MAX);
    const isSparse = this.#length * SPARSE_PARTS < this.#blockBytes;
    if (isSparse) blockPool.compactions += 1;
    if (isSmall || mayGrow || isSparse) return this.#regroup(size);
    return last !== undefined && this.#filled < last.length ? last : this.#addBlock(size);
  }

  #addBlock(size: number): Buffer {
    const block = blockPool.take(size);
    (this.#blocks ??= []).push(block);
    this.#blockBytes += block.length;
    this.#filled = 0;
    this.#filling = null;
    return block;
  }

  /** All that is here moves together, to a block with room for what comes; later ones have more. */
  #regroup(size: number): Buffer {
    const chunks = this.#chunks;
    const blocks = this.#blocks;
    const wanted = (this.#length + size) * (blocks === null ? 1 : 2);
    this.#forgetBlocks();
    this.#chunks = [];
    this.#length = 0;
    let block = this.#addBlock(wanted);
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        if (this.#filled === block.length) block = this.#addBlock(wanted);
        const start = this.#filled;
        const part = Math.min(block.length - start, chunk.length - at);
        chunk.copy(block, start, at, at + part);
        this.#filled = start + part;
        this.#showFilled(block, start, part);
        at += part;
      }
    }
    for (const old of blocks ?? []) blockPool.give(old);
    return this.#filled === block.length ? this.#addBlock(size) : block;
  }

  /** What follows a chunk in its block makes it longer. */
  #showFilled(block: Buffer, start: number, size: number): void {
    const last = this.#chunks.length - 1;
    const before = this.#filling;
    const grows = before !== null && this.#chunks[last] === before;
    const from = grows ? start - before.length : start;
    const chunk = block.subarray(from, start + size);
    if (grows) this.#chunks[last] = chunk;
    else this.#chunks.push(chunk);
    this.#length += size;
    this.#filling = chunk;
  }

  /** Uninitialised bytes, for what is put into the queue next. */
  take(size: number): Buffer {
    return this.#room === null ? Buffer.allocUnsafe(size) : this.#room.take(size);
  }

  /** Moves everything of `other` behind what is here. */
  moveFrom(other: BufferQueue): void {
    if (other.#room !== null) {
      for (const chunk of other.#chunks) this.#appendInBlocks(chunk, 0, chunk.length);
      other.clear();
      return;
    }
    for (const chunk of other.#chunks) this.#chunks.push(chunk);
    this.#length += other.#length;
    if (other.#blocks !== null) this.#takeBlocks(other, other.#blocks);
    other.clear();
  }

  #takeBlocks(other: BufferQueue, blocks: Buffer[]): void {
    if (this.#blocks === null) this.#blocks = blocks;
    else this.#blocks.push(...blocks);
    this.#blockBytes += other.#blockBytes;
    this.#filled = other.#filled;
    this.#filling = null;
    other.#forgetBlocks();
  }

  /** Puts a copy of `source[from..to)`, which is elsewhere, in place of everything. */
  refill(source: Buffer, from: number, to: number): void {
    const room = this.#room ?? (this.isInCallback && lentRoom.isOpen ? lentRoom : null);
    if (room === null) {
      this.clear();
      this.#appendInBlocks(source, from, to);
      return;
    }
    const copy = room.take(to - from);
    source.copy(copy, 0, from, to);
    this.#replaceAll(copy);
    this.#giveBlocks();
    this.#room = room;
    this.#mayHaveBlocks = true;
  }

  /** Nobody has a view of its bytes any more, where they have been on their way. */
  clear(): void {
    this.#giveBlocks();
    // Setting an array's length is a call into the runtime (40 ns), and most queues are empty.
    if (this.#chunks.length === 0) return;
    this.#chunks.length = 0;
    this.#length = 0;
  }

  /** Drops the first `count` bytes (at most all). */
  drain(count: number): void {
    let left = Math.min(count, this.#length);
    this.#length -= left;
    let whole = 0;
    while (left > 0) {
      const chunk = this.#chunks[whole] as Buffer;
      if (chunk.length > left) {
        this.#chunks[whole] = chunk.subarray(left);
        break;
      }
      left -= chunk.length;
      whole += 1;
    }
    if (whole > 0) this.#chunks.splice(0, whole);
  }

  /** All bytes as one Buffer; afterwards the queue holds just that one. */
  linearize(): Buffer {
    if (this.#chunks.length === 1) return this.#chunks[0] as Buffer;
    const all = Buffer.concat(this.#chunks, this.#length);
    this.#chunks.length = 0;
    this.#giveBlocks();
    if (all.length > 0) this.#chunks.push(all);
    return all;
  }

  /** Copies `size` bytes from `start` to `target[at..]`; the range must lie within the queue. */
  copyTo(target: Uint8Array, at: number, start: number, size: number): void {
    let skip = start;
    let left = size;
    let to = at;
    for (const chunk of this.#chunks) {
      if (left === 0) return;
      if (skip >= chunk.length) {
        skip -= chunk.length;
        continue;
      }
      const part = Math.min(left, chunk.length - skip);
      chunk.copy(target, to, skip, skip + part);
      to += part;
      left -= part;
      skip = 0;
    }
  }

  /** Puts `bytes` in place of `[start, start + size)`; the range is cut to the queue. */
  replace(start: number, size: number, bytes: Buffer): void {
    const from = Math.min(start, this.#length);
    const to = Math.min(from + size, this.#length);
    if (from === 0 && to === this.#length) {
      this.#replaceAll(bytes);
      return;
    }
    const all = this.linearize();
    const head = all.subarray(0, from);
    const tail = all.subarray(to);
    // They may stand in a block.
    this.#chunks = [];
    this.#length = 0;
    this.append(head);
    this.append(bytes);
    this.append(tail);
  }

  #replaceAll(bytes: Buffer): void {
    if (this.#chunks.length === 1 && bytes.length > 0) {
      this.#chunks[0] = bytes;
      this.#length = bytes.length;
      return;
    }
    this.clear();
    this.append(bytes);
  }

  toString(): string {
    return this.linearize().toString("utf8");
  }
}
