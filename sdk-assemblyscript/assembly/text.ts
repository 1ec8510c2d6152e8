// Small text helpers without the tables that the standard library's versions bring along.

/** A whole number in decimal. */
export function decimal(value: u64): string {
  const digits = memory.data(24);
  let at = digits + 24;
  let rest = value;
  do {
    at--;
    store<u8>(at, <u8>(48 + rest % 10));
    rest /= 10;
  } while (rest != 0);
  return asciiText(at, <u32>(digits + 24 - at));
}

/** A whole number in decimal, with its sign. */
export function signedDecimal(value: i64): string {
  return value < 0 ? "-" + decimal(0 - <u64>value) : decimal(value);
}

/** Bytes below 0x80 as a string. */
export function asciiText(start: usize, length: u32): string {
  const text = __new(<usize>length << 1, idof<string>());
  for (let i: u32 = 0; i < length; i++) store<u16>(text + (<usize>i << 1), load<u8>(start + i));
  return changetype<string>(text);
}

/** A whole number that text holds and nothing else; -1 when it is not one or is past 2^31 - 1. */
export function wholeNumber(text: string): i32 {
  const length = text.length;
  if (length == 0 || length > 10) return -1;
  let value: i64 = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (<u32>digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value > i32.MAX_VALUE ? -1 : <i32>value;
}

/** ASCII letters in lower case, everything else as it is: what header names and hosts need. */
export function asciiLower(text: string): string {
  const length = text.length;
  const lower = __new(<usize>length << 1, idof<string>());
  for (let i = 0; i < length; i++) {
    const unit = <u32>text.charCodeAt(i);
    store<u16>(lower + (<usize>i << 1), unit - 65 < 26 ? unit + 32 : unit);
  }
  return changetype<string>(lower);
}
