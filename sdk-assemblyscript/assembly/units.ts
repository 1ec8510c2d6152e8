// Durations and sizes as a configuration writes them: "1.5s", "64KiB". transform/units.mjs has the
// same grammar.

let value: u64 = 0;
let at: usize = 0;
let stop: usize = 0;

/** Milliseconds or bytes that the last call which answered true has found. */
export function unitValue(): u64 {
  return value;
}

/** Digits and ms, s, m or h; seconds may have a fraction of one to three digits. */
export function isDuration(start: usize, length: u32): bool {
  at = start;
  stop = start + length;
  if (!readDigits(u32.MAX_VALUE)) return false;
  const whole = value;
  let thousandths: u64 = 0;
  const hasFraction = at < stop && load<u8>(at) == 0x2e;
  if (hasFraction) {
    const from = ++at;
    if (!readDigits(3)) return false;
    thousandths = value;
    for (let digits = at - from; digits < 3; digits++) thousandths *= 10;
  }
  const unit = readUnit();
  if (hasFraction && unit != 0x73) return false;
  const milliseconds = unit == 0x73 ? 1000 : unit == 0x6d ? 60000 : unit == 0x68 ? 3600000 : 1;
  if (milliseconds == 1 && unit != 0x736d) return false;
  if (!multiply(whole, milliseconds) || value > u64.MAX_VALUE - thousandths) return false;
  value += thousandths;
  return true;
}

/** Digits and B, kB, KiB, MB, MiB, GB or GiB. */
export function isSize(start: usize, length: u32): bool {
  at = start;
  stop = start + length;
  if (!readDigits(u32.MAX_VALUE)) return false;
  switch (readUnit()) {
    case 0x42:
      return true;
    case 0x426b:
      return multiply(value, 1000);
    case 0x42694b:
      return multiply(value, 1 << 10);
    case 0x424d:
      return multiply(value, 1000000);
    case 0x42694d:
      return multiply(value, 1 << 20);
    case 0x4247:
      return multiply(value, 1000000000);
    case 0x426947:
      return multiply(value, 1 << 30);
    default:
      return false;
  }
}

/** One digit or more, at most so many, into `value`. */
function readDigits(most: u32): bool {
  const from = at;
  value = 0;
  while (at < stop && <u32>(at - from) < most) {
    const digit = <u32>load<u8>(at) - 48;
    if (digit > 9) break;
    if (value > (u64.MAX_VALUE - 9) / 10) return false;
    value = value * 10 + digit;
    at++;
  }
  return at > from;
}

/** The bytes up to the end, the first one lowest; 0 for none, and for more than three. */
function readUnit(): u32 {
  const length = stop - at;
  if (length == 0 || length > 3) return 0;
  let unit: u32 = 0;
  for (let i: usize = 0; i < length; i++) unit |= <u32>load<u8>(at + i) << (<u32>i << 3);
  return unit;
}

function multiply(number: u64, factor: u64): bool {
  if (number > u64.MAX_VALUE / factor) return false;
  value = number * factor;
  return true;
}
