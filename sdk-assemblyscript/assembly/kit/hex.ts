// Bytes as hexadecimal digits.

/** Two small digits for each byte. */
export function hex(bytes: Uint8Array): string {
  const length = bytes.length;
  const text = changetype<string>(__new(<usize>length << 2, idof<string>()));
  let out = changetype<usize>(text);
  for (let i = 0; i < length; i++) {
    const byte: u32 = load<u8>(bytes.dataStart + i);
    store<u16>(out, <u16>hexLetter(byte >> 4));
    store<u16>(out, <u16>hexLetter(byte & 15), 2);
    out += 4;
  }
  return text;
}

/** The bytes of hexadecimal digits of either case; null when the text is not exactly that. */
export function fromHex(text: string): Uint8Array | null {
  const length = text.length >> 1;
  if ((text.length & 1) != 0) return null;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const high = hexValue(text.charCodeAt(i * 2));
    const low = hexValue(text.charCodeAt(i * 2 + 1));
    if ((high | low) < 0) return null;
    store<u8>(bytes.dataStart + i, <u8>((high << 4) | low));
  }
  return bytes;
}

/** The small digit for 0 to 15. */
export function hexLetter(value: u32): u32 {
  return value < 10 ? value + 48 : value + 87;
}

/** What a digit stands for; -1 when it is none. */
export function hexValue(unit: i32): i32 {
  if (<u32>(unit - 48) < 10) return unit - 48;
  const letter = (unit | 0x20) - 97;
  return <u32>letter < 6 ? letter + 10 : -1;
}
