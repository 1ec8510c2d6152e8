import { expect, test } from "vitest";
import { SessionCache } from "./session-cache.ts";

const id = (byte: number): Buffer => Buffer.from([byte, 0xff]);

test("gives back a session until its time is over", () => {
  let nowMs = 1000;
  const cache = new SessionCache(500, () => nowMs);
  cache.put(id(1), Buffer.from("one"));
  expect(cache.get(id(1))?.toString()).toBe("one");
  expect(cache.get(id(2))).toBeNull();
  nowMs = 1500;
  expect(cache.get(id(1))).toBeNull();
});

test("keeps no more than it may: the oldest goes", () => {
  const cache = new SessionCache(500, () => 0, 2);
  for (const byte of [1, 2, 3]) cache.put(id(byte), Buffer.from([byte]));
  expect(cache.size).toBe(2);
  expect([cache.get(id(1)), cache.get(id(2))?.[0], cache.get(id(3))?.[0]]).toEqual([null, 2, 3]);
});
