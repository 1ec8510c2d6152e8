// Randomness as an argument: ids and choices of the data plane; tests give a seeded one.
import { randomFillSync } from "node:crypto";
import { latin1 } from "./latin1.ts";

export interface Random {
  /** Uniform integer in [0, 2^32). */
  u32(): number;
  /** A version 4 UUID, lower-case, RFC 9562. */
  uuid(): string;
}

/** To ask for them takes longer than to make them: of 4 KiB at a time a request paid 0.1 us. */
const POOL_BYTES = 32_768;
const UUID_BYTES = 16;
const UUID_LENGTH = 36;
/** Made at a time, and cut out of the text of all (0.6 KB), which lives as long as one of them. */
const UUIDS = 16;
const hexDigits: Uint8Array = Buffer.from("0123456789abcdef");

/** Secure bytes from the system, fetched many at a time. */
export class SystemRandom implements Random {
  readonly #pool: Buffer;
  #at: number = POOL_BYTES;
  #uuids: string = "";
  #uuidAt: number = UUIDS * UUID_LENGTH;

  constructor() {
    this.#pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  }

  u32(): number {
    const at = this.#take(4);
    return this.#pool.readUInt32LE(at);
  }

  uuid(): string {
    let from = this.#uuidAt;
    if (from === UUIDS * UUID_LENGTH) {
      this.#uuids = formatUuids(this.#pool, this.#take(UUIDS * UUID_BYTES), UUIDS);
      from = 0;
    }
    this.#uuidAt = from + UUID_LENGTH;
    return this.#uuids.slice(from, from + UUID_LENGTH);
  }

  #take(count: number): number {
    if (this.#at + count > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += count;
    return at;
  }
}

/** Same numbers for the same seed (xorshift32); for tests and simulations only. */
export class SeededRandom implements Random {
  #state: number = 0;
  readonly #bytes: Buffer;

  constructor(seed: number) {
    this.#state = seed >>> 0 === 0 ? 0x9e3779b9 : seed >>> 0;
    this.#bytes = Buffer.alloc(16);
  }

  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  uuid(): string {
    for (let i = 0; i < 16; i += 4) this.#bytes.writeUInt32LE(this.u32(), i);
    return formatUuids(this.#bytes, 0, 1);
  }
}

/** The texts that are made: their dashes stay. */
const texts: Buffer = Buffer.alloc(UUIDS * UUID_LENGTH, "-");
/** Where the digits of each byte stand. */
const digitsAt: readonly number[] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/**
 * `count` of them behind each other, in one flat text. node:crypto's randomUUID makes a rope of
 * twenty parts each, for the head's writer to walk.
 */
function formatUuids(bytes: Buffer, from: number, count: number): string {
  for (let n = 0; n < count; n += 1) {
    const first = from + n * UUID_BYTES;
    const to = n * UUID_LENGTH;
    for (let i = 0; i < UUID_BYTES; i += 1) {
      const byte = bytes[first + i] as number;
      const at = to + (digitsAt[i] as number);
      texts[at] = hexDigits[byte >> 4] as number;
      texts[at + 1] = hexDigits[byte & 15] as number;
    }
    // Version 4, variant 10.
    texts[to + 14] = 0x34;
    texts[to + 19] = hexDigits[8 | (((bytes[first + 8] as number) >> 4) & 3)] as number;
  }
  return latin1(texts, 0, count * UUID_LENGTH);
}
