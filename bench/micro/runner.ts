// Measures nanoseconds per call, without a dependency; used by run.ts and by its test.
import { performance } from "node:perf_hooks";
import { median } from "../arithmetic.ts";

/** One thing to measure. */
export interface MicroBench {
  readonly name: string;
  /**
   * Does it `times` times and gives a number that depends on all of them, so that nothing can be
   * left out by the compiler.
   */
  run(times: number): number;
}

/** Nanoseconds per call. */
export interface MicroResult {
  readonly name: string;
  readonly ns: number;
  readonly leastNs: number;
  readonly mostNs: number;
}

/** Where results of `run` go, so that they are used. */
export let sink = 0;

/** Limits of a run. */
export interface MicroOptions {
  /** How often the bench is repeated, at least 1. */
  readonly rounds: number;
  /** How long one round takes, about. */
  readonly roundMs: number;
  /** Milliseconds of a clock that only grows; a test gives its own. */
  readonly now?: () => number;
}

/** Finds a number of calls that takes about `roundMs`; the calls warm up the code as well. */
function calibrate(bench: MicroBench, roundMs: number, now: () => number): number {
  let times = 1;
  for (;;) {
    const from = now();
    sink += bench.run(times);
    const tookMs = now() - from;
    if (tookMs >= roundMs / 2 || times >= 2 ** 40) return Math.ceil((times * roundMs) / tookMs);
    times *= 2;
  }
}

/** Median, least and most of all rounds. */
export function measure(bench: MicroBench, options: MicroOptions): MicroResult {
  const now = options.now ?? (() => performance.now());
  const times = calibrate(bench, options.roundMs, now);
  const all: number[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const from = now();
    sink += bench.run(times);
    all.push(((now() - from) * 1e6) / times);
  }
  return { name: bench.name, ns: median(all), leastNs: Math.min(...all), mostNs: Math.max(...all) };
}
