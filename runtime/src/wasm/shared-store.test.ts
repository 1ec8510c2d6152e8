import { Worker } from "node:worker_threads";
import { limits, Status } from "proxy-wasm-types";
import { expect, test } from "vitest";
import { releaseSharedStore, SharedStore, sharedStoreMemory } from "./shared-store.ts";

const MIB = 1024 * 1024;
const nobody = { onQueueItem: (): void => {} };
const empty = Buffer.alloc(0);

function store(bytes?: number): SharedStore {
  return new SharedStore({ memory: sharedStoreMemory(bytes), thread: 0 });
}

/** Two threads' views of one memory; `woken` are the calls of `wake`. */
function twoThreads(): {
  a: SharedStore;
  b: SharedStore;
  woken: string[];
  memory: SharedArrayBuffer;
} {
  const memory = sharedStoreMemory(MIB);
  const woken: string[] = [];
  const [a, b] = [0, 1].map((thread) => {
    const wake = (to: number, token: number): void => void woken.push(`${to}:${token}`);
    return new SharedStore({ memory, thread, wake });
  }) as [SharedStore, SharedStore];
  return { a, b, woken, memory };
}

test("what one thread sets, another one gets, with CAS numbers", () => {
  const { a, b } = twoThreads();
  expect(a.set("vm", "key", Buffer.from("1"), 0)).toBe(Status.Ok);
  expect(b.get("vm", "key")).toEqual({ value: Buffer.from("1"), cas: 1 });
  expect(b.get("other", "key")).toBeUndefined();
  expect(b.set("vm", "key", Buffer.from("2"), 7)).toBe(Status.CasMismatch);
  expect(b.set("vm", "key", Buffer.from("2"), 1)).toBe(Status.Ok);
  expect(a.get("vm", "key")).toEqual({ value: Buffer.from("2"), cas: 2 });
  expect(a.set("vm", "absent", empty, 99)).toBe(Status.Ok);
});

test("a vm_id and a key are told apart wherever one ends and the other begins", () => {
  const both = store(MIB);
  both.set("a", "bc", Buffer.from("1"), 0);
  both.set("ab", "c", Buffer.from("2"), 0);
  both.set("", "abc", Buffer.from("3"), 0);
  const told = ["a bc", "ab c", " abc"].map((pair) => {
    const [vmId, key] = pair.split(" ") as [string, string];
    return both.get(vmId, key)?.value.toString();
  });
  expect(told).toEqual(["1", "2", "3"]);
  // A queue of that name is something else.
  expect(both.resolveQueue("a", "bc")).toBe(0);
});

test("a queue is one for all threads; its consumer is the last that registered, wherever it is", () => {
  const { a, b, woken } = twoThreads();
  const told: string[] = [];
  const consumer = (name: string) => ({
    onQueueItem: (token: number): void => void told.push(`${name}${token}`),
  });
  const queue = a.registerQueue("vm", "q", consumer("a"));
  expect(b.resolveQueue("vm", "q")).toBe(queue);
  a.enqueue(queue, Buffer.from("1"));
  expect(told).toEqual([`a${queue}`]);
  expect(b.registerQueue("vm", "q", consumer("b"))).toBe(queue);
  a.enqueue(queue, Buffer.from("2"));
  a.enqueue(queue, Buffer.from("3"));
  // One message for both.
  expect(woken).toEqual([`1:${queue}`]);
  b.onWake(queue);
  expect(told.slice(1)).toEqual([`b${queue}`, `b${queue}`]);
  expect([b, a, b, a].map((one) => one.dequeue(queue)?.toString())).toEqual([
    "1",
    "2",
    "3",
    undefined,
  ]);
});

test("items that come before there is a consumer are told when it registers, up to a number", () => {
  const { a, b } = twoThreads();
  const queue = b.registerQueue("vm", "q", null);
  b.enqueue(queue, Buffer.from("x"));
  b.enqueue(queue, Buffer.from("y"));
  const told: number[] = [];
  const consumer = { onQueueItem: (token: number): void => void told.push(token) };
  expect(a.registerQueue("vm", "q", consumer)).toBe(queue);
  expect(told).toEqual([queue, queue]);
  expect(a.registerQueue("vm", "q", consumer)).toBe(queue);
  expect(told.length).toBe(2);
  const other = b.registerQueue("vm", "other", null);
  for (let i = 0; i < 5000; i += 1) {
    b.enqueue(other, Buffer.from("z"));
    b.dequeue(other);
  }
  a.registerQueue("vm", "other", consumer);
  expect(told.length).toBe(2 + 4096);
});

test("a wake that comes to a thread whose consumer has moved goes on to the other one", () => {
  const { a, b, woken } = twoThreads();
  const queue = a.registerQueue("vm", "q", nobody);
  b.enqueue(queue, empty);
  b.registerQueue("vm", "q", nobody);
  a.onWake(queue);
  expect(woken).toEqual([`0:${queue}`, `1:${queue}`]);
});

test("a consumer that is gone is told nothing, nor is one of a dead thread", () => {
  const { a, b, woken, memory } = twoThreads();
  const told: number[] = [];
  const consumer = { onQueueItem: (token: number): void => void told.push(token) };
  const queue = a.registerQueue("vm", "q", consumer);
  a.forgetConsumer(consumer);
  a.enqueue(queue, empty);
  expect(told).toEqual([]);
  releaseSharedStore(memory, 0);
  b.enqueue(queue, empty);
  expect(woken).toEqual([]);
});

test("items that nobody was told of are told to whoever registers next", () => {
  const { a, b, woken } = twoThreads();
  const told: string[] = [];
  const consumer = (name: string) => ({ onQueueItem: (): void => void told.push(name) });
  const first = consumer("first");
  const queue = a.registerQueue("vm", "q", first);
  b.enqueue(queue, empty);
  a.forgetConsumer(first);
  // The message comes when there is nobody; and what the first one did not get to comes back.
  a.onWake(queue);
  a.tell(queue);
  b.enqueue(queue, empty);
  expect([told, woken]).toEqual([[], [`0:${queue}`]]);
  a.registerQueue("vm", "q", consumer("second"));
  expect(told).toEqual(["second", "second", "second"]);
  // One that has not begun yet takes none of them.
  b.registerQueue("vm", "q", null);
  a.tell(queue);
  expect(told.length).toBe(4);
});

test("values and items are refused when 64 MiB are kept, and taken again when some are gone", () => {
  const full = store();
  const value = Buffer.alloc(MIB);
  const queue = full.registerQueue("v", "q", nobody);
  let kept = 0;
  while (full.enqueue(queue, value) === Status.Ok) kept += 1;
  expect(kept).toBe(63);
  expect(full.refused).toBe(1);
  expect(full.set("v", "k", value, 0)).toBe(Status.InternalFailure);
  // The bytes of the first item go with the second one: till then its place marks the queue's head.
  expect(full.dequeue(queue)?.length).toBe(MIB);
  expect(full.dequeue(queue)?.length).toBe(MIB);
  expect(full.set("v", "k", value, 0)).toBe(Status.Ok);
  expect(full.get("v", "k")?.value.length).toBe(MIB);
});

test("small blocks that were freed beside one another become a large one again", () => {
  const heap = store(MIB);
  const queue = heap.registerQueue("v", "q", nobody);
  heap.set("v", "kept", Buffer.from("kept"), 0);
  let items = 0;
  while (heap.enqueue(queue, Buffer.alloc(150)) === Status.Ok) items += 1;
  expect(items).toBeGreaterThan(5000);
  while (heap.dequeue(queue) !== undefined);
  expect(heap.set("v", "large", Buffer.alloc(900_000), 0)).toBe(Status.Ok);
  expect(heap.get("v", "kept")?.value.toString()).toBe("kept");
  expect(heap.enqueue(queue, Buffer.from("item"))).toBe(Status.Ok);
  expect(heap.dequeue(queue)?.toString()).toBe("item");
});

test("empty keys, items and queues count, too", () => {
  const small = store(MIB);
  const queue = small.registerQueue("v", "q", nobody);
  let items = 0;
  while (small.enqueue(queue, empty) === Status.Ok) items += 1;
  expect(items).toBeLessThan(MIB / 16 + 1);
  expect(small.set("v", "", empty, 0)).toBe(Status.InternalFailure);
  expect(small.registerQueue("v", "other", nobody)).toBe(0);
  expect(small.registerQueue("v", "q", nobody)).toBe(queue);
});

test("queues and gauges are so many at most", () => {
  const many = store(8 * MIB);
  for (let i = 0; i < limits.sharedQueuesMax; i += 1) many.registerQueue("v", `q${i}`, nobody);
  expect(many.registerQueue("v", "more", nobody)).toBe(0);
  expect(many.resolveQueue("v", "q0")).toBe(1);
  for (let i = 0; i < limits.sharedGaugesMax; i += 1) many.gaugeNumber(`g${i}`);
  expect(many.gaugeNumber("more")).toBe(0);
  expect(many.gaugeNumber("g0")).toBe(1);
});

/** A thread that takes the lock and never gives it back, after half an enqueue. */
const HOLDER = `
const { workerData } = require("node:worker_threads");
const cells = new Int32Array(workerData);
Atomics.store(cells, 0, 2);
Atomics.wait(cells, 3, 0);
`;

test("a thread that dies with the lock leaves a store that works", async () => {
  const { a, memory } = twoThreads();
  a.set("v", "k", Buffer.from("before"), 0);
  const queue = a.registerQueue("v", "q", nobody);
  a.enqueue(queue, Buffer.from("item"));
  const used = a.usedBytes;
  const cells = new Int32Array(memory);
  const holder = new Worker(HOLDER, { eval: true, workerData: memory });
  while (Atomics.load(cells, 0) !== 2) await new Promise((resolve) => setImmediate(resolve));
  await holder.terminate();
  releaseSharedStore(memory, 1);
  expect(a.get("v", "k")?.value.toString()).toBe("before");
  expect(a.usedBytes).toBe(used);
  expect(a.dequeue(queue)?.toString()).toBe("item");
});

/** Adds one to a number by CAS, so many times. */
const ADDER = `
const { workerData } = require("node:worker_threads");
(async () => {
  const { SharedStore } = await import(workerData.url);
  const store = new SharedStore({ memory: workerData.memory, thread: workerData.thread });
  for (let i = 0; i < workerData.times; ) {
    const { value, cas } = store.get("v", "n");
    const next = Buffer.from(String(Number(value) + 1));
    if (store.set("v", "n", next, cas) === 0) i += 1;
    store.set("v", "k" + workerData.thread + (i % 50), Buffer.alloc(i % 300), 0);
  }
})();
`;

test("threads that add by CAS lose nothing", async () => {
  const memory = sharedStoreMemory(MIB);
  const main = new SharedStore({ memory, thread: 9 });
  main.set("v", "n", Buffer.from("0"), 0);
  const url = new URL("./shared-store.ts", import.meta.url).href;
  const times = 2000;
  await Promise.all(
    [0, 1, 2].map((thread) => {
      const worker = new Worker(ADDER, { eval: true, workerData: { url, memory, thread, times } });
      return new Promise((resolve, reject) => worker.on("exit", resolve).on("error", reject));
    }),
  );
  expect(main.get("v", "n")?.value.toString()).toBe("6000");
});

test("what is in dropped spaces is gone, and its places are others'", () => {
  const { a, b } = twoThreads();
  const filled = a.usedBytes;
  for (let i = 0; i < 100; i += 1) {
    a.set("space one", `key ${i}`, Buffer.from("value"), 0);
    a.set("other", `key ${i}`, Buffer.from("value"), 0);
  }
  const queue = a.registerQueue("space two", "q", nobody);
  const kept = a.registerQueue("other", "q", nobody);
  for (const token of [queue, kept]) a.enqueue(token, Buffer.from("item"));
  expect(a.gaugeNumber("space gauge")).toBe(1);
  a.drop("space ");
  expect([b.get("space one", "key 7"), b.resolveQueue("space two", "q")]).toEqual([undefined, 0]);
  expect(b.get("other", "key 7")?.value.toString()).toBe("value");
  expect([b.hasQueue(queue), b.enqueue(queue, empty)]).toEqual([false, Status.NotFound]);
  expect(b.dequeue(queue)).toBeUndefined();
  expect([b.dequeue(kept)?.toString(), b.gaugeNumber("space gauge")]).toEqual(["item", 1]);
  expect(b.registerQueue("third", "q", nobody)).toBe(queue);
  expect(b.dequeue(queue)).toBeUndefined();
  // All of it but the gauge: nothing is left behind.
  a.drop("");
  expect(a.gaugeNumber("space gauge")).toBe(1);
  expect(a.usedBytes - filled).toBeLessThan(64);
});
