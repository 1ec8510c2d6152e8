// Memory for what is small and on its way to the kernel: heads, addresses, lists of pieces. Cut
// from chunks, one behind the other; a chunk is free again when all that was cut from it has left.
import type { Native, Region } from "./native.ts";

/** Longer pieces bring memory of their own. */
export const arenaPieceBytes = 16_384;

const chunkBytes = 65_536;

/** 4 MiB a worker. */
const chunks = 64;

const arenaBytes = chunks * chunkBytes;

export class SendArena {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly #base: number;
  readonly #users: Int32Array = new Int32Array(chunks);
  readonly #free: number[] = [];
  #chunk: number = 0;
  #used: number = 0;
  /** Pieces for which there was no room. */
  refused: number = 0;

  constructor(memory: Region) {
    this.bytes = memory.bytes;
    this.words = new Int32Array(memory.bytes.buffer, memory.bytes.byteOffset, arenaBytes >> 2);
    this.#base = Number(memory.address);
    for (let chunk = chunks - 1; chunk > 0; chunk -= 1) this.#free.push(chunk);
  }

  /** Where `length` bytes may stand, aligned for the kernel's structures; -1 = nowhere now. */
  take(length: number): number {
    if (this.#used + length > chunkBytes && !this.#openNext()) {
      this.refused += 1;
      return -1;
    }
    const at = this.#chunk * chunkBytes + this.#used;
    this.#used = (this.#used + length + 7) & ~7;
    this.#users[this.#chunk] = (this.#users[this.#chunk] ?? 0) + 1;
    return at;
  }

  addressOf(at: number): number {
    return this.#base + at;
  }

  release(at: number): void {
    const chunk = Math.floor(at / chunkBytes);
    const users = (this.#users[chunk] ?? 0) - 1;
    this.#users[chunk] = users;
    if (users > 0) return;
    // The one in use begins anew: its memory is warm.
    if (chunk === this.#chunk) this.#used = 0;
    else this.#free.push(chunk);
  }

  #openNext(): boolean {
    const next = this.#free.pop();
    if (next === undefined) return false;
    // release() will find it when its last piece has left.
    this.#chunk = next;
    this.#used = 0;
    return true;
  }
}

/** Returns in words why there is none. */
export function openSendArena(native: Native): SendArena | string {
  const memory = native.map(arenaBytes, -1, 0);
  return memory === null
    ? `no memory for what is sent (${native.errorName})`
    : new SendArena(memory);
}
