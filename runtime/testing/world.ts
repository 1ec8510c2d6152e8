// What the filters of one test have in common: the time, the data that workers share, the calls to
// clusters, and what went wrong. One filter makes it; t.worker() adds another worker to it.
import { SharedStore, sharedStoreMemory } from "../src/wasm/shared-store.ts";
import { StatsStore } from "../src/stats/store.ts";
import type { GuestFrame } from "../src/wasm/guest-frames.ts";
import type { GuestTrap } from "../src/wasm/trap-report.ts";
import type { Vm } from "../src/wasm/vm.ts";
import { FakeTime } from "../test/fake-time.ts";
import { CalloutBook } from "./callouts.ts";
import { GuestTrapError, joined, StrictError, type StrictOptions } from "./errors.ts";
import type { GuestPlace, Places } from "./places.ts";
import { Watch } from "./watch.ts";

/** Of guests' data: a test needs no more. */
const SHARED_BYTES = 4 << 20;
/** Lines that are quoted of what the guest said before a trap. */
const WORDS_MAX = 5;

/** One worker, as its world needs it. */
export interface Worker {
  settle(): void;
}

export interface WorldOptions {
  readonly strict: StrictOptions;
  /** Whether a guest that is stopped fails the test. */
  readonly areTrapsErrors: boolean;
  /** Of the wall clock, at first. */
  readonly epochMs: number | undefined;
}

export class World {
  readonly time: FakeTime;
  readonly book: CalloutBook;
  readonly watch: Watch;
  /** Of the process: guests' counters and gauges. */
  readonly gauges: StatsStore;
  /** Guests that were stopped, oldest first. */
  readonly traps: GuestTrapError[];
  /** The guest that makes a call now; null = none. */
  guest: Vm | null = null;
  readonly #areTrapsErrors: boolean;
  readonly #strict: StrictOptions;
  readonly #memory: SharedArrayBuffer;
  readonly #workers: Worker[];
  readonly #stores: SharedStore[];
  readonly #wakes: (() => void)[];
  /** By plugin. */
  readonly #places: Map<string, Places>;
  #failures: Error[];
  #hasFailed: boolean = false;

  constructor({ strict, areTrapsErrors, epochMs }: WorldOptions) {
    this.time = new FakeTime(epochMs);
    this.#strict = strict;
    this.#areTrapsErrors = areTrapsErrors;
    this.watch = new Watch(strict);
    this.gauges = new StatsStore({ slotsMax: 1 << 12 });
    this.traps = [];
    this.#memory = sharedStoreMemory(SHARED_BYTES);
    this.#workers = [];
    this.#stores = [];
    this.#wakes = [];
    this.#places = new Map();
    this.#failures = [];
    const { time } = this;
    this.book = new CalloutBook({
      get nowMs() {
        return time.monotonicMs();
      },
      onUnexpected: (message) => this.fail("callouts", message),
      deliver: () => {
        this.settle();
        this.judge();
      },
    });
  }

  // ---- Workers.

  get workers(): readonly Worker[] {
    return this.#workers;
  }

  add(worker: Worker): void {
    this.#workers.push(worker);
  }

  /** The shared data as the next worker sees it. */
  makeStore(): SharedStore {
    const wake = (thread: number, token: number): void => {
      this.#wakes.push(() => this.#stores[thread]?.onWake(token));
    };
    const store = new SharedStore({ memory: this.#memory, thread: this.#stores.length, wake });
    this.#stores.push(store);
    return store;
  }

  /** Where the plugin's code comes from. */
  setPlaces(plugin: string, places: Places): void {
    this.#places.set(plugin, places);
  }

  // ---- Time.

  /** Until nothing moves without time. */
  settle(): void {
    for (;;) {
      for (const worker of this.#workers) worker.settle();
      const wake = this.#wakes.shift();
      if (wake === undefined) return;
      wake();
    }
  }

  advance(ms: number): void {
    const endMs = this.time.monotonicMs() + ms;
    for (;;) {
      const nowMs = this.time.monotonicMs();
      const nextMs = Math.min(endMs, Math.max(this.book.nextDueMs, nowMs));
      this.time.advance(nextMs - nowMs, () => this.settle());
      this.settle();
      if (nextMs >= endMs && this.book.nextDueMs > endMs) return;
    }
  }

  // ---- What went wrong.

  onTrap(trap: GuestTrap): void {
    const places = this.#placesOf(trap.plugin, trap.frames);
    const { plugin, reason, stop, callback, lastWords } = trap;
    const summary = `${reason} [${stop}] in ${callback || "its initialisation"}`;
    const words = lastWords.split("\n").slice(-WORDS_MAX).join("\n  ");
    const error = new GuestTrapError(plugin, summary, words, places);
    this.traps.push(error);
    // What a check found in the same callback is the cause more often than not.
    this.#takeFindings();
    if (this.#areTrapsErrors) this.#failures.push(error);
  }

  /** A strict check has failed. */
  fail(check: keyof StrictOptions, message: string): void {
    if (this.guest !== null) this.watch.find(check, this.guest, message);
    else if (this.#strict[check] !== false) {
      this.watch.findings.push({ plugin: "", frames: [], check, message });
    }
  }

  /** Throws what went wrong since the last time. */
  judge(): void {
    this.#takeFindings();
    if (this.#failures.length === 0) return;
    const failures = this.#failures;
    this.#failures = [];
    this.#hasFailed = true;
    throw joined(failures);
  }

  #takeFindings(): void {
    for (const { check, message, plugin, frames } of this.watch.findings.splice(0)) {
      const places = this.#placesOf(plugin, frames);
      this.#failures.push(new StrictError(check, message, places));
    }
  }

  /** The test knows already that something is wrong. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** What was found is not thrown, since something that explains it is. */
  forgetFailures(): readonly Error[] {
    this.#hasFailed = true;
    this.watch.findings.length = 0;
    return this.#failures.splice(0);
  }

  #placesOf(plugin: string, frames: readonly GuestFrame[]): GuestPlace[] {
    const places = this.#places.get(plugin) ?? this.#places.values().next().value;
    return places === undefined ? [] : frames.map((frame) => places.of(frame));
  }
}
