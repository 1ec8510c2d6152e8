// The bytes that bodies of the soak run are made of: each side knows what must arrive.
import { Random } from "./random.ts";

export const BODY_BYTES_MAX: number = 1024 * 1024;
const OFFSETS = 4096;

const bytes: Buffer = Buffer.alloc(BODY_BYTES_MAX + OFFSETS);
const random = new Random(1);
for (let at = 0; at < bytes.length; at += 4) bytes.writeInt32LE(random.next32() | 0, at);

/** `offset` is taken modulo 4096; a view, not a copy. */
export function content(offset: number, length: number): Buffer {
  const from = offset % OFFSETS;
  return bytes.subarray(from, from + Math.min(length, BODY_BYTES_MAX));
}
