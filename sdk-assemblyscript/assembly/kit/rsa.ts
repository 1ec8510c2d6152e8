// RSA signatures, checked (PKCS #1 v1.5, RFC 8017): RS256, RS384 and RS512.
import { fromBase64Url } from "./base64";
import { BlockHash } from "./block-hash";
import { inverseOf, isBelow, multiply, readNumber, squareOfRadix, WORDS_MAX, writeNumber } from "./montgomery";
import { beginDer, fromPem, isDerRead, passBytes, passHead, passInteger } from "./public-key";

const BITS_MIN: i32 = 1024;

/** A public key. To make one costs as much as a few signatures: keep it. */
@final
export class RsaKey {
  /** The modulus and 2^(64 * words) modulo it. */
  private readonly numbers: StaticArray<u32>;
  private readonly words: i32;

  private constructor(
    modulus: Uint8Array,
    /** Size of the modulus: 1024 to 8192. */
    readonly bits: i32,
    private readonly exponent: u32,
  ) {
    const words = (bits + 31) >> 5;
    this.words = words;
    this.numbers = new StaticArray<u32>(words * 2);
    const start = changetype<usize>(this.numbers);
    readNumber(start, modulus.dataStart, modulus.length, words);
    squareOfRadix(start + (<usize>words << 2), start, words, bits);
  }

  /** Of the members of a JSON web key; null when they are not a key of 1024 to 8192 bits. */
  static fromJwk(n: string, e: string): RsaKey | null {
    const modulus = fromBase64Url(n);
    const exponent = fromBase64Url(e);
    return modulus === null || exponent === null ? null : RsaKey.fromNumbers(modulus, exponent);
  }

  /** Of DER's SubjectPublicKeyInfo. */
  static fromSpki(der: Uint8Array): RsaKey | null {
    beginDer(der);
    if (passHead(0x30, true) < 0) return null;
    // The algorithm rsaEncryption, with no parameters.
    if (!passBytes("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00")) return null;
    if (passHead(0x03, true) < 0 || !passBytes("\0") || passHead(0x30, true) < 0) return null;
    const modulus = passInteger();
    const exponent = passInteger();
    if (modulus === null || exponent === null || !isDerRead()) return null;
    return RsaKey.fromNumbers(modulus, exponent);
  }

  /** Of a text with `-----BEGIN PUBLIC KEY-----`. */
  static fromPem(text: string): RsaKey | null {
    const der = fromPem(text);
    return der === null ? null : RsaKey.fromSpki(der);
  }

  /** Of big-endian bytes; the exponent is odd, at least 3 and below 2^32. */
  static fromNumbers(modulus: Uint8Array, exponent: Uint8Array): RsaKey | null {
    const length = modulus.length;
    if (length == 0 || length > WORDS_MAX * 4 || exponent.length == 0 || exponent.length > 4) {
      return null;
    }
    const top = load<u8>(modulus.dataStart);
    // No leading zeros, and odd.
    if (top == 0 || (load<u8>(modulus.dataStart + length - 1) & 1) == 0) return null;
    const bits = length * 8 - (clz<u32>(top) - 24);
    let power: u32 = 0;
    for (let i = 0; i < exponent.length; i++) power = (power << 8) | exponent[i];
    if (bits < BITS_MIN || power < 3 || (power & 1) == 0) return null;
    return new RsaKey(modulus, bits, power);
  }

  /** Whether this key signed the data: RS256 with `new Sha256()`, RS384, RS512; false for others. */
  verify(hash: BlockHash, data: Uint8Array, signature: Uint8Array): bool {
    const length = (this.bits + 7) >> 3;
    const kind = hash.digestBytes == 32 ? 1 : hash.digestBytes == 48 ? 2 : hash.digestBytes == 64 ? 3 : 0;
    if (kind == 0 || signature.length != length) return false;
    const value = memory.data(1024, 8);
    readNumber(value, signature.dataStart, length, this.words);
    if (!isBelow(value, changetype<usize>(this.numbers), this.words)) return false;
    this.raise(value);
    const message = new Uint8Array(length);
    writeNumber(message.dataStart, value, length);
    hash.update(data);
    const expected = padded(hash.digest(), kind, length);
    return memory.compare(message.dataStart, expected.dataStart, length) == 0;
  }

  /** To the power of the exponent. */
  private raise(value: usize): void {
    const words = this.words;
    const modulus = changetype<usize>(this.numbers);
    const inverse = inverseOf(load<u32>(modulus));
    const base = memory.data(1024, 8);
    const unit = memory.data(1024, 8);
    multiply(base, value, modulus + (<usize>words << 2), modulus, inverse, words);
    memory.copy(value, base, <usize>words << 2);
    for (let bit = 30 - <i32>clz<u32>(this.exponent); bit >= 0; bit--) {
      multiply(value, value, value, modulus, inverse, words);
      if (((this.exponent >> bit) & 1) != 0) multiply(value, value, base, modulus, inverse, words);
    }
    memory.fill(unit, 0, 1024);
    store<u32>(unit, 1);
    multiply(value, value, unit, modulus, inverse, words);
  }
}

/** What a signature of this digest must hold (RFC 8017, 9.2): there is only one right form. */
function padded(digest: Uint8Array, kind: i32, length: i32): Uint8Array {
  const message = new Uint8Array(length);
  const start = message.dataStart;
  const end = start + length;
  const size = digest.length;
  memory.fill(start, 0xff, length);
  store<u8>(start, 0);
  store<u8>(start, 1, 1);
  memory.copy(end - size, digest.dataStart, size);
  const info = end - size - 19;
  store<u8>(info - 1, 0);
  // SEQUENCE { SEQUENCE { OID of the hash, NULL }, OCTET STRING }
  const head = memory.data<u8>([
    0x30, 0x11, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x00, 0x05,
    0x00, 0x04, 0x00,
  ]);
  memory.copy(info, head, 19);
  store<u8>(info, <u8>(0x11 + size), 1);
  store<u8>(info, <u8>kind, 14);
  store<u8>(info, <u8>size, 18);
  return message;
}
