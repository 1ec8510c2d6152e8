// ECDSA signatures on P-256 with SHA-256, checked (FIPS 186-5): ES256.
import { fromBase64Url } from "./base64";
import { isBelow, isZero, multiply, readNumber } from "./montgomery";
import {
  addPoint,
  AFFINE_BYTES,
  DIGIT_BITS,
  doublePoint,
  enterField,
  fillTable,
  generatorTable,
  hasCoordinate,
  isInfinite,
  isOnCurve,
  NUMBER_BYTES,
  order,
  ORDER_INVERSE,
  orderSquare,
  power,
  prime,
  TABLE_BYTES,
} from "./p256-field";
import { beginDer, fromPem, isDerRead, passBytes, passHead, passInteger, passRaw } from "./public-key";
import { sha256 } from "./sha256";

/** A public key on P-256. To make one costs as much as a few signatures: keep it. */
@final
export class EcdsaKey {
  /** Its odd multiples up to 15. */
  private readonly table: StaticArray<u8> = new StaticArray<u8>(<i32>TABLE_BYTES);

  private constructor(affine: usize) {
    fillTable(changetype<usize>(this.table), affine);
  }

  /** Of the members of a JSON web key with `crv` P-256; null when they are no point of it. */
  static fromJwk(x: string, y: string): EcdsaKey | null {
    const first = fromBase64Url(x);
    const second = fromBase64Url(y);
    return first === null || second === null ? null : EcdsaKey.fromNumbers(first, second);
  }

  /** Of DER's SubjectPublicKeyInfo with an uncompressed point. */
  static fromSpki(der: Uint8Array): EcdsaKey | null {
    beginDer(der);
    // The algorithm ecPublicKey on prime256v1, then 65 bytes of which the first says uncompressed.
    const isP256 =
      passBytes("\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01") &&
      passBytes("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04");
    if (!isP256 || der.length != 91) return null;
    const x = passRaw(32);
    return EcdsaKey.fromNumbers(x, passRaw(32));
  }

  /** Of a text with `-----BEGIN PUBLIC KEY-----`. */
  static fromPem(text: string): EcdsaKey | null {
    const der = fromPem(text);
    return der === null ? null : EcdsaKey.fromSpki(der);
  }

  /** Of the coordinates, 32 big-endian bytes each. */
  static fromNumbers(x: Uint8Array, y: Uint8Array): EcdsaKey | null {
    if (x.length != 32 || y.length != 32) return null;
    const affine = memory.data(64, 8);
    readNumber(affine, x.dataStart, 32, 8);
    readNumber(affine + NUMBER_BYTES, y.dataStart, 32, 8);
    if (!isBelow(affine, prime(), 8) || !isBelow(affine + NUMBER_BYTES, prime(), 8)) return null;
    enterField(affine, affine);
    enterField(affine + NUMBER_BYTES, affine + NUMBER_BYTES);
    return isOnCurve(affine) ? new EcdsaKey(affine) : null;
  }

  /** Whether this key signed the data. The signature is r and s, 32 bytes each, as in JWS. */
  verify(data: Uint8Array, signature: Uint8Array): bool {
    if (signature.length != 64) return false;
    const r = memory.data(32, 8);
    const s = memory.data(32, 8);
    const e = memory.data(32, 8);
    readNumber(r, signature.dataStart, 32, 8);
    readNumber(s, signature.dataStart + 32, 32, 8);
    if (!isScalar(r) || !isScalar(s)) return false;
    readNumber(e, sha256(data).dataStart, 32, 8);
    return verifyNumbers(changetype<usize>(this.table), e, r, s);
  }
}

/** The signature of 64 bytes that DER's SEQUENCE of two INTEGERs means; null when it is none. */
export function ecdsaSignatureFromDer(der: Uint8Array): Uint8Array | null {
  beginDer(der);
  if (passHead(0x30, true) < 0) return null;
  const r = passInteger();
  const s = passInteger();
  if (r === null || s === null || !isDerRead() || r.length > 32 || s.length > 32) return null;
  const signature = new Uint8Array(64);
  memory.copy(signature.dataStart + (32 - r.length), r.dataStart, r.length);
  memory.copy(signature.dataStart + (64 - s.length), s.dataStart, s.length);
  return signature;
}

/** Whether a number is at least 1 and below the order. */
function isScalar(number: usize): bool {
  return !isZero(number, 8) && isBelow(number, order(), 8);
}

/** Whether the point (e / s) * generator + (r / s) * key has r for its first coordinate. */
function verifyNumbers(table: usize, e: usize, r: usize, s: usize): bool {
  const inverse = memory.data(32, 8);
  const exponent = memory.data(32, 8);
  const digits = memory.data(520);
  const point = memory.data(96, 8);
  const generator = generatorTable();
  // 1 / s is s to the power of the order - 2. In Montgomery's form, which the products below leave.
  memory.copy(exponent, order(), NUMBER_BYTES);
  store<u32>(exponent, load<u32>(exponent) - 2);
  multiplyScalars(inverse, s, orderSquare());
  power(inverse, inverse, exponent, order(), ORDER_INVERSE);
  // The digest may be at or past the order: Montgomery's product takes that, too.
  multiplyScalars(e, e, inverse);
  writeDigits(digits, e);
  multiplyScalars(e, r, inverse);
  writeDigits(digits + 260, e);
  memory.fill(point, 0, 96);
  for (let i = 256; i >= 0; i--) {
    doublePoint(point);
    addMultiple(point, generator, load<i8>(digits + i));
    addMultiple(point, table, load<i8>(digits + 260 + i));
  }
  return !isInfinite(point) && isCoordinate(point, r);
}

function multiplyScalars(out: usize, a: usize, b: usize): void {
  multiply(out, a, b, order(), ORDER_INVERSE, 8);
}

/** Adds what a digit stands for: an odd number between -15 and 15 times the table's point, or 0. */
function addMultiple(point: usize, table: usize, digit: i32): void {
  if (digit == 0) return;
  const size = digit < 0 ? 0 - digit : digit;
  addPoint(point, table + (<usize>size >> 1) * AFFINE_BYTES, digit < 0);
}

/** Writes a number of 256 bits as 257 digits, odd or 0, of which at most every fifth is not 0. */
function writeDigits(digits: usize, number: usize): void {
  memory.fill(digits, 0, 260);
  let carry: u32 = 0;
  let bit: u32 = 0;
  while (bit <= 256) {
    if ((bitsAt(number, bit) & 1) == carry) {
      bit++;
      continue;
    }
    const word = (bitsAt(number, bit) & ((1 << DIGIT_BITS) - 1)) + carry;
    carry = (word >> (DIGIT_BITS - 1)) & 1;
    store<i8>(digits + bit, <i8>(<i32>word - <i32>(carry << DIGIT_BITS)));
    bit += DIGIT_BITS;
  }
}

/** At least eight bits from a place on; zeros behind the end. */
function bitsAt(number: usize, bit: u32): u32 {
  const byte = bit >> 3;
  if (byte >= 32) return 0;
  const high: u32 = byte < 31 ? load<u8>(number + byte, 1) : 0;
  return (load<u8>(number + byte) | (high << 8)) >> (bit & 7);
}

/** Whether the first coordinate is r modulo the order, which is a little less than the prime. */
function isCoordinate(point: usize, r: usize): bool {
  if (hasCoordinate(point, r)) return true;
  const larger = memory.data(32, 8);
  let carry: u64 = 0;
  for (let i: usize = 0; i < 32; i += 4) {
    carry += <u64>load<u32>(r + i) + <u64>load<u32>(order() + i);
    store<u32>(larger + i, <u32>carry);
    carry >>= 32;
  }
  return carry == 0 && hasCoordinate(point, larger);
}
