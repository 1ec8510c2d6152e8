import { expect, test } from "vitest";
import { didYouMean, editDistance, nearestName } from "./did-you-mean.ts";

test("counts insertions, deletions, replacements and swaps", () => {
  expect(editDistance("", "abc", 9)).toBe(3);
  expect(editDistance("kitten", "sitting", 9)).toBe(3);
  expect(editDistance("prot", "port", 9)).toBe(1);
  expect(editDistance("same", "same", 9)).toBe(0);
});

test("gives up as soon as the bound is passed", () => {
  expect(editDistance("abcdefgh", "zzzzzzzz", 2)).toBe(3);
});

test("suggests the nearest name only when it is likely meant", () => {
  const names = ["connect_timeout", "connection_pool", "name"];
  expect(nearestName("connect_timeot", names)).toBe("connect_timeout");
  expect(nearestName("NAME", names)).toBe("name");
  expect(nearestName("xyz", names)).toBeUndefined();
  expect(nearestName("", names)).toBeUndefined();
  expect(nearestName("x".repeat(300), names)).toBeUndefined();
  expect(didYouMean("nam", names)).toBe(' (did you mean "name"?)');
  expect(didYouMean("cluster", names)).toBe("");
});
