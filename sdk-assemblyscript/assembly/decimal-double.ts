// The double nearest to a number's text, exactly. The standard library's parseFloat is wrong in the
// last place for some, and by powers of ten for some above 1e38.

/** No double lies halfway between two texts that differ only behind so many digits. */
const DIGITS_MAX: i32 = 780;
/** Words of 32 bits for 10 to the power of 780 + 330, and one bit to move by. */
const WORDS: usize = 124;

/** Words in use of the number that was changed last. */
let words: usize = 0;

/** Of a number in JSON's grammar, which was checked: `-1.5e-3`. Infinite past the largest double. */
export function doubleOf(start: usize, length: u32): f64 {
  const stop = start + length;
  const isNegative = load<u8>(start) == 0x2d;
  const digits = memory.data(800);
  let at = isNegative ? start + 1 : start;
  let count = 0;
  // Where the point stands, counted in digits from the first that is not 0.
  let point = 0;
  let isFraction = false;
  while (at < stop && (load<u8>(at) | 0x20) != 0x65) {
    const byte: u32 = load<u8>(at++);
    if (byte == 0x2e) {
      isFraction = true;
      continue;
    }
    if (count > 0 || byte != 0x30) {
      // All digits that are left out together only tell whether there is any but 0.
      if (count < DIGITS_MAX) store<u8>(digits + count++, <u8>(byte - 0x30));
      else if (byte != 0x30) store<u8>(digits + DIGITS_MAX - 1, load<u8>(digits + DIGITS_MAX - 1) | 1);
      if (!isFraction) point++;
    } else if (isFraction) {
      point--;
    }
  }
  const value = assemble(digits, count, point + exponent(at, stop));
  return isNegative ? -value : value;
}

/** The exponent behind the `e` at `start`, cut to what no double has; 0 when there is none. */
export function exponent(start: usize, stop: usize): i32 {
  if (start >= stop) return 0;
  const sign = load<u8>(start, 1);
  let at = sign == 0x2b || sign == 0x2d ? start + 2 : start + 1;
  let value: i32 = 0;
  while (at < stop) {
    if (value < 100000000) value = value * 10 + load<u8>(at) - 0x30;
    at++;
  }
  return sign == 0x2d ? 0 - value : value;
}

/** 0.DIGITS times ten to the power of `point`. */
function assemble(digits: usize, count: i32, point: i32): f64 {
  if (count == 0 || point < -330) return 0;
  if (point > 310) return Infinity;
  const scale = point - count;
  if (count <= 15 && scale >= -22 && scale <= 22) {
    let whole: f64 = 0;
    for (let i = 0; i < count; i++) whole = whole * 10 + <f64>load<u8>(digits + i);
    // Both are exact, so the result is rounded only once.
    return scale < 0 ? whole / powerOfTen(0 - scale) : whole * powerOfTen(scale);
  }
  const number = memory.data(496, 4);
  const divisor = memory.data(496, 4);
  memory.fill(number, 0, WORDS * 4);
  words = 0;
  for (let i = 0; i < count; i++) multiplyAdd(number, 10, load<u8>(digits + i));
  for (let i = 0; i < scale; i++) multiplyAdd(number, 10, 0);
  memory.fill(divisor, 0, WORDS * 4);
  words = 0;
  multiplyAdd(divisor, 1, 1);
  for (let i = scale; i < 0; i++) multiplyAdd(divisor, 10, 0);
  return divide(number, divisor);
}

function powerOfTen(exponent: i32): f64 {
  let power: f64 = 1;
  for (let i = 0; i < exponent; i++) power *= 10;
  return power;
}

function multiplyAdd(number: usize, factor: u32, summand: u32): void {
  let carry: u64 = summand;
  for (let i: usize = 0; i < words; i++) {
    const place = number + (i << 2);
    carry += <u64>load<u32>(place) * factor;
    store<u32>(place, <u32>carry);
    carry >>= 32;
  }
  if (carry != 0) store<u32>(number + (words++ << 2), <u32>carry);
}

/** The double nearest to number / divisor. */
function divide(number: usize, divisor: usize): f64 {
  let power = bitsOf(number) - bitsOf(divisor);
  if (power > 0) shiftLeft(divisor, power);
  else shiftLeft(number, 0 - power);
  words = <usize>(max(bitsOf(number), bitsOf(divisor)) + 32) >> 5;
  if (isLess(number, divisor)) {
    shiftLeft(number, 1);
    power--;
  }
  // Now 1 <= number / divisor < 2.
  let quotient: u64 = 0;
  for (let i = 0; i < 64; i++) {
    quotient <<= 1;
    if (!isLess(number, divisor)) {
      subtract(number, divisor);
      quotient |= 1;
    }
    shiftLeft(number, 1);
  }
  return round(quotient, power, bitsOf(number) == 0);
}

function bitsOf(number: usize): i32 {
  for (let i = <i32>WORDS - 1; i >= 0; i--) {
    const word = load<u32>(number + (<usize>i << 2));
    if (word != 0) return i * 32 + 32 - <i32>clz<u32>(word);
  }
  return 0;
}

function shiftLeft(number: usize, bits: i32): void {
  const far = <usize>bits >> 5 << 2;
  const near = bits & 31;
  let at = WORDS * 4;
  while (at > 0) {
    at -= 4;
    let word: u64 = 0;
    if (at >= far) word = <u64>load<u32>(number + at - far) << 32;
    if (at >= far + 4) word |= <u64>load<u32>(number + at - far - 4);
    store<u32>(number + at, <u32>((word << near) >> 32));
  }
}

function isLess(one: usize, other: usize): bool {
  let at = words << 2;
  while (at > 0) {
    at -= 4;
    const left = load<u32>(one + at);
    const right = load<u32>(other + at);
    if (left != right) return left < right;
  }
  return false;
}

function subtract(number: usize, other: usize): void {
  let borrow: u64 = 0;
  for (let i: usize = 0; i < words; i++) {
    const place = number + (i << 2);
    const difference: u64 = <u64>load<u32>(place) - <u64>load<u32>(other + (i << 2)) - borrow;
    store<u32>(place, <u32>difference);
    borrow = difference >> 63;
  }
}

/** The quotient's highest bit stands for 2 to the power of `power`; half goes to the even one. */
function round(quotient: u64, power: i32, isExact: bool): f64 {
  if (power > 1023) return Infinity;
  const isNormal = power >= -1022;
  const dropped = isNormal ? 11 : 11 - 1022 - power;
  if (dropped > 64) return 0;
  let mantissa: u64 = dropped == 64 ? 0 : quotient >> <u64>dropped;
  const rest: u64 = quotient << <u64>((64 - dropped) & 63);
  const half: u64 = 1 << 63;
  if (rest > half || (rest == half && (!isExact || (mantissa & 1) != 0))) mantissa++;
  // A carry out of the mantissa makes the exponent one larger, as it should.
  return reinterpret<f64>(isNormal ? (<u64>(power + 1022) << 52) + mantissa : mantissa);
}
