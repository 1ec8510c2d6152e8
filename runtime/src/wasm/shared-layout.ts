// Where things lie in the memory of the shared store, in cells of 32 bits.
//
//   cells    lock | numbers | heap's own | buckets of entries | queues | blocks
//   entry    next entry | hash | value's block, or minus a token | bytes of the key | key
//   value    CAS number | bytes | value
//   queue    first item, which was taken | last item | thread | consumer | notices | items
//   item     next item | bytes | item
import { limits } from "proxy-wasm-types";
import { BLOCK_HEADER, HEAP_CELLS } from "./shared-heap.ts";
import { LOCK_CELLS } from "./shared-lock.ts";

export const LAST_CAS: number = LOCK_CELLS;
export const QUEUES_COUNT: number = LOCK_CELLS + 1;
export const GAUGES_COUNT: number = LOCK_CELLS + 2;
export const REFUSED: number = LOCK_CELLS + 3;
export const HEAP: number = LOCK_CELLS + 4;
export const BUCKETS_AT: number = HEAP + HEAP_CELLS;
export const BUCKETS = 16_384;
export const QUEUES_AT: number = BUCKETS_AT + BUCKETS;

export const ENTRY_NEXT: number = BLOCK_HEADER;
export const ENTRY_HASH: number = BLOCK_HEADER + 1;
export const ENTRY_VALUE: number = BLOCK_HEADER + 2;
export const ENTRY_BYTES: number = BLOCK_HEADER + 3;
export const ENTRY_KEY: number = BLOCK_HEADER + 4;
export const VALUE_CAS: number = BLOCK_HEADER;
export const VALUE_BYTES: number = BLOCK_HEADER + 1;
export const VALUE_AT: number = BLOCK_HEADER + 2;
export const ITEM_NEXT: number = BLOCK_HEADER;
export const ITEM_BYTES: number = BLOCK_HEADER + 1;
export const ITEM_AT: number = BLOCK_HEADER + 2;

export const QUEUE_HEAD = 0;
export const QUEUE_TAIL = 1;
/** The consumer's thread and one; 0 = nobody. */
export const QUEUE_THREAD = 2;
export const QUEUE_CONSUMER = 3;
/** Items that the consumer's thread was not told of yet. */
export const QUEUE_NOTICES = 4;
export const QUEUE_CELLS = 6;

export const BLOCKS_AT: number = QUEUES_AT + limits.sharedQueuesMax * QUEUE_CELLS;

/** Of the queue with that token. */
export function queueAt(token: number): number {
  return QUEUES_AT + (token - 1) * QUEUE_CELLS;
}
