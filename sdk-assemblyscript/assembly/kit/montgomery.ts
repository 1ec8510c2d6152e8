// Arithmetic modulo an odd number: words of 32 bits, the lowest first. Only for what everybody may
// know: it takes a time that tells something about the numbers.

/** Words of the largest modulus: 8192 bits. */
export const WORDS_MAX: i32 = 256;

/**
 * out = a * b / 2^(32 * words) modulo `modulus`, Montgomery's product, of two numbers below it.
 * `inverse` is that of its lowest word, as `inverseOf` gives it.
 */
export function multiply(
  out: usize,
  a: usize,
  b: usize,
  modulus: usize,
  inverse: u32,
  words: i32,
): void {
  const sum = memory.data(1032, 8);
  const size = <usize>words << 2;
  memory.fill(sum, 0, size + 4);
  for (let i: usize = 0; i < size; i += 4) {
    const factor: u64 = load<u32>(a + i);
    let carry: u64 = <u64>load<u32>(sum) + factor * <u64>load<u32>(b);
    const lowest: u32 = <u32>carry;
    const quotient: u32 = lowest * inverse;
    const times: u64 = quotient;
    let other: u64 = (<u64>lowest + times * <u64>load<u32>(modulus)) >> 32;
    carry >>= 32;
    for (let j: usize = 4; j < size; j += 4) {
      carry += <u64>load<u32>(sum + j) + factor * <u64>load<u32>(b + j);
      other += <u64>(<u32>carry) + times * <u64>load<u32>(modulus + j);
      store<u32>(sum + j - 4, <u32>other);
      carry >>= 32;
      other >>= 32;
    }
    carry += other + load<u32>(sum + size);
    store<u32>(sum + size - 4, <u32>carry);
    store<u32>(sum + size, <u32>(carry >> 32));
  }
  if (load<u32>(sum + size) != 0 || !isBelow(sum, modulus, words)) {
    subtract(out, sum, modulus, words);
  } else {
    memory.copy(out, sum, size);
  }
}

/** Whether a < b. */
export function isBelow(a: usize, b: usize, words: i32): bool {
  let at = <usize>words << 2;
  while (at > 0) {
    at -= 4;
    const one = load<u32>(a + at);
    const other = load<u32>(b + at);
    if (one != other) return one < other;
  }
  return false;
}

export function isZero(a: usize, words: i32): bool {
  for (let i = 0; i < words; i++) {
    if (load<u32>(a + (<usize>i << 2)) != 0) return false;
  }
  return true;
}

/** out = a - b; what it has to borrow. */
function subtract(out: usize, a: usize, b: usize, words: i32): u64 {
  let borrow: u64 = 0;
  const size = <usize>words << 2;
  for (let i: usize = 0; i < size; i += 4) {
    const difference: u64 = <u64>load<u32>(a + i) - <u64>load<u32>(b + i) - borrow;
    store<u32>(out + i, <u32>difference);
    borrow = difference >> 63;
  }
  return borrow;
}

/** out = a + b; what it has to carry. */
function add(out: usize, a: usize, b: usize, words: i32): u64 {
  let carry: u64 = 0;
  const size = <usize>words << 2;
  for (let i: usize = 0; i < size; i += 4) {
    carry += <u64>load<u32>(a + i) + <u64>load<u32>(b + i);
    store<u32>(out + i, <u32>carry);
    carry >>= 32;
  }
  return carry;
}

/** out = a + b modulo `modulus`, of two numbers below it. */
export function addModulo(out: usize, a: usize, b: usize, modulus: usize, words: i32): void {
  const carry = add(out, a, b, words);
  if (carry != 0 || !isBelow(out, modulus, words)) subtract(out, out, modulus, words);
}

/** out = a - b modulo `modulus`, of two numbers below it. */
export function subtractModulo(out: usize, a: usize, b: usize, modulus: usize, words: i32): void {
  if (subtract(out, a, b, words) != 0) add(out, out, modulus, words);
}

/** What `multiply` needs to know of a modulus: -1 divided by its lowest word, modulo 2^32. */
export function inverseOf(lowest: u32): u32 {
  // Each round doubles the bits that are right, of which an odd number has three itself.
  let inverse: u32 = lowest;
  for (let i = 0; i < 4; i++) {
    const product: u32 = lowest * inverse;
    inverse = inverse * (2 - product);
  }
  return 0 - inverse;
}

/** out = 2^(64 * words) modulo `modulus`, whose highest bit that is set is number `bits - 1`. */
export function squareOfRadix(out: usize, modulus: usize, words: i32, bits: i32): void {
  memory.fill(out, 0, <usize>words << 2);
  const top = bits - 1;
  store<u32>(out + ((<usize>top >> 5) << 2), <u32>1 << (top & 31));
  for (let i = top; i < words * 64; i++) addModulo(out, out, out, modulus, words);
}

/** Reads a big-endian number of at most `words` words. */
export function readNumber(out: usize, bytes: usize, length: u32, words: i32): void {
  memory.fill(out, 0, <usize>words << 2);
  for (let i: u32 = 0; i < length; i++) store<u8>(out + i, load<u8>(bytes + length - 1 - i));
}

/** Writes a number as so many big-endian bytes. */
export function writeNumber(bytes: usize, number: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) store<u8>(bytes + i, load<u8>(number + length - 1 - i));
}
