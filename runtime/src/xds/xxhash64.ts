// XXH64 with seed 0: Envoy shows the version of each xDS subscription as this hash of its text.
const mask = 0xffff_ffff_ffff_ffffn;
const prime1 = 0x9e37_79b1_85eb_ca87n;
const prime2 = 0xc2b2_ae3d_27d4_eb4fn;
const prime3 = 0x1656_67b1_9e37_79f9n;
const prime4 = 0x85eb_ca77_c2b2_ae63n;
const prime5 = 0x27d4_eb2f_1656_67c5n;

/** Of the UTF-8 bytes of a text; below 2^64. */
export function xxhash64(text: string): bigint {
  const bytes = Buffer.from(text, "utf8");
  let at = 0;
  let hash = prime5;
  if (bytes.length >= 32) {
    const lanes = [(prime1 + prime2) & mask, prime2, 0n, -prime1 & mask];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let i = 0; i < 4; i += 1) {
        lanes[i] = round(lanes[i] as bigint, bytes.readBigUInt64LE(at + 8 * i));
      }
    }
    hash = joinLanes(lanes);
  }
  hash = (hash + BigInt(bytes.length)) & mask;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n);
    hash = (hash * prime1 + prime4) & mask;
  }
  if (at + 4 <= bytes.length) {
    hash = rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * prime1) & mask), 23n);
    hash = (hash * prime2 + prime3) & mask;
    at += 4;
  }
  for (; at < bytes.length; at += 1) {
    hash = rotate(hash ^ ((BigInt(bytes[at] as number) * prime5) & mask), 11n);
    hash = (hash * prime1) & mask;
  }
  return avalanche(hash);
}

function joinLanes(lanes: readonly bigint[]): bigint {
  const turns = [1n, 7n, 12n, 18n];
  let hash = 0n;
  for (const [i, lane] of lanes.entries()) hash += rotate(lane, turns[i] as bigint);
  hash &= mask;
  for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * prime1 + prime4) & mask;
  return hash;
}

function round(lane: bigint, word: bigint): bigint {
  return (rotate((lane + word * prime2) & mask, 31n) * prime1) & mask;
}

function avalanche(hash: bigint): bigint {
  let mixed = ((hash ^ (hash >> 33n)) * prime2) & mask;
  mixed = ((mixed ^ (mixed >> 29n)) * prime3) & mask;
  return mixed ^ (mixed >> 32n);
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & mask;
}
