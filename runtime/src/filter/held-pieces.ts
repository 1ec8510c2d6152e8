// Where the pieces of a message wait along a chain, per filter; used by FilterDirection alone.
import type { BufferQueue } from "../core/buffer-queue.ts";

/** How a filter stands in a direction. From Stopped on nothing passes it. */
export const FilterState = {
  Going: 0,
  /** Body passes, but the end waits for the filter (ContinueAndDontEndStream). */
  EndHeld: 1,
  /** Waits, and is still called; over the limit the stream is answered. */
  Stopped: 2,
  /** Waits, and is still called; over the limit the source is stopped. */
  StoppedWatermark: 3,
  /** Waits, and is not called. */
  StoppedAll: 4,
  StoppedAllWatermark: 5,
} as const;

/** Indices count filters in the direction's order. */
export class HeldPieces {
  #count: number = 0;
  /** Something may stand otherwise than at the begin of a stream: mostly nothing does. */
  #isTouched: boolean = false;
  readonly #states: number[];
  /** Body that the filter has not seen yet: only filters that stopped everything have some. */
  readonly #unseen: (BufferQueue | null)[];
  /** Body that the filter has seen and that waits for it to go on. */
  readonly #seen: (BufferQueue | null)[];

  constructor() {
    this.#states = [];
    this.#unseen = [];
    this.#seen = [];
  }

  reset(count: number): void {
    const known = this.#states.length;
    this.#count = count;
    if (!this.#isTouched && count <= known) return;
    this.#isTouched = false;
    for (let i = 0; i < Math.max(count, known); i += 1) {
      this.#states[i] = FilterState.Going;
      this.#unseen[i] = null;
      this.#seen[i] = null;
    }
  }

  stateAt(at: number): number {
    return this.#states[at] as number;
  }

  setState(at: number, state: number): void {
    this.#isTouched = true;
    this.#states[at] = state;
  }

  seenAt(at: number): BufferQueue | null {
    return this.#seen[at] as BufferQueue | null;
  }

  takeSeen(at: number): BufferQueue | null {
    const queue = this.#seen[at] as BufferQueue | null;
    this.#seen[at] = null;
    return queue;
  }

  takeUnseen(at: number): BufferQueue | null {
    const queue = this.#unseen[at] as BufferQueue | null;
    this.#unseen[at] = null;
    return queue;
  }

  /** Takes the bytes over; an empty queue counts as a piece too. */
  holdSeen(at: number, queue: BufferQueue): void {
    this.#isTouched = true;
    const held = this.#seen[at] as BufferQueue | null;
    if (held === null) this.#seen[at] = queue;
    else if (queue.length > 0) {
      held.own();
      held.moveFrom(queue);
    }
    // Else nothing stands behind what the filter may have put in place of all it collected: lent
    // bytes, which mostly leave before the call ends. See own().
  }

  holdUnseen(at: number, queue: BufferQueue): void {
    this.#isTouched = true;
    const held = this.#unseen[at] as BufferQueue | null;
    if (held === null) this.#unseen[at] = queue;
    else {
      held.own();
      held.moveFrom(queue);
    }
  }

  /** What still waits outlives the call. */
  own(): void {
    for (let i = 0; i < this.#count; i += 1) {
      this.#seen[i]?.own();
      this.#unseen[i]?.own();
    }
  }

  /** What waits at a filter, null = nothing. */
  bufferAt(at: number): BufferQueue | null {
    return this.#seen[at] ?? this.#unseen[at] ?? null;
  }

  /** The bytes that wait at the last filter that has some; null = none. */
  deepestBuffer(): BufferQueue | null {
    for (let i = this.#count - 1; i >= 0; i -= 1) {
      const queue = this.bufferAt(i);
      if (queue !== null) return queue;
    }
    return null;
  }

  /** Drops what waits at filters up to `last`. */
  dropUpTo(last: number): void {
    if (!this.#isTouched) return;
    for (let i = 0; i <= last; i += 1) {
      this.#unseen[i] = null;
      this.#seen[i] = null;
    }
  }

  /** No filter is stopped and no piece waits. */
  get isClear(): boolean {
    for (let i = 0; i < this.#count; i += 1) {
      if (this.#states[i] !== FilterState.Going) return false;
      if (this.#seen[i] !== null || this.#unseen[i] !== null) return false;
    }
    return true;
  }

  /** Bytes that wait, all filters together. */
  get bytes(): number {
    let bytes = 0;
    for (let i = 0; i < this.#count; i += 1) {
      bytes += this.#seen[i]?.length ?? 0;
      bytes += this.#unseen[i]?.length ?? 0;
    }
    return bytes;
  }
}
