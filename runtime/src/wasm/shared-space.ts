// The contract of what guests use of shared data and queues: SharedStore serves it, and for shadows
// ShadowStore.
import type { Status } from "proxy-wasm-types";

/** Gets told of items in a queue it registered: the root context that was the last to register. */
export interface QueueConsumer {
  onQueueItem(token: number): void;
}

/** A value with its CAS number. */
export interface SharedEntry {
  readonly value: Buffer;
  readonly cas: number;
}

export interface SharedSpace {
  get(vmId: string, key: string): SharedEntry | undefined;
  /** `cas` 0 sets without a condition; on an absent key every number does. */
  set(vmId: string, key: string, value: Uint8Array, cas: number): Status;
  /** The queue's token, 1 or more; 0 when there is no room. `consumer` null: it stays as it is. */
  registerQueue(vmId: string, name: string, consumer: QueueConsumer | null): number;
  /** 0 = there is none. */
  resolveQueue(vmId: string, name: string): number;
  hasQueue(token: number): boolean;
  enqueue(token: number, item: Uint8Array): Status;
  /** Undefined = the queue is empty or unknown. */
  dequeue(token: number): Buffer | undefined;
  /** An item of the queue has nobody who was told of it. */
  tell(token: number): void;
  /** The consumer is gone. */
  forgetConsumer(consumer: QueueConsumer): void;
}
