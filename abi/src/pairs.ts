// The codec for header lists and maps as they cross the ABI; called by hosts and by tests of SDKs.
import { limits } from "./limits.ts";

//   +-------+---------+-----------+-----+----------+---+------------+---+-----
//   | count | key len | value len | ... | key      | 0 | value      | 0 | ...
//   +-------+---------+-----------+-----+----------+---+------------+---+-----
//     u32     u32       u32               bytes          bytes
//
// All numbers are little-endian; lengths do not count the NUL behind each string. A list in
// memory is flat, [key, value, key, value, ...], each string latin1: one character is one byte.

/** How a decoding ended. Whether the list is empty is told by the length of what came out. */
export const PairsResult = {
  Ok: 0,
  /** Lengths, NULs or the end do not fit together. */
  Malformed: 1,
  /** More bytes or entries than `limits` allows. */
  TooLarge: 2,
} as const;
export type PairsResult = (typeof PairsResult)[keyof typeof PairsResult];

/** Turns bytes [start, end) into latin1 text. A host with something faster passes its own. */
export type TextReader = (bytes: Uint8Array, start: number, end: number) => string;

/** Bytes that `encodePairsInto` writes for this list; 4 for the empty one. */
export function encodedPairsSize(pairs: readonly string[]): number {
  let total = 4 + pairs.length * 4;
  for (let i = 0; i < pairs.length; i += 1) total += (pairs[i] as string).length + 1;
  return total;
}

/**
 * Writes the list at `start` and returns the offset behind it. The caller has checked that
 * `encodedPairsSize` bytes fit. Throws for an odd list and for characters above 0xff: cutting
 * them to a byte could make a line feed of U+010A.
 */
export function encodePairsInto(
  pairs: readonly string[],
  target: Uint8Array,
  start: number,
): number {
  if (pairs.length % 2 !== 0) throw new RangeError("a list of pairs has an odd length");
  writeU32(target, start, pairs.length / 2);
  let lengthAt = start + 4;
  let at = lengthAt + pairs.length * 4;
  for (let i = 0; i < pairs.length; i += 1) {
    const text = pairs[i] as string;
    writeU32(target, lengthAt, text.length);
    lengthAt += 4;
    for (let j = 0; j < text.length; j += 1) {
      const code = text.charCodeAt(j);
      if (code > 0xff) throw new RangeError(`character U+${code.toString(16)} is not latin1`);
      target[at + j] = code;
    }
    at += text.length;
    target[at] = 0;
    at += 1;
  }
  return at;
}

/** The list in a new array. */
export function encodePairs(pairs: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(encodedPairsSize(pairs));
  encodePairsInto(pairs, bytes, 0);
  return bytes;
}

/**
 * Appends the pairs in bytes [start, start + size) to `out`; leaves `out` alone unless all is
 * well. Empty are: no bytes, a single zero byte (the specification tolerates it), a zero count.
 * The caller has checked that the range lies inside `bytes`.
 */
export function decodePairsInto(
  bytes: Uint8Array,
  start: number,
  size: number,
  out: string[],
  readText: TextReader = latin1Text,
): PairsResult {
  if (size === 0) return PairsResult.Ok;
  if (size > limits.pairsBytesMax) return PairsResult.TooLarge;
  if (size === 1 && bytes[start] === 0) return PairsResult.Ok;
  if (size < 4) return PairsResult.Malformed;
  const count = readU32(bytes, start);
  if (count > limits.pairsCountMax) return PairsResult.TooLarge;

  const end = start + size;
  const lengthsAt = start + 4;
  const textAt = lengthsAt + count * 8;
  if (textAt > end) return PairsResult.Malformed;
  if (!stringsFit(bytes, lengthsAt, count * 2, textAt, end)) return PairsResult.Malformed;

  let at = textAt;
  for (let i = 0; i < count * 2; i += 1) {
    const length = readU32(bytes, lengthsAt + i * 4);
    out.push(readText(bytes, at, at + length));
    at += length + 1;
  }
  return PairsResult.Ok;
}

/** The pairs as a new flat list, or which way the bytes are wrong. */
export function decodePairs(bytes: Uint8Array): string[] | PairsResult {
  const out: string[] = [];
  const result = decodePairsInto(bytes, 0, bytes.length, out);
  return result === PairsResult.Ok ? out : result;
}

/** Whether all strings lie inside, each with its NUL, and nothing follows the last. */
function stringsFit(
  bytes: Uint8Array,
  lengthsAt: number,
  strings: number,
  textAt: number,
  end: number,
): boolean {
  let at = textAt;
  for (let i = 0; i < strings; i += 1) {
    // No overflow: at most 2^32 is added to less than 2^32 + 2^20, and the loop ends there.
    at += readU32(bytes, lengthsAt + i * 4);
    if (at >= end) return false;
    if (bytes[at] !== 0) return false;
    at += 1;
  }
  return at === end;
}

// Applied in slices because the number of arguments of a call is limited.
const SLICE = 4096;

function latin1Text(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += SLICE) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, Math.min(at + SLICE, end)) as never);
  }
  return text;
}

function readU32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  return (low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
