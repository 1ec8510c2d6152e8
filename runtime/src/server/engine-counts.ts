// How often the io_uring engine met its limits, as stats. Called by worker.ts.
import { coarseTickMs, intervalTicks } from "../core/timer-wheel.ts";
import { UringEngine } from "../engine-uring/uring-engine.ts";
import type { NetworkEngine } from "../engine/network-engine.ts";
import type { StatsStore } from "../stats/store.ts";

export function countLimitsOf(engine: NetworkEngine, stats: StatsStore): void {
  if (!(engine instanceof UringEngine)) return;
  const buffers = stats.counter("io_uring.read_buffers_short");
  const held = stats.counter("io_uring.reads_held");
  const arena = stats.counter("io_uring.send_arena_full");
  const overflows = stats.counter("io_uring.completions_overflow");
  // With the wheel's tick, so that nobody wakes up for it.
  intervalTicks.start(coarseTickMs, () => {
    const { limits } = engine;
    buffers.add(limits.readBuffersShort - buffers.value);
    held.add(limits.readsHeld - held.value);
    arena.add(limits.sendArenaFull - arena.value);
    overflows.add(limits.completionsOverflow - overflows.value);
  });
}
