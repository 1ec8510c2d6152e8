// The whole number that the text of a JSON number stands for, exactly, without going through a
// double.
import { exponent } from "./decimal-double";

let whole: i64 = 0;
let shifted: u64 = 0;

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

/** Of a number's text, whose grammar was checked: `1.50e2` is 150. False as isWholeDouble. */
export function isWholeText(start: usize, length: u32): bool {
  const stop = start + length;
  const isNegative = load<u8>(start) == 0x2d;
  let at = isNegative ? start + 1 : start;
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
    held = 0;
  }
  whole = 0;
  if (digits == 0) return true;
  scale += held + exponent(at, stop);
  const most: u64 = isNegative ? 0x8000000000000000 : 0x7fffffffffffffff;
  if (scale < 0 || !shift(digits, scale) || shifted > most) return false;
  whole = isNegative ? 0 - <i64>shifted : <i64>shifted;
  return true;
}

/** `digits` times ten to the power of `count` into `shifted`; false when it is past 64 bits. */
function shift(digits: u64, count: i32): bool {
  shifted = digits;
  // Zero stays zero, however many zeros follow.
  if (digits == 0) return true;
  for (let i = 0; i < count; i++) {
    // Room is left for another digit.
    if (shifted > (u64.MAX_VALUE - 9) / 10) return false;
    shifted *= 10;
  }
  return true;
}
