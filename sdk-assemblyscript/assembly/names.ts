// Header names and values on their way to the host: lower case, checked, literals encoded only
// once.
import { scratch } from "./memory";
import { encodedLength, encodeUtf8, isPlain } from "./utf8";

/** Power of two; a filter rarely names more headers. What collides is encoded each time. */
const SLOTS: usize = 64;
const SLOT_BYTES: usize = 12;
const slots: usize = memory.data(768, 4);

let nameBytes: u32 = 0;

/** Length of what encodeName returned last. */
export function encodedNameLength(): u32 {
  return nameBytes;
}

/**
 * The name in lower case, as bytes; 0 when it is not a header name. The bytes of a literal stay
 * where they are for good, which also lets a host recognise them by address.
 */
export function encodeName(name: string): usize {
  const id = changetype<usize>(name);
  // Literals lie below the heap and never move or change.
  if (id >= __heap_base) return lowerName(name, scratch(name.length));
  const slot = slots + ((id >> 4) & (SLOTS - 1)) * SLOT_BYTES;
  const owner = load<usize>(slot);
  if (owner == id) {
    nameBytes = load<u32>(slot, 8);
    return load<usize>(slot, 4);
  }
  if (owner != 0) return lowerName(name, scratch(name.length));
  const start = lowerName(name, heap.alloc(name.length));
  store<usize>(slot, id);
  store<usize>(slot, start, 4);
  store<u32>(slot, nameBytes, 8);
  return start;
}

function lowerName(name: string, start: usize): usize {
  const length = name.length;
  nameBytes = 0;
  if (length == 0 || start == 0) return 0;
  for (let i = 0; i < length; i++) {
    const unit = <u32>load<u16>(changetype<usize>(name) + (<usize>i << 1));
    // A colon opens pseudo headers and stands nowhere else.
    if (unit <= 0x20 || unit >= 0x7f || (unit == 0x3a && (i != 0 || length == 1))) return 0;
    store<u8>(start + i, <u8>(unit - 65 < 26 ? unit + 32 : unit));
  }
  nameBytes = length;
  return start;
}

/** The value as UTF-8; 0 when it holds CR, LF or NUL, which would end the header in the middle. */
export function encodeValue(value: string): usize {
  const start = encodeUtf8(value);
  if (start == 0 || isPlain()) return start;
  return isValueSafe(start, encodedLength()) ? start : 0;
}

/** Eight bytes at a time as long as none is below 14: of 30 bytes 5 ns in the place of 50. */
export function isValueSafe(start: usize, length: u32): bool {
  const end = start + length;
  let at = start;
  while (at < end) {
    const next = at + 8;
    if (next <= end) {
      const bytes = load<u64>(at);
      if (((bytes - 0x0e0e0e0e0e0e0e0e) & ~bytes & 0x8080808080808080) == 0) {
        at = next;
        continue;
      }
    }
    const byte = load<u8>(at++);
    // Bits 0, 10 and 13.
    if (byte < 14 && ((0x2401 >> byte) & 1) != 0) return false;
  }
  return true;
}

/** A name of the configuration, encoded once; literals are so by themselves. */
export class HeaderName {
  /** Owned by the SDK: address of the bytes, 0 when it is no header name. */
  readonly start: usize;
  /** In bytes; 0 when it is no header name. */
  readonly length: u32;

  constructor(name: string) {
    this.start = lowerName(name, heap.alloc(max(name.length, 1)));
    this.length = nameBytes;
  }
}
