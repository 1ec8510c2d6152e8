// The memory of a VM that failed, for the one that is made next: one per slot, all of whose VMs
// have the same module.
//
// V8 counts what instances have as memory towards its next collection of garbage, which stops the
// thread for some milliseconds: with 1 MiB for each, as Rust's have it, after every 64th trap.
import type { CompiledModule } from "./compiled-module.ts";

type MemoryImport = NonNullable<CompiledModule["memoryImport"]>;

const PAGE_BYTES = 65_536;
/** What the kernel gives at once: what was never written to costs no memory, and is left so. */
const BLOCK_BYTES = 4096;
const zeros: Buffer = Buffer.alloc(BLOCK_BYTES);
/** 4 MiB are zeros within half a millisecond. */
const SPARE_PAGES_MAX = 64;
/**
 * Memories never shrink, and some allocators grow from wherever a memory ends: one that has grown
 * by so many pages, or by such a share of its room, is not used again.
 */
const GROWN_PAGES_MAX = 16;
const GROWN_SHARE = 8;

export class SpareMemory {
  #memory: WebAssembly.Memory | null = null;

  /** Nobody may have a view of it any more. */
  put(memory: WebAssembly.Memory | null, limits: MemoryImport | null): void {
    // Of an instance that was not made, or that has a memory of its own.
    if (memory === null || limits === null) return;
    const { minimumPages, maximumPages } = limits;
    const pages = memory.buffer.byteLength / PAGE_BYTES;
    const grown = pages - minimumPages;
    const room = (maximumPages ?? pages) - minimumPages;
    if (pages > SPARE_PAGES_MAX || grown > GROWN_PAGES_MAX || grown * GROWN_SHARE > room) return;
    this.#memory = memory;
  }

  /** As new: all zeros. It may have some pages more than asked for. */
  take({ minimumPages: initial, maximumPages }: MemoryImport): WebAssembly.Memory {
    const spare = this.#memory;
    this.#memory = null;
    if (spare !== null) {
      clear(Buffer.from(spare.buffer));
      return spare;
    }
    const limits = maximumPages === null ? { initial } : { initial, maximum: maximumPages };
    return new WebAssembly.Memory(limits);
  }

  drop(): void {
    this.#memory = null;
  }
}

function clear(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const end = at + BLOCK_BYTES;
    if (bytes.compare(zeros, 0, BLOCK_BYTES, at, end) !== 0) bytes.fill(0, at, end);
  }
}
