// Base64 and base64url (RFC 4648). Reading is strict: one text for each sequence of bytes.

/** The bytes in base64, padded. */
export function base64(bytes: Uint8Array): string {
  return encode(bytes, 0x2b, 0x2f, true);
}

/** The bytes in base64url without padding, as JSON web tokens have it. */
export function base64Url(bytes: Uint8Array): string {
  return encode(bytes, 0x2d, 0x5f, false);
}

/** The bytes of padded base64; null when the text is not exactly that. */
export function fromBase64(text: string): Uint8Array | null {
  const units = text.length;
  if ((units & 3) != 0) return null;
  let end = units;
  while (end > 0 && units - end < 2 && text.charCodeAt(end - 1) == 0x3d) end--;
  return decode(text, end, 0x2b, 0x2f);
}

/** The bytes of base64url without padding; null when the text is not exactly that. */
export function fromBase64Url(text: string): Uint8Array | null {
  return decode(text, text.length, 0x2d, 0x5f);
}

function encode(bytes: Uint8Array, plus: u32, slash: u32, isPadded: bool): string {
  const length = bytes.length;
  const whole = length / 3;
  const rest = length - whole * 3;
  const units = whole * 4 + (rest == 0 ? 0 : isPadded ? 4 : rest + 1);
  // A string has at most half as many units as bytes can be allocated.
  if (units > 0x1fff0000) return "";
  const text = changetype<string>(__new(<usize>units << 1, idof<string>()));
  let out = changetype<usize>(text);
  let at = bytes.dataStart;
  for (let i = 0; i < whole; i++) {
    const three = (<u32>load<u8>(at) << 16) | (<u32>load<u8>(at, 1) << 8) | load<u8>(at, 2);
    store<u16>(out, <u16>letterOf(three >> 18, plus, slash));
    store<u16>(out, <u16>letterOf((three >> 12) & 63, plus, slash), 2);
    store<u16>(out, <u16>letterOf((three >> 6) & 63, plus, slash), 4);
    store<u16>(out, <u16>letterOf(three & 63, plus, slash), 6);
    at += 3;
    out += 8;
  }
  if (rest == 0) return text;
  const last = (<u32>load<u8>(at) << 16) | (rest == 2 ? <u32>load<u8>(at, 1) << 8 : 0);
  store<u16>(out, <u16>letterOf(last >> 18, plus, slash));
  store<u16>(out, <u16>letterOf((last >> 12) & 63, plus, slash), 2);
  if (rest == 2) store<u16>(out, <u16>letterOf((last >> 6) & 63, plus, slash), 4);
  else if (isPadded) store<u16>(out, 0x3d, 4);
  if (isPadded) store<u16>(out, 0x3d, 6);
  return text;
}

// @ts-ignore: decorator
@inline
function letterOf(value: u32, plus: u32, slash: u32): u32 {
  if (value < 26) return value + 65;
  if (value < 52) return value + 71;
  if (value < 62) return value - 4;
  return value == 62 ? plus : slash;
}

/** Of the first `units` of the text. */
function decode(text: string, units: i32, plus: u32, slash: u32): Uint8Array | null {
  const rest = units & 3;
  if (rest == 1) return null;
  const whole = units >> 2;
  const bytes = new Uint8Array(whole * 3 + (rest == 0 ? 0 : rest - 1));
  let out = bytes.dataStart;
  let at = changetype<usize>(text);
  for (let i = 0; i < whole; i++) {
    const four =
      (valueOf(load<u16>(at), plus, slash) << 18) |
      (valueOf(load<u16>(at, 2), plus, slash) << 12) |
      (valueOf(load<u16>(at, 4), plus, slash) << 6) |
      valueOf(load<u16>(at, 6), plus, slash);
    if (four < 0) return null;
    store<u8>(out, <u8>(four >> 16));
    store<u8>(out, <u8>(four >> 8), 1);
    store<u8>(out, <u8>four, 2);
    at += 8;
    out += 3;
  }
  if (rest == 0) return bytes;
  const third = rest == 3 ? valueOf(load<u16>(at, 4), plus, slash) : 0;
  const last =
    (valueOf(load<u16>(at), plus, slash) << 18) |
    (valueOf(load<u16>(at, 2), plus, slash) << 12) |
    (third << 6);
  // Bits of the last letter that belong to no byte are 0.
  if (last < 0 || (last & (rest == 3 ? 0xff : 0xffff)) != 0) return null;
  store<u8>(out, <u8>(last >> 16));
  if (rest == 3) store<u8>(out, <u8>(last >> 8), 1);
  return bytes;
}

/** Negative, whatever it is shifted by up to 18, when the unit is no letter of the alphabet. */
// @ts-ignore: decorator
@inline
function valueOf(unit: u32, plus: u32, slash: u32): i32 {
  if (unit - 97 < 26) return unit - 71;
  if (unit - 65 < 26) return unit - 65;
  if (unit - 48 < 10) return unit + 4;
  return unit == plus ? 62 : unit == slash ? 63 : -1;
}
