// What a thread's ring holds that Node knows nothing of: file descriptors and memory. Written down
// in memory that the main thread has too, which lets go of it all when the thread has ended,
// however it did.
import { closeSync } from "node:fs";
import { loadNative } from "./native.ts";

/** Higher file descriptors are not written down, and would stay when their thread is killed. */
const DESCRIPTORS_MAX = 1_048_576;
const REGIONS_MAX = 16;

/** Count of regions, then address and length of each. */
const REGION_WORDS = 1 + 2 * REGIONS_MAX;
const REGIONS_BYTES = REGION_WORDS * 8;

export function newEstateMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(REGIONS_BYTES + DESCRIPTORS_MAX / 8);
}

export class Estate {
  readonly #regions: BigUint64Array;
  readonly #bits: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#regions = new BigUint64Array(memory, 0, REGION_WORDS);
    this.#bits = new Int32Array(memory, REGIONS_BYTES);
  }

  opened(fd: number): void {
    if (fd < DESCRIPTORS_MAX) this.#bits[fd >>> 5] = (this.#bits[fd >>> 5] ?? 0) | (1 << (fd & 31));
  }

  /** To be called before it is closed: afterwards the number may be somebody else's. */
  closing(fd: number): void {
    if (fd < DESCRIPTORS_MAX)
      this.#bits[fd >>> 5] = (this.#bits[fd >>> 5] ?? 0) & ~(1 << (fd & 31));
  }

  mapped(address: bigint, length: number): void {
    const count = Number(this.#regions[0]);
    if (count === REGIONS_MAX) return;
    this.#regions[1 + 2 * count] = address;
    this.#regions[2 + 2 * count] = BigInt(length);
    this.#regions[0] = BigInt(count + 1);
  }

  get descriptors(): number[] {
    const found: number[] = [];
    for (let word = 0; word < this.#bits.length; word += 1) {
      const bits = this.#bits[word] ?? 0;
      for (let bit = 0; bits !== 0 && bit < 32; bit += 1) {
        if ((bits & (1 << bit)) !== 0) found.push(word * 32 + bit);
      }
    }
    return found;
  }

  get regions(): { address: bigint; length: bigint }[] {
    return Array.from({ length: Number(this.#regions[0]) }, (_, i) => ({
      address: this.#regions[1 + 2 * i] ?? 0n,
      length: this.#regions[2 + 2 * i] ?? 0n,
    }));
  }
}

const SHUT_RDWR = 2;

/** The thread has ended. Returns how many file descriptors it had left open. */
export function settleEstate(memory: SharedArrayBuffer): number {
  const estate = new Estate(memory);
  const { descriptors, regions } = estate;
  if (descriptors.length + regions.length === 0) return 0;
  const native = loadNative();
  const call = typeof native === "string" ? null : native.call;
  for (const fd of descriptors) {
    // The ring's operations hold its sockets until the kernel has ended them, some ms after the
    // ring is closed: a listener would go on to take connections that nobody hears of.
    call?.shutdown(fd, SHUT_RDWR);
    estate.closing(fd);
    closeSync(fd);
  }
  for (const { address, length } of regions) call?.munmap(address, length);
  new BigUint64Array(memory, 0, 1)[0] = 0n;
  return descriptors.length;
}
