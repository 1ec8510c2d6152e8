// Blocks of memory in a shared arena: first fit among free blocks of about the size. Used under
// the store's lock. What makes something true for others is one store, so that a thread that dies
// in the middle leaves blocks that can be walked, and nothing half-made that can be reached.
//
//   block   [ words of the block | next free block, or the first word of contents | ... ]
import { assert } from "../core/assert.ts";

/** Words before a block's contents. */
export const BLOCK_HEADER = 1;
/** The smallest block: its header, the link of the free list, and two more. */
const WORDS_MIN = 4;
/** Free blocks of 2^n words and more, for n from 0 to 31. */
const BINS = 32;
/** Blocks of a bin that are looked at before the next bin is taken. */
const TRIES_MAX = 16;

const TOP = 0;
const USED = 1;
const FREED = 2;
const FIRST_BIN = 3;

/** Cells before the blocks. */
export const HEAP_CELLS = 36;

export class SharedHeap {
  readonly #cells: Int32Array;
  readonly #at: number;
  readonly #first: number;
  readonly #end: number;

  /** Its own cells are at `at`; blocks lie from `first` to the end of `cells`. */
  constructor(cells: Int32Array, at: number, first: number) {
    assert(HEAP_CELLS >= FIRST_BIN + BINS);
    this.#cells = cells;
    this.#at = at;
    // Block 0 would look like none.
    this.#first = Math.max(first, 2) + (first & 1);
    this.#end = cells.length;
    if (this.#get(TOP) === 0) this.#set(TOP, this.#first);
  }

  /** Bytes of all blocks in use. */
  get usedBytes(): number {
    return this.#get(USED) * 4;
  }

  /** The block with room for so many words of contents; 0 = there is none. */
  allocate(contents: number): number {
    const words = Math.max(WORDS_MIN, (contents + BLOCK_HEADER + 1) & ~1);
    const block = this.#fromBins(words) || this.#fromTop(words);
    if (block !== 0) this.#set(USED, this.#get(USED) + (this.#cells[block] as number));
    return block;
  }

  free(block: number): void {
    const words = this.#cells[block] as number;
    this.#set(USED, this.#get(USED) - words);
    this.#set(FREED, this.#get(FREED) + words);
    this.#putInBin(block, words);
  }

  /** Whether a rebuild may help: it walks everything, so much must have been freed before. */
  get isWorthRebuilding(): boolean {
    return this.#get(FREED) > (this.#end - this.#first) >>> 4;
  }

  /** Makes all blocks free that are not in use, and one of each row of free ones. */
  rebuild(inUse: BlockSet): void {
    const cells = this.#cells;
    for (let bin = 0; bin < BINS; bin += 1) this.#set(FIRST_BIN + bin, 0);
    let used = 0;
    let free = 0;
    const top = this.#get(TOP);
    for (let block = this.#first; block < top; ) {
      const words = cells[block] as number;
      assert(words >= WORDS_MIN);
      const next = block + words;
      if (inUse.has(block)) {
        if (free !== 0) this.#putInBin(free, cells[free] as number);
        free = 0;
        used += words;
      } else if (free === 0) free = block;
      // One store joins them.
      else Atomics.store(cells, free, next - free);
      block = next;
    }
    if (free !== 0) Atomics.store(cells, this.#at + TOP, free);
    this.#set(USED, used);
    this.#set(FREED, 0);
  }

  #fromBins(words: number): number {
    for (let bin = binOf(words); bin < BINS; bin += 1) {
      let before = 0;
      let block = this.#get(FIRST_BIN + bin);
      for (let i = 0; block !== 0 && i < TRIES_MAX; i += 1) {
        if ((this.#cells[block] as number) >= words) return this.#take(bin, before, block, words);
        before = block;
        block = this.#cells[block + 1] as number;
      }
    }
    return 0;
  }

  #take(bin: number, before: number, block: number, words: number): number {
    const cells = this.#cells;
    const next = cells[block + 1] as number;
    if (before === 0) this.#set(FIRST_BIN + bin, next);
    else cells[before + 1] = next;
    const rest = (cells[block] as number) - words;
    if (rest >= WORDS_MIN) {
      // The rest is a block before this one ends in front of it.
      cells[block + words] = rest;
      Atomics.store(cells, block, words);
      this.#putInBin(block + words, rest);
    }
    return block;
  }

  #fromTop(words: number): number {
    const block = this.#get(TOP);
    if (block + words > this.#end) return 0;
    this.#cells[block] = words;
    Atomics.store(this.#cells, this.#at + TOP, block + words);
    return block;
  }

  #putInBin(block: number, words: number): void {
    const bin = FIRST_BIN + binOf(words);
    this.#cells[block + 1] = this.#get(bin);
    this.#set(bin, block);
  }

  #get(cell: number): number {
    return this.#cells[this.#at + cell] as number;
  }

  #set(cell: number, value: number): void {
    this.#cells[this.#at + cell] = value;
  }
}

function binOf(words: number): number {
  return 31 - Math.clz32(words);
}

/** Blocks by a bit for each word of the arena. */
export class BlockSet {
  readonly #bits: Uint8Array;

  constructor(words: number) {
    this.#bits = new Uint8Array((words >>> 3) + 1);
  }

  add(block: number): void {
    (this.#bits[block >>> 3] as number) |= 1 << (block & 7);
  }

  has(block: number): boolean {
    return ((this.#bits[block >>> 3] as number) & (1 << (block & 7))) !== 0;
  }
}
