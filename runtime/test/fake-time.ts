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

export class FakeTime implements TimeSource, TickSource {
  readonly #tickers: Set<Ticker>;
  #nowMs: number;

  constructor() {
    this.#tickers = new Set();
    this.#nowMs = 1000;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return EPOCH_START_MS + this.#nowMs;
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
