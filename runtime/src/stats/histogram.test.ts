// Quantiles, sums and bucket counts recorded from Envoy 1.40 (bodies of those sizes, one histogram).
import { expect, test } from "vitest";
import {
  approximateSum,
  computeQuantiles,
  countsBelowBounds,
  HISTOGRAM_BUCKETS,
  HISTOGRAM_SLOTS,
  histogramBucketOf,
  histogramBucketStart,
  histogramBucketWidth,
} from "./histogram.ts";
import { formatG, formatShortest } from "./number-format.ts";
import { StatsStore } from "./store.ts";

/** Values added, then what Envoy shows for all so far: quantiles, sum, counts per bound. */
const recorded: readonly (readonly [readonly number[], string, string, readonly number[]])[] = [
  [[0], "0 0 0 0 0 0 0 0 0 0", "0", [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
  [
    [1],
    "0 0 0 1.05 1.05 1.05 1.05 1.05 1.05 1.05",
    "1.0476190476190476719153821250075",
    [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2],
  ],
  [
    [7],
    "0 0 1.05 7.05 7.05 7.05 7.05 7.05 7.05 7.05",
    "8.0972644376899705065397938597016",
    [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
  ],
  [
    [5, 5, 5],
    "0 1.05 5.025 5.075 7.05 7.05 7.05 7.05 7.05 7.05",
    "23.245779289175118265120545402169",
    [1, 2, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6],
  ],
  [
    [0, 1, 2, 3],
    "0 1.0333333333333334 2.05 5.05 5.075 7.05 7.05 7.05 7.05 7.05",
    "29.391359152467895654581298003905",
    [2, 4, 9, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10],
  ],
  [
    [10, 20, 30],
    "0 1.0666666666666667 5.025 7.05 20.5 30.5 30.5 30.5 30.5 30.5",
    "90.84715778539568020732986042276",
    [2, 4, 9, 11, 12, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13],
  ],
  [
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    "0 2.033333333333333 5.04 8.05 10.666666666666666 20.5 30.5 30.5 30.5 30.5",
    "146.76646115625365496271115262061",
    [2, 5, 14, 21, 22, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23],
  ],
  [
    [99, 100, 101, 109, 110, 999, 1000],
    "0 3.033333333333333 6.05 30.5 107.5 995 1050 1050 1050 1050",
    "2717.9261935657132198684848845005",
    [2, 5, 14, 21, 22, 23, 27, 28, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
  ],
  [
    [123, 4567, 89012],
    "0 3.066666666666667 7.066666666666666 102.5 995 4550 89500 89500 89500 89500",
    "96889.383446926876786164939403534",
    [2, 5, 14, 21, 22, 23, 27, 29, 29, 31, 31, 32, 32, 32, 32, 33, 33, 33, 33],
  ],
  [
    [15, 15, 15, 15, 15, 15, 15, 16, 16, 16, 250, 250],
    "0 5.04 15.25 99.5 256.6666666666667 1050 89500 89500 89500 89500",
    "97557.029010724247200414538383484",
    [2, 5, 14, 21, 32, 33, 37, 41, 41, 43, 43, 44, 44, 44, 44, 45, 45, 45, 45],
  ],
  [
    [2500, 2549, 2599, 2600],
    "0 5.06 15.5 107.5 2550 2650 89500 89500 89500 89500",
    "107853.14443802724417764693498611",
    [2, 5, 14, 21, 32, 33, 37, 41, 41, 43, 46, 48, 48, 48, 48, 49, 49, 49, 49],
  ],
  [
    [0, 0, 0, 9],
    "0 5.02 15.25 105 2525 2650 89500 89500 89500 89500",
    "107862.19416178415121976286172867",
    [5, 8, 17, 25, 36, 37, 41, 45, 45, 47, 50, 52, 52, 52, 52, 53, 53, 53, 53],
  ],
];

test("quantiles, sum and bucket counts are Envoy's, value set by value set", () => {
  const store = new StatsStore({ slotsMax: 10_000 });
  const histogram = store.histogram("h");
  const slot = store.definitions[0]?.slot ?? -1;
  const values = new Float64Array(store.memory);
  for (const [added, quantiles, sum, counts] of recorded) {
    for (const value of added) histogram.record(value);
    const slots = values.slice(slot, slot + HISTOGRAM_SLOTS);
    expect(computeQuantiles(slots).map(formatShortest).join(" ")).toBe(quantiles);
    expect(formatG(approximateSum(slots), 32)).toBe(sum);
    expect(countsBelowBounds(slots)).toEqual(counts);
  }
});

test("an empty histogram has no quantiles", () => {
  const quantiles = computeQuantiles(new Float64Array(HISTOGRAM_SLOTS));
  expect(quantiles.every(Number.isNaN)).toBe(true);
});

test.each([
  [0, 0, 0, 0],
  [-5, 0, 0, 0],
  [Number.NaN, 0, 0, 0],
  [1, 1, 1, 0.1],
  [9, 9, 9, 0.1],
  [10, 10, 10, 1],
  [99, 99, 99, 1],
  [100, 100, 100, 10],
  [109, 100, 100, 10],
  [110, 101, 110.00000000000001, 10],
  [999, 189, 990, 10],
  [1000, 190, 1000, 100],
  [999_999_999_999, HISTOGRAM_BUCKETS - 1, 990_000_000_000, 10_000_000_000],
  [1e12, HISTOGRAM_BUCKETS - 1, 990_000_000_000, 10_000_000_000],
  [Number.POSITIVE_INFINITY, HISTOGRAM_BUCKETS - 1, 990_000_000_000, 10_000_000_000],
])("%d falls into bucket %d, which starts at %d and is %d wide", (value, bucket, start, width) => {
  expect(histogramBucketOf(value)).toBe(bucket);
  expect(histogramBucketStart(bucket)).toBe(start);
  expect(histogramBucketWidth(bucket)).toBe(width);
});

test("each bucket's first whole value falls into it, and the value before does not", () => {
  for (let bucket = 1; bucket < HISTOGRAM_BUCKETS; bucket += 1) {
    const first = Math.round(histogramBucketStart(bucket));
    expect(histogramBucketOf(first)).toBe(bucket);
    expect(histogramBucketOf(first - 1)).toBe(bucket - 1);
  }
});
