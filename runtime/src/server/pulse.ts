// The heartbeats of all threads in shared memory. Each thread beats in its own turn of the event
// loop, so a loop that is stuck is seen by others without a message. Read by watchdog.ts.
import { GUEST_MARK_CELLS } from "../wasm/guest-mark.ts";

/** Beats, then the guest that runs, then the thread's number in the kernel. */
const CELLS_PER_THREAD = 1 + GUEST_MARK_CELLS + 1;
/**
 * The main thread's beats, for how many milliseconds it may be stuck (0 = for ever), and how often
 * the others are to beat.
 */
const MAIN_CELLS = 3;

/** By the watchdog's defaults; the timer wheel's tick, so that both are one wake-up. */
const BEAT_MS = 100;

export interface PulseSigns {
  /** Another number for each turn in which the thread's timer ran. */
  readonly beats: number;
  /** The thread's number in the kernel; 0 = it is not known. */
  readonly kernelThread: number;
}

/** What one thread shows. */
export interface PulseReading extends Pick<PulseSigns, "beats"> {
  /** As wasm/guest-mark.ts has it. */
  readonly plugin: number;
  readonly callback: number;
}

export class PulseMemory {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#cells = new Int32Array(memory);
  }

  static create(workers: number): PulseMemory {
    const bytes = (MAIN_CELLS + workers * CELLS_PER_THREAD) * 4;
    const pulse = new PulseMemory(new SharedArrayBuffer(bytes));
    pulse.setWatch(BEAT_MS, 0);
    return pulse;
  }

  get mainBeats(): number {
    return Atomics.load(this.#cells, 0);
  }

  get mainKillMs(): number {
    return Atomics.load(this.#cells, 1);
  }

  get beatMs(): number {
    return Atomics.load(this.#cells, 2);
  }

  setWatch(beatMs: number, mainKillMs: number): void {
    Atomics.store(this.#cells, 1, Math.min(mainKillMs, 2 ** 31 - 1));
    Atomics.store(this.#cells, 2, beatMs);
  }

  beatMain(): void {
    Atomics.add(this.#cells, 0, 1);
  }

  beat(thread: number): void {
    Atomics.add(this.#cells, at(thread), 1);
  }

  /** Where the thread's wasm host notes the guest that runs. */
  guestMark(thread: number): Int32Array {
    const from = at(thread) + 1;
    return this.#cells.subarray(from, from + GUEST_MARK_CELLS);
  }

  setKernelThread(thread: number, id: number): void {
    Atomics.store(this.#cells, at(thread) + CELLS_PER_THREAD - 1, id);
  }

  /** What the watchdog looks at. */
  signs(thread: number): PulseSigns {
    const from = at(thread);
    const kernelThread = Atomics.load(this.#cells, from + CELLS_PER_THREAD - 1);
    return { beats: Atomics.load(this.#cells, from), kernelThread };
  }

  read(thread: number): PulseReading {
    const from = at(thread);
    return {
      beats: Atomics.load(this.#cells, from),
      plugin: Atomics.load(this.#cells, from + 1),
      callback: Atomics.load(this.#cells, from + 2),
    };
  }

  /** The thread is dead. */
  clear(thread: number): void {
    const from = at(thread);
    this.#cells.fill(0, from, from + CELLS_PER_THREAD);
  }
}

function at(thread: number): number {
  return MAIN_CELLS + thread * CELLS_PER_THREAD;
}
