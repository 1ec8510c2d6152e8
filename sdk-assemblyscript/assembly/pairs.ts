// Header lists as they cross the ABI: u32 count, a u32 pair of lengths for each, then the strings
// with a NUL behind each. Called by the header maps and by local replies.
import { log } from "./log";
import { scratch } from "./memory";
import { encodedNameLength, encodeName, encodeValue } from "./names";
import { decodeUtf8, encodedLength } from "./utf8";

/** One header or trailer. */
export class HeaderPair {
  constructor(
    readonly name: string,
    readonly value: string,
  ) {}
}

/** A walk over a serialised list that never reads outside of it, whatever the lengths say. */
export class PairsReader {
  /** Entries of the list; 0 for one that is cut off. */
  count: u32 = 0;
  nameStart: usize = 0;
  nameLength: u32 = 0;
  valueStart: usize = 0;
  valueLength: u32 = 0;
  private lengths: usize;
  private at: usize;
  private rest: u64;
  private left: u32 = 0;

  constructor(start: usize, length: u32) {
    this.lengths = start + 4;
    this.at = start;
    this.rest = 0;
    const count: u32 = length < 4 ? 0 : load<u32>(start);
    const head: u64 = 4 + <u64>count * 8;
    if (head <= length) {
      this.count = count;
      this.left = count;
      this.at = start + <usize>head;
      this.rest = length - head;
    }
  }

  /** Moves to the next entry; false at the end, or where the list is malformed. */
  next(): bool {
    if (this.left == 0) return false;
    this.left--;
    const nameLength = load<u32>(this.lengths);
    const valueLength = load<u32>(this.lengths, 4);
    const bytes: u64 = <u64>nameLength + valueLength + 2;
    if (bytes > this.rest) {
      this.left = 0;
      return false;
    }
    this.lengths += 8;
    this.rest -= bytes;
    this.nameStart = this.at;
    this.nameLength = nameLength;
    this.valueStart = this.at + nameLength + 1;
    this.valueLength = valueLength;
    this.at += <usize>bytes;
    return true;
  }

  name(): string {
    return decodeUtf8(this.nameStart, this.nameLength);
  }

  value(): string {
    return decodeUtf8(this.valueStart, this.valueLength);
  }
}

let pairsBytes: u32 = 0;
let isLeftOut: bool = false;

/** Length of what encodePairs made last. */
export function encodedPairsLength(): u32 {
  return pairsBytes;
}

/** Whether encodePairs has left out an entry the last time. */
export function isPairLeftOut(): bool {
  return isLeftOut;
}

/**
 * Serialises a flat list, [name, value, name, value, ...]. An entry with an unusable name or value
 * is left out with a warning; so is a name without a value at the end.
 */
export function encodePairs(flat: string[]): usize {
  const entries = flat.length >> 1;
  const kept = scratch(entries * 16);
  let count: u32 = 0;
  let bytes: u64 = 4;
  isLeftOut = (flat.length & 1) != 0;
  for (let i = 0; i < entries; i++) {
    const name = encodeName(flat[i * 2]);
    const value = encodeValue(flat[i * 2 + 1]);
    if (name == 0 || value == 0) {
      isLeftOut = true;
      log.warn("header left out: unusable name, or a line break in the value");
      continue;
    }
    const entry = kept + <usize>count * 16;
    store<u32>(entry, name);
    store<u32>(entry, encodedNameLength(), 4);
    store<u32>(entry, value, 8);
    store<u32>(entry, encodedLength(), 12);
    bytes += <u64>encodedNameLength() + encodedLength() + 10;
    count++;
  }
  pairsBytes = 0;
  const start: usize = bytes > 0x3fff0000 ? 0 : scratch(<u32>bytes);
  if (start == 0) return 0;
  writePairs(start, kept, count);
  pairsBytes = <u32>bytes;
  return start;
}

function writePairs(start: usize, kept: usize, count: u32): void {
  store<u32>(start, count);
  let lengths = start + 4;
  let out = lengths + <usize>count * 8;
  for (let i: u32 = 0; i < count; i++) {
    const entry = kept + <usize>i * 16;
    const nameLength = load<u32>(entry, 4);
    const valueLength = load<u32>(entry, 12);
    store<u32>(lengths, nameLength);
    store<u32>(lengths, valueLength, 4);
    lengths += 8;
    memory.copy(out, load<u32>(entry), nameLength);
    store<u8>(out + nameLength, 0);
    out += nameLength + 1;
    memory.copy(out, load<u32>(entry, 8), valueLength);
    store<u8>(out + valueLength, 0);
    out += valueLength + 1;
  }
}
