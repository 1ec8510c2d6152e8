// The CPU time of a worker's thread as a stat: the share of a filter is a share of it. Called by
// worker-entry.ts.
import type { StatsStore } from "../stats/store.ts";

/** Microseconds of all workers. */
export const WORKERS_CPU_STAT = "workers.cpu_us";

/** Below what a person waits for a new figure; a look takes a microsecond. */
const INTERVAL_MS = 250;

export function startCountingCpu(stats: StatsStore): void {
  const counter = stats.counter(WORKERS_CPU_STAT);
  setInterval(() => {
    const { user, system } = process.threadCpuUsage();
    counter.add(user + system - counter.value);
  }, INTERVAL_MS).unref();
}
