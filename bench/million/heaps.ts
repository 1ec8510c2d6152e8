// What heap-report.mjs has written: the heap of each thread, second by second, and whether what lives
// in it grows. Used by run.ts.
import { median } from "../arithmetic.ts";

const MIB = 1024 * 1024;
/** What a thread's live heap may gain between the third and the last quarter of a run. */
const GROWTH_FACTOR_MAX = 1.05;
const GROWTH_MIB_MAX = 1;
/** Of fewer looks behind a collection nothing is said. */
const LOOKS_MIN = 8;

/** One thread's heap, external memory included. */
export interface HeapLook {
  /** 0 = main. */
  readonly thread: string;
  readonly mib: number;
  /** Garbage was collected just before: all of it lives. */
  readonly isCollected: boolean;
}

export function readHeaps(text: string): HeapLook[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [thread = "", used = "0", external = "0", collected = "0"] = line.split(" ");
    const mib = (Number(used) + Number(external)) / MIB;
    return { thread, mib, isCollected: collected === "1" };
  });
}

/** By thread: the least of these looks. */
export function leastHeaps(looks: readonly HeapLook[]): Record<string, number> {
  const least: Record<string, number> = {};
  for (const { thread, mib } of looks) least[thread] = Math.min(least[thread] ?? Infinity, mib);
  return least;
}

/** Medians of what lives by thread: in the third quarter of the run, and in the last. */
export interface LiveHeap {
  readonly thread: string;
  readonly looks: number;
  readonly thirdMib: number;
  readonly lastMib: number;
}

export function liveHeaps(looks: readonly HeapLook[]): LiveHeap[] {
  const threads = [...new Set(looks.map(({ thread }) => thread))];
  return threads.map((thread) => {
    const own = looks.filter((one) => one.thread === thread && one.isCollected);
    const sizes = own.map(({ mib }) => mib);
    const [half, last] = [Math.floor(sizes.length / 2), Math.floor((sizes.length * 3) / 4)];
    const of = (part: readonly number[]): number => (part.length === 0 ? 0 : median(part));
    const [thirdMib, lastMib] = [of(sizes.slice(half, last)), of(sizes.slice(last))];
    return { thread, looks: sizes.length, thirdMib, lastMib };
  });
}

export function quartersText({ thirdMib, lastMib }: LiveHeap): string {
  return `${thirdMib.toFixed(1)} MiB in the third quarter, ${lastMib.toFixed(1)} in the last`;
}

/** What is wrong with them; a short run is not enough to say. */
export function judgeHeaps(heaps: readonly LiveHeap[]): string[] {
  const grown = heaps.filter(
    ({ looks, thirdMib, lastMib }) =>
      looks >= LOOKS_MIN && lastMib > thirdMib * GROWTH_FACTOR_MAX + GROWTH_MIB_MAX,
  );
  return grown.map((heap) => {
    const who = heap.thread === "0" ? "main's heap" : `the heap of thread ${heap.thread}`;
    return `${who} grows: ${quartersText(heap)}`;
  });
}
