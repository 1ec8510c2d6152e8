// Text and bytes, finding some among others, and comparing what nobody may find out by the time it takes.
import { copyBytes } from "../results";
import { decodeUtf8, encodedLength, encodeUtf8, isUtf8 } from "../utf8";

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
  const last = bytes.length - size;
  for (let at = max(from, 0); at <= last; at++) {
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
