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

/** As Envoy: the base with up to a half more, so that threads do not reload all at once. */
const JITTER_MAX = 0.5;
const U32_SPAN = 4_294_967_296;

/** When the next VM may be made. */
export class ReloadBackoff {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #baseMs: number;
  /** Monotonic milliseconds; 0 = now. */
  #notBeforeMs: number = 0;

  constructor(clock: Clock, random: Random, baseMs: number) {
    this.#clock = clock;
    this.#random = random;
    this.#baseMs = baseMs;
  }

  get isDue(): boolean {
    return this.#clock.nowMs >= this.#notBeforeMs;
  }

  /** A VM was made, whether it works or not: the next one waits. */
  onReload(): void {
    const jitter = (this.#random.u32() / U32_SPAN) * JITTER_MAX;
    this.#notBeforeMs = this.#clock.nowMs + this.#baseMs * (1 + jitter);
  }
}
