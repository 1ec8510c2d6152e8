// What all connections of one simulated engine share: the turn, the read buffer, and counts.
import type { Clock } from "../core/clock.ts";
import type { SimLoop } from "./sim-loop.ts";

/** As large as the Node engine's. */
export const readAreaBytesMax: number = 68 * 1024;

/** Connections whose gathered writes wait for the loop, at most: as the Node engine's. */
const batchMax = 64;

/** What the read buffer is filled with when the turn is over: bytes that were kept show up. */
const poison = 0xdb;

/** Something that gathers writes during a turn. */
export interface Gatherer {
  flush(): void;
  /** The thread has ended: the kernel closes what it had. */
  crash(): void;
}

export class SimCore {
  readonly loop: SimLoop;
  readonly clock: Clock;
  /** Lent to receivers, poisoned at the end of each turn. */
  readonly readArea: Buffer;
  /** Connections that exist, those included that close() lets drain. */
  readonly open: Set<Gatherer>;
  /** The most that ever waited for the kernel on one connection that was accepted, connected. */
  acceptedQueueMax: number = 0;
  connectedQueueMax: number = 0;
  /**
   * The most that was written in turns after the one in which write() answered false, and before
   * onWritable: what the caller had in its hands then may follow, and no more.
   */
  acceptedExcessMax: number = 0;
  connectedExcessMax: number = 0;
  /** Sends to the kernel. */
  writeCalls: number = 0;
  /** As the Node engine's. */
  gathersFull: number = 0;
  batchesFull: number = 0;
  /** The number of this turn, or of the last. */
  turn: number = 0;
  /** How deep turns are nested now; 0 = outside. */
  depth: number = 0;
  /** The thread has ended: nobody is called any more. */
  hasCrashed: boolean = false;
  #isFlushDue: boolean = false;
  readonly #dirty: Gatherer[];
  readonly #lent: Buffer[];

  constructor(loop: SimLoop, clock: Clock, readAreaBytes: number = readAreaBytesMax) {
    this.loop = loop;
    this.clock = clock;
    this.readArea = Buffer.alloc(readAreaBytes, poison);
    this.open = new Set();
    this.#dirty = [];
    this.#lent = [];
  }

  get openConnections(): number {
    return this.open.size;
  }

  runTurn(callback: () => void): void {
    if (this.hasCrashed) return;
    if (this.depth === 0) {
      this.clock.update();
      this.turn += 1;
    }
    this.depth += 1;
    try {
      callback();
    } finally {
      if (this.depth === 1) this.#endTurn();
      this.depth -= 1;
    }
  }

  /** Flushed once, after this turn or a few more. */
  addDirty(gatherer: Gatherer): void {
    this.#dirty.push(gatherer);
  }

  /** `bytes` were lent to a receiver in this turn. */
  addLent(bytes: Buffer): void {
    this.#lent.push(bytes);
  }

  #endTurn(): void {
    for (const bytes of this.#lent.splice(0)) bytes.fill(poison);
    if (this.#dirty.length >= batchMax) {
      this.batchesFull += 1;
      this.#flush();
    } else if (this.#dirty.length > 0 && !this.#isFlushDue) {
      this.#isFlushDue = true;
      this.loop.after(0, "flush", 0, () => {
        this.#isFlushDue = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    for (const gatherer of this.#dirty.splice(0)) gatherer.flush();
  }
}
