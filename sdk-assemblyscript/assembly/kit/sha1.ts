// SHA-1 (FIPS 180-4): for files and protocols that still name it. Not for signatures.
import { BlockHash, swapWords } from "./block-hash";

/** SHA-1 in pieces; for one array there is `sha1`. */
@final
export class Sha1 extends BlockHash {
  constructor() {
    super(20, 64, 20);
  }

  protected begin(state: usize): void {
    store<u32>(state, 0x67452301);
    store<u32>(state, 0xefcdab89, 4);
    store<u32>(state, 0x98badcfe, 8);
    store<u32>(state, 0x10325476, 12);
    store<u32>(state, 0xc3d2e1f0, 16);
  }

  protected take(state: usize, block: usize): void {
    takeBlock(state, block);
  }

  protected finish(state: usize, out: usize): void {
    swapWords(state, out, 5);
  }
}

/** The 20 bytes of SHA-1. */
export function sha1(bytes: Uint8Array): Uint8Array {
  const hash = new Sha1();
  hash.update(bytes);
  return hash.digest();
}

function takeBlock(state: usize, block: usize): void {
  const words = memory.data(320, 8);
  swapWords(block, words, 16);
  for (let at = words + 64; at < words + 320; at += 4) {
    const mixed =
      load<u32>(at - 12) ^ load<u32>(at - 32) ^ load<u32>(at - 56) ^ load<u32>(at - 64);
    store<u32>(at, rotl<u32>(mixed, 1));
  }
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  let e = load<u32>(state, 16);
  for (let i: u32 = 0; i < 80; i++) {
    const next = rotl<u32>(a, 5) + e + load<u32>(words + (i << 2)) + roundValue(i, b, c, d);
    e = d;
    d = c;
    c = rotl<u32>(b, 30);
    b = a;
    a = next;
  }
  store<u32>(state, load<u32>(state) + a);
  store<u32>(state, load<u32>(state, 4) + b, 4);
  store<u32>(state, load<u32>(state, 8) + c, 8);
  store<u32>(state, load<u32>(state, 12) + d, 12);
  store<u32>(state, load<u32>(state, 16) + e, 16);
}

// @ts-ignore: decorator
@inline
function roundValue(round: u32, b: u32, c: u32, d: u32): u32 {
  if (round < 20) return (d ^ (b & (c ^ d))) + 0x5a827999;
  if (round < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (round < 60) return ((b & c) | (d & (b | c))) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}
