// Bytes in order, as views of Buffers: what filters and paused streams hold of a body.
import type { LentRoom } from "./lent-room.ts";

/**
 * Owned by one stream. Grows without a limit of its own: the owner compares `length` with a limit.
 * Bytes on their way are lent, up to `own`: most leave before the call returns that brought them.
 */
export class BufferQueue {
  #chunks: Buffer[];
  #length: number = 0;
  /** Null = all bytes are the queue's own. */
  #room: LentRoom | null = null;

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
    if (to > from) this.append(buffer.subarray(from, to));
  }

  /** Before it outlives the call: copies what is lent. */
  own(): void {
    if (this.#room === null) return;
    this.#room = null;
    if (this.#length === 0) return;
    const copy = Buffer.allocUnsafe(this.#length);
    this.copyTo(copy, 0, 0, this.#length);
    this.#chunks = [copy];
  }

  /** Uninitialised bytes, for what is put into the queue next. */
  take(size: number): Buffer {
    return this.#room === null ? Buffer.allocUnsafe(size) : this.#room.take(size);
  }

  /** Moves everything of `other` behind what is here. */
  moveFrom(other: BufferQueue): void {
    other.own();
    for (const chunk of other.#chunks) this.#chunks.push(chunk);
    this.#length += other.#length;
    other.clear();
  }

  clear(): void {
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
    this.clear();
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
