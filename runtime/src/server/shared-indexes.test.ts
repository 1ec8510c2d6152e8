import { expect, test } from "vitest";
import { SharedIndexes } from "./shared-indexes.ts";

test("a name keeps its cells as long as it is there; freed ones come last", () => {
  const indexes = new SharedIndexes(3);
  expect([indexes.get("a"), indexes.get("b"), indexes.get("a")]).toEqual([0, 1, 0]);
  indexes.retain(["b"]);
  // The last streams of "a" may still count: others are taken first.
  expect(indexes.get("c")).toBe(2);
  expect(indexes.hasRoomFor(["b", "c", "d"])).toBe(true);
  expect(indexes.get("d")).toBe(0);
  expect(indexes.hasRoomFor(["b", "c", "d", "e"])).toBe(false);
  expect(indexes.get("b")).toBe(1);
});
