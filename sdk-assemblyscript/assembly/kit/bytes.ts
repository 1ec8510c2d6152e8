// Text and bytes, finding some among others, and comparing what nobody may find out by the time it takes.
import { copyBytes } from "../results";
import { decodeUtf8, encodedLength, encodeUtf8, isUtf8 } from "../utf8";

/** A one in each byte of a word. */
const EACH_BYTE: u64 = 0x0101010101010101;

/** The text as UTF-8, a lone surrogate as U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  const start = encodeUtf8(text);
  return copyBytes(start, encodedLength());
}

/** UTF-8 as text, U+FFFD for each broken part, a byte order mark kept. */
export function utf8Text(bytes: Uint8Array): string {
  return decodeUtf8(bytes.dataStart, bytes.length);
}

/** UTF-8 as text; null when it is broken somewhere. */
export function utf8TextStrictly(bytes: Uint8Array): string | null {
  return isUtf8(bytes.dataStart, bytes.length) ? utf8Text(bytes) : null;
}

/**
 * Where `part` begins in `bytes`, at `from` or behind; -1 when it does not, as when it is empty. Takes
 * their product in time at worst, their sum as a rule.
 */
export function indexOfBytes(bytes: Uint8Array, part: Uint8Array, from: i32 = 0): i32 {
  const size = part.length;
  if (size == 0) return -1;
  const start = bytes.dataStart;
  const wanted = part.dataStart;
  const first = load<u8>(wanted);
  const final = load<u8>(wanted + size - 1);
  const last = bytes.length - size;
  let at = max(from, 0);
  // Eight places at a time: where both ends of the part match, a byte of `misses` is 0.
  const firsts = <u64>first * EACH_BYTE;
  const finals = <u64>final * EACH_BYTE;
  while (at <= last - 7) {
    const place = start + at;
    const misses = (load<u64>(place) ^ firsts) | (load<u64>(place + size - 1) ^ finals);
    const hits = (misses - EACH_BYTE) & ~misses & (EACH_BYTE << 7);
    if (hits == 0) {
      at += 8;
      continue;
    }
    // The lowest is exact, those above may be borrowed from.
    at += <i32>(ctz(hits) >> 3);
    if (memory.compare(start + at, wanted, size) == 0) return at;
    at++;
  }
  for (; at <= last; at++) {
    if (load<u8>(start + at) != first) continue;
    if (memory.compare(start + at, wanted, size) == 0) return at;
  }
  return -1;
}

/**
 * Whether two secrets are the same, in a time that does not tell where they differ; their lengths
 * it does tell. Compare digests where these are secret too.
 */
export function isSameSecret(one: Uint8Array, other: Uint8Array): bool {
  const length = one.length;
  return length == other.length && isSameMemory(one.dataStart, other.dataStart, length);
}

/** `isSameSecret` of the UTF-8 of two texts. */
export function isSameSecretText(one: string, other: string): bool {
  const oneStart = encodeUtf8(one);
  const length = encodedLength();
  const otherStart = encodeUtf8(other);
  return length == encodedLength() && isSameMemory(oneStart, otherStart, length);
}

function isSameMemory(one: usize, other: usize, length: u32): bool {
  let difference: u32 = 0;
  for (let i: u32 = 0; i < length; i++) difference |= load<u8>(one + i) ^ load<u8>(other + i);
  return difference == 0;
}
