// The main thread's eye on all event loops: beats itself, looks at the workers' beats, and has a
// worker that is stuck for too long replaced. Made by server.ts.
import { performance } from "node:perf_hooks";
import type { WatchdogConfig, WatchdogsConfig } from "../config/translate/watchdog-reader.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { intervalTicks } from "../core/timer-wheel.ts";
import type { StatsStore } from "../stats/store.ts";
import { waitedForCpuMs } from "./cpu-waits.ts";
import { Watchdog, watchIntervalMs } from "./watchdog.ts";
import type { WorkerPool } from "./worker-pool.ts";

const MAIN_THREAD = { name: "main_thread", isWatched: true, beats: 0, kernelThread: 0, id: 0 };

export interface ThreadWatchOptions {
  readonly pool: WorkerPool;
  readonly stats: StatsStore;
  readonly logger: Logger;
  readonly config: WatchdogsConfig;
  /** --worker-stuck-kill-s in milliseconds; 0 = off. */
  readonly stuckKillMs: number;
}

export class ThreadWatch {
  readonly #options: ThreadWatchOptions;
  readonly #workers: Watchdog;
  readonly #main: MainLoopWatch;
  readonly #stop: () => void;

  constructor(options: ThreadWatchOptions) {
    const { config, pool, stats, stuckKillMs } = options;
    const times: WatchdogConfig = {
      ...config.worker,
      killMs: shorterOf(config.worker.killMs, stuckKillMs),
    };
    this.#options = options;
    this.#workers = new Watchdog({
      times,
      statPrefix: "workers.",
      stats,
      random: Math.random,
      waitedMs: ({ kernelThread }) => waitedForCpuMs(kernelThread),
      onMegaMiss: (thread) => {
        const message = `${thread.name} has not answered for ${times.megaMissMs} ms`;
        options.logger.log(LogLevel.Warning, message + doing(pool.guestOf(thread.name)));
      },
      onStuck: (thread, silentMs) => {
        const seconds = (silentMs / 1000).toFixed(1);
        pool.kill(thread.name, `stuck for ${seconds} s${doing(pool.guestOf(thread.name))}`);
      },
    });
    const intervalMs = Math.min(this.#workers.intervalMs, watchIntervalMs(config.main));
    this.#main = new MainLoopWatch(config.main, stats, intervalMs);
    pool.setWatch(intervalMs, config.main.killMs);
    this.#stop = intervalTicks.start(intervalMs, () => this.#look());
  }

  close(): void {
    this.#stop();
  }

  #look(): void {
    const nowMs = performance.now();
    const { pool } = this.#options;
    pool.beatMain();
    this.#main.look(nowMs);
    this.#workers.look(nowMs, pool.watchedThreads());
  }
}

/** The main loop sees that it was stuck when it goes on. */
class MainLoopWatch {
  readonly #dog: Watchdog;
  readonly #intervalMs: number;
  #lastLookMs: number | null = null;

  constructor(times: WatchdogConfig, stats: StatsStore, intervalMs: number) {
    this.#intervalMs = intervalMs;
    this.#dog = new Watchdog({
      // A worker kills the process when the main thread does not come back.
      times: { ...times, killMs: 0, multiKillMs: 0 },
      statPrefix: "main_thread.",
      stats,
      random: Math.random,
      waitedMs: () => null,
      onMegaMiss: () => {},
      onStuck: () => {},
    });
  }

  look(nowMs: number): void {
    const lateMs = this.#lastLookMs === null ? 0 : nowMs - this.#lastLookMs - this.#intervalMs;
    this.#lastLookMs = nowMs;
    this.#dog.noteSilence(MAIN_THREAD, lateMs);
  }
}

function doing(guest: string): string {
  return guest === "" ? "" : ` in ${guest}`;
}

/** 0 = never. */
function shorterOf(a: number, b: number): number {
  if (a === 0 || b === 0) return a + b;
  return Math.min(a, b);
}
