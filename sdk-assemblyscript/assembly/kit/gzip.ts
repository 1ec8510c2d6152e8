// Compresses to gzip (RFC 1951, 1952): repetitions within a piece, codes that are always the same.
// Quick and small, for bodies on their way; others compress better.
import { Buffer } from "./buffer";
import { crc32 } from "./crc32";

const HASH_BITS: u32 = 13;
const TABLE_BYTES: u32 = 32768;
const MATCH_MIN: u32 = 4;
const MATCH_MAX: u32 = 258;
const DISTANCE_MAX: u32 = 32768;
/** A literal takes 9 bits at most; with a block's head and end, and bits from before. */
const BLOCK_BYTES: u32 = 16;
/** Larger pieces are cut, so that their output can be allocated and matches are found. */
const PIECE_BYTES: u32 = 1 << 20;

/** All of it at once. */
export function gzip(bytes: Uint8Array): Uint8Array {
  const stream = new Gzip();
  stream.append(bytes);
  stream.end();
  return stream.take();
}

/** A gzip stream: `append` pieces, `take` what is ready as often as wanted, at last `end`. */
@final
export class Gzip {
  private out: Buffer = new Buffer();
  private sum: u32 = 0;
  private total: u32 = 0;
  /** Bits that do not fill a byte yet, the first one lowest. */
  private bits: u64 = 0;
  private bitCount: u32 = 0;
  private isEnded: bool = false;

  constructor() {
    // Deflate, no name, no time, unknown system.
    this.out.copy(memory.data<u8>([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]), 10);
  }

  /** Compresses a piece; nothing after `end`. Pieces of some KiB compress better than small ones. */
  append(bytes: Uint8Array): void {
    if (this.isEnded) return;
    let at = bytes.dataStart;
    let rest: u32 = bytes.length;
    this.sum = crc32(this.sum, at, rest);
    this.total += rest;
    while (rest > 0) {
      const length = min(rest, PIECE_BYTES);
      this.block(at, length);
      at += length;
      rest -= length;
    }
  }

  /** Makes all that was appended readable: for pieces that somebody waits for. */
  flush(): void {
    if (!this.isEnded) this.emptyBlock(0);
  }

  /** Ends the stream. */
  end(): void {
    if (this.isEnded) return;
    this.emptyBlock(1);
    this.isEnded = true;
    const at = this.out.room(8);
    if (at == 0) return;
    store<u32>(at, this.sum);
    store<u32>(at, this.total, 4);
  }

  /** What is ready; it is not given again. */
  take(): Uint8Array {
    const bytes = this.out.bytes();
    this.out = new Buffer();
    return bytes;
  }

  /** A stored block of nothing, which ends on a whole byte. */
  private emptyBlock(isLast: u32): void {
    const out = this.out.room(BLOCK_BYTES);
    if (out == 0) return;
    let at = this.put(out, isLast, 3);
    at = this.put(at, 0, (8 - (this.bitCount & 7)) & 7);
    store<u32>(at, 0xffff0000);
    this.out.shorten(BLOCK_BYTES - <u32>(at + 4 - out));
  }

  private block(start: usize, length: u32): void {
    const reserved = length + (length >> 3) + BLOCK_BYTES;
    const out = this.out.room(reserved);
    if (out == 0) return;
    // Places in the piece by the hash of four bytes, plus one: 0 is none.
    const table = memory.data(32768, 4);
    memory.fill(table, 0, TABLE_BYTES);
    let at = this.put(out, 2, 3);
    let i: u32 = 0;
    while (i < length) {
      let matched: u32 = 0;
      let distance: u32 = 0;
      if (i + MATCH_MIN <= length) {
        const four = load<u32>(start + i);
        const hash: u32 = four * 2654435761;
        const slot = table + (<usize>(hash >> (32 - HASH_BITS)) << 2);
        const before = load<u32>(slot);
        store<u32>(slot, i + 1);
        distance = i + 1 - before;
        if (before != 0 && distance <= DISTANCE_MAX && load<u32>(start + before - 1) == four) {
          matched = matchLength(start + i, start + before - 1, min(length - i, MATCH_MAX));
        }
      }
      if (matched == 0) {
        at = this.putSymbol(at, load<u8>(start + i));
        i++;
      } else {
        at = this.putMatch(at, matched, distance);
        i += matched;
      }
    }
    at = this.putSymbol(at, 256);
    this.out.shorten(reserved - <u32>(at - out));
  }

  private putMatch(start: usize, length: u32, distance: u32): usize {
    const over = length - 3;
    let at = start;
    if (over < 8) {
      at = this.putSymbol(at, 257 + over);
    } else if (length == MATCH_MAX) {
      at = this.putSymbol(at, 285);
    } else {
      const extra = 29 - clz<u32>(over);
      at = this.putSymbol(at, 257 + (extra << 2) + (over >> extra));
      at = this.put(at, over & ((1 << extra) - 1), extra);
    }
    const back = distance - 1;
    if (back < 4) return this.put(at, reversed(back, 5), 5);
    const extra = 30 - clz<u32>(back);
    at = this.put(at, reversed((extra << 1) + (back >> extra), 5), 5);
    return this.put(at, back & ((1 << extra) - 1), extra);
  }

  private putSymbol(at: usize, symbol: u32): usize {
    const code: u32 = load<u16>(symbolCodes() + (<usize>symbol << 1));
    return this.put(at, code >> 4, code & 15);
  }

  /** Writes bits, and returns where the next whole byte goes. */
  private put(start: usize, value: u32, count: u32): usize {
    let at = start;
    this.bits |= <u64>value << this.bitCount;
    this.bitCount += count;
    while (this.bitCount >= 8) {
      store<u8>(at++, <u8>this.bits);
      this.bits >>= 8;
      this.bitCount -= 8;
    }
    return at;
  }
}

/** The codes that RFC 1951, 3.2.6 fixes, reversed, each above its length of four bits. */
function symbolCodes(): usize {
  const codes = memory.data(576, 2);
  if (load<u16>(codes) == 0) {
    for (let symbol: u32 = 0; symbol < 288; symbol++) {
      const code = codeOf(symbol);
      const length = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
      store<u16>(codes + (<usize>symbol << 1), <u16>((reversed(code, length) << 4) | length));
    }
  }
  return codes;
}

function codeOf(symbol: u32): u32 {
  if (symbol < 144) return 0x30 + symbol;
  if (symbol < 256) return 0x190 + symbol - 144;
  return symbol < 280 ? symbol - 256 : 0xc0 + symbol - 280;
}

function matchLength(one: usize, other: usize, most: u32): u32 {
  let length: u32 = MATCH_MIN;
  while (length < most && load<u8>(one + length) == load<u8>(other + length)) length++;
  return length;
}

/** Codes begin with their highest bit, all else with the lowest. */
function reversed(code: u32, count: u32): u32 {
  let result: u32 = 0;
  for (let i: u32 = 0; i < count; i++) result |= ((code >> i) & 1) << (count - 1 - i);
  return result;
}
