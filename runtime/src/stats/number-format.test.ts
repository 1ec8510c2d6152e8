import { expect, test } from "vitest";
import { formatG, formatJson, formatShortest } from "./number-format.ts";

// From Envoy's pages, and C's printf where Envoy gives no example.
test.each([
  [0, "0"],
  [0.5, "0.5"],
  [100, "100"],
  [110.00000000000001, "110"],
  [300_000, "300000"],
  [999_999.5, "1e+06"],
  [1_800_000, "1.8e+06"],
  [3_600_000, "3.6e+06"],
  [0.0001, "0.0001"],
  [0.00001, "1e-05"],
  [Number.NaN, "nan"],
  [Number.POSITIVE_INFINITY, "inf"],
  [-2.5, "-2.5"],
])("%%g with 6 digits of %d is %s", (value, text) => {
  expect(formatG(value, 6)).toBe(text);
});

test.each([
  [2717.9261935657132, "2717.9261935657132198684848845005"],
  [12.48, "12.48000000000000042632564145606"],
  [2.0952380952380953, "2.0952380952380953438307642500149"],
  [3_600_000, "3600000"],
  [0, "0"],
])("%%g with 32 digits of %d is %s", (value, text) => {
  expect(formatG(value, 32)).toBe(text);
});

test.each([
  [1.0333333333333334, "1.0333333333333334"],
  [89_500, "89500"],
  [1e15, "1000000000000000"],
  [1e16, "1e+16"],
  [1.5e21, "1.5e+21"],
  [0.0001, "0.0001"],
  [0.00001, "1e-05"],
  [Number.NaN, "nan"],
])("shortest text of %d is %s", (value, text) => {
  expect(formatShortest(value)).toBe(text);
});

test.each([
  [0, "0"],
  [10_000, "10000"],
  [300_000, "3e+05"],
  [600_000, "6e+05"],
  [1_800_000, "1800000"],
  [110.00000000000001, "110.00000000000001"],
  [0.1, "0.1"],
  [1e22, "1e+22"],
  [Number.NaN, "null"],
])("JSON of %d is %s", (value, text) => {
  expect(formatJson(value)).toBe(text);
});
