// Looks into libuv's loop: may this thread sleep, and for how long? The one place that knows its
// memory.
import type { Native } from "./native.ts";

/** uv_loop_t of libuv 1 on 64 bits, which its promise of a stable ABI keeps: byte offsets. */
const BACKEND_FD = 64;
const WATCHER_QUEUE = 88;
const LOOP_BYTES = 104;

export class LoopWindow {
  readonly backendFd: number;
  readonly #native: Native;
  readonly #words: Int32Array;
  readonly #emptyLow: number;
  readonly #emptyHigh: number;

  constructor(native: Native, memory: ArrayBuffer) {
    this.#native = native;
    this.#words = new Int32Array(memory);
    this.backendFd = native.call.uv_backend_fd(native.loop);
    const queue = native.loop + BigInt(WATCHER_QUEUE);
    this.#emptyLow = Number(BigInt.asIntN(32, queue));
    this.#emptyHigh = Number(BigInt.asIntN(32, queue >> 32n));
  }

  /** Whether the memory is what we take it for. */
  get isKnown(): boolean {
    return this.#words[BACKEND_FD >> 2] === this.backendFd;
  }

  /** Milliseconds; 0 = libuv has something to do at once, negative = it waits for events only. */
  mayWait(): number {
    const { call, loop } = this.#native;
    const words = this.#words;
    // File descriptors that libuv has not told the kernel yet: nobody would wake us for them.
    const at = WATCHER_QUEUE >> 2;
    if (words[at] !== this.#emptyLow || words[at + 1] !== this.#emptyHigh) return 0;
    // Its clock stands since its last round; timers are due by it.
    call.uv_update_time(loop);
    return call.uv_backend_timeout(loop);
  }
}

/** Null when libuv's loop is not laid out as we know it. */
export function openLoopWindow(native: Native): LoopWindow | null {
  const window = new LoopWindow(native, native.view(native.loop, LOOP_BYTES));
  return window.isKnown ? window : null;
}
