// What all connections of one Node engine share: the turn, the read buffer, and counts for tests.
import type { Clock } from "../core/clock.ts";
import type { EngineLimits } from "../engine/network-engine.ts";

/**
 * Room in front of the read area, where a response's head is written before a body that was just
 * read, so that one plain write sends both.
 */
export const readRoomBytes = 2048;

/** A head of up to 4 KiB and 64 KiB of body come in one read. */
export const readAreaBytes: number = 68 * 1024;

/**
 * And 256 KiB of body where a connection may read so much, and has shown that it brings much. Each
 * read becomes a write that wakes its reader: with 64 KiB a body of 1 MiB costs the router more.
 */
export const greatReadBytes: number = 260 * 1024;

/**
 * Connections whose gathered writes leave together. Writes one behind the other, apart from the
 * work that makes them, cost less than each at the end of its turn: the reader on the other side is
 * woken once for many, and our code and the kernel's stay in the caches (64 connections: 3 us of 23
 * a request). More than this would keep memory and let peers wait.
 */
const batchMax = 64;

/**
 * When only one connection waited for a flush, so many flushes follow at the end of their turns,
 * without the loop's detour: with one request at a time it costs 6 % and gains nothing.
 */
const soloFlushes = 16;

/** Something that gathers writes during a turn; a link of the list of those that did. */
export interface Gatherer {
  nextDirty: Gatherer | null;
  flush(): void;
}

/**
 * One per engine, and so one per thread. A turn is one event of the kernel, or one call of
 * NetworkEngine.runTurn; turns nest, and only the outermost reads the clock. What turns gathered
 * is flushed when the loop has delivered the events it has, or when `batchMax` connections wait.
 */
export class EngineCore implements EngineLimits {
  readonly clock: Clock;
  /** `readRoomBytes` of room, then the read area. */
  readonly room: Buffer;
  /** What receivers get in onRead. */
  readonly greatReadArea: Buffer;
  /** Its begin: as much as a usual read may fill. */
  readonly readArea: Buffer;
  /** Keeps the bytes that a head overwrites in the read area. */
  readonly scratch: Buffer;
  /** How deep turns are nested now; 0 = outside. */
  depth: number = 0;
  /** Connections that exist, those included that close() lets drain. */
  openConnections: number = 0;
  /** System calls that wrote, as far as we make them (libuv's own retries are not seen). */
  writeCalls: number = 0;
  /** Lent writes of which the kernel took everything, a part, nothing. */
  lentWhole: number = 0;
  lentPartial: number = 0;
  lentRefused: number = 0;
  readsHeld: number = 0;
  gathersFull: number = 0;
  batchesFull: number = 0;
  #isScheduled: boolean = false;
  #soloLeft: number = 0;
  #dirtyCount: number = 0;
  readonly #flushLater: () => void;
  #firstDirty: Gatherer | null = null;
  #lastDirty: Gatherer | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
    this.room = Buffer.allocUnsafeSlow(readRoomBytes + greatReadBytes);
    this.greatReadArea = this.room.subarray(readRoomBytes);
    this.readArea = this.greatReadArea.subarray(0, readAreaBytes);
    this.scratch = Buffer.allocUnsafeSlow(readRoomBytes);
    this.#flushLater = (): void => {
      this.#isScheduled = false;
      if (this.#dirtyCount === 1) this.#soloLeft = soloFlushes;
      this.#flush();
    };
  }

  beginTurn(): void {
    if (this.depth === 0) this.clock.update();
    this.depth += 1;
  }

  /** Must follow beginTurn even when the receiver throws, or nothing would ever leave again. */
  endTurn(): void {
    this.depth -= 1;
    if (this.depth > 0 || this.#firstDirty === null) return;
    if (this.#soloLeft > 0) {
      this.#soloLeft -= 1;
      this.#flush();
    } else if (this.#dirtyCount >= batchMax) {
      this.batchesFull += 1;
      this.#flush();
    } else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#flushLater);
    }
  }

  /** As endTurn, for who has delivered all events that are at hand. */
  endTurnNow(): void {
    this.depth -= 1;
    if (this.depth === 0 && this.#firstDirty !== null) this.#flush();
  }

  runTurn(callback: () => void): void {
    this.beginTurn();
    try {
      callback();
    } finally {
      this.endTurn();
    }
  }

  /** The caller adds each gatherer once until its flush() was called. */
  addDirty(gatherer: Gatherer): void {
    if (this.#lastDirty === null) this.#firstDirty = gatherer;
    else this.#lastDirty.nextDirty = gatherer;
    this.#lastDirty = gatherer;
    this.#dirtyCount += 1;
  }

  #flush(): void {
    let gatherer = this.#firstDirty;
    this.#firstDirty = null;
    this.#lastDirty = null;
    this.#dirtyCount = 0;
    while (gatherer !== null) {
      const next: Gatherer | null = gatherer.nextDirty;
      gatherer.nextDirty = null;
      gatherer.flush();
      gatherer = next;
    }
  }
}
