// The overload manager's place in the main thread: watches from start to end, tells the workers,
// and those that come later. Nothing is watched without a configuration.
import { performance } from "node:perf_hooks";
import { listenersMax } from "../config/sizes.ts";
import type { OverloadConfig } from "../config/snapshot.ts";
import type { Logger } from "../core/logger.ts";
import {
  openSharedCounts,
  releaseSharedCounts,
  sharedCountsMemory,
} from "../core/shared-counts.ts";
import { connectionCells, totalConnections } from "../network/connection-admission.ts";
import { OverloadManager } from "../overload/overload-manager.ts";
import { machineFacts } from "../overload/resource-monitors.ts";
import type { StatsStore } from "../stats/store.ts";
import type { ToWorker, WorkerBirth } from "./protocol.ts";
import { shrinkHeap } from "./worker-overload.ts";

/** So long after the start its memory is given back: who lives for seconds has nothing of that. */
const SETTLE_MS = 10_000;

/** All listeners and their sum. */
const cells = connectionCells(listenersMax);

export interface OverloadControlOptions {
  /** Threads that count connections. */
  readonly workers: number;
  readonly stats: StatsStore;
  readonly logger: Logger;
  readonly broadcast: (message: ToWorker) => void;
}

export class OverloadControl {
  readonly #options: OverloadControlOptions;
  readonly #memory: SharedArrayBuffer;
  #manager: OverloadManager | null = null;
  #settling: NodeJS.Timeout | null = null;

  constructor(options: OverloadControlOptions) {
    this.#options = options;
    this.#memory = sharedCountsMemory(options.workers + 1, cells);
  }

  /** What workers are born with. */
  get birth(): Pick<WorkerBirth, "connectionMemory" | "listenersMax"> {
    return { connectionMemory: this.#memory, listenersMax };
  }

  /** For a worker that comes later. */
  get messages(): readonly ToWorker[] {
    return this.#manager === null ? [] : [{ type: "overload", levels: this.#manager.levels }];
  }

  start(config: OverloadConfig | null): void {
    if (config === null) return;
    const { broadcast, logger, stats, workers } = this.#options;
    const counts = openSharedCounts(this.#memory, cells, workers);
    const total = totalConnections(counts);
    this.#manager = new OverloadManager({
      config,
      facts: machineFacts(() => total.count),
      stats,
      logger,
      nowMs: () => performance.now(),
      onLevels: (levels) => broadcast({ type: "overload", levels }),
      onShrinkHeap: () => this.shrinkHeaps(),
    });
    this.#manager.start();
  }

  /** Every thread collects its garbage and gives its pages back. */
  shrinkHeaps(): void {
    this.#options.broadcast({ type: "shrink_heap" });
    shrinkHeap();
  }

  /**
   * The start is over: it took several times of the memory that is kept, to be given back later.
   * Workers do it only when there are no downstream `connections`, which would wait for it; those
   * with traffic collect their garbage anyway.
   */
  settle(connections: () => number): void {
    this.#settling = setTimeout(() => {
      if (connections() === 0) this.shrinkHeaps();
      else shrinkHeap();
    }, SETTLE_MS).unref();
  }

  /** A worker is dead: its connections are gone. */
  release(worker: number): void {
    releaseSharedCounts(this.#memory, cells, worker);
  }

  close(): void {
    if (this.#settling !== null) clearTimeout(this.#settling);
    this.#manager?.close();
  }
}
