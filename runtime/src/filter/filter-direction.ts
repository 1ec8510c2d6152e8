// One of the two directions of a filter chain: where its headers, body, trailers and end are, and
// the loops that carry them on. FilterManager owns two of these, one that decodes and one that
// encodes.
//
// A message moves from filter to filter in pieces. Body that waits stands in HeldPieces; headers,
// the end and trailers are single, so their place is one index. The deepest piece that can move
// moves first: that keeps all in order without recursion.
import { assert } from "../core/assert.ts";
import { BufferQueue } from "../core/buffer-queue.ts";
import { HeaderMap } from "../core/header-map.ts";
import { lentRoom } from "../core/lent-room.ts";
import { ChainExit } from "./chain-exit.ts";
import { FilterCalls } from "./filter-calls.ts";
import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from "./filter-status.ts";
import { FilterState as State, HeldPieces } from "./held-pieces.ts";
import type { FilterChainEnds, HttpFilter } from "./http-filter.ts";

/** What ends the message. */
const EndKind = { None: 0, Plain: 1, Trailers: 2 } as const;

/** What a direction tells the manager that owns it. */
export interface DirectionOwner {
  /** A callback returned after the direction was aborted from within it. */
  onAbortedCallback(): void;
  /** More than the limit was collected for a filter that buffers. */
  onTooMuchHeld(isDecode: boolean): void;
  /** The response would leave without a status. */
  onStatusMissing(): void;
}

const noFilters: readonly HttpFilter[] = [];

export class FilterDirection {
  readonly #isDecode: boolean;
  readonly #owner: DirectionOwner;
  readonly #exit: ChainExit;
  readonly #held: HeldPieces;
  readonly #calls: FilterCalls;
  #count: number = 0;
  #bytesMax: number = 0;

  #headers: HeaderMap | null = null;
  #trailers: HeaderMap | null = null;
  /** -1 = did not come; the filter that holds them; `#count` = left the chain. */
  #headersAt: number = -1;
  #endKind: number = EndKind.None;
  /** -1 = at the source; the filter where the end waits; `#count` = left the chain. */
  #endAt: number = -1;
  #endIsUnseen: boolean = false;
  #sourceEnded: boolean = false;

  #isRunning: boolean = false;
  #isAborted: boolean = false;
  /** Something was stopped or added in this stream: the short ways are closed. */
  #isDirty: boolean = false;
  #isReadDisabled: boolean = false;
  /** The body that moves waited at a filter. */
  isMovingHeld: boolean = false;

  constructor(isDecode: boolean, owner: DirectionOwner) {
    this.#isDecode = isDecode;
    this.#owner = owner;
    this.#exit = new ChainExit(isDecode);
    this.#held = new HeldPieces();
    this.#calls = new FilterCalls(isDecode);
  }

  /** As new, for the next stream. `wantsAny` is the union of the filters' wants. */
  reset(
    filters: readonly HttpFilter[],
    wantsAny: number,
    ends: FilterChainEnds,
    bytesMax: number,
  ): void {
    this.#exit.open(ends);
    this.#held.reset(filters.length);
    this.#calls.reset(filters, wantsAny);
    this.#count = filters.length;
    this.#bytesMax = bytesMax;
    this.#headers = null;
    this.#trailers = null;
    this.#headersAt = -1;
    this.#endKind = EndKind.None;
    this.#endAt = -1;
    this.#endIsUnseen = false;
    this.#sourceEnded = false;
    this.#isRunning = false;
    this.#isAborted = false;
    this.#isDirty = false;
    this.#isReadDisabled = false;
    this.isMovingHeld = false;
  }

  get headers(): HeaderMap | null {
    return this.#headers;
  }

  get trailers(): HeaderMap | null {
    return this.#trailers;
  }

  /** Headers came from the source. */
  get isStarted(): boolean {
    return this.#headers !== null;
  }

  /** Headers left the chain. */
  get areHeadersOut(): boolean {
    return this.#headers !== null && this.#headersAt === this.#count;
  }

  get isInCallback(): boolean {
    return this.#calls.current >= 0;
  }

  /** Bytes that wait at filters. */
  get heldBytes(): number {
    return this.#held.bytes;
  }

  // ---- From the source.

  start(headers: HeaderMap, end: boolean): void {
    if (this.#isAborted) return;
    assert(this.#headers === null);
    this.#headers = headers;
    if (end) {
      this.#sourceEnded = true;
      this.#endKind = EndKind.Plain;
    }
    this.#isRunning = true;
    this.#runHeaders(0);
    this.#settle();
  }

  /** Bytes lent for the call. What comes after the end is dropped. */
  data(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (this.#isAborted || this.#sourceEnded) return;
    if (end) {
      this.#sourceEnded = true;
      this.#endKind = EndKind.Plain;
    }
    if (this.#count === 0 || (!this.#calls.isDataWanted && this.#isClear())) {
      if (end) this.#endAt = this.#count;
      this.#exit.data(buffer, from, to, end);
      return;
    }
    const queue = new BufferQueue();
    lentRoom.enter();
    queue.lend(lentRoom, buffer, from, to);
    if (this.#isRunning) {
      this.#holdUnseen(0, queue, end);
      queue.own();
    } else {
      this.#isRunning = true;
      this.#runData(0, queue, end);
      this.#settle();
    }
    lentRoom.leave();
  }

  end(trailers: HeaderMap): void {
    if (this.#isAborted || this.#sourceEnded) return;
    this.#sourceEnded = true;
    this.#trailers = trailers;
    this.#endKind = EndKind.Trailers;
    if (this.#isRunning && this.#count > 0) {
      this.#markEnd(0, true);
      return;
    }
    this.#isRunning = true;
    this.#runTrailers(0);
    this.#settle();
  }

  // ---- From filters; `at` counts in this direction's order.

  continueFrom(at: number): void {
    if (this.#isAborted || this.#calls.askContinue(at)) return;
    if (this.#held.stateAt(at) === State.Going) return;
    this.#held.setState(at, State.Going);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#settle();
  }

  isStopped(at: number): boolean {
    return !this.#isAborted && this.#held.stateAt(at) !== State.Going;
  }

  /** Bytes that wait at the filter; null = none. Those it has not seen come first. */
  buffer(at: number): BufferQueue | null {
    return this.#held.bufferAt(at);
  }

  /** The deepest bytes that wait, for askers who are no filter; null = none. */
  deepestBuffer(): BufferQueue | null {
    const current = this.#calls.current;
    if (current >= 0) return this.#held.bufferAt(current);
    return this.#held.deepestBuffer();
  }

  add(at: number, data: Buffer): void {
    if (this.#isAborted || data.length === 0) return;
    if (this.#calls.addToCurrent(at, data)) return;
    // The end is gone already: there is no place for more.
    if (this.#endKind !== EndKind.None && this.#endAt > at) return;
    const queue = new BufferQueue();
    queue.append(data);
    this.#isDirty = true;
    const state = this.#held.stateAt(at);
    if (state >= State.StoppedAll) this.#held.holdUnseen(at, queue);
    else this.#held.holdSeen(at, queue);
    if (state >= State.Stopped) this.#checkLimit(at);
    if (this.#isRunning || state >= State.Stopped) return;
    this.#isRunning = true;
    this.#settle();
  }

  /** The trailers; made when the last data callback is running, else a map that nobody sends. */
  addTrailers(): HeaderMap {
    if (this.#trailers !== null) return this.#trailers;
    const trailers = new HeaderMap();
    if (this.#calls.isLastData) this.#trailers = trailers;
    return trailers;
  }

  /** Nothing more happens in this direction; what it holds is dropped. */
  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#held.dropUpTo(this.#count - 1);
    this.#setReadDisabled(false);
    this.#exit.close();
  }

  /** Lets go of everything of the stream. */
  release(): void {
    this.#isReadDisabled = false;
    this.abort();
    this.#calls.reset(noFilters, 0);
    this.#headers = null;
    this.#trailers = null;
  }

  // ---- The loops.

  /** Headers come to filter `from`, and the end with them when nothing is between. */
  #runHeaders(from: number): void {
    const headers = this.#headers as HeaderMap;
    let end = this.#isEndBehindHeaders(from - 1);
    // Where nobody looks at them no filter is touched: by now few of them are in the caches.
    const first = this.#calls.areHeadersWanted || this.#isDirty ? from : this.#count;
    for (let i = first; i < this.#count; i += 1) {
      const status = this.#calls.headers(i, headers, end);
      if (this.#isAborted) return this.#owner.onAbortedCallback();
      if (end) this.#endAt = i;
      if (status === FilterHeadersStatus.Continue && !this.#isDirty) continue;
      if (!this.#passHeaders(i, status)) return;
      end = this.#isEndBehindHeaders(i);
    }
    this.#headersAt = this.#count;
    if (end) this.#endAt = this.#count;
    this.#sendHeaders(headers, end);
  }

  #isEndBehindHeaders(at: number): boolean {
    if (this.#endKind !== EndKind.Plain || this.#endAt !== at) return false;
    if (at < 0) return true;
    if (this.#endIsUnseen || this.#held.seenAt(at) !== null) return false;
    return this.#held.stateAt(at) !== State.EndHeld;
  }

  /** Applies a filter's answer; false = the headers stay with it. */
  #passHeaders(at: number, status: number): boolean {
    const asked = this.#calls.takeContinueAsked();
    if (status === FilterHeadersStatus.Continue) return true;
    this.#isDirty = true;
    if (status === FilterHeadersStatus.ContinueAndEndStream) {
      this.#cutBehind(at);
      return true;
    }
    if (status === FilterHeadersStatus.ContinueAndDontEndStream) {
      if (!asked && this.#endKind === EndKind.Plain && this.#endAt === at) {
        this.#held.setState(at, State.EndHeld);
      }
      return true;
    }
    if (asked) return true;
    this.#headersAt = at;
    this.#held.setState(at, stateOfHeadersStatus(status));
    return false;
  }

  /** The message ends with the headers that leave filter `at`; the rest of it is dropped. */
  #cutBehind(at: number): void {
    this.#held.dropUpTo(at);
    this.#sourceEnded = true;
    this.#endKind = EndKind.Plain;
    this.#markEnd(at, false);
  }

  /** Body comes to filter `from`. */
  #runData(from: number, data: BufferQueue, isEnd: boolean): void {
    let queue = data;
    let end = isEnd;
    for (let i = from; i < this.#count; i += 1) {
      const state = this.#held.stateAt(i);
      if (state >= State.StoppedAll) {
        this.#holdUnseen(i, queue, end);
        this.#checkLimit(i);
        return;
      }
      const status = this.#calls.data(i, queue, end);
      if (this.#isAborted) return this.#owner.onAbortedCallback();
      if (end) {
        this.#markEnd(i, false);
        if (this.#trailers !== null) {
          this.#endKind = EndKind.Trailers;
          this.#isDirty = true;
          end = false;
        }
      }
      const asked = this.#calls.takeContinueAsked();
      if (status !== FilterDataStatus.Continue || state >= State.Stopped) {
        this.#stopData(i, status, queue, asked);
        return;
      }
      const added = this.#held.takeSeen(i);
      if (added !== null) {
        added.moveFrom(queue);
        queue = added;
      }
    }
    if (end) this.#endAt = this.#count;
    this.#exit.queue(queue, end);
  }

  /**
   * A stopped filter keeps the bytes, or goes on; then `#settle` sends all that it held, in order.
   */
  #stopData(at: number, status: number, queue: BufferQueue, asked: boolean): void {
    this.#isDirty = true;
    const isEnd = this.#endAt === at && this.#endKind === EndKind.Plain;
    if (status === FilterDataStatus.StopIterationNoBuffer) {
      // An empty piece carries the end later when nothing else does.
      if (isEnd && this.#held.seenAt(at) === null) this.#held.holdSeen(at, new BufferQueue());
    } else this.#held.holdSeen(at, queue);
    if (asked || status === FilterDataStatus.Continue) {
      this.#held.setState(at, State.Going);
      return;
    }
    const isWatermark = status === FilterDataStatus.StopIterationAndWatermark;
    this.#held.setState(at, isWatermark ? State.StoppedWatermark : State.Stopped);
    if (status !== FilterDataStatus.StopIterationNoBuffer) this.#checkLimit(at);
  }

  /** Trailers come to filter `from`. */
  #runTrailers(from: number): void {
    const trailers = this.#trailers as HeaderMap;
    for (let i = from; i < this.#count; i += 1) {
      const state = this.#held.stateAt(i);
      this.#markEnd(i, state >= State.StoppedAll);
      if (state >= State.StoppedAll) return;
      let status = this.#calls.trailers(i, trailers);
      if (this.#isAborted) return this.#owner.onAbortedCallback();
      if (this.#calls.takeContinueAsked()) status = FilterTrailersStatus.Continue;
      if (status === FilterTrailersStatus.StopIteration) {
        this.#isDirty = true;
        if (state < State.Stopped) this.#held.setState(i, State.Stopped);
        return;
      }
      if (state >= State.Stopped) this.#held.setState(i, State.Going);
      if (state >= State.Stopped || this.#held.seenAt(i) !== null) return;
    }
    this.#endAt = this.#count;
    this.#exit.trailers(trailers);
  }

  /** Moves what can move, deepest first, until nothing can. Ends a run. */
  #settle(): void {
    if (this.#isDirty) {
      while (!this.#isAborted && this.#step()) {
        // Each step moves one piece as far as it goes.
      }
      if (!this.#isAborted && this.#isReadDisabled && this.#held.bytes * 2 <= this.#bytesMax) {
        this.#setReadDisabled(false);
      }
      this.#held.own();
    }
    this.#isRunning = false;
  }

  /** False when there is nothing to move. */
  #step(): boolean {
    const headersAt = this.#headersAt;
    if (headersAt < 0) return false;
    if (headersAt < this.#count && this.#held.stateAt(headersAt) < State.Stopped) {
      this.#runHeaders(headersAt + 1);
      return true;
    }
    for (let i = this.#count - 1; i >= 0; i -= 1) {
      const state = this.#held.stateAt(i);
      if (state < State.StoppedAll && this.#stepUnseen(i)) return true;
      if (state < State.Stopped && this.#stepSeen(i, state)) return true;
    }
    return false;
  }

  #stepUnseen(at: number): boolean {
    const isEnd = this.#endAt === at && this.#endIsUnseen;
    const queue = this.#held.takeUnseen(at);
    if (queue !== null) {
      this.#moveHeld(at, queue, isEnd && this.#endKind === EndKind.Plain);
      return true;
    }
    if (!isEnd || this.#endKind !== EndKind.Trailers) return false;
    this.#runTrailers(at);
    return true;
  }

  #stepSeen(at: number, state: number): boolean {
    const isEnd = this.#endAt === at && !this.#endIsUnseen && state !== State.EndHeld;
    const isPlainEnd = isEnd && this.#endKind === EndKind.Plain;
    const queue = this.#held.takeSeen(at);
    if (queue !== null || isPlainEnd) {
      this.#moveHeld(at + 1, queue ?? new BufferQueue(), isPlainEnd);
      return true;
    }
    if (!isEnd || this.#endKind !== EndKind.Trailers) return false;
    this.#runTrailers(at + 1);
    return true;
  }

  #moveHeld(from: number, queue: BufferQueue, end: boolean): void {
    this.isMovingHeld = true;
    this.#runData(from, queue, end);
    this.isMovingHeld = false;
  }

  // ---- Leaves.

  #markEnd(at: number, isUnseen: boolean): void {
    this.#endAt = at;
    this.#endIsUnseen = isUnseen;
    if (isUnseen) this.#isDirty = true;
  }

  #holdUnseen(at: number, queue: BufferQueue, end: boolean): void {
    this.#isDirty = true;
    this.#held.holdUnseen(at, queue);
    if (end) this.#markEnd(at, true);
  }

  #isClear(): boolean {
    if (this.#isRunning) return false;
    return !this.#isDirty || (this.#headersAt === this.#count && this.#held.isClear);
  }

  #checkLimit(at: number): void {
    if (this.#bytesMax === 0 || this.#held.bytes <= this.#bytesMax) return;
    const state = this.#held.stateAt(at);
    if (state === State.StoppedWatermark || state === State.StoppedAllWatermark) {
      this.#setReadDisabled(true);
    } else this.#owner.onTooMuchHeld(this.#isDecode);
  }

  #setReadDisabled(disabled: boolean): void {
    if (this.#isReadDisabled === disabled) return;
    this.#isReadDisabled = disabled;
    this.#exit.readDisable(disabled);
  }

  #sendHeaders(headers: HeaderMap, end: boolean): void {
    if (this.#isDecode || headers.status !== 0) {
      this.#exit.headers(headers, end);
      return;
    }
    this.#headersAt = -1;
    this.#owner.onStatusMissing();
  }
}

function stateOfHeadersStatus(status: number): number {
  if (status === FilterHeadersStatus.StopAllIterationAndBuffer) return State.StoppedAll;
  if (status === FilterHeadersStatus.StopAllIterationAndWatermark) return State.StoppedAllWatermark;
  return State.Stopped;
}
