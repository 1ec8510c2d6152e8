import { expect, test } from "vitest";
import { jitteredBackOffMs, slowBackOffMs } from "./back-off.ts";
import type { Random } from "./random.ts";

function always(value: number): Random {
  return { u32: () => value, uuid: () => "" };
}

const most = always(2 ** 32 - 1);

test.each([
  [0, 100],
  [1, 200],
  [2, 300],
  [40, 300],
])("after %d tries it is below %d", (tries, ceiling) => {
  expect(jitteredBackOffMs(100, tries, 300, always(ceiling - 1))).toBe(ceiling - 1);
  expect(jitteredBackOffMs(100, tries, 300, always(ceiling + 5))).toBe(5);
});

test("is never 0, however small the base", () => {
  expect(jitteredBackOffMs(100, 3, 1000, always(0))).toBe(1);
  expect(jitteredBackOffMs(0, 0, 0, most)).toBe(1);
  expect(slowBackOffMs(0, 0, 0, most)).toBe(1);
});

test("the slow one waits for half of its ceiling at least, and never for more than all of it", () => {
  expect(slowBackOffMs(1000, 0, 60_000, always(0))).toBe(500);
  expect(slowBackOffMs(1000, 2, 60_000, always(0))).toBe(2000);
  expect(slowBackOffMs(1000, 2, 60_000, always(1999))).toBe(3999);
  expect(slowBackOffMs(1000, 50, 60_000, always(29_999))).toBe(59_999);
});
