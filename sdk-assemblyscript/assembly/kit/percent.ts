// Percent encoding (RFC 3986, 2.1).
import { scratch } from "../memory";
import { asciiText } from "../text";
import { decodeUtf8, encodedLength, encodeUtf8, isUtf8 } from "../utf8";
import { hexValue } from "./hex";

/** As JavaScript's encodeURIComponent, but that a lone surrogate is U+FFFD: `kept` stays, too. */
export function encodePercent(text: string, kept: string = "!'()*"): string {
  const start = encodeUtf8(text);
  const length = encodedLength();
  const out = scratch(length * 3);
  // Only for text past 340 MiB.
  if (out == 0) return "";
  return asciiText(out, <u32>(storePercent(out, start, length, kept, false) - out));
}

/** Each `%41` as the byte it stands for, others as they are; broken UTF-8 becomes U+FFFD. */
export function decodePercent(text: string): string {
  const start = encodeUtf8(text);
  const length = decodeInPlace(start, encodedLength(), false);
  return decodeUtf8(start, length);
}

/** As JavaScript's decodeURIComponent: null where that throws, for `%zz` and broken UTF-8. */
export function decodePercentStrictly(text: string): string | null {
  const start = encodeUtf8(text);
  const length = encodedLength();
  for (let i: u32 = 0; i < length; i++) {
    if (load<u8>(start + i) == 0x25 && percentValue(start + i, start + length) < 0) return null;
  }
  const decoded = decodeInPlace(start, length, false);
  return isUtf8(start, decoded) ? decodeUtf8(start, decoded) : null;
}

/** Writes bytes encoded, a blank as `+` if so wished, and returns where they end. */
export function storePercent(
  target: usize,
  start: usize,
  length: u32,
  kept: string,
  isForm: bool,
): usize {
  let out = target;
  for (let i: u32 = 0; i < length; i++) {
    const byte: u32 = load<u8>(start + i);
    // Forms have it the other way round with the tilde and the star.
    const isPlain = isForm && byte == 0x7e ? false : isUnreserved(byte);
    if (isPlain || (byte < 0x80 && isKept(byte, kept))) {
      store<u8>(out++, byte);
    } else if (isForm && byte == 0x20) {
      store<u8>(out++, 0x2b);
    } else {
      store<u8>(out, 0x25);
      store<u8>(out, upperHex(byte >> 4), 1);
      store<u8>(out, upperHex(byte & 15), 2);
      out += 3;
    }
  }
  return out;
}

/** Decodes bytes where they are, `+` as a blank if so wished, and returns how many are left. */
export function decodeInPlace(start: usize, length: u32, isForm: bool): u32 {
  const stop = start + length;
  let at = start;
  let out = start;
  while (at < stop) {
    const byte = load<u8>(at);
    const value = byte == 0x25 ? percentValue(at, stop) : -1;
    at += value < 0 ? 1 : 3;
    store<u8>(out++, value >= 0 ? <u8>value : isForm && byte == 0x2b ? 0x20 : byte);
  }
  return <u32>(out - start);
}

function percentValue(at: usize, stop: usize): i32 {
  if (stop - at < 3) return -1;
  const high = hexValue(load<u8>(at, 1));
  const low = hexValue(load<u8>(at, 2));
  return (high | low) < 0 ? -1 : (high << 4) | low;
}

/** Letters, digits, `-` `.` `_` `~` */
function isUnreserved(byte: u32): bool {
  if ((byte | 0x20) - 97 < 26 || byte - 48 < 10) return true;
  return byte == 0x2d || byte == 0x2e || byte == 0x5f || byte == 0x7e;
}

/** A handful of characters, looked through one by one. */
function isKept(byte: u32, kept: string): bool {
  for (let i = 0; i < kept.length; i++) {
    if (<u32>kept.charCodeAt(i) == byte) return true;
  }
  return false;
}

function upperHex(value: u32): u32 {
  return value < 10 ? value + 48 : value + 55;
}
