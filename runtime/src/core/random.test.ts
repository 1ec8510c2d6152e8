// Ids are what RFC 9562 calls version 4, and no bytes are used twice.
import { expect, test } from "vitest";
import { SeededRandom, SystemRandom } from "./random.ts";

const VERSION_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test.each([new SystemRandom(), new SeededRandom(7)])(
  "UUIDs of version 4, each another",
  (random) => {
    const ids = Array.from({ length: 2000 }, () => random.uuid());
    expect(ids.filter((id) => !VERSION_4.test(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
    // All variants and all digits turn up in their places.
    expect(new Set(ids.map((id) => id[19])).size).toBe(4);
    for (const at of [0, 7, 12, 15, 35]) expect(new Set(ids.map((id) => id[at])).size).toBe(16);
  },
);

test("the same numbers for the same seed", () => {
  const ids = (): string[] => {
    const random = new SeededRandom(42);
    return Array.from({ length: 3 }, () => random.uuid());
  };
  expect(ids()).toEqual(ids());
});
