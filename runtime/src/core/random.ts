// Randomness as an argument: ids and choices of the data plane; tests give a seeded one.
import { randomFillSync, randomUUID } from "node:crypto";

export interface Random {
  /** Uniform integer in [0, 2^32). */
  u32(): number;
  /** A version 4 UUID, lower-case, RFC 9562. */
  uuid(): string;
}

const POOL_BYTES = 4096;
const hex: readonly string[] = Array.from({ length: 256 }, (_, i) =>
  (i + 256).toString(16).slice(1),
);

/** Secure bytes from the system, fetched 4 KiB at a time. */
export class SystemRandom implements Random {
  readonly #pool: Buffer;
  #at: number = POOL_BYTES;

  constructor() {
    this.#pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  }

  u32(): number {
    const at = this.#take(4);
    return this.#pool.readUInt32LE(at);
  }

  uuid(): string {
    return randomUUID();
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
    return formatUuid(this.#bytes, 0);
  }
}

function formatUuid(b: Buffer, p: number): string {
  const h = (i: number): string => hex[b[p + i] as number] as string;
  const version = hex[((b[p + 6] as number) & 15) | 64] as string;
  const variant = hex[((b[p + 8] as number) & 63) | 128] as string;
  return (
    `${h(0)}${h(1)}${h(2)}${h(3)}-${h(4)}${h(5)}-${version}${h(7)}-${variant}${h(9)}-` +
    `${h(10)}${h(11)}${h(12)}${h(13)}${h(14)}${h(15)}`
  );
}
