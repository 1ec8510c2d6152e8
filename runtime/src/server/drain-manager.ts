// Who is asked to leave, and when: the drain sequences of one worker and of its listeners. Made by
// worker.ts; each connection manager asks the drain of its listener once per answer.
import type { ListenerConfig } from "../config/snapshot.ts";
import type { Clock } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import type { DrainDecision } from "../hcm/hcm-context.ts";

export interface DrainOptions {
  /** --drain-time-s in milliseconds. */
  readonly drainTimeMs: number;
  readonly drainStrategy: "gradual" | "immediate";
}

/**
 * Asks clients to leave: all of them at once, or gradually more of them. Ends when its process, or
 * what it belongs to, ends.
 */
export class DrainSequence implements DrainDecision {
  readonly #clock: Clock;
  readonly #random: Random;
  /** 0 = everybody is asked at once. */
  readonly #rampMs: number;
  #isStarted: boolean = false;
  #startMs: number = 0;

  constructor(clock: Clock, random: Random, options: DrainOptions) {
    this.#clock = clock;
    this.#random = random;
    // As measured with Envoy: linear, and certain after half of the drain time, so that whoever
    // sends a request in the second half leaves before the end.
    this.#rampMs = options.drainStrategy === "immediate" ? 0 : options.drainTimeMs / 2;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** It began `elapsedMs` ago. A sequence that has begun goes on as it does. */
  start(elapsedMs = 0): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#startMs = this.#clock.nowMs - elapsedMs;
  }

  drainClose(): boolean {
    if (!this.#isStarted) return false;
    const elapsedMs = this.#clock.nowMs - this.#startMs;
    if (elapsedMs >= this.#rampMs) return true;
    return elapsedMs * 2 ** 32 > this.#random.u32() * this.#rampMs;
  }
}

/** The drains of a whole worker. */
export class DrainManager {
  /** Of the listeners whose traffic direction is inbound. */
  readonly inbound: DrainSequence;
  /** Of all others. */
  readonly other: DrainSequence;
  /** /healthcheck/fail: listeners of the default drain type ask everybody to leave. */
  isHealthcheckFailed: boolean = false;
  readonly options: DrainOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  #stopped: "none" | "inbound" | "all" = "none";

  constructor(clock: Clock, random: Random, options: DrainOptions) {
    this.options = options;
    this.#clock = clock;
    this.#random = random;
    this.inbound = this.createSequence();
    this.other = this.createSequence();
  }

  startSequence(inboundOnly: boolean, elapsedMs: number): void {
    this.inbound.start(elapsedMs);
    if (!inboundOnly) this.other.start(elapsedMs);
  }

  stopListening(inboundOnly: boolean): void {
    if (this.#stopped !== "all") this.#stopped = inboundOnly ? "inbound" : "all";
  }

  /** True for a listener that /drain_listeners has closed, in whatever version. */
  isStopped(config: ListenerConfig): boolean {
    return this.#stopped === "all" || (this.#stopped === "inbound" && isInbound(config));
  }

  createSequence(): DrainSequence {
    return new DrainSequence(this.#clock, this.#random, this.options);
  }

  /** What the connection managers of a listener ask. */
  createListenerDrain(config: ListenerConfig): ListenerDrain {
    return new ListenerDrain(this, config);
  }
}

/**
 * Of one listener, or of one set of its filter chains: `own` starts when an update of the
 * configuration removes or replaces it.
 */
export class ListenerDrain implements DrainDecision {
  readonly own: DrainSequence;
  readonly #manager: DrainManager;
  readonly #direction: DrainSequence;
  readonly #followsHealthcheck: boolean;

  constructor(manager: DrainManager, config: ListenerConfig) {
    this.own = manager.createSequence();
    this.#manager = manager;
    this.#direction = isInbound(config) ? manager.inbound : manager.other;
    this.#followsHealthcheck = config.drainType === "default";
  }

  drainClose(): boolean {
    if (this.#followsHealthcheck && this.#manager.isHealthcheckFailed) return true;
    return this.own.drainClose() || this.#direction.drainClose();
  }
}

export function isInbound(config: ListenerConfig): boolean {
  return config.trafficDirection === "inbound";
}
