// Sees threads whose event loop is stuck by their heartbeats, counts as Envoy does, and says whose
// time is over. Made by thread-watch.ts.
import type { WatchdogConfig } from "../config/translate/watchdog-reader.ts";
import type { Counter, StatsStore } from "../stats/store.ts";

export interface WatchedThread {
  /** "worker_0". */
  readonly name: string;
  /** False while it comes up or is gone: it owes no beats. */
  readonly isWatched: boolean;
  /** See PulseSigns. */
  readonly beats: number;
  readonly kernelThread: number;
  /** Another number for each successor of a thread. */
  readonly id: number;
}

/**
 * A thread that gets a processor now and then, and is silent, is given up after so many times the
 * time, however long it has waited: it may be stuck.
 */
const WALL_TIMES_MAX = 4;

export interface WatchdogOptions {
  readonly times: WatchdogConfig;
  /** "workers." or "main_thread.": what the sums are called. */
  readonly statPrefix: string;
  readonly stats: StatsStore;
  /** Uniform from 0 to below 1. */
  readonly random: () => number;
  /**
   * For how long the thread has waited for a processor since it began; null = nobody tells. Such
   * time is counted, as Envoy does, but nobody is given up for it: a busy machine with a worker
   * less would be busier.
   */
  readonly waitedMs: (thread: WatchedThread) => number | null;
  /** Called once for a thread that is stuck for `megaMissMs`. */
  readonly onMegaMiss: (thread: WatchedThread) => void;
  /** Called once for a thread that may live no longer; with how long it was stuck. */
  readonly onStuck: (thread: WatchedThread, silentMs: number) => void;
}

interface Misses {
  readonly miss: Counter;
  readonly megaMiss: Counter;
}

/** What is known of one thread. */
interface Watch {
  id: number;
  beats: number;
  silentMs: number;
  /** Of `silentMs`: without the time in which it waited for a processor. */
  stuckMs: number;
  /** At the look before; null = it was not silent then, or nobody tells. */
  waitedMs: number | null;
  hasMissed: boolean;
  hasMegaMissed: boolean;
  isGivenUp: boolean;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #watches: Map<string, Watch>;
  readonly #sums: Misses;
  readonly #jitterMs: number;
  #lastLookMs: number | null = null;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#watches = new Map();
    this.#sums = misses(options.stats, options.statPrefix);
    this.#jitterMs = options.random() * options.times.killJitterMs;
  }

  /** How often to look, and how often threads must beat at least. */
  get intervalMs(): number {
    return watchIntervalMs(this.#options.times);
  }

  /**
   * Called every `intervalMs`. Time in which this thread did not run either (a suspended machine, a
   * stuck main thread) is held against nobody.
   */
  look(nowMs: number, threads: readonly WatchedThread[]): void {
    const sinceMs = nowMs - (this.#lastLookMs ?? nowMs);
    this.#lastLookMs = nowMs;
    const elapsedMs = Math.min(sinceMs, 1.5 * this.intervalMs);
    for (const thread of threads) this.#lookAt(thread, elapsedMs);
    const { multiKillMs, multiKillPercent } = this.#options.times;
    if (multiKillMs === 0) return;
    const stuck = threads.filter((t) => this.#isStuckFor(this.#watches.get(t.name), multiKillMs));
    if (stuck.length < Math.max(2, Math.ceil((threads.length * multiKillPercent) / 100))) return;
    for (const thread of stuck) this.#giveUp(thread);
  }

  #lookAt(thread: WatchedThread, elapsedMs: number): void {
    const watch = this.#watchOf(thread);
    if (!thread.isWatched || thread.id !== watch.id || thread.beats !== watch.beats) {
      watch.id = thread.id;
      watch.beats = thread.beats;
      forgive(watch);
      watch.isGivenUp = false;
      return;
    }
    this.#addSilence(thread, watch, elapsedMs);
  }

  #isStuckFor(watch: Watch | undefined, limitMs: number): boolean {
    if (watch === undefined) return false;
    return watch.stuckMs >= limitMs || watch.silentMs >= WALL_TIMES_MAX * limitMs;
  }

  /** A thread that sees for itself that it was stuck; `silentMs` of 0 or less is none. */
  noteSilence(thread: WatchedThread, silentMs: number): void {
    const watch = this.#watchOf(thread);
    forgive(watch);
    this.#addSilence(thread, watch, silentMs);
  }

  #addSilence(thread: WatchedThread, watch: Watch, elapsedMs: number): void {
    watch.silentMs += elapsedMs;
    const waitedMs = this.#options.waitedMs(thread);
    const waits = waitedMs === null || watch.waitedMs === null ? 0 : waitedMs - watch.waitedMs;
    watch.waitedMs = waitedMs;
    watch.stuckMs += Math.max(0, elapsedMs - waits);
    const { missMs, megaMissMs, killMs } = this.#options.times;
    if (!watch.hasMissed && watch.silentMs > missMs) {
      watch.hasMissed = true;
      this.#count(thread, "miss");
    }
    if (!watch.hasMegaMissed && watch.silentMs > megaMissMs) {
      watch.hasMegaMissed = true;
      this.#count(thread, "megaMiss");
      this.#options.onMegaMiss(thread);
    }
    if (killMs > 0 && this.#isStuckFor(watch, killMs + this.#jitterMs)) this.#giveUp(thread);
  }

  #giveUp(thread: WatchedThread): void {
    const watch = this.#watchOf(thread);
    if (watch.isGivenUp) return;
    watch.isGivenUp = true;
    this.#options.onStuck(thread, watch.silentMs);
  }

  #count(thread: WatchedThread, what: keyof Misses): void {
    this.#sums[what].inc();
    misses(this.#options.stats, `server.${thread.name}.`)[what].inc();
  }

  #watchOf(thread: WatchedThread): Watch {
    let watch = this.#watches.get(thread.name);
    if (watch !== undefined) return watch;
    watch = {
      id: thread.id,
      beats: -1,
      silentMs: 0,
      stuckMs: 0,
      waitedMs: null,
      hasMissed: false,
      hasMegaMissed: false,
      isGivenUp: false,
    };
    this.#watches.set(thread.name, watch);
    // As Envoy, the counters are there before there is anything to count.
    misses(this.#options.stats, `server.${thread.name}.`);
    return watch;
  }
}

/** It was heard. */
function forgive(watch: Watch): void {
  watch.silentMs = 0;
  watch.stuckMs = 0;
  watch.waitedMs = null;
  watch.hasMissed = false;
  watch.hasMegaMissed = false;
}

/** Half of the shortest time that counts, within reason, as Envoy looks. */
export function watchIntervalMs({ missMs, megaMissMs }: WatchdogConfig): number {
  return Math.min(100, Math.max(10, Math.min(missMs, megaMissMs) / 2));
}

function misses(stats: StatsStore, prefix: string): Misses {
  return {
    miss: stats.counter(`${prefix}watchdog_miss`),
    megaMiss: stats.counter(`${prefix}watchdog_mega_miss`),
  };
}
