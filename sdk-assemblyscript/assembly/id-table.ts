// Objects by the host's number for them: contexts, and calls that wait for their answer. A hash
// table whose chains run through the objects themselves, so that adding and removing all day
// allocates nothing. Ids grow and are not used again: their low bits spread.

const FIRST_BUCKETS: u32 = 16;

/** What can stand in a table, in one at a time. */
export abstract class Entry {
  /** The host's number; 0 until it is known. */
  id: u32 = 0;
  /** Owned by the table, and by a list of entries that stand in none: address of another entry. */
  next: usize = 0;
}

/** `changetype<IdTable>(memory.data(12, 4))`: static memory that begins as zeros. */
// @ts-ignore: decorator
@unmanaged
export class IdTable {
  private buckets: usize;
  private mask: u32;
  /** Entries at this time. */
  length: u32;

  /** Address of the entry; 0 when there is none under this id. */
  get(id: u32): usize {
    if (this.length == 0) return 0;
    let at = load<usize>(this.bucketOf(id));
    while (at != 0 && load<u32>(at, offsetof<Entry>("id")) != id) {
      at = load<usize>(at, offsetof<Entry>("next"));
    }
    return at;
  }

  /** Keeps an entry, given by its address, alive until it is taken out. Its id must not be taken. */
  add(entry: usize): void {
    if (this.buckets == 0 || this.length > this.mask) this.grow();
    this.chain(__pin(entry));
    this.length++;
  }

  /** Takes an entry out and gives its address, to be held at once; 0 when there is none under this id. */
  take(id: u32): usize {
    if (this.length == 0) return 0;
    let link = this.bucketOf(id);
    let at = load<usize>(link);
    while (at != 0) {
      if (load<u32>(at, offsetof<Entry>("id")) == id) {
        store<usize>(link, load<usize>(at, offsetof<Entry>("next")));
        this.length--;
        __unpin(at);
        return at;
      }
      link = at + offsetof<Entry>("next");
      at = load<usize>(link);
    }
    return 0;
  }

  private bucketOf(id: u32): usize {
    return this.buckets + ((id & this.mask) << 2);
  }

  private chain(entry: usize): void {
    const bucket = this.bucketOf(load<u32>(entry, offsetof<Entry>("id")));
    store<usize>(entry, load<usize>(bucket), offsetof<Entry>("next"));
    store<usize>(bucket, entry);
  }

  private grow(): void {
    const old = this.buckets;
    const capacity = old == 0 ? FIRST_BUCKETS : (this.mask + 1) * 2;
    const oldEnd = old + ((this.mask + 1) << 2);
    this.buckets = heap.alloc(capacity << 2);
    memory.fill(this.buckets, 0, capacity << 2);
    this.mask = capacity - 1;
    if (old == 0) return;
    for (let bucket = old; bucket < oldEnd; bucket += 4) {
      let at = load<usize>(bucket);
      while (at != 0) {
        const next = load<usize>(at, offsetof<Entry>("next"));
        this.chain(at);
        at = next;
      }
    }
    heap.free(old);
  }
}
