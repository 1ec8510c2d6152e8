// Looks into libuv's loop: may this thread sleep, and for how long? The one place that knows its
// memory.
import type { Native } from "./native.ts";

/** Words of 64 bits in uv_loop_t of libuv 1 on 64 bits, which its promise of a stable ABI keeps. */
const Word = {
  StopFlag: 6,
  Flags: 7,
  BackendFd: 8,
  PendingQueue: 9,
  WatcherQueue: 11,
  ClosingHandles: 45,
  IdleHandles: 52,
  TimerCounter: 67,
  Time: 68,
} as const;
const LOOP_BYTES = 552;

export class LoopWindow {
  readonly backendFd: number;
  readonly #native: Native;
  /**
   * Counts and pointers, as doubles: equal when their bits are, because as such they are neither
   * NaN nor both zeros.
   */
  readonly #words: Float64Array;
  readonly #halves: Int32Array;
  readonly #noWatchers: number;
  /** What the words were when libuv was asked last. */
  readonly #then: Float64Array = new Float64Array(6);
  #isAnswerGood: boolean = false;

  constructor(native: Native, memory: ArrayBuffer) {
    this.#native = native;
    this.#words = new Float64Array(memory);
    this.#halves = new Int32Array(memory);
    this.backendFd = native.call.uv_backend_fd(native.loop);
    const queue = native.loop + BigInt(Word.WatcherQueue * 8);
    this.#noWatchers = new Float64Array(BigUint64Array.of(queue).buffer)[0] ?? 0;
  }

  /** Whether the memory is what we take it for. */
  get isKnown(): boolean {
    const { call, loop } = this.#native;
    call.uv_update_time(loop);
    const time = Number(BigInt.asIntN(32, call.uv_now(loop)));
    const { backendFd } = this;
    return this.#halves[Word.BackendFd * 2] === backendFd && this.#halves[Word.Time * 2] === time;
  }

  /**
   * File descriptors that libuv has not told the kernel yet: nobody would wake the thread for them.
   */
  get hasNewWatchers(): boolean {
    return this.#words[Word.WatcherQueue] !== this.#noWatchers;
  }

  /**
   * Whether libuv would say what it said last, but for the time that has passed. To look here is
   * 1.4 us a request cheaper, at one connection, than to ask before each sleep.
   */
  get isAsItWas(): boolean {
    const words = this.#words;
    const then = this.#then;
    return (
      this.#isAnswerGood &&
      words[Word.TimerCounter] === then[0] &&
      words[Word.IdleHandles] === then[1] &&
      words[Word.ClosingHandles] === then[2] &&
      words[Word.PendingQueue] === then[3] &&
      words[Word.Flags] === then[4] &&
      words[Word.StopFlag] === then[5]
    );
  }

  /** What it said does not count any more. */
  forget(): void {
    this.#isAnswerGood = false;
  }

  /** Milliseconds; 0 = libuv has something to do at once, negative = it waits for events only. */
  ask(): number {
    const { call, loop } = this.#native;
    // Its clock stands since its last round; timers are due by it.
    call.uv_update_time(loop);
    const milliseconds = call.uv_backend_timeout(loop);
    this.#isAnswerGood = milliseconds !== 0;
    const words = this.#words;
    const then = this.#then;
    then[0] = words[Word.TimerCounter] ?? 0;
    then[1] = words[Word.IdleHandles] ?? 0;
    then[2] = words[Word.ClosingHandles] ?? 0;
    then[3] = words[Word.PendingQueue] ?? 0;
    then[4] = words[Word.Flags] ?? 0;
    then[5] = words[Word.StopFlag] ?? 0;
    return milliseconds;
  }
}

/** Null when libuv's loop is not laid out as we know it. */
export function openLoopWindow(native: Native): LoopWindow | null {
  if (Number(native.call.uv_loop_size()) < LOOP_BYTES) return null;
  const window = new LoopWindow(native, native.view(native.loop, LOOP_BYTES));
  return window.isKnown ? window : null;
}
