// Shared data and queues of the guests of this thread, by vm_id. Each thread has a store.
import { Status } from "proxy-wasm-types";

/** Gets told of items in a queue it registered: the root context that was the last to register. */
export interface QueueConsumer {
  onQueueItem(token: number): void;
}

interface Entry {
  readonly value: Buffer;
  readonly cas: number;
}

class Queue {
  readonly items: Buffer[];
  consumer: QueueConsumer | null = null;

  constructor() {
    this.items = [];
  }
}

/** What guests may keep here in all; more is refused. */
const BYTES_MAX = 64 * 1024 * 1024;
/** Counted for each key, queue and item: empty ones take memory, too. */
const ENTRY_BYTES = 64;

export class SharedStore {
  readonly #data: Map<string, Map<string, Entry>>;
  readonly #tokens: Map<string, number>;
  readonly #queues: Queue[];
  #lastCas: number = 0;
  #bytes: number = 0;

  constructor() {
    this.#data = new Map();
    this.#tokens = new Map();
    this.#queues = [];
  }

  get(vmId: string, key: string): Entry | undefined {
    return this.#data.get(vmId)?.get(key);
  }

  /** `cas` 0 sets without a condition; on an absent key every number does. */
  set(vmId: string, key: string, value: Buffer, cas: number): Status {
    let entries = this.#data.get(vmId);
    if (entries === undefined) {
      entries = new Map();
      this.#data.set(vmId, entries);
    }
    const before = entries.get(key);
    if (before !== undefined && cas !== 0 && cas !== before.cas) return Status.CasMismatch;
    const grown =
      value.length - (before === undefined ? -(key.length + ENTRY_BYTES) : before.value.length);
    if (this.#bytes + grown > BYTES_MAX) return Status.InternalFailure;
    this.#bytes += grown;
    this.#lastCas = this.#lastCas === 0xffffffff ? 1 : this.#lastCas + 1;
    entries.set(key, { value, cas: this.#lastCas });
    return Status.Ok;
  }

  /**
   * The queue's token, 1 or more; 0 when there is no room. Registering again keeps the items and
   * moves the consumer.
   */
  registerQueue(vmId: string, name: string, consumer: QueueConsumer): number {
    const key = `${vmId}\0${name}`;
    let token = this.#tokens.get(key);
    if (token === undefined) {
      if (this.#bytes + key.length + ENTRY_BYTES > BYTES_MAX) return 0;
      this.#bytes += key.length + ENTRY_BYTES;
      token = this.#queues.push(new Queue());
      this.#tokens.set(key, token);
    }
    (this.#queues[token - 1] as Queue).consumer = consumer;
    return token;
  }

  /** 0 = there is none. */
  resolveQueue(vmId: string, name: string): number {
    return this.#tokens.get(`${vmId}\0${name}`) ?? 0;
  }

  enqueue(token: number, item: Buffer): Status {
    const queue = this.#queues[token - 1];
    if (queue === undefined) return Status.NotFound;
    if (this.#bytes + item.length + ENTRY_BYTES > BYTES_MAX) return Status.InternalFailure;
    this.#bytes += item.length + ENTRY_BYTES;
    queue.items.push(item);
    queue.consumer?.onQueueItem(token);
    return Status.Ok;
  }

  hasQueue(token: number): boolean {
    return this.#queues[token - 1] !== undefined;
  }

  /** Undefined = the queue is empty or unknown. */
  dequeue(token: number): Buffer | undefined {
    const item = this.#queues[token - 1]?.items.shift();
    if (item !== undefined) this.#bytes -= item.length + ENTRY_BYTES;
    return item;
  }

  /** The consumer is gone. */
  forgetConsumer(consumer: QueueConsumer): void {
    for (const queue of this.#queues) if (queue.consumer === consumer) queue.consumer = null;
  }
}
