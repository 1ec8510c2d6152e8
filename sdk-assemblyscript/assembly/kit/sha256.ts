// SHA-256 (FIPS 180-4).
import { BlockHash, swapWords } from "./block-hash";

/** SHA-256 in pieces; for one array there is `sha256`. */
@final
export class Sha256 extends BlockHash {
  constructor() {
    super(32, 64, 32);
  }

  protected begin(state: usize): void {
    const start = memory.data<u32>([
      0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ]);
    memory.copy(state, start, 32);
  }

  protected take(state: usize, block: usize): void {
    takeBlock(state, block);
  }

  protected finish(state: usize, out: usize): void {
    swapWords(state, out, 8);
  }
}

/** The 32 bytes of SHA-256. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const hash = new Sha256();
  hash.update(bytes);
  return hash.digest();
}

function takeBlock(state: usize, block: usize): void {
  const constants = memory.data<u32>([
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
  ]);
  const words = memory.data(256, 8);
  swapWords(block, words, 16);
  for (let at = words; at < words + 192; at += 4) {
    const far = load<u32>(at, 4);
    const near = load<u32>(at, 56);
    const one = rotr<u32>(far, 7) ^ rotr<u32>(far, 18) ^ (far >> 3);
    const two = rotr<u32>(near, 17) ^ rotr<u32>(near, 19) ^ (near >> 10);
    store<u32>(at, load<u32>(at) + one + load<u32>(at, 36) + two, 64);
  }
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  let e = load<u32>(state, 16);
  let f = load<u32>(state, 20);
  let g = load<u32>(state, 24);
  let h = load<u32>(state, 28);
  // Eight rounds at a time, so that no value has to be moved from name to name.
  for (let i: usize = 0; i < 256; i += 32) {
    h += mixLow(e, f, g) + load<u32>(constants + i) + load<u32>(words + i);
    d += h;
    h += mixHigh(a, b, c);
    g += mixLow(d, e, f) + load<u32>(constants + i, 4) + load<u32>(words + i, 4);
    c += g;
    g += mixHigh(h, a, b);
    f += mixLow(c, d, e) + load<u32>(constants + i, 8) + load<u32>(words + i, 8);
    b += f;
    f += mixHigh(g, h, a);
    e += mixLow(b, c, d) + load<u32>(constants + i, 12) + load<u32>(words + i, 12);
    a += e;
    e += mixHigh(f, g, h);
    d += mixLow(a, b, c) + load<u32>(constants + i, 16) + load<u32>(words + i, 16);
    h += d;
    d += mixHigh(e, f, g);
    c += mixLow(h, a, b) + load<u32>(constants + i, 20) + load<u32>(words + i, 20);
    g += c;
    c += mixHigh(d, e, f);
    b += mixLow(g, h, a) + load<u32>(constants + i, 24) + load<u32>(words + i, 24);
    f += b;
    b += mixHigh(c, d, e);
    a += mixLow(f, g, h) + load<u32>(constants + i, 28) + load<u32>(words + i, 28);
    e += a;
    a += mixHigh(b, c, d);
  }
  store<u32>(state, load<u32>(state) + a);
  store<u32>(state, load<u32>(state, 4) + b, 4);
  store<u32>(state, load<u32>(state, 8) + c, 8);
  store<u32>(state, load<u32>(state, 12) + d, 12);
  store<u32>(state, load<u32>(state, 16) + e, 16);
  store<u32>(state, load<u32>(state, 20) + f, 20);
  store<u32>(state, load<u32>(state, 24) + g, 24);
  store<u32>(state, load<u32>(state, 28) + h, 28);
}

// @ts-ignore: decorator
@inline
function mixLow(e: u32, f: u32, g: u32): u32 {
  return (rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25)) + (g ^ (e & (f ^ g)));
}

// @ts-ignore: decorator
@inline
function mixHigh(a: u32, b: u32, c: u32): u32 {
  return (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22)) + ((a & b) | (c & (a | b)));
}
