// What the hashes of the SHA family share: blocks, the padding behind the last one, big-endian
// words.

/** One hash at work. `update` as often as wanted, then `digest`, after which it begins anew. */
export abstract class BlockHash {
  /** The state, then the block that is being filled. */
  private readonly buffer: StaticArray<u8>;
  private filled: u32 = 0;
  private total: u64 = 0;

  constructor(
    private readonly stateBytes: u32,
    /** Bytes that are taken at a time. */
    readonly blockBytes: u32,
    /** Bytes of the result. */
    readonly digestBytes: u32,
  ) {
    this.buffer = new StaticArray<u8>(stateBytes + blockBytes);
    this.begin(this.state);
  }

  /** Writes the state that it begins with. */
  protected abstract begin(state: usize): void;

  /** Takes one block into the state. */
  protected abstract take(state: usize, block: usize): void;

  /** Writes the state's words with their bytes in order of the digest. */
  protected abstract finish(state: usize, out: usize): void;

  update(bytes: Uint8Array): void {
    this.updateMemory(bytes.dataStart, bytes.length);
  }

  updateMemory(start: usize, length: u32): void {
    const block = this.block;
    const size = this.blockBytes;
    let at = start;
    let rest = length;
    this.total += length;
    if (this.filled > 0) {
      const count = min(size - this.filled, rest);
      memory.copy(block + this.filled, at, count);
      this.filled += count;
      at += count;
      rest -= count;
      if (this.filled < size) return;
      this.take(this.state, block);
      this.filled = 0;
    }
    while (rest >= size) {
      this.take(this.state, at);
      at += size;
      rest -= size;
    }
    memory.copy(block, at, rest);
    this.filled = rest;
  }

  digest(): Uint8Array {
    const block = this.block;
    const size = this.blockBytes;
    store<u8>(block + this.filled, 0x80);
    memory.fill(block + this.filled + 1, 0, size - this.filled - 1);
    // The length in bits is an eighth of a block, of which only the low eight bytes are ever used.
    if (this.filled + 1 + (size >> 3) > size) {
      this.take(this.state, block);
      memory.fill(block, 0, size);
    }
    store<u64>(block + size - 8, bswap<u64>(this.total << 3));
    this.take(this.state, block);
    this.finish(this.state, block);
    const digest = new Uint8Array(this.digestBytes);
    memory.copy(digest.dataStart, block, this.digestBytes);
    this.filled = 0;
    this.total = 0;
    this.begin(this.state);
    return digest;
  }

  private get state(): usize {
    return changetype<usize>(this.buffer);
  }

  private get block(): usize {
    return changetype<usize>(this.buffer) + this.stateBytes;
  }
}

/** Turns words of four bytes round. */
export function swapWords(from: usize, to: usize, words: u32): void {
  for (let i: u32 = 0; i < words; i++) {
    store<u32>(to + (i << 2), bswap<u32>(load<u32>(from + (i << 2))));
  }
}
