// Buffers that the kernel fills as bytes arrive, whoever they are for; Linux consumes them piece by
// piece.
// Imported: the global is a getter, which V8 calls each time.
import { Buffer } from "node:buffer";
import { greatReadBytes, readAreaBytes } from "../engine-node/engine-core.ts";
import { type Native, PAGE_BYTES, type Region } from "./native.ts";
import type { Ring } from "./ring.ts";
import {
  BUFFER_RING_INCREMENTAL,
  CQE_BUFFER_SHIFT,
  CqeFlag,
  RegisterCode,
  Size,
} from "./uring-abi.ts";

/** Of a usual read, as in the Node engine. */
export const readBytesMax: number = readAreaBytes;

/** One great read, or several usual ones: those that a chunk's end cuts are two, and two sends. */
const readChunkBytes = greatReadBytes;

const readsPerChunk = Math.floor(readChunkBytes / readBytesMax);

/** A power of two. 16 x 260 KiB = 4 MiB a worker. */
const chunks = 16;

/**
 * Chunks that the kernel has at a time. It takes them in turn, and when they are few, bytes are
 * read, looked at and sent in a processor's second-level cache (2 MiB): with all 16 a response of
 * 64 KiB cost 15 us more. With less than two more reads would find no room.
 */
const chunksAtOnce = 2;

/**
 * Chunks that are never lent to slow writers: while no more than these are left, lent bytes are
 * copied.
 */
const reservedChunks = 4;

export const BUFFER_GROUP = 0;

export class ReadBuffers {
  readonly memory: ArrayBuffer;
  readonly #base: number;
  readonly #entries: Int32Array;
  readonly #halves: Uint16Array;
  /** Of each chunk: where its next bytes will stand, who still looks at it, is the kernel done? */
  readonly #offsets: Int32Array = new Int32Array(chunks);
  readonly #users: Int32Array = new Int32Array(chunks);
  readonly #isSpent: Uint8Array = new Uint8Array(chunks);
  /** Those that nobody has; the last is the one used last. */
  readonly #spare: number[] = [];
  #tail: number = 0;
  /** Chunks that the kernel has. */
  available: number = 0;
  /** Reads that found none. */
  short: number = 0;

  constructor(memory: Region, entries: Region) {
    this.memory = memory.bytes.buffer as ArrayBuffer;
    this.#base = Number(memory.address);
    this.#entries = new Int32Array(entries.bytes.buffer);
    this.#halves = new Uint16Array(entries.bytes.buffer);
    for (let chunk = chunks - 1; chunk >= 0; chunk -= 1) this.#spare.push(chunk);
    this.#refill();
  }

  get mayPin(): boolean {
    return this.free > reservedChunks;
  }

  /** Chunks that the kernel has or may get. */
  get free(): number {
    return this.available + this.#spare.length;
  }

  /** Reads that the kernel certainly has room for. */
  get room(): number {
    return this.available * readsPerChunk;
  }

  /** Where the bytes of a completion stand in `memory`; to be called once each, in their order. */
  arrived(result: number, flags: number): number {
    const chunk = flags >>> CQE_BUFFER_SHIFT;
    const from = this.#offsets[chunk] ?? 0;
    if (result > 0) {
      this.#offsets[chunk] = from + result;
      this.#users[chunk] = (this.#users[chunk] ?? 0) + 1;
    }
    if ((flags & CqeFlag.BufferMore) === 0) {
      this.#isSpent[chunk] = 1;
      this.available -= 1;
      if (this.#users[chunk] === 0) this.#spare.push(chunk);
      this.#refill();
    }
    return chunk * readChunkBytes + from;
  }

  /**
   * Room for one great read alone: where in `memory` it begins, or -1. To be released as others
   * are. It is what was used last, which the processor's cache still has.
   */
  take(): number {
    const chunk = this.mayPin ? this.#spare.pop() : undefined;
    if (chunk === undefined) return -1;
    this.#users[chunk] = 1;
    this.#isSpent[chunk] = 1;
    return chunk * readChunkBytes;
  }

  addressAt(offset: number): number {
    return this.#base + offset;
  }

  view(offset: number, length: number): Buffer {
    return Buffer.from(this.memory, offset, length);
  }

  /** Null = not ours, or to be copied; else its address. */
  addressOf(buffer: Buffer, from: number): number {
    return buffer.buffer === this.memory ? this.#base + buffer.byteOffset + from : 0;
  }

  copyAt(address: number, length: number): Buffer {
    return Buffer.from(this.view(address - this.#base, length));
  }

  /** One more looks at the bytes at this address; release() says that it does no more. */
  pin(address: number): void {
    const chunk = Math.floor((address - this.#base) / readChunkBytes);
    this.#users[chunk] = (this.#users[chunk] ?? 0) + 1;
  }

  unpin(address: number): void {
    this.release(address - this.#base);
  }

  /** The bytes at `offset` of `memory` are needed no more by one who had them. */
  release(offset: number): void {
    const chunk = Math.floor(offset / readChunkBytes);
    const users = (this.#users[chunk] ?? 0) - 1;
    this.#users[chunk] = users;
    if (users > 0 || this.#isSpent[chunk] === 0) return;
    this.#spare.push(chunk);
    this.#refill();
  }

  #refill(): void {
    while (this.available < chunksAtOnce) {
      const chunk = this.#spare.pop();
      if (chunk === undefined) return;
      this.#give(chunk);
    }
  }

  #give(chunk: number): void {
    this.#offsets[chunk] = 0;
    this.#isSpent[chunk] = 0;
    const slot = this.#tail & (chunks - 1);
    const address = this.#base + chunk * readChunkBytes;
    this.#entries[slot * 4] = address;
    this.#entries[slot * 4 + 1] = Math.floor(address / 4_294_967_296);
    this.#entries[slot * 4 + 2] = readChunkBytes;
    // The half word behind it is the ring's tail in the first slot.
    this.#halves[slot * 8 + 6] = chunk;
    this.#tail = (this.#tail + 1) & 0xffff;
    Atomics.store(this.#halves, 7, this.#tail);
    this.available += 1;
  }
}

/** Returns in words why there are none. `scratch`: a page that is free again afterwards. */
export function openReadBuffers(native: Native, ring: Ring, scratch: Region): ReadBuffers | string {
  const memory = native.map(chunks * readChunkBytes, -1, 0);
  const entries = native.map(PAGE_BYTES, -1, 0);
  if (memory === null || entries === null) {
    return `no memory for read buffers (${native.errorName})`;
  }
  const registration = scratch.bytes.subarray(0, Size.BufferRegistration);
  registration.fill(0);
  registration.writeBigUInt64LE(entries.address, 0);
  registration.writeUInt32LE(chunks, 8);
  registration.writeUInt16LE(BUFFER_GROUP, 12);
  registration.writeUInt16LE(BUFFER_RING_INCREMENTAL, 14);
  const status = ring.register(RegisterCode.BufferRing, scratch.address, 1);
  if (status < 0) return "this kernel's io_uring has no incremental buffers (Linux 6.12)";
  return new ReadBuffers(memory, entries);
}
