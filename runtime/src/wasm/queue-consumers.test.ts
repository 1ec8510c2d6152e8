import { expect, test } from "vitest";
import { QueueConsumers } from "./queue-consumers.ts";

const make = (): { onQueueItem: () => void } => ({ onQueueItem: () => {} });

test("who registers again is the same consumer, and takes no more room", () => {
  const consumers = new QueueConsumers();
  const [one, other] = [make(), make()];
  expect([one, other, one, one].map((each) => consumers.numberOf(each))).toEqual([1, 2, 1, 1]);
  expect(consumers.count).toBe(2);
  expect(consumers.at(1)).toBe(one);
});

test("a number that was somebody's is nobody's afterwards", () => {
  const consumers = new QueueConsumers();
  const one = make();
  consumers.numberOf(one);
  expect(consumers.forget(one)).toBe(1);
  expect(consumers.forget(one)).toBe(0);
  expect(consumers.at(1)).toBeUndefined();
  expect(consumers.numberOf(one)).toBe(2);
  expect(consumers.count).toBe(1);
});
