// The whole number that the text of a JSON number stands for, exactly, without going through a
// double.
import { exponent } from "./decimal-double";

let whole: i64 = 0;
let shifted: u64 = 0;
let magnitude: u64 = 0;

/** What the last call that answered true found. */
export function wholeValue(): i64 {
  return whole;
}

/** Of a double. False for a fraction and for what does not fit in 64 bits. */
export function isWholeDouble(double: f64): bool {
  // 2^63 itself does not fit, and there is no double between it and the largest that does.
  if (!(double >= -9223372036854775808.0 && double < 9223372036854775808.0)) return false;
  whole = <i64>double;
  return <f64>whole == double;
}

/** As isWholeDouble, of 64 bits without a sign: `wholeValue` has the bits of one. */
export function isUnsignedDouble(double: f64): bool {
  if (!(double >= 0 && double < 18446744073709551616.0)) return false;
  const number = <u64>double;
  whole = <i64>number;
  return <f64>number == double;
}

/** Of a number's text, whose grammar was checked: `1.50e2` is 150. False as isWholeDouble. */
export function isWholeText(start: usize, length: u32): bool {
  if (!readMagnitude(start, start + length)) return false;
  const isNegative = load<u8>(start) == 0x2d;
  if (magnitude > (isNegative ? 0x8000000000000000 : 0x7fffffffffffffff)) return false;
  whole = isNegative ? 0 - <i64>magnitude : <i64>magnitude;
  return true;
}

/** As isWholeText, of 64 bits without a sign: `wholeValue` has the bits of one. */
export function isUnsignedText(start: usize, length: u32): bool {
  if (!readMagnitude(start, start + length)) return false;
  if (magnitude != 0 && load<u8>(start) == 0x2d) return false;
  whole = <i64>magnitude;
  return true;
}

/** The number without its sign; false for a fraction and for what does not fit in 64 bits. */
function readMagnitude(start: usize, stop: usize): bool {
  let at = load<u8>(start) == 0x2d ? start + 1 : start;
  let digits: u64 = 0;
  let scale: i32 = 0;
  let isFraction = false;
  // Zeros are held back until another digit follows: those at the end only move the scale.
  let held: i32 = 0;
  while (at < stop && (load<u8>(at) | 0x20) != 0x65) {
    const byte = load<u8>(at++);
    if (byte == 0x2e) {
      isFraction = true;
      continue;
    }
    if (isFraction) scale--;
    held++;
    if (byte == 0x30) continue;
    if (!shift(digits, held)) return false;
    digits = shifted + (byte - 0x30);
    if (digits < shifted) return false;
    held = 0;
  }
  magnitude = 0;
  if (digits == 0) return true;
  scale += held + exponent(at, stop);
  if (scale < 0 || !shift(digits, scale)) return false;
  magnitude = shifted;
  return true;
}

/** `digits` times ten to the power of `count` into `shifted`; false when it is past 64 bits. */
function shift(digits: u64, count: i32): bool {
  shifted = digits;
  // Zero stays zero, however many zeros follow.
  if (digits == 0) return true;
  for (let i = 0; i < count; i++) {
    if (shifted > u64.MAX_VALUE / 10) return false;
    shifted *= 10;
  }
  return true;
}
