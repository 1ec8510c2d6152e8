// How long a worker may take for its answer to a phase. Time in which it waited for a processor
// counts little: a successor that is given up for that would begin again, on a machine that is too
// busy already. Used by worker-pool.ts.
import { performance } from "node:perf_hooks";
import { intervalTicks, type TickSource } from "../core/timer-wheel.ts";
import { waitedForCpuMs } from "./cpu-waits.ts";
import type { PulseMemory } from "./pulse.ts";

/** Milliseconds in which it could run. */
const PHASE_MS_MAX = 60_000;

/** With those in which it waited: then it is given up, however busy the machine is. */
const PHASE_WALL_MS_MAX = 4 * PHASE_MS_MAX;

const LOOK_MS = 500;

export interface PhaseOptions {
  /** Its first line has run; before, it counts as one that waits. */
  readonly hasBegun: () => boolean;
  /** For how long it has waited for a processor since it began; null = nobody tells. */
  readonly waitedMs: () => number | null;
  /** The phase has taken too long, this many milliseconds. */
  readonly onOver: (tookMs: number) => void;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** Default: Node's. */
  readonly ticks?: TickSource;
}

/** As `limitPhase`, for the worker of this index. */
export function limitWorkerPhase(
  pulse: PulseMemory,
  index: number,
  onOver: (tookMs: number) => void,
): () => void {
  return limitPhase({
    hasBegun: () => {
      const { beats, kernelThread } = pulse.signs(index);
      return beats !== 0 || kernelThread !== 0;
    },
    waitedMs: () => waitedForCpuMs(pulse.signs(index).kernelThread),
    onOver,
    nowMs: () => performance.now(),
  });
}

/** Returns what ends it. Time in which this thread did not run either is held against nobody. */
export function limitPhase(options: PhaseOptions): () => void {
  const { hasBegun, nowMs, onOver, ticks = intervalTicks } = options;
  let lastMs = nowMs();
  let waitedMs = options.waitedMs() ?? 0;
  let ranMs = 0;
  let wallMs = 0;
  const stop = ticks.start(LOOK_MS, () => {
    const now = nowMs();
    const elapsedMs = Math.min(now - lastMs, 1.5 * LOOK_MS);
    lastMs = now;
    const before = waitedMs;
    waitedMs = options.waitedMs() ?? before;
    wallMs += elapsedMs;
    if (hasBegun()) ranMs += Math.max(0, elapsedMs - (waitedMs - before));
    if (ranMs < PHASE_MS_MAX && wallMs < PHASE_WALL_MS_MAX) return;
    stop();
    onOver(wallMs);
  });
  return stop;
}
