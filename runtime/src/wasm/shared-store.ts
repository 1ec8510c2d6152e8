// Shared data and queues of all guests of the process, by vm_id, in memory that all threads have:
// what one worker's guest sets, another one's gets. Every operation is done under one lock.
// Where it lies: shared-layout.ts.
import { limits, Status } from "proxy-wasm-types";
import { QueueConsumers } from "./queue-consumers.ts";
import { BLOCK_HEADER, BlockSet, SharedHeap } from "./shared-heap.ts";
import {
  BLOCKS_AT,
  BUCKETS,
  BUCKETS_AT,
  ENTRY_BYTES,
  ENTRY_HASH,
  ENTRY_KEY,
  ENTRY_NEXT,
  ENTRY_VALUE,
  GAUGES_COUNT,
  HEAP,
  ITEM_AT,
  ITEM_BYTES,
  ITEM_NEXT,
  LAST_CAS,
  QUEUES_AT,
  QUEUES_COUNT,
  QUEUE_CELLS,
  QUEUE_CONSUMER,
  QUEUE_HEAD,
  QUEUE_NOTICES,
  QUEUE_TAIL,
  QUEUE_THREAD,
  REFUSED,
  VALUE_AT,
  VALUE_BYTES,
  VALUE_CAS,
  queueAt,
} from "./shared-layout.ts";
import { releaseLockOf, SharedLock } from "./shared-lock.ts";
import { hashOf, keyOf, vmIdOf } from "./shared-names.ts";
import type { QueueConsumer, SharedEntry, SharedSpace } from "./shared-space.ts";

export interface SharedStoreOptions {
  /** From sharedStoreMemory. */
  readonly memory: SharedArrayBuffer;
  /** This thread's number; each thread has another one. */
  readonly thread: number;
  /** Has `onWake(token)` called in another thread. Default: there is none. */
  readonly wake?: (thread: number, token: number) => void;
}

/** Kinds of names in the one directory. */
const Kind = { Data: "d", Queue: "q", Gauge: "g" } as const;

/** Of items that nobody was told of: others may have taken them long since. */
const LATE_NOTICES_MAX = 4096;

/** Memory for one process: `bytes` for what guests keep, touched as it is needed. */
export function sharedStoreMemory(bytes: number = limits.sharedStoreBytes): SharedArrayBuffer {
  return new SharedArrayBuffer(BLOCKS_AT * 4 + (bytes & ~7));
}

/** Main, when a thread is dead: its lock is free, its queues have no consumer. */
export function releaseSharedStore(memory: SharedArrayBuffer, thread: number): void {
  const cells = new Int32Array(memory);
  releaseLockOf(cells, 0, thread);
  const count = cells[QUEUES_COUNT] as number;
  for (let i = 0; i < count; i += 1) {
    Atomics.compareExchange(cells, QUEUES_AT + i * QUEUE_CELLS + QUEUE_THREAD, thread + 1, 0);
  }
}

export class SharedStore implements SharedSpace {
  readonly #cells: Int32Array;
  readonly #bytes: Buffer;
  readonly #thread: number;
  readonly #lock: SharedLock;
  readonly #heap: SharedHeap;
  readonly #wake: (thread: number, token: number) => void;
  readonly #consumers: QueueConsumers;

  constructor({ memory, thread, wake }: SharedStoreOptions) {
    this.#cells = new Int32Array(memory);
    this.#bytes = Buffer.from(memory);
    this.#thread = thread;
    this.#heap = new SharedHeap(this.#cells, HEAP, BLOCKS_AT);
    this.#lock = new SharedLock(this.#cells, 0, thread, () => this.#rebuild());
    this.#wake = wake ?? ((): void => {});
    this.#consumers = new QueueConsumers();
  }

  // ---- For stats.

  get usedBytes(): number {
    return this.#heap.usedBytes;
  }

  /** Values, items and names that found no room, or no lock. */
  get refused(): number {
    return this.#cells[REFUSED] as number;
  }

  // ---- Shared data.

  get(vmId: string, key: string): SharedEntry | undefined {
    if (!this.#lock.acquire()) return undefined;
    try {
      const entry = this.#find(Kind.Data, vmId, key);
      if (entry === 0) return undefined;
      const value = this.#cell(entry + ENTRY_VALUE);
      return {
        value: this.#copy(value + VALUE_AT, this.#cell(value + VALUE_BYTES)),
        cas: this.#cell(value + VALUE_CAS) >>> 0,
      };
    } finally {
      this.#lock.release();
    }
  }

  /** `cas` 0 sets without a condition; on an absent key every number does. */
  set(vmId: string, key: string, value: Uint8Array, cas: number): Status {
    if (!this.#lock.acquire()) return this.#refuse();
    let isWhole = false;
    try {
      const status = this.#set(vmId, key, value, cas);
      isWhole = true;
      return status;
    } finally {
      this.#end(isWhole);
    }
  }

  #set(vmId: string, key: string, value: Uint8Array, cas: number): Status {
    const entry = this.#find(Kind.Data, vmId, key);
    const before = entry === 0 ? 0 : this.#cell(entry + ENTRY_VALUE);
    const isOther = before !== 0 && cas !== 0 && cas !== this.#cell(before + VALUE_CAS) >>> 0;
    if (isOther) return Status.CasMismatch;
    const block = this.#allocate(VALUE_AT - BLOCK_HEADER, value.length);
    if (block === 0) return this.#refuse();
    const next =
      (this.#cells[LAST_CAS] as number) >>> 0 === 0xffff_ffff ? 1 : this.#cell(LAST_CAS) + 1;
    this.#cells[LAST_CAS] = next;
    this.#cells[block + VALUE_CAS] = next;
    this.#cells[block + VALUE_BYTES] = value.length;
    this.#bytes.set(value, (block + VALUE_AT) * 4);
    if (entry !== 0) {
      Atomics.store(this.#cells, entry + ENTRY_VALUE, block);
      this.#heap.free(before);
      return Status.Ok;
    }
    if (this.#add(Kind.Data, vmId, key, block)) return Status.Ok;
    this.#heap.free(block);
    return this.#refuse();
  }

  // ---- Queues.

  /**
   * The queue's token, 1 or more; 0 when there is no room. Registering again keeps the items and
   * moves the consumer.
   */
  registerQueue(vmId: string, name: string, consumer: QueueConsumer | null): number {
    let notices = 0;
    const registered = this.#change(() => {
      const token = this.#tokenOf(Kind.Queue, vmId, name) || this.#addQueue(vmId, name);
      if (token === 0 || consumer === null) return token;
      const queue = queueAt(token);
      this.#cells[queue + QUEUE_CONSUMER] = this.#consumers.numberOf(consumer);
      Atomics.store(this.#cells, queue + QUEUE_THREAD, this.#thread + 1);
      notices = Atomics.exchange(this.#cells, queue + QUEUE_NOTICES, 0);
      return token;
    });
    // Of items that came while there was no consumer, or that the last one has not been told of.
    const told = Math.min(notices, LATE_NOTICES_MAX);
    for (let i = 0; i < told; i += 1) consumer?.onQueueItem(registered);
    return registered;
  }

  #addQueue(vmId: string, name: string): number {
    const token = this.#freeToken();
    const head = token <= limits.sharedQueuesMax ? this.#newItem(NO_BYTES) : 0;
    const queue = queueAt(token);
    if (head !== 0) {
      this.#cells.fill(0, queue, queue + QUEUE_CELLS);
      this.#cells[queue + QUEUE_HEAD] = head;
      this.#cells[queue + QUEUE_TAIL] = head;
      if (token > this.#cell(QUEUES_COUNT)) Atomics.store(this.#cells, QUEUES_COUNT, token);
      if (this.#add(Kind.Queue, vmId, name, -token)) return token;
      this.#cells[queue + QUEUE_HEAD] = 0;
      this.#heap.free(head);
    }
    this.#refuse();
    return 0;
  }

  /** Of a queue that was dropped, or the next one. */
  #freeToken(): number {
    const next = this.#cell(QUEUES_COUNT) + 1;
    for (let token = 1; token < next; token += 1) {
      if (this.#cell(queueAt(token) + QUEUE_HEAD) === 0) return token;
    }
    return next;
  }

  /** 0 = there is none. */
  resolveQueue(vmId: string, name: string): number {
    if (!this.#lock.acquire()) return 0;
    try {
      return this.#tokenOf(Kind.Queue, vmId, name);
    } finally {
      this.#lock.release();
    }
  }

  hasQueue(token: number): boolean {
    if (token < 1 || token > Atomics.load(this.#cells, QUEUES_COUNT)) return false;
    return Atomics.load(this.#cells, queueAt(token) + QUEUE_HEAD) !== 0;
  }

  enqueue(token: number, item: Uint8Array): Status {
    if (!this.hasQueue(token)) return Status.NotFound;
    if (!this.#lock.acquire()) return this.#refuse();
    const queue = queueAt(token);
    let isWhole = false;
    let status: Status = Status.Ok;
    try {
      const isThere = this.hasQueue(token);
      const block = isThere ? this.#newItem(item) : 0;
      if (!isThere) status = Status.NotFound;
      else if (block === 0) status = this.#refuse();
      else {
        Atomics.store(this.#cells, this.#cell(queue + QUEUE_TAIL) + ITEM_NEXT, block);
        this.#cells[queue + QUEUE_TAIL] = block;
      }
      isWhole = true;
    } finally {
      this.#end(isWhole);
    }
    if (status === Status.Ok) this.#notify(queue, token);
    return status;
  }

  /** Undefined = the queue is empty or unknown. */
  dequeue(token: number): Buffer | undefined {
    if (!this.hasQueue(token)) return undefined;
    if (!this.#lock.acquire()) {
      this.#refuse();
      return undefined;
    }
    let isWhole = false;
    try {
      const item = this.#takeItem(queueAt(token));
      isWhole = true;
      return item;
    } finally {
      this.#end(isWhole);
    }
  }

  #takeItem(queue: number): Buffer | undefined {
    const taken = this.#cell(queue + QUEUE_HEAD);
    if (taken === 0) return undefined;
    const next = this.#cell(taken + ITEM_NEXT);
    if (next === 0) return undefined;
    const item = this.#copy(next + ITEM_AT, this.#cell(next + ITEM_BYTES));
    Atomics.store(this.#cells, queue + QUEUE_HEAD, next);
    this.#heap.free(taken);
    return item;
  }

  /** The consumer is gone. */
  forgetConsumer(consumer: QueueConsumer): void {
    const number = this.#consumers.forget(consumer);
    if (number === 0) return;
    for (let token = 1; token <= this.#cell(QUEUES_COUNT); token += 1) {
      const queue = queueAt(token);
      if (this.#cell(queue + QUEUE_CONSUMER) !== number) continue;
      Atomics.compareExchange(this.#cells, queue + QUEUE_THREAD, this.#thread + 1, 0);
    }
  }

  tell(token: number): void {
    if (this.hasQueue(token)) this.#notify(queueAt(token), token);
  }

  #notify(queue: number, token: number): void {
    const thread = Atomics.load(this.#cells, queue + QUEUE_THREAD) - 1;
    if (thread === this.#thread) {
      this.#consumerOf(queue)?.onQueueItem(token);
      return;
    }
    const isFirst = Atomics.add(this.#cells, queue + QUEUE_NOTICES, 1) === 0;
    // One message is enough for all that comes until it is read; who has registered meanwhile may
    // have looked too early.
    if (thread >= 0 ? isFirst : Atomics.load(this.#cells, queue + QUEUE_THREAD) > 0) {
      this.#wake(Atomics.load(this.#cells, queue + QUEUE_THREAD) - 1, token);
    }
  }

  /** Another thread has put items into a queue whose consumer is here. */
  onWake(token: number): void {
    if (!this.hasQueue(token)) return;
    const queue = queueAt(token);
    const thread = Atomics.load(this.#cells, queue + QUEUE_THREAD) - 1;
    // Nobody yet: who registers next takes the notices.
    if (thread < 0) return;
    if (thread !== this.#thread) {
      this.#wake(thread, token);
      return;
    }
    const notices = Atomics.exchange(this.#cells, queue + QUEUE_NOTICES, 0);
    for (let i = 0; i < notices; i += 1) this.#consumerOf(queue)?.onQueueItem(token);
  }

  #consumerOf(queue: number): QueueConsumer | undefined {
    return this.#consumers.at(this.#cell(queue + QUEUE_CONSUMER));
  }

  /** Forgets data and queues of all vm_ids that begin with `prefix`. Walks the whole directory. */
  drop(prefix: string): void {
    this.#change(() => {
      for (let bucket = BUCKETS_AT; bucket < QUEUES_AT; bucket += 1) this.#dropIn(bucket, prefix);
      return 0;
    });
  }

  #dropIn(bucket: number, prefix: string): void {
    let link = bucket;
    for (let entry = this.#cell(link); entry !== 0; entry = this.#cell(link)) {
      const at = (entry + ENTRY_KEY) * 4;
      const key = this.#bytes.toString("latin1", at, at + this.#cell(entry + ENTRY_BYTES));
      if (key.startsWith(Kind.Gauge) || !vmIdOf(key).startsWith(prefix)) {
        link = entry + ENTRY_NEXT;
        continue;
      }
      Atomics.store(this.#cells, link, this.#cell(entry + ENTRY_NEXT));
      const value = this.#cell(entry + ENTRY_VALUE);
      if (value > 0) this.#heap.free(value);
      else this.#dropQueue(queueAt(-value));
      this.#heap.free(entry);
    }
  }

  #dropQueue(queue: number): void {
    let item = Atomics.exchange(this.#cells, queue + QUEUE_HEAD, 0);
    this.#cells.fill(0, queue, queue + QUEUE_CELLS);
    while (item !== 0) {
      const next = this.#cell(item + ITEM_NEXT);
      this.#heap.free(item);
      item = next;
    }
  }

  // ---- Gauges: their places are found here, their values stand elsewhere.

  /** The same number for the same name, from 1 on; 0 = there are too many. */
  gaugeNumber(name: string): number {
    return this.#change(() => {
      const known = this.#tokenOf(Kind.Gauge, "", name);
      if (known !== 0) return known;
      const count = this.#cell(GAUGES_COUNT);
      const isAdded =
        count < limits.sharedGaugesMax && this.#add(Kind.Gauge, "", name, -(count + 1));
      if (!isAdded) {
        this.#refuse();
        return 0;
      }
      Atomics.store(this.#cells, GAUGES_COUNT, count + 1);
      return count + 1;
    });
  }

  // ---- The directory. All below runs under the lock.

  /** A change that happens now and then, under the lock; 0 = it was refused. */
  #change(change: () => number): number {
    if (!this.#lock.acquire()) {
      this.#refuse();
      return 0;
    }
    let isWhole = false;
    try {
      const result = change();
      isWhole = true;
      return result;
    } finally {
      this.#end(isWhole);
    }
  }

  /** A guest's stack may end in the middle of a change. */
  #end(isWhole: boolean): void {
    if (isWhole) this.#lock.release();
    else this.#lock.releaseBroken();
  }

  #refuse(): Status {
    Atomics.add(this.#cells, REFUSED, 1);
    return Status.InternalFailure;
  }

  #tokenOf(kind: string, vmId: string, name: string): number {
    const entry = this.#find(kind, vmId, name);
    return entry === 0 ? 0 : -this.#cell(entry + ENTRY_VALUE);
  }

  /** The entry's block; 0 = there is none. */
  #find(kind: string, vmId: string, name: string): number {
    const key = keyOf(kind, vmId, name);
    const hash = hashOf(key);
    let entry = this.#cell(BUCKETS_AT + (hash & (BUCKETS - 1)));
    while (entry !== 0) {
      if (this.#cell(entry + ENTRY_HASH) === hash && this.#hasKey(entry, key)) return entry;
      entry = this.#cell(entry + ENTRY_NEXT);
    }
    return 0;
  }

  #hasKey(entry: number, key: string): boolean {
    if (this.#cell(entry + ENTRY_BYTES) !== key.length) return false;
    const at = (entry + ENTRY_KEY) * 4;
    for (let i = 0; i < key.length; i += 1) {
      if (this.#bytes[at + i] !== key.charCodeAt(i)) return false;
    }
    return true;
  }

  /** False = there is no room. */
  #add(kind: string, vmId: string, name: string, value: number): boolean {
    const key = keyOf(kind, vmId, name);
    const hash = hashOf(key);
    const entry = this.#allocate(ENTRY_KEY - BLOCK_HEADER, key.length);
    if (entry === 0) return false;
    const bucket = BUCKETS_AT + (hash & (BUCKETS - 1));
    this.#cells[entry + ENTRY_NEXT] = this.#cell(bucket);
    this.#cells[entry + ENTRY_HASH] = hash;
    this.#cells[entry + ENTRY_VALUE] = value;
    this.#cells[entry + ENTRY_BYTES] = key.length;
    this.#bytes.write(key, (entry + ENTRY_KEY) * 4, "latin1");
    Atomics.store(this.#cells, bucket, entry);
    return true;
  }

  #newItem(item: Uint8Array): number {
    const block = this.#allocate(ITEM_AT - BLOCK_HEADER, item.length);
    if (block === 0) return 0;
    this.#cells[block + ITEM_NEXT] = 0;
    this.#cells[block + ITEM_BYTES] = item.length;
    this.#bytes.set(item, (block + ITEM_AT) * 4);
    return block;
  }

  #allocate(words: number, bytes: number): number {
    const size = words + ((bytes + 3) >>> 2);
    const block = this.#heap.allocate(size);
    if (block !== 0 || !this.#heap.isWorthRebuilding) return block;
    this.#rebuild();
    return this.#heap.allocate(size);
  }

  /** What can be reached is in use; everything else is free. */
  #rebuild(): void {
    const inUse = new BlockSet(this.#cells.length);
    for (let bucket = BUCKETS_AT; bucket < QUEUES_AT; bucket += 1) {
      for (let entry = this.#cell(bucket); entry !== 0; entry = this.#cell(entry + ENTRY_NEXT)) {
        inUse.add(entry);
        const value = this.#cell(entry + ENTRY_VALUE);
        if (value > 0) inUse.add(value);
      }
    }
    const queues = this.#cell(QUEUES_COUNT);
    for (let token = 1; token <= queues; token += 1) {
      const queue = queueAt(token);
      let last = this.#cell(queue + QUEUE_HEAD);
      for (let item = last; item !== 0; item = this.#cell(item + ITEM_NEXT)) {
        inUse.add(item);
        last = item;
      }
      this.#cells[queue + QUEUE_TAIL] = last;
    }
    this.#heap.rebuild(inUse);
  }

  #cell(at: number): number {
    return this.#cells[at] as number;
  }

  #copy(cell: number, bytes: number): Buffer {
    const copy = Buffer.allocUnsafe(bytes);
    copy.set(this.#bytes.subarray(cell * 4, cell * 4 + bytes));
    return copy;
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(0);
