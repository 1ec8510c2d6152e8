// What a failed VM means: for the stream that met it, for new streams, and when a new VM is made.
import type { WasmPluginConfig } from "../config/snapshot.ts";
import type { Clock } from "../core/clock.ts";
import type { Random } from "../core/random.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import { GrpcStatus } from "proxy-wasm-types";

/** For every stream that a failed VM cannot serve. */
export const FAIL_STREAM: LocalReply = {
  status: 503,
  body: "",
  headers: null,
  grpcStatus: GrpcStatus.Unavailable,
  details: "wasm_fail_stream",
  responseFlags: 0,
};

/** Whether new streams go without the filter while its VM is dead. */
export function isSkippedWhenDead(config: WasmPluginConfig): boolean {
  return config.failurePolicy === "fail_open" || config.failOpenLegacy;
}

/**
 * Whether a dead VM is replaced: on request, and when nothing was said. Envoy leaves it dead in the
 * second case.
 */
export function isReplacedWhenDead(config: WasmPluginConfig): boolean {
  if (config.failurePolicy === "fail_reload") return true;
  return config.failurePolicy === "unspecified" && !config.failOpenLegacy;
}

/** As Envoy: up to a half more, so that threads do not reload all at once. */
const JITTER_MAX = 0.5;
const U32_SPAN = 4_294_967_296;
/** A VM that lived for so many times the base was no crash: waiting begins anew. */
const STABLE_BASES = 10;
/** After so many crashes in a row it is a loop: the breaker opens. */
const LOOP_CRASHES = 10;
/** While it is open, one try in so many times the longest wait. */
const LOOP_WAIT_FACTOR = 6;

/**
 * When the next VM may be made: at once after a first crash, twice as late after each further one,
 * and hardly ever in a loop.
 */
export class ReloadBackoff {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #baseMs: number;
  readonly #maxMs: number;
  #madeMs: number = 0;
  /** Monotonic milliseconds; 0 = now. */
  #notBeforeMs: number = 0;
  #crashes: number = 0;

  constructor(clock: Clock, random: Random, baseMs: number, maxMs: number) {
    this.#clock = clock;
    this.#random = random;
    this.#baseMs = baseMs;
    this.#maxMs = Math.max(baseMs, maxMs);
  }

  get isDue(): boolean {
    return this.#clock.nowMs >= this.#notBeforeMs;
  }

  /** Monotonic milliseconds. */
  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }

  /** The last crash was the first for a long time: nothing is waited for. */
  get isFirst(): boolean {
    return this.#crashes === 1;
  }

  /** It crashes again and again. */
  get isLooping(): boolean {
    return this.#crashes >= LOOP_CRASHES;
  }

  /** A VM was made, whether it works or not. */
  onMade(): void {
    this.#madeMs = this.#clock.nowMs;
  }

  /** It failed: the next one waits, unless this was the first crash. */
  onFailure(): void {
    const livedMs = this.#clock.nowMs - this.#madeMs;
    if (livedMs >= this.#baseMs * STABLE_BASES) this.#crashes = 0;
    this.#crashes += 1;
    if (this.isFirst) {
      this.#notBeforeMs = this.#clock.nowMs;
      return;
    }
    const doubled = this.#baseMs * 2 ** Math.min(this.#crashes - 2, 30);
    const waitMs = this.isLooping ? this.#maxMs * LOOP_WAIT_FACTOR : Math.min(doubled, this.#maxMs);
    const jitter = (this.#random.u32() / U32_SPAN) * JITTER_MAX;
    this.#notBeforeMs = this.#madeMs + waitMs * (1 + jitter);
  }
}
