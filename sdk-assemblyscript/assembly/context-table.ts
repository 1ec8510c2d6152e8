// Contexts by their id: a hash table whose chains run through the contexts themselves, so that
// adding and removing all day allocates nothing. Ids grow and are not used again: their low bits
// spread.
import { Context } from "./context";

const FIRST_BUCKETS: u32 = 16;

let buckets: usize = 0;
let mask: u32 = 0;
let count: u32 = 0;

/** The context; null when there is none under this id. */
export function getContext(id: u32): Context | null {
  if (count == 0) return null;
  let at = load<usize>(bucketOf(id));
  while (at != 0 && load<u32>(at, offsetof<Context>("contextId")) != id) {
    at = load<usize>(at, offsetof<Context>("nextInBucket"));
  }
  return changetype<Context | null>(at);
}

/** Keeps a context alive until it is removed. Its id must not be taken. */
export function addContext(context: Context): void {
  if (buckets == 0 || count > mask) grow();
  chain(__pin(changetype<usize>(context)));
  count++;
}

/** Forgets a context. */
export function removeContext(id: u32): void {
  if (count == 0) return;
  let link = bucketOf(id);
  let at = load<usize>(link);
  while (at != 0) {
    if (load<u32>(at, offsetof<Context>("contextId")) == id) {
      store<usize>(link, load<usize>(at, offsetof<Context>("nextInBucket")));
      count--;
      __unpin(at);
      return;
    }
    link = at + offsetof<Context>("nextInBucket");
    at = load<usize>(link);
  }
}

function bucketOf(id: u32): usize {
  return buckets + ((id & mask) << 2);
}

function chain(context: usize): void {
  const bucket = bucketOf(load<u32>(context, offsetof<Context>("contextId")));
  store<usize>(context, load<usize>(bucket), offsetof<Context>("nextInBucket"));
  store<usize>(bucket, context);
}

function grow(): void {
  const old = buckets;
  const oldEnd = old + ((mask + 1) << 2);
  const capacity = old == 0 ? FIRST_BUCKETS : (mask + 1) * 2;
  buckets = heap.alloc(capacity << 2);
  memory.fill(buckets, 0, capacity << 2);
  mask = capacity - 1;
  if (old == 0) return;
  for (let bucket = old; bucket < oldEnd; bucket += 4) {
    let at = load<usize>(bucket);
    while (at != 0) {
      const next = load<usize>(at, offsetof<Context>("nextInBucket"));
      chain(at);
      at = next;
    }
  }
  heap.free(old);
}
