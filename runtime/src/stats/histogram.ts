// The histogram's memory layout and arithmetic: log-linear buckets as Envoy's circllhist has them.
//
//   slot + 0   number of recorded values
//   slot + 1   their sum
//   slot + 2   bucket 0: value 0; then 90 buckets for each decade 10^-1 .. 10^8 (mantissa 1.0 .. 9.9)

/** Smallest and largest decimal exponent with buckets of their own; outside values are clamped. */
const EXPONENT_MIN = -1;
const EXPONENT_MAX = 8;
const BUCKETS_PER_DECADE = 90;
/** 1 for zero, 90 a decade. */
export const HISTOGRAM_BUCKETS: number = 1 + (EXPONENT_MAX - EXPONENT_MIN + 1) * BUCKETS_PER_DECADE;
export const HISTOGRAM_SLOTS: number = 2 + HISTOGRAM_BUCKETS;

const powers: readonly number[] = Array.from(
  { length: EXPONENT_MAX - EXPONENT_MIN + 2 },
  (_, i) => 10 ** (EXPONENT_MIN + i),
);

/** Index of the bucket that holds `value`: 0 for zero and less. */
export function histogramBucketOf(value: number): number {
  if (!(value > 0)) return 0;
  let decade = 0;
  while (decade < powers.length - 2 && value >= (powers[decade + 1] as number)) decade += 1;
  const mantissa = Math.floor((value / (powers[decade] as number)) * 10 + 1e-9) - 10;
  const inside = mantissa < 0 ? 0 : mantissa > 89 ? 89 : mantissa;
  return 1 + decade * BUCKETS_PER_DECADE + inside;
}

/** Lower bound of a bucket, in the stat's unit. */
export function histogramBucketStart(bucket: number): number {
  if (bucket <= 0) return 0;
  const decade = Math.floor((bucket - 1) / BUCKETS_PER_DECADE);
  const mantissa = ((bucket - 1) % BUCKETS_PER_DECADE) + 10;
  return (mantissa / 10) * (powers[decade] as number);
}

/** Width of a bucket; 0 for bucket 0. */
export function histogramBucketWidth(bucket: number): number {
  if (bucket <= 0) return 0;
  const decade = Math.floor((bucket - 1) / BUCKETS_PER_DECADE);
  return (powers[decade] as number) / 10;
}
