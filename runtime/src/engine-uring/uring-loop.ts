// One thread's ring, and when it is looked at: the thread sleeps in the ring instead of in libuv,
// which is let run when it has something to do. See RATIONALE.md, "How does a ring live in Node's
// loop?".
import { assert } from "../core/assert.ts";
import type { EngineCore } from "../engine-node/engine-core.ts";
import type { Bell } from "./bell.ts";
import type { LoopWindow } from "./loop-window.ts";
import type { Native } from "./native.ts";
import type { ReadBuffers } from "./read-buffers.ts";
import { type Ring, submitTriesMax } from "./ring.ts";
import type { SendArena } from "./send-arena.ts";
import type { Sockets } from "./sockets.ts";
import { CqeFlag, Op, POLLIN } from "./uring-abi.ts";

/** What an operation was; the lower bits of its user data, above them its owner's index. */
export const Kind = {
  None: 0,
  Recv: 1,
  Send: 2,
  Connect: 3,
  Accept: 4,
  Loop: 5,
  QuickSend: 6,
  Timeout: 7,
  Ready: 8,
} as const;
const KIND_BITS = 4;
const KIND_MASK = (1 << KIND_BITS) - 1;

/** Completions between two looks at what was written: as many connections leave together. */
const batchMax = 64;

/** Rounds without sleep before libuv is asked whether it has something to do. */
const busyRoundsMax = 8;

/**
 * The longest sleep, as a net below the tightrope: whatever should wake the thread does so through
 * libuv's file descriptors.
 */
const sleepMsMax = 1000;

/** Somebody who has operations under way. */
export interface UringOwner {
  /** `offset`: where in the read buffers the bytes are, if there are some. */
  completed(kind: number, result: number, flags: number, offset: number): void;
}

/** Somebody whose send is over, one way or the other, as soon as the ring has got it. */
export interface QuickSender {
  quickFailed(result: number): void;
  quickEnded(): void;
}

/** Somebody whose read found no room in the read buffers. */
export interface HungryReader {
  /** False = it wants no more bytes now. */
  readAgain(): boolean;
}

/** Somebody who is likely to read much. */
export interface GreatReader {
  /** May prepare one read. */
  readNow(): void;
}

/** What a thread has once. */
export interface UringParts {
  readonly native: Native;
  readonly ring: Ring;
  readonly reads: ReadBuffers;
  readonly arena: SendArena;
  readonly sockets: Sockets;
  readonly core: EngineCore;
  readonly window: LoopWindow;
  readonly bell: Bell;
}

export class UringLoop {
  readonly native: Native;
  readonly ring: Ring;
  readonly reads: ReadBuffers;
  readonly arena: SendArena;
  readonly sockets: Sockets;
  readonly core: EngineCore;
  readonly #window: LoopWindow;
  readonly #owners: (UringOwner | null)[] = [null];
  #quick: QuickSender[] = [];
  #quickBefore: QuickSender[] = [];
  /** In the order in which they found none: each connection once. */
  readonly #hungry: HungryReader[] = [];
  /** In the order in which something came for them: each connection once. */
  readonly #great: GreatReader[] = [];
  #isHurried: boolean = false;
  readonly #freeIndexes: number[] = [];
  /** Connections and listeners that have something under way. */
  liveOwners: number = 0;
  #isScheduled: boolean = false;
  /** A poll in the ring waits for libuv's own file descriptor. */
  #isPollArmed: boolean = false;
  /** It was armed when libuv had a turn. */
  #isPollStale: boolean = false;
  #isLibuvDue: boolean = false;
  /** When the timeout in the ring ends, by the turn's clock; Infinity = none is under way. */
  #timeoutMs: number = Number.POSITIVE_INFINITY;
  readonly #bell: Bell;
  readonly #tick: () => void;
  readonly #runTicks: () => void;

  constructor(parts: UringParts) {
    this.native = parts.native;
    this.ring = parts.ring;
    this.reads = parts.reads;
    this.arena = parts.arena;
    this.sockets = parts.sockets;
    this.core = parts.core;
    this.#window = parts.window;
    this.#bell = parts.bell;
    this.#tick = (): void => this.#run();
    this.#runTicks = parts.bell.runTicks;
    this.ring.whenFull = (): void => this.#submit();
  }

  /** Returns the index for userData(). */
  add(owner: UringOwner): number {
    const index = this.#freeIndexes.pop() ?? this.#owners.length;
    this.#owners[index] = owner;
    this.liveOwners += 1;
    if (this.liveOwners === 1) this.#bell.keepAlive(true);
    this.#schedule();
    return index;
  }

  /** None of its operations may be under way. */
  remove(index: number): void {
    this.#owners[index] = null;
    this.#freeIndexes.push(index);
    this.liveOwners -= 1;
  }

  /** To be told when the ring has got what was prepared. */
  addQuick(sender: QuickSender): void {
    this.#quick.push(sender);
  }

  /** To be told when there is room for its read. */
  addHungry(reader: HungryReader): void {
    this.#hungry.push(reader);
  }

  /** Its socket has bytes: it may read when those before it have sent on what they read. */
  addGreat(reader: GreatReader): void {
    this.#great.push(reader);
  }

  /** Something follows the sends that are under way: the thread must not sleep before. */
  hurry(): void {
    this.#isHurried = true;
  }

  /** For who found no free file descriptor: whether there may be some now. */
  closeNow(): boolean {
    if (!this.ring.isClosing) return false;
    this.#submit();
    return true;
  }

  userData(index: number, kind: number): number {
    return (index << KIND_BITS) | kind;
  }

  /**
   * Lets the kernel end the operations of one owner, and gives it what came for it, before
   * everybody else's; it says when it has all.
   */
  settle(index: number, owner: UringOwner, isSettled: () => boolean): void {
    const { ring } = this;
    this.#submit();
    this.#endQuick();
    for (let i = 0; !isSettled(); i += 1) {
      assert(i < 100, "operations that do not end");
      this.#see();
      for (let n = 0; n < ring.waiting; n += 1) {
        const place = ring.place(n);
        const userData = ring.userData(place);
        if (userData >>> KIND_BITS !== index) continue;
        ring.drop(place);
        owner.completed(
          userData & KIND_MASK,
          ring.result(place),
          ring.flags(place),
          ring.note(place),
        );
      }
      if (!isSettled()) ring.wait(10);
    }
  }

  /** Submits. Answers where the completion of a send of `bytes` stands, -1 = it has none yet. */
  sentBy(index: number, bytes: number): number {
    const { ring } = this;
    this.#submit();
    const userData = this.userData(index, Kind.Send);
    for (let n = ring.waiting - 1; n >= 0; n -= 1) {
      const place = ring.place(n);
      if (ring.userData(place) === userData) return ring.result(place) === bytes ? place : -1;
    }
    return -1;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Referenced, it would be something that libuv has to do, and nobody would ever sleep.
    setImmediate(this.#tick).unref();
  }

  /** Runs behind libuv's look at its file descriptors, for as long as libuv has nothing to do. */
  #run(): void {
    this.#isScheduled = false;
    try {
      this.#turns();
    } finally {
      if (this.ring.prepared > 0) this.#submit();
      if (this.liveOwners > 0) {
        // libuv has its turn, and would sleep when it is done.
        this.#isPollStale = this.#isPollArmed;
        this.#bell.ring();
        this.#schedule();
      } else this.#bell.keepAlive(false);
    }
  }

  #turns(): void {
    const { ring } = this;
    this.#isLibuvDue = false;
    this.#window.forget();
    while (this.liveOwners > 0 && !this.#isLibuvDue) {
      if (!this.#isPollArmed) this.#armPoll();
      if (!this.#maySleep()) break;
      if (this.#isHurried || this.#great.length > 0) this.#submit();
      else ring.sleep();
      this.#deliverAll();
    }
    this.#submit();
    this.#deliverAll();
  }

  /**
   * The kernel takes all at once, but for want of memory or a full queue of completions, which is
   * for us to empty first.
   */
  #submit(): void {
    this.#isHurried = false;
    for (let i = 0; i < submitTriesMax; i += 1) {
      this.ring.submit();
      this.#see();
      if (this.ring.prepared === 0) return;
    }
    this.#isHurried = true;
  }

  /**
   * Whether libuv has nothing to do before the ring's timeout. That one stands for as long as
   * libuv's next timer does: a limit of each sleep would start and stop a timer of the kernel.
   */
  #maySleep(): boolean {
    const window = this.#window;
    if (window.hasNewWatchers) return false;
    if (window.isAsItWas) return true;
    const saidMs = window.ask();
    if (saidMs === 0) return false;
    const { clock } = this.core;
    clock.update();
    const milliseconds = saidMs < 0 ? sleepMsMax : Math.min(saidMs, sleepMsMax);
    const endMs = clock.nowMs + milliseconds;
    // One that ends too early makes libuv look in vain, and the next one is right.
    if (endMs >= this.#timeoutMs) return true;
    const isMoved = this.#timeoutMs < Number.POSITIVE_INFINITY;
    this.#timeoutMs = endMs;
    this.ring.prepareTimeout(milliseconds, isMoved, Kind.Timeout);
    return true;
  }

  #armPoll(): void {
    this.#isPollArmed = true;
    this.ring.prepare(Op.PollAdd, this.#window.backendFd, 0, 0, POLLIN, Kind.Loop);
  }

  #pollFired(): void {
    this.#isPollArmed = false;
    // It may have been our own bell: armed again, it says whether there is more.
    if (!this.#isPollStale) this.#isLibuvDue = true;
    this.#isPollStale = false;
  }

  #timeoutEnded(): void {
    this.#timeoutMs = Number.POSITIVE_INFINITY;
    this.#isLibuvDue = true;
  }

  #deliverAll(): void {
    for (let i = 0; i < busyRoundsMax; i += 1) {
      if (this.#see() === 0 && this.#quick.length === 0 && this.#great.length === 0) return;
      this.#deliver();
      // What receivers asked for by nextTick or promises would wait for us to return.
      this.#runTicks();
      this.#readGreat();
      // With nothing left to do, the next sleep submits.
      if (this.#see() === 0 && !this.#isHurried) return;
      this.#submit();
    }
  }

  /**
   * One after the other, and what one has sent on leaves in the call that lets the next one read.
   * Bytes are read, looked at and sent while they are in the processor's cache, which they are not
   * when all of a turn are read before the first are sent: 64 KiB cost a tenth more then.
   */
  #readGreat(): void {
    for (let i = 0; i < batchMax; i += 1) {
      const reader = this.#great.shift();
      if (reader === undefined) return;
      reader.readNow();
      if (this.ring.prepared === 0) continue;
      this.#submit();
      this.#deliver();
      this.#runTicks();
    }
  }

  /**
   * Finds out where bytes stand, which is to be done in the order in which they came, and writes
   * down connections that were accepted: receivers, which may never return, come later.
   */
  #see(): number {
    const { ring, reads } = this;
    const before = ring.waiting;
    const after = ring.see();
    for (let n = before; n < after; n += 1) {
      const place = ring.place(n);
      const flags = ring.flags(place);
      const kind = ring.userData(place) & KIND_MASK;
      if ((flags & CqeFlag.Buffer) !== 0) {
        ring.setNote(place, reads.arrived(ring.result(place), flags));
      } else if (kind === Kind.QuickSend) {
        const owner = this.#owners[ring.userData(place) >>> KIND_BITS] as unknown as QuickSender;
        owner.quickFailed(ring.result(place));
        ring.drop(place);
      } else if (kind === Kind.Accept && ring.result(place) >= 0) {
        this.native.estate?.opened(ring.result(place));
      }
    }
    return after;
  }

  /** To be called when see() has told those whose sends failed. */
  #endQuick(): void {
    const ended = this.#quick;
    if (ended.length === 0 || this.ring.prepared > 0) return;
    this.#quick = this.#quickBefore;
    this.#quickBefore = ended;
    // One by one, so that the array keeps its memory: a length set to 0 is a call into V8.
    for (let sender = ended.pop(); sender !== undefined; sender = ended.pop()) sender.quickEnded();
  }

  /**
   * Lets as many read again as there is room for. All at once would find none again, each time at
   * the price of an operation. Where there is no room now, sends under way have it, and their end
   * comes here.
   */
  #feed(): void {
    for (let room = this.reads.room; room > 0; ) {
      const reader = this.#hungry.shift();
      if (reader === undefined) return;
      if (reader.readAgain()) room -= 1;
    }
  }

  #deliver(): void {
    const { ring, core } = this;
    core.beginTurn();
    try {
      this.#endQuick();
      for (let i = 0; i < batchMax && ring.waiting > 0; i += 1) {
        const place = ring.place(0);
        const userData = ring.userData(place);
        ring.next();
        const kind = userData & KIND_MASK;
        const owner = this.#owners[userData >>> KIND_BITS] ?? null;
        if (owner !== null) {
          owner.completed(kind, ring.result(place), ring.flags(place), ring.note(place));
        } else if (kind === Kind.Loop) this.#pollFired();
        else if (kind === Kind.Timeout) this.#timeoutEnded();
      }
      if (this.#hungry.length > 0) this.#feed();
    } finally {
      core.endTurnNow();
    }
  }
}
