// Decompresses gzip (RFC 1951, 1952), never to more than it is told.
import { Buffer } from "./buffer";
import { crc32 } from "./crc32";

const BITS_MAX: i32 = 15;
/** A code: how many symbols have each length, then the symbols in order. */
const CODE_BYTES: usize = 32 + 2 * 288;

let at: usize = 0;
let stop: usize = 0;
let bits: u64 = 0;
let bitCount: u32 = 0;
/** True while the tables hold the codes of blocks that bring none: made once, for small blocks. */
let isFixed: bool = false;
/** True when bits were asked for behind the end. */
let isShort: bool = false;

/** What gzip made of it, in one or more members; null when it is broken, cut, or past `bytesMax`. */
export function gunzip(bytes: Uint8Array, bytesMax: u32): Uint8Array | null {
  at = bytes.dataStart;
  stop = at + bytes.length;
  isShort = false;
  const out = new Buffer();
  // At least one.
  do {
    const before: u32 = out.length;
    if (!passHeader() || !inflate(out, bytesMax, before)) return null;
    if (stop - at < 8) return null;
    const length = <u32>out.length - before;
    if (load<u32>(at) != crc32(0, out.start + before, length)) return null;
    if (load<u32>(at, 4) != length) return null;
    at += 8;
  } while (at < stop);
  return out.bytes();
}

function passHeader(): bool {
  if (stop - at < 10 || load<u8>(at) != 0x1f || load<u8>(at, 1) != 0x8b) return false;
  const flags = load<u8>(at, 3);
  if (load<u8>(at, 2) != 8 || (flags & 0xe0) != 0) return false;
  at += 10;
  if ((flags & 4) != 0) {
    if (stop - at < 2) return false;
    const extra: usize = load<u16>(at);
    at += 2;
    if (stop - at < extra) return false;
    at += extra;
  }
  if ((flags & 8) != 0 && !passName()) return false;
  if ((flags & 16) != 0 && !passName()) return false;
  if ((flags & 2) != 0) {
    if (stop - at < 2) return false;
    at += 2;
  }
  return true;
}

/** Up to a NUL. */
function passName(): bool {
  while (at < stop) {
    if (load<u8>(at++) == 0) return true;
  }
  return false;
}

function inflate(out: Buffer, bytesMax: u32, from: u32): bool {
  bits = 0;
  bitCount = 0;
  let isLast = false;
  while (!isLast) {
    isLast = take(1) != 0;
    const kind = take(2);
    let isWhole = false;
    if (isShort) return false;
    if (kind == 0) isWhole = copyStored(out, bytesMax);
    else if (kind == 1) isWhole = readFixedCodes() && readBlock(out, bytesMax, from);
    else if (kind == 2) isWhole = readCodes() && readBlock(out, bytesMax, from);
    if (!isWhole || isShort) return false;
  }
  // Whole bytes that were taken too early.
  at -= bitCount >> 3;
  return true;
}

/** So many bits, the first one lowest; 0 and `isShort` when there are not as many. */
function take(count: u32): u32 {
  while (bitCount < count) {
    if (at == stop) {
      isShort = true;
      return 0;
    }
    bits |= <u64>load<u8>(at++) << bitCount;
    bitCount += 8;
  }
  const value = <u32>(bits & ((1 << count) - 1));
  bits >>= count;
  bitCount -= count;
  return value;
}

function copyStored(out: Buffer, bytesMax: u32): bool {
  at -= bitCount >> 3;
  bits = 0;
  bitCount = 0;
  if (stop - at < 4) return false;
  const length: u32 = load<u16>(at);
  if ((length ^ load<u16>(at, 2)) != 0xffff) return false;
  at += 4;
  if (stop - at < length || length > bytesMax - out.length) return false;
  out.copy(at, length);
  at += length;
  return !out.isFull;
}

function literals(): usize {
  return memory.data(608, 2);
}

function distances(): usize {
  return memory.data(608, 2);
}

/** Literals, lengths and copies up to the end of the block; copies reach back to `from` at most. */
function readBlock(out: Buffer, bytesMax: u32, from: u32): bool {
  const literalCode = literals();
  const distanceCode = distances();
  while (true) {
    const symbol = readSymbol(literalCode);
    if (symbol < 0) return false;
    if (symbol == 256) return true;
    if (symbol < 256) {
      if (<u32>out.length >= bytesMax) return false;
      out.byte(<u8>symbol);
    } else {
      const length = lengthOf(symbol);
      const distance = distanceOf(readSymbol(distanceCode));
      const used: u32 = out.length;
      if (length == 0 || distance == 0 || distance > used - from) return false;
      if (isShort || length > bytesMax - used) return false;
      const target = out.room(length);
      if (target == 0) return false;
      // Byte by byte: a copy may reach into itself.
      for (let i: u32 = 0; i < length; i++) store<u8>(target + i, load<u8>(target + i - distance));
    }
    if (out.isFull) return false;
  }
}

/** 0 when there is no such symbol. */
function lengthOf(symbol: i32): u32 {
  const over: u32 = symbol - 257;
  if (over < 8) return over + 3;
  if (over == 28) return 258;
  if (over > 28) return 0;
  const extra = (over >> 2) - 1;
  return 3 + ((4 + (over & 3)) << extra) + take(extra);
}

function distanceOf(symbol: i32): u32 {
  const code: u32 = symbol;
  if (code < 4) return code + 1;
  if (code > 29) return 0;
  const extra = (code >> 1) - 1;
  return 1 + ((2 + (code & 1)) << extra) + take(extra);
}

/** The symbol whose code comes next; -1 when none does. Longer codes come behind shorter ones. */
function readSymbol(code: usize): i32 {
  let value: i32 = 0;
  let first: i32 = 0;
  let index: i32 = 0;
  for (let length = 1; length <= BITS_MAX; length++) {
    value |= take(1);
    if (isShort) return -1;
    const count: i32 = load<u16>(code + (<usize>length << 1));
    if (value - count < first) {
      return load<u16>(code + 32 + (<usize>(index + value - first) << 1));
    }
    index += count;
    first = (first + count) << 1;
    value <<= 1;
  }
  return -1;
}

/**
 * Makes a code of the lengths of its symbols' codes: how many bit patterns are left over, below 0
 * when there are too few.
 */
function makeCode(code: usize, lengths: usize, count: u32): i32 {
  const offsets = memory.data(32, 2);
  memory.fill(code, 0, CODE_BYTES);
  for (let i: u32 = 0; i < count; i++) {
    const place = code + (<usize>load<u8>(lengths + i) << 1);
    store<u16>(place, load<u16>(place) + 1);
  }
  let left = 1;
  store<u16>(offsets, 0, 2);
  for (let length: usize = 1; length <= <usize>BITS_MAX; length++) {
    const amount: i32 = load<u16>(code + (length << 1));
    left = (left << 1) - amount;
    if (left < 0) return left;
    if (length < <usize>BITS_MAX) {
      store<u16>(offsets + (length << 1), <u16>(load<u16>(offsets + (length << 1)) + amount), 2);
    }
  }
  for (let i: u32 = 0; i < count; i++) {
    const length: usize = load<u8>(lengths + i);
    if (length == 0) continue;
    const offset = offsets + (length << 1);
    const place = load<u16>(offset);
    store<u16>(code + 32 + (<usize>place << 1), <u16>i);
    store<u16>(offset, place + 1);
  }
  // No symbol at all has no length either.
  store<u16>(code, 0);
  return left;
}

function readFixedCodes(): bool {
  if (isFixed) return true;
  const lengths = memory.data(288);
  memory.fill(lengths, 8, 144);
  memory.fill(lengths + 144, 9, 112);
  memory.fill(lengths + 256, 7, 24);
  memory.fill(lengths + 280, 8, 8);
  makeCode(literals(), lengths, 288);
  memory.fill(lengths, 5, 30);
  makeCode(distances(), lengths, 30);
  isFixed = true;
  return true;
}

/** The codes of a block, whose lengths are themselves in a code. */
function readCodes(): bool {
  const lengths = memory.data(320);
  const order = memory.data<u8>([
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
  ]);
  const literalCount = take(5) + 257;
  const distanceCount = take(5) + 1;
  const lengthCount = take(4) + 4;
  if (literalCount > 286 || distanceCount > 30) return false;
  isFixed = false;
  memory.fill(lengths, 0, 19);
  for (let i: u32 = 0; i < lengthCount; i++) {
    store<u8>(lengths + load<u8>(order + i), <u8>take(3));
  }
  if (isShort || makeCode(literals(), lengths, 19) != 0) return false;
  if (!readLengths(lengths, literalCount + distanceCount)) return false;
  // A block must be able to end.
  if (load<u8>(lengths, 256) == 0) return false;
  const isDistanceCode = isCode(distances(), lengths + literalCount, distanceCount);
  return isDistanceCode && isCode(literals(), lengths, literalCount);
}

/** Only a code of one symbol may leave patterns over. */
function isCode(code: usize, lengths: usize, count: u32): bool {
  const left = makeCode(code, lengths, count);
  let used = 0;
  for (let length: usize = 1; length <= <usize>BITS_MAX; length++) used += load<u16>(code + (length << 1));
  return left == 0 || (left > 0 && used <= 1 && (used == 0 || load<u16>(code, 2) == 1));
}

function readLengths(lengths: usize, count: u32): bool {
  let i: u32 = 0;
  let before: u8 = 0;
  while (i < count) {
    const symbol = readSymbol(literals());
    if (symbol < 0) return false;
    if (symbol < 16) {
      before = <u8>symbol;
      store<u8>(lengths + i++, before);
      continue;
    }
    if (symbol == 16 && i == 0) return false;
    if (symbol > 16) before = 0;
    const times = symbol == 16 ? 3 + take(2) : symbol == 17 ? 3 + take(3) : 11 + take(7);
    if (isShort || i + times > count) return false;
    memory.fill(lengths + i, before, times);
    i += times;
  }
  return true;
}
