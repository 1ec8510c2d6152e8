// Arithmetic of the curve P-256: numbers modulo its prime, in Montgomery's form, eight words each,
// and points whose coordinates are such numbers.
import { addModulo, isBelow, isZero, multiply, subtractModulo } from "./montgomery";

export const NUMBER_BYTES: usize = 32;
/** x and y. */
export const AFFINE_BYTES: usize = 64;
/** The bits of a digit of a scalar; a table holds the odd multiples that one can mean. */
export const DIGIT_BITS: i32 = 5;
export const TABLE_POINTS: i32 = 8;
export const TABLE_BYTES: usize = 512;

/** The prime. */
export function prime(): usize {
  return memory.data<u32>([
    0xffffffff, 0xffffffff, 0xffffffff, 0x00000000, 0x00000000, 0x00000000, 0x00000001, 0xffffffff,
  ]);
}

/** The number of points, which is prime as well. */
export function order(): usize {
  return memory.data<u32>([
    0xfc632551, 0xf3b9cac2, 0xa7179e84, 0xbce6faad, 0xffffffff, 0xffffffff, 0x00000000, 0xffffffff,
  ]);
}

/** For the last word of the order; for that of the prime it is 1. */
export const ORDER_INVERSE: u32 = 0xee00bc4f;

/** What brings a number into the form modulo the order. */
export function orderSquare(): usize {
  return memory.data<u32>([
    0xbe79eea2, 0x83244c95, 0x49bd6fa6, 0x4699799c, 0x2b6bec59, 0x2845b239, 0xf3d95620, 0x66e12d94,
  ]);
}

/** The generator's odd multiples up to 15. */
export function generatorTable(): usize {
  return memory.data<u32>([
    0x18a9143c, 0x79e730d4, 0x5fedb601, 0x75ba95fc, 0x77622510, 0x79fb732b, 0xa53755c6, 0x18905f76,
    0xce95560a, 0xddf25357, 0xba19e45c, 0x8b4ab8e4, 0xdd21f325, 0xd2e88688, 0x25885d85, 0x8571ff18,
    0x4eebc127, 0xffac3f90, 0x087d81fb, 0xb027f84a, 0x87cbbc98, 0x66ad77dd, 0xb6ff747e, 0x26936a3f,
    0xc983a7eb, 0xb04c5c1f, 0x0861fe1a, 0x583e47ad, 0x1a2ee98e, 0x78820831, 0xe587cc07, 0xd5f06a29,
    0xc45c61f5, 0xbe1b8aae, 0x94b9537d, 0x90ec649a, 0xd076c20c, 0x941cb5aa, 0x890523c8, 0xc9079605,
    0xe7ba4f10, 0xeb309b4a, 0xe5eb882b, 0x73c568ef, 0x7e7a1f68, 0x3540a987, 0x2dd1e916, 0x73a076bb,
    0xa0173b4f, 0x0746354e, 0xd23c00f7, 0x2bd20213, 0x0c23bb08, 0xf43eaab5, 0xc3123e03, 0x13ba5119,
    0x3f5b9d4d, 0x2847d030, 0x5da67bdd, 0x6742f2f2, 0x77c94195, 0xef933bdc, 0x6e240867, 0xeaedd915,
    0x264e20e8, 0x75c96e8f, 0x59a7a841, 0xabe6bfed, 0x44c8eb00, 0x2cc09c04, 0xf0c4e16b, 0xe05b3080,
    0xa45f3314, 0x1eb7777a, 0xce5d45e3, 0x56af7bed, 0x88b12f1a, 0x2b6e019a, 0xfd835f9b, 0x086659cd,
    0x6245e404, 0xea7d260a, 0x6e7fdfe0, 0x9de40795, 0x8dac1ab5, 0x1ff3a415, 0x649c9073, 0x3e7090f1,
    0x2b944e88, 0x1a768561, 0xe57f61c8, 0x250f939e, 0x1ead643d, 0x0c0daa89, 0xe125b88e, 0x68930023,
    0x4b2ed709, 0xccc42563, 0x856fd30d, 0x0e356769, 0x559e9811, 0xbcbcd43f, 0x5395b759, 0x738477ac,
    0xc00ee17f, 0x35752b90, 0x742ed2e3, 0x68748390, 0xbd1f5bc1, 0x7cd06422, 0xc9e7b797, 0xfbc08769,
    0xbc60055b, 0x72bcd8b7, 0x56e27e4b, 0x03cc23ee, 0xe4819370, 0xee337424, 0x0ad3da09, 0xe2aa0e43,
    0x6383c45d, 0x40b8524f, 0x42a41b25, 0xd7663554, 0x778a4797, 0x64efa6de, 0x7079adf4, 0x2042170a,
  ]);
}

function primeSquare(): usize {
  return memory.data<u32>([
    0x00000003, 0x00000000, 0xffffffff, 0xfffffffb, 0xfffffffe, 0xffffffff, 0xfffffffd, 0x00000004,
  ]);
}

/** 1 in Montgomery's form. */
function one(): usize {
  return memory.data<u32>([
    0x00000001, 0x00000000, 0x00000000, 0xffffffff, 0xffffffff, 0xffffffff, 0xfffffffe, 0x00000000,
  ]);
}

/** The curve's constant. */
function constant(): usize {
  return memory.data<u32>([
    0x29c4bddf, 0xd89cdf62, 0x78843090, 0xacf005cd, 0xf7212ed6, 0xe5a220ab, 0x04874834, 0xdc30061d,
  ]);
}

function mul(out: usize, a: usize, b: usize): void {
  multiply(out, a, b, prime(), 1, 8);
}

function plus(out: usize, a: usize, b: usize): void {
  addModulo(out, a, b, prime(), 8);
}

function minus(out: usize, a: usize, b: usize): void {
  subtractModulo(out, a, b, prime(), 8);
}

/** Brings a number below the prime into Montgomery's form. */
export function enterField(out: usize, number: usize): void {
  mul(out, number, primeSquare());
}

/** Whether a point fulfils y^2 = x^3 - 3x + b. */
export function isOnCurve(point: usize): bool {
  const left = memory.data(32, 8);
  const right = memory.data(32, 8);
  mul(right, point, point);
  for (let i = 0; i < 3; i++) minus(right, right, one());
  mul(right, right, point);
  plus(right, right, constant());
  mul(left, point + NUMBER_BYTES, point + NUMBER_BYTES);
  return memory.compare(left, right, NUMBER_BYTES) == 0;
}

/** Makes a point with three coordinates (Jacobi's) of one with two. */
export function setPoint(out: usize, affine: usize): void {
  memory.copy(out, affine, AFFINE_BYTES);
  memory.copy(out + AFFINE_BYTES, one(), NUMBER_BYTES);
}

/** The point at infinity has z = 0. */
export function isInfinite(point: usize): bool {
  return isZero(point + AFFINE_BYTES, 8);
}

/** Doubles a point: 8 multiplications. */
export function doublePoint(point: usize): void {
  const work = memory.data(160, 8);
  const delta = work;
  const gamma = work + 32;
  const beta = work + 64;
  const alpha = work + 96;
  const other = work + 128;
  const x = point;
  const y = point + 32;
  const z = point + 64;
  mul(delta, z, z);
  mul(gamma, y, y);
  mul(beta, x, gamma);
  // alpha = 3 (x - delta) (x + delta)
  minus(alpha, x, delta);
  plus(other, x, delta);
  mul(other, alpha, other);
  plus(alpha, other, other);
  plus(alpha, alpha, other);
  // z = (y + z)^2 - gamma - delta
  plus(z, y, z);
  mul(z, z, z);
  minus(z, z, gamma);
  minus(z, z, delta);
  // x = alpha^2 - 8 beta
  plus(beta, beta, beta);
  plus(beta, beta, beta);
  mul(x, alpha, alpha);
  minus(x, x, beta);
  minus(x, x, beta);
  // y = alpha (4 beta - x) - 8 gamma^2
  minus(beta, beta, x);
  mul(y, alpha, beta);
  mul(gamma, gamma, gamma);
  plus(gamma, gamma, gamma);
  plus(gamma, gamma, gamma);
  plus(gamma, gamma, gamma);
  minus(y, y, gamma);
}

/** Adds a point of two coordinates, or takes it away: 11 multiplications. */
export function addPoint(point: usize, affine: usize, isMinus: bool): void {
  const work = memory.data(192, 8);
  const square = work;
  const h = work + 32;
  const r = work + 64;
  const cube = work + 96;
  const v = work + 128;
  const y2 = work + 160;
  const z = point + 64;
  memory.copy(y2, affine + 32, NUMBER_BYTES);
  if (isMinus) subtractModulo(y2, prime(), y2, prime(), 8);
  if (isInfinite(point)) {
    setPoint(point, affine);
    memory.copy(point + 32, y2, NUMBER_BYTES);
    return;
  }
  mul(square, z, z);
  mul(h, affine, square);
  minus(h, h, point);
  mul(r, square, z);
  mul(r, r, y2);
  minus(r, r, point + 32);
  if (isZero(h, 8)) {
    // The same point, or its opposite.
    if (isZero(r, 8)) doublePoint(point);
    else memory.fill(z, 0, NUMBER_BYTES);
    return;
  }
  mul(z, z, h);
  mul(square, h, h);
  mul(cube, square, h);
  mul(v, point, square);
  // x = r^2 - h^3 - 2 v
  mul(point, r, r);
  minus(point, point, cube);
  minus(point, point, v);
  minus(point, point, v);
  // y = r (v - x) - y h^3
  minus(v, v, point);
  mul(v, v, r);
  mul(cube, cube, point + 32);
  minus(point + 32, v, cube);
}

/** Writes a point's odd multiples up to 15, with two coordinates each; once for each key. */
export function fillTable(table: usize, affine: usize): void {
  const point = memory.data(96, 8);
  const twice = memory.data(64, 8);
  setPoint(point, affine);
  doublePoint(point);
  toAffine(twice, point);
  setPoint(point, affine);
  memory.copy(table, affine, AFFINE_BYTES);
  for (let i = 1; i < TABLE_POINTS; i++) {
    addPoint(point, twice, false);
    toAffine(table + <usize>i * AFFINE_BYTES, point);
  }
}

/** Gives a point that is not infinite two coordinates. */
function toAffine(out: usize, point: usize): void {
  const inverse = memory.data(32, 8);
  const square = memory.data(32, 8);
  const exponent = memory.data(32, 8);
  // z to the power of the prime - 2
  memory.copy(exponent, prime(), NUMBER_BYTES);
  store<u32>(exponent, 0xfffffffd);
  power(inverse, point + AFFINE_BYTES, exponent, prime(), 1);
  mul(square, inverse, inverse);
  mul(out, point, square);
  mul(square, square, inverse);
  mul(out + NUMBER_BYTES, point + NUMBER_BYTES, square);
}

/** `base` to a power of 256 bits whose highest is 1; all in Montgomery's form. */
export function power(
  out: usize,
  base: usize,
  exponent: usize,
  modulus: usize,
  inverse: u32,
): void {
  const value = memory.data(32, 8);
  memory.copy(value, base, NUMBER_BYTES);
  for (let bit = 254; bit >= 0; bit--) {
    multiply(value, value, value, modulus, inverse, 8);
    const word = load<u32>(exponent + ((<usize>bit >> 5) << 2));
    if (((word >> (bit & 31)) & 1) != 0) multiply(value, value, base, modulus, inverse, 8);
  }
  memory.copy(out, value, NUMBER_BYTES);
}

/** Whether x, not in Montgomery's form, is the point's first coordinate. */
export function hasCoordinate(point: usize, x: usize): bool {
  const expected = memory.data(32, 8);
  const square = memory.data(32, 8);
  if (!isBelow(x, prime(), 8)) return false;
  enterField(expected, x);
  mul(square, point + AFFINE_BYTES, point + AFFINE_BYTES);
  mul(expected, expected, square);
  return memory.compare(expected, point, NUMBER_BYTES) == 0;
}
