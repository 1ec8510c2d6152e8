// How long the next attempt waits, of names, modules and whatever else is asked for again.
import type { Random } from "./random.ts";

/**
 * As Envoy's jittered exponential back-off: by chance up to base * 2^tries, at most up to the
 * maximum, and at least 1 ms, so that not all who failed at once come back at once.
 */
export function jitteredBackOffMs(
  baseMs: number,
  tries: number,
  maxMs: number,
  random: Random,
): number {
  return Math.max(1, random.u32() % ceilingMs(baseMs, tries, maxMs));
}

/** The same, but no sooner than half of it: for what goes on for ever. */
export function slowBackOffMs(
  baseMs: number,
  tries: number,
  maxMs: number,
  random: Random,
): number {
  const halfMs = Math.ceil(ceilingMs(baseMs, tries, maxMs) / 2);
  return halfMs + (random.u32() % halfMs);
}

function ceilingMs(baseMs: number, tries: number, maxMs: number): number {
  return Math.max(1, Math.min(maxMs, baseMs * 2 ** Math.min(tries, 30)));
}
