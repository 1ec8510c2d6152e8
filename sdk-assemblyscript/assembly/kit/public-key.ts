// The forms in which public keys come (RFC 5280: SubjectPublicKeyInfo, RFC 7468: PEM), and the one of
// an ECDSA signature that is not two numbers side by side.
import { fromBase64 } from "./base64";

let at: usize = 0;
let stop: usize = 0;

/** The bytes between the lines of a PEM public key; null when the text is not one. */
export function fromPem(text: string): Uint8Array | null {
  const head = "-----BEGIN PUBLIC KEY-----";
  const start = text.indexOf(head);
  if (start < 0) return null;
  const end = text.indexOf("-----END PUBLIC KEY-----", start);
  if (end < 0) return null;
  let letters = "";
  let from = start + head.length;
  // Line by line, so that it takes as many pieces as there are lines; a key has few.
  while (from < end && letters.length < LETTERS_MAX) {
    let to = from;
    while (to < end && text.charCodeAt(to) > 0x20) to++;
    if (to > from) letters += text.substring(from, to);
    from = to + 1;
  }
  return fromBase64(letters);
}

/** A key of 8192 bits has 1408. */
const LETTERS_MAX: i32 = 4096;

/** Begins to read DER. */
export function beginDer(bytes: Uint8Array): void {
  at = bytes.dataStart;
  stop = at + bytes.length;
}

/** True when all was read. */
export function isDerRead(): bool {
  return at == stop;
}

/** Passes bytes that must stand here, written as characters below 256. */
export function passBytes(expected: string): bool {
  const length = expected.length;
  if (stop - at < <usize>length) return false;
  for (let i = 0; i < length; i++) {
    if (load<u8>(at + i) != <u8>expected.charCodeAt(i)) return false;
  }
  at += length;
  return true;
}

/**
 * Passes a tag and the length behind it, which must be the shortest form and reach to the end of
 * the whole unless `isLast` is false; the length, or -1.
 */
export function passHead(tag: u8, isLast: bool): i32 {
  if (stop - at < 2 || load<u8>(at) != tag) return -1;
  let length: u32 = load<u8>(at, 1);
  at += 2;
  if (length >= 0x80) {
    const bytes = length & 0x7f;
    if (bytes == 0 || bytes > 2 || stop - at < bytes) return -1;
    length = load<u8>(at);
    if (bytes == 2) length = (length << 8) | load<u8>(at, 1);
    if (length < (bytes == 2 ? 0x100 : 0x80)) return -1;
    at += bytes;
  }
  const rest = <u32>(stop - at);
  return length > rest || (isLast && length != rest) ? -1 : length;
}

/** Passes a positive INTEGER in its shortest form: its bytes without a leading 0; null if not one. */
export function passInteger(): Uint8Array | null {
  let length = passHead(0x02, false);
  if (length <= 0 || load<u8>(at) >= 0x80) return null;
  if (load<u8>(at) == 0) {
    at++;
    length--;
    if (length == 0 || load<u8>(at) < 0x80) return null;
  }
  return passRaw(length);
}

/** Passes so many bytes, of which there must be enough. */
export function passRaw(length: i32): Uint8Array {
  const bytes = new Uint8Array(length);
  memory.copy(bytes.dataStart, at, length);
  at += length;
  return bytes;
}
