// Time for tests: a clock and the ticks of timers, both moved by hand.
import type { TimeSource } from "../src/core/clock.ts";
import type { TickSource } from "../src/core/timer-wheel.ts";

interface Ticker {
  readonly intervalMs: number;
  readonly tick: () => void;
  nextMs: number;
}

/** Wall time begins at 2026-01-01T00:00:00Z. */
const EPOCH_START_MS = 1_767_225_600_000;
const MONOTONIC_START_MS = 1000;

export class FakeTime implements TimeSource, TickSource {
  readonly #tickers: Set<Ticker>;
  readonly #epochStartMs: number;
  #nowMs: number;

  /** `epochMs` is what the wall clock shows at first. */
  constructor(epochMs: number = EPOCH_START_MS + MONOTONIC_START_MS) {
    this.#tickers = new Set();
    this.#epochStartMs = epochMs - MONOTONIC_START_MS;
    this.#nowMs = MONOTONIC_START_MS;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return this.#epochStartMs + this.#nowMs;
  }

  start(intervalMs: number, tick: () => void): () => void {
    const ticker: Ticker = { intervalMs, tick, nextMs: this.#nowMs + intervalMs };
    this.#tickers.add(ticker);
    return () => this.#tickers.delete(ticker);
  }

  /** Runs all ticks that are due, in order; `between` after each. */
  advance(ms: number, between: () => void): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      let first: Ticker | null = null;
      for (const ticker of this.#tickers) {
        if (first === null || ticker.nextMs < first.nextMs) first = ticker;
      }
      if (first === null || first.nextMs > endMs) break;
      this.#nowMs = first.nextMs;
      first.nextMs += first.intervalMs;
      first.tick();
      between();
    }
    this.#nowMs = endMs;
  }
}
