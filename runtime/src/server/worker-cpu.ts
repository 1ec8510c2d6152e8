// The CPU time of a worker's thread as a stat: the share of a filter is a share of it. Called by
// worker-entry.ts.
import { coarseTickMs, intervalTicks } from "../core/timer-wheel.ts";
import type { StatsStore } from "../stats/store.ts";

/** Microseconds of all workers. */
export const WORKERS_CPU_STAT = "workers.cpu_us";

export function startCountingCpu(stats: StatsStore): void {
  const counter = stats.counter(WORKERS_CPU_STAT);
  // With the wheel's tick, so that nobody wakes up for it; a look takes a microsecond.
  intervalTicks.start(coarseTickMs, () => {
    const { user, system } = process.threadCpuUsage();
    counter.add(user + system - counter.value);
  });
}
