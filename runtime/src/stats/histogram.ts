// The histogram's memory layout and arithmetic: the log-linear buckets of Envoy's circllhist, for
// whole numbers from 0 to 10^12. Used by the store (recording) and by the text forms (quantiles,
// sums).
//
//   slot + 0   number of recorded values
//   slot + 1   their sum
//   slot + 2   buckets: 0, 1, ... 9 (one each), then 90 for each decade 10^1 .. 10^11

/** Largest decimal exponent with buckets of its own; larger values count in the last bucket. */
const EXPONENT_MAX = 11;
const BUCKETS_PER_DECADE = 90;
/** Values below 10 have a bucket each. */
const SMALL_BUCKETS = 10;

export const HISTOGRAM_BUCKETS: number = SMALL_BUCKETS + EXPONENT_MAX * BUCKETS_PER_DECADE;
export const HISTOGRAM_SLOTS: number = 2 + HISTOGRAM_BUCKETS;
/** Slots of count and sum, before the buckets. */
export const HISTOGRAM_HEAD = 2;

/** A histogram's slots: in shared memory, or summed up by the main thread. */
export type HistogramSlots = Float64Array;

/** Index of the bucket that holds `value`, a whole number; 0 for zero, less and NaN. */
export function histogramBucketOf(value: number): number {
  if (!(value >= 1)) return 0;
  if (value < SMALL_BUCKETS) return Math.floor(value);
  let exponent = 1;
  let unit = 1;
  while (value >= unit * 100 && exponent < EXPONENT_MAX) {
    exponent += 1;
    unit *= 10;
  }
  const mantissa = Math.floor(value / unit);
  const inside = mantissa > 99 ? 99 : mantissa;
  return SMALL_BUCKETS + (exponent - 1) * BUCKETS_PER_DECADE + inside - 10;
}

/** Lower bound of a bucket, by circllhist's arithmetic: 110 is 110.00000000000001. */
export function histogramBucketStart(bucket: number): number {
  if (bucket < SMALL_BUCKETS) return bucket;
  const exponent = exponentOf(bucket);
  const mantissa = ((bucket - SMALL_BUCKETS) % BUCKETS_PER_DECADE) + 10;
  return (mantissa / 10) * 10 ** exponent;
}

/** Width of a bucket: a tenth of its power of ten; 0 for bucket 0. */
export function histogramBucketWidth(bucket: number): number {
  if (bucket === 0) return 0;
  return bucket < SMALL_BUCKETS ? 0.1 : 10 ** exponentOf(bucket) / 10;
}

function exponentOf(bucket: number): number {
  return 1 + Math.floor((bucket - SMALL_BUCKETS) / BUCKETS_PER_DECADE);
}

/** Envoy's quantiles, in its order. */
export const histogramQuantiles: readonly number[] = [
  0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1,
];

/**
 * The values at `histogramQuantiles`; NaN each when nothing was recorded. The k-th of n values of a
 * bucket is taken to stand at k/(n+1) of its width, as circllhist does.
 */
export function computeQuantiles(slots: HistogramSlots): number[] {
  const total = slots[0] as number;
  if (total === 0) return histogramQuantiles.map(() => Number.NaN);
  const values: number[] = [];
  let bucket = -1;
  let below = 0;
  let inBucket = 0;
  for (const quantile of histogramQuantiles) {
    const rank = Math.max(1, Math.ceil(quantile * total));
    while (below + inBucket < rank && bucket + 1 < HISTOGRAM_BUCKETS) {
      below += inBucket;
      bucket += 1;
      inBucket = slots[HISTOGRAM_HEAD + bucket] as number;
    }
    const position = (rank - below) / (inBucket + 1);
    values.push(histogramBucketStart(bucket) + position * histogramBucketWidth(bucket));
  }
  return values;
}

/** Upper bounds of Envoy's default buckets, for `histogram_buckets` and Prometheus. */
export const histogramBounds: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
];

/** Values per bound of `histogramBounds`, cumulative: buckets that start at or below it count. */
export function countsBelowBounds(slots: HistogramSlots): number[] {
  const counts: number[] = [];
  let bucket = 0;
  let count = 0;
  for (const bound of histogramBounds) {
    while (bucket < HISTOGRAM_BUCKETS && histogramBucketStart(bucket) <= bound) {
      count += slots[HISTOGRAM_HEAD + bucket] as number;
      bucket += 1;
    }
    counts.push(count);
  }
  return counts;
}

/** The sum as Envoy gives it: from the buckets' middles, not from the values. */
export function approximateSum(slots: HistogramSlots): number {
  let sum = 0;
  for (let bucket = 1; bucket < HISTOGRAM_BUCKETS; bucket += 1) {
    const count = slots[HISTOGRAM_HEAD + bucket] as number;
    if (count === 0) continue;
    const bottom = histogramBucketStart(bucket);
    const width = histogramBucketWidth(bucket);
    sum += (bottom + width * (bottom / (bottom + (bottom + width)))) * count;
  }
  return sum;
}
