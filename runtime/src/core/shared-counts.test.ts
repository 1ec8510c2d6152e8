import { expect, test } from "vitest";
import {
  openSharedCounts,
  releaseSharedCounts,
  SharedCount,
  sharedCountsMemory,
} from "./shared-counts.ts";

test("threads see one count; the last place goes to one of them", () => {
  const memory = sharedCountsMemory(2, 4);
  const a = new SharedCount(openSharedCounts(memory, 4, 0), 3);
  const b = new SharedCount(openSharedCounts(memory, 4, 1), 3);
  const other = new SharedCount(openSharedCounts(memory, 4, 1), 2);
  expect(a.tryAdd(2)).toBe(true);
  expect(b.add()).toBe(1);
  expect(a.count).toBe(2);
  expect(b.tryAdd(2)).toBe(false);
  expect(other.count).toBe(0);
  expect(a.sub()).toBe(2);
  expect(b.tryAdd(2)).toBe(true);
});

test("what a dead thread held is given back, what others hold stays", () => {
  const memory = sharedCountsMemory(2, 4);
  const dead = new SharedCount(openSharedCounts(memory, 4, 0), 1);
  const alive = new SharedCount(openSharedCounts(memory, 4, 1), 1);
  dead.add();
  dead.add();
  dead.sub();
  alive.add();
  releaseSharedCounts(memory, 4, 0);
  expect(alive.count).toBe(1);
  releaseSharedCounts(memory, 4, 0);
  expect(alive.count).toBe(1);
});
