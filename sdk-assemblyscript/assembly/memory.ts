// Scratch memory: what the host writes into the guest and what the guest hands to the host. Every
// exported callback brackets itself with enterCallback and leaveCallback; `malloc` is the host's
// door.

/** A block larger than this is given back when the outermost callback returns. */
const KEPT_BYTES_MAX: usize = 64 * 1024;
const FIRST_BLOCK_BYTES: usize = 4 * 1024;
/** The allocator below traps past 1 GiB; the host gets a null pointer instead, and a status. */
const REQUEST_BYTES_MAX: u32 = 0x3fff0000;
/** Each block begins with a pointer to the block before it and with its own size. */
const HEADER_BYTES: usize = 16;

let block: usize = 0;
let next: usize = 0;
let end: usize = 0;
let depth: i32 = 0;
let turn: u32 = 0;

/** Bytes that stay valid until the outermost callback returns; 0 when `size` is past 1 GiB. */
export function scratch(size: u32): usize {
  if (size > REQUEST_BYTES_MAX) return 0;
  // Never zero bytes: two results must not share an address, and 0 means failure to a host.
  const bytes = (<usize>size + 8) & ~7;
  if (bytes > end - next) addBlock(bytes);
  const start = next;
  next = start + bytes;
  return start;
}

/** Called first by every exported callback: foreign functions may enter the guest again. */
export function enterCallback(): void {
  depth++;
}

/** Called last by every exported callback. */
export function leaveCallback(): void {
  depth--;
  if (depth != 0) return;
  turn++;
  if (block == 0) return;
  if (load<usize>(block) != 0 || end - block > KEPT_BYTES_MAX) trimBlocks();
  next = block == 0 ? 0 : block + HEADER_BYTES;
}

/** 1 in a callback; more when the host has entered again from a hostcall; 0 in none. */
export function callbackDepth(): i32 {
  return depth;
}

/** Changes whenever an outermost callback has returned: what was cached from the host is stale. */
export function callbackTurn(): u32 {
  return turn;
}

/** Older blocks stay where they are: pointers already given out in this callback remain valid. */
function addBlock(bytes: usize): void {
  let size = block == 0 ? FIRST_BLOCK_BYTES : min((end - block) * 2, KEPT_BYTES_MAX);
  size = max(size, bytes + HEADER_BYTES);
  const added = heap.alloc(size);
  store<usize>(added, block);
  store<usize>(added, size, sizeof<usize>());
  block = added;
  next = added + HEADER_BYTES;
  end = added + size;
}

/** Keeps the largest block that may be kept, so that one large body does not pin memory. */
function trimBlocks(): void {
  let kept: usize = 0;
  let keptBytes: usize = 0;
  let walk = block;
  while (walk != 0) {
    const before = load<usize>(walk);
    const size = load<usize>(walk, sizeof<usize>());
    if (size <= KEPT_BYTES_MAX && size > keptBytes) {
      if (kept != 0) heap.free(kept);
      kept = walk;
      keptBytes = size;
    } else {
      heap.free(walk);
    }
    walk = before;
  }
  if (kept != 0) store<usize>(kept, 0);
  block = kept;
  end = kept + keptBytes;
  if (kept == 0) next = 0;
}
