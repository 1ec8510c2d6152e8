import { Status } from "proxy-wasm-types";
import { expect, test } from "vitest";
import { SharedStore } from "./shared-store.ts";

const MIB = 1024 * 1024;
const nobody = { onQueueItem: (): void => {} };

test("values and items are refused when 64 MiB are kept, and taken again when some are gone", () => {
  const store = new SharedStore();
  const value = Buffer.alloc(MIB);
  const queue = store.registerQueue("v", "q", nobody);
  let kept = 0;
  while (store.enqueue(queue, value) === Status.Ok) kept += 1;
  expect(kept).toBe(63);
  expect(store.set("v", "k", value, 0)).toBe(Status.InternalFailure);
  expect(store.dequeue(queue)?.length).toBe(MIB);
  expect(store.set("v", "k", value, 0)).toBe(Status.Ok);
  // In its own place there is room, and a shorter value makes some.
  expect(store.set("v", "k", value, 0)).toBe(Status.Ok);
  expect(store.set("v", "k", Buffer.alloc(0), 0)).toBe(Status.Ok);
  expect(store.enqueue(queue, value)).toBe(Status.Ok);
});

test("empty keys, items and queues count, too", () => {
  const store = new SharedStore();
  const queue = store.registerQueue("v", "q", nobody);
  const empty = Buffer.alloc(0);
  let items = 0;
  while (store.enqueue(queue, empty) === Status.Ok) items += 1;
  expect(items).toBeLessThan(MIB + 1);
  expect(store.set("v", "", empty, 0)).toBe(Status.InternalFailure);
  expect(store.registerQueue("v", "other", nobody)).toBe(0);
  expect(store.registerQueue("v", "q", nobody)).toBe(queue);
});
