// Text to bytes and back. The decoder is the WHATWG one (U+FFFD for each broken part): the standard
// library's does not check its input and turns bytes of a hostile path into other characters.
import { scratch } from "./memory";

const REPLACEMENT: u32 = 0xfffd;
/** A string longer than this cannot be allocated. */
const TEXT_BYTES_MAX: u32 = 0x1fff0000;

let encodedBytes: u32 = 0;
let isEncodedPlain: bool = false;
let pointEnd: usize = 0;

/** Length in bytes of what encodeUtf8 made last. */
export function encodedLength(): u32 {
  return encodedBytes;
}

/** UTF-8 bytes in scratch memory, a lone surrogate as U+FFFD; 0 when the text is past 340 MiB. */
export function encodeUtf8(text: string): usize {
  const from = changetype<usize>(text);
  const units = text.length;
  const start = scratch(units);
  if (start == 0) return failEncode();
  let i = 0;
  let low: u64 = 0;
  for (; i + 4 <= units; i += 4) {
    let four = load<u64>(from + (<usize>i << 1));
    if ((four & 0xff80ff80ff80ff80) != 0) return encodeWide(from, units);
    low |= four - 0x0020002000200020;
    four = (four | (four >> 8)) & 0x0000ffff0000ffff;
    store<u32>(start + i, <u32>(four | (four >> 16)));
  }
  for (; i < units; i++) {
    const unit = load<u16>(from + (<usize>i << 1));
    if (unit >= 0x80) return encodeWide(from, units);
    low |= <u64>unit - 0x20;
    store<u8>(start + i, <u8>unit);
  }
  encodedBytes = units;
  // Below 0x80 the subtraction sets the highest bit of a unit only by a borrow.
  isEncodedPlain = (low & 0x8000800080008000) == 0;
  return start;
}

/** Whether what encodeUtf8 made last is known to hold no control character. */
export function isPlain(): bool {
  return isEncodedPlain;
}

function failEncode(): usize {
  encodedBytes = 0;
  return 0;
}

function encodeWide(from: usize, units: i32): usize {
  if (units > 0x15000000) return failEncode();
  const start = scratch(units * 3);
  if (start == 0) return failEncode();
  isEncodedPlain = false;
  let out = start;
  for (let i = 0; i < units; i++) {
    let point: u32 = load<u16>(from + (<usize>i << 1));
    if ((point & 0xf800) == 0xd800) {
      const low: u32 = i + 1 < units ? load<u16>(from + (<usize>i << 1), 2) : 0;
      if (point < 0xdc00 && (low & 0xfc00) == 0xdc00) {
        point = 0x10000 + ((point & 0x3ff) << 10) + (low & 0x3ff);
        i++;
      } else {
        point = REPLACEMENT;
      }
    }
    out = storeUtf8(out, point);
  }
  encodedBytes = <u32>(out - start);
  return start;
}

/** Writes one code point and returns the address after it. */
export function storeUtf8(out: usize, point: u32): usize {
  if (point < 0x80) {
    store<u8>(out, point);
    return out + 1;
  }
  if (point < 0x800) {
    store<u8>(out, 0xc0 | (point >> 6));
    store<u8>(out, 0x80 | (point & 0x3f), 1);
    return out + 2;
  }
  if (point < 0x10000) {
    store<u8>(out, 0xe0 | (point >> 12));
    store<u8>(out, 0x80 | ((point >> 6) & 0x3f), 1);
    store<u8>(out, 0x80 | (point & 0x3f), 2);
    return out + 3;
  }
  store<u8>(out, 0xf0 | (point >> 18));
  store<u8>(out, 0x80 | ((point >> 12) & 0x3f), 1);
  store<u8>(out, 0x80 | ((point >> 6) & 0x3f), 2);
  store<u8>(out, 0x80 | (point & 0x3f), 3);
  return out + 4;
}

/** The bytes as text, a byte order mark kept; "" when they are past 512 MiB. */
export function decodeUtf8(start: usize, length: u32): string {
  if (length == 0 || length > TEXT_BYTES_MAX) return "";
  // No byte makes more than one UTF-16 unit.
  const text = __new(<usize>length << 1, idof<string>());
  const stop = start + length;
  let from = start;
  let out = text;
  while (stop - from >= 4) {
    const four = load<u32>(from);
    if ((four & 0x80808080) != 0) break;
    let wide: u64 = four;
    wide = (wide | (wide << 16)) & 0x0000ffff0000ffff;
    wide = (wide | (wide << 8)) & 0x00ff00ff00ff00ff;
    store<u64>(out, wide);
    from += 4;
    out += 8;
  }
  while (from < stop) {
    const byte = load<u8>(from);
    if (byte >= 0x80) return decodeWide(text, from, stop, out);
    store<u16>(out, byte);
    from++;
    out += 2;
  }
  return changetype<string>(text);
}

function decodeWide(text: usize, start: usize, stop: usize, target: usize): string {
  let from = start;
  let out = target;
  while (from < stop) {
    const point = readPoint(from, stop);
    out = storeUtf16(out, point < 0 ? REPLACEMENT : point);
    from = pointEnd;
  }
  return changetype<string>(__renew(text, out - text));
}

/** Whether the bytes are exactly this text, told without making a string. */
export function isTextEqual(start: usize, length: u32, text: string): bool {
  const expected = encodeUtf8(text);
  if (length != encodedBytes) return false;
  // Small, where memory.compare is fast.
  for (let i: u32 = 0; i < length; i++) {
    if (load<u8>(start + i) != load<u8>(expected + i)) return false;
  }
  return true;
}

/** Whether the bytes are UTF-8 throughout. */
export function isUtf8(start: usize, length: u32): bool {
  const stop = start + length;
  let from = start;
  while (from < stop) {
    if (readPoint(from, stop) < 0) return false;
    from = pointEnd;
  }
  return true;
}

/**
 * The code point at `start`, -1 where it is broken; `pointEnd` is then behind the bytes that could
 * have begun one, as the WHATWG decoder counts them.
 */
function readPoint(start: usize, stop: usize): i32 {
  const first: u32 = load<u8>(start);
  let from = start + 1;
  pointEnd = from;
  if (first < 0x80) return first;
  let missing = continuationBytes(first);
  if (missing == 0) return -1;
  // The first continuation byte shuts out overlong forms, surrogates, and what is past U+10FFFF.
  let low: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  let high: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  let point = first & (0x3f >> missing);
  while (missing > 0) {
    const byte: u32 = from < stop ? load<u8>(from) : 0;
    if (byte < low || byte > high) {
      pointEnd = from;
      return -1;
    }
    low = 0x80;
    high = 0xbf;
    point = (point << 6) | (byte & 0x3f);
    from++;
    missing--;
  }
  pointEnd = from;
  return point;
}

function continuationBytes(first: u32): i32 {
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if (first >= 0xe0 && first <= 0xef) return 2;
  if (first >= 0xf0 && first <= 0xf4) return 3;
  return 0;
}

function storeUtf16(out: usize, point: u32): usize {
  if (point < 0x10000) {
    store<u16>(out, <u16>point);
    return out + 2;
  }
  const above = point - 0x10000;
  store<u16>(out, <u16>(0xd800 | (above >> 10)));
  store<u16>(out, <u16>(0xdc00 | (above & 0x3ff)), 2);
  return out + 4;
}
