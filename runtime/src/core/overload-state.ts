// What the overload manager asks of this thread: the main thread sets levels, the data plane looks
// at them. A level goes from 0 (nothing) to 1 (always); between them chance decides.
import type { Random } from "./random.ts";

/** 2^32: u32() is below it. */
const U32_RANGE = 0x1_0000_0000;

/** One action or load shed point. */
export class OverloadSwitch {
  level: number = 0;
  readonly #random: Random;
  /** Counts what was shed; null = nobody asks. */
  counter: { inc(): void } | null = null;

  constructor(random: Random) {
    this.#random = random;
  }

  get isSaturated(): boolean {
    return this.level >= 1;
  }

  /** Whether it happens this time. */
  occurs(): boolean {
    if (this.level <= 0) return false;
    if (this.level < 1 && this.#random.u32() >= this.level * U32_RANGE) return false;
    this.counter?.inc();
    return true;
  }
}

/** How short a timeout becomes at level 1: so many milliseconds, or a part of itself. */
export interface TimeoutFloor {
  /** -1 = by scale. */
  readonly minMs: number;
  readonly minScale: number;
}

export class OverloadState {
  readonly stopRequests: OverloadSwitch;
  readonly disableKeepAlive: OverloadSwitch;
  readonly stopConnections: OverloadSwitch;
  readonly rejectConnections: OverloadSwitch;
  readonly reduceTimeouts: OverloadSwitch;
  readonly shedAccept: OverloadSwitch;
  readonly shedCodec: OverloadSwitch;
  readonly shedHeaders: OverloadSwitch;
  /** Null = reduce_timeouts does not name it. */
  connectionIdleFloor: TimeoutFloor | null = null;
  streamIdleFloor: TimeoutFloor | null = null;
  connectionMaxFloor: TimeoutFloor | null = null;
  /** Downstream connections of all threads; Infinity = no limit. */
  connectionsMax: number = Number.POSITIVE_INFINITY;
  /** Counts connections over that limit; null = nobody asks. */
  refusedConnections: { inc(): void } | null = null;

  constructor(random: Random) {
    this.stopRequests = new OverloadSwitch(random);
    this.disableKeepAlive = new OverloadSwitch(random);
    this.stopConnections = new OverloadSwitch(random);
    this.rejectConnections = new OverloadSwitch(random);
    this.reduceTimeouts = new OverloadSwitch(random);
    this.shedAccept = new OverloadSwitch(random);
    this.shedCodec = new OverloadSwitch(random);
    this.shedHeaders = new OverloadSwitch(random);
  }

  // Timeouts in milliseconds as they are now; 0 (off) stays 0.

  connectionIdleMs(limitMs: number): number {
    return this.#reduced(limitMs, this.connectionIdleFloor);
  }

  streamIdleMs(limitMs: number): number {
    return this.#reduced(limitMs, this.streamIdleFloor);
  }

  connectionMaxMs(limitMs: number): number {
    return this.#reduced(limitMs, this.connectionMaxFloor);
  }

  #reduced(limitMs: number, floor: TimeoutFloor | null): number {
    const { level } = this.reduceTimeouts;
    if (level <= 0 || floor === null || limitMs === 0) return limitMs;
    const minMs = floor.minMs >= 0 ? floor.minMs : limitMs * floor.minScale;
    if (minMs >= limitMs) return limitMs;
    // At least 1: 0 would turn the timeout off.
    return Math.max(1, minMs + (limitMs - minMs) * (1 - level));
  }
}
