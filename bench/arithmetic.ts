// Medians, scatter and ratios of the benches, and nothing that measures.

/** The middle of a list, the mean of the two middles of an even one; NaN of an empty one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  if (sorted.length % 2 === 1) return upper;
  return (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Half the distance from the least to the greatest, in percent of the median. */
export function scatterPercent(values: readonly number[]): number {
  if (values.length < 2) return 0;
  return ((Math.max(...values) - Math.min(...values)) / 2 / median(values)) * 100;
}

/**
 * The ratio of two targets: the median of the ratios round by round, because both met the same
 * noise in the same round. Rounds that one of them lacks are left out; undefined without any.
 */
export function ratioOf(
  values: readonly (number | undefined)[],
  base: readonly (number | undefined)[],
): number | undefined {
  const ratios: number[] = [];
  for (const [round, value] of values.entries()) {
    const other = base[round];
    if (value !== undefined && other !== undefined && other > 0) ratios.push(value / other);
  }
  return ratios.length === 0 ? undefined : median(ratios);
}

/** CPU per request in microseconds. */
export function cpuUsPerRequest(cpuNs: number, requests: number): number | undefined {
  return requests > 0 ? cpuNs / 1000 / requests : undefined;
}

/** Of a list that is not empty: what a quarter lies below, and what a quarter lies above. */
export function quartiles(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round((sorted.length - 1) * share)] as number;
  return [at(0.25), at(0.75)];
}

/**
 * The mean of the fastest third, at least of one; NaN of an empty list. Other work on the machine only
 * ever makes a round dearer, so these tell most about the target.
 */
export function fastestThird(values: readonly number[]): number {
  const fastest = values.toSorted((a, b) => a - b).slice(0, Math.ceil(values.length / 3));
  return fastest.reduce((sum, value) => sum + value, 0) / fastest.length;
}

/**
 * Between which values of a list the median of all that could have been measured lies, 19 times of 20:
 * by the ranks of a sorted list, whatever the distribution is.
 */
export function medianRange(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const half = 0.98 * Math.sqrt(sorted.length);
  const low = Math.max(0, Math.floor(sorted.length / 2 - half));
  const high = Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + half) - 1);
  return [sorted[low] as number, sorted[high] as number];
}
