import { existsSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { StatsStore } from "../stats/store.ts";
import { MainWatch, startBeating } from "./beating.ts";
import { noteKernelThread, waitedForCpuMs } from "./cpu-waits.ts";
import { PulseMemory } from "./pulse.ts";
import { Watchdog } from "./watchdog.ts";
import type { WatchdogConfig } from "../config/translate/watchdog-reader.ts";

const defaults: WatchdogConfig = {
  missMs: 200,
  megaMissMs: 1000,
  killMs: 0,
  killJitterMs: 0,
  multiKillMs: 0,
  multiKillPercent: 0,
};

/** Threads that beat or do not. */
class World {
  readonly stats = new StatsStore();
  readonly said: string[] = [];
  readonly dog: Watchdog;
  readonly beats: number[];
  readonly ids: number[];
  isWatched = true;
  nowMs = 5000;
  /** Of each thread: for how long it has waited for a processor; null = nobody tells. */
  readonly waitedMs: (number | null)[];

  constructor(times: Partial<WatchdogConfig> = {}, threads = 1) {
    this.beats = Array.from({ length: threads }, () => 0);
    this.ids = this.beats.map((_, index) => index);
    this.waitedMs = this.beats.map(() => null);
    this.dog = new Watchdog({
      times: { ...defaults, ...times },
      statPrefix: "workers.",
      stats: this.stats,
      random: () => 0.5,
      waitedMs: ({ name }) => this.waitedMs[Number(name.at(-1))] ?? null,
      onMegaMiss: (thread) => this.said.push(`mega ${thread.name}`),
      onStuck: (thread, silentMs) => this.said.push(`stuck ${thread.name} ${silentMs}`),
    });
    this.pass(50);
  }

  /** Looks every 50 ms; the threads of `alive` beat. */
  pass(ms: number, ...alive: number[]): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.nowMs += 50;
      for (const index of alive) this.beats[index] = (this.beats[index] as number) + 1;
      this.look();
    }
  }

  look(): void {
    const threads = this.beats.map((beats, index) => ({
      name: `worker_${index}`,
      isWatched: this.isWatched,
      beats,
      kernelThread: 0,
      id: this.ids[index] as number,
    }));
    this.dog.look(this.nowMs, threads);
  }

  counts(thread = "workers"): [number, number] {
    const of = (name: string): number => this.stats.counter(`${thread}.${name}`).value;
    return [of("watchdog_miss"), of("watchdog_mega_miss")];
  }
}

test("a thread that beats is never missed", () => {
  const w = new World({ killMs: 1000 });
  for (let i = 0; i < 100; i += 1) w.pass(50, 0);
  expect(w.counts()).toEqual([0, 0]);
  expect(w.said).toEqual([]);
});

test("each time of silence is counted once, for the thread and for all", () => {
  const w = new World({}, 2);
  w.pass(200, 1);
  expect(w.counts()).toEqual([0, 0]);
  w.pass(100, 1);
  expect(w.counts()).toEqual([1, 0]);
  w.pass(5000, 1);
  expect(w.counts()).toEqual([1, 1]);
  expect(w.counts("server.worker_0")).toEqual([1, 1]);
  expect(w.counts("server.worker_1")).toEqual([0, 0]);
  expect(w.said).toEqual(["mega worker_0"]);
  w.pass(50, 0, 1);
  w.pass(300, 1);
  expect(w.counts()).toEqual([2, 1]);
});

test("a thread is given up once when its time is over, jitter included", () => {
  const w = new World({ killMs: 2000, killJitterMs: 1000 });
  w.pass(2450);
  expect(w.said).toEqual(["mega worker_0"]);
  w.pass(1000);
  expect(w.said).toEqual(["mega worker_0", "stuck worker_0 2500"]);
  // Its successor has the same name.
  w.ids[0] = 7;
  w.pass(2450);
  expect(w.said.length).toBe(3);
  w.pass(100);
  expect(w.said.at(-1)).toMatch(/^stuck worker_0/);
});

test("threads that come up or are gone owe nothing", () => {
  const w = new World({ killMs: 1000 });
  w.isWatched = false;
  w.pass(5000);
  w.isWatched = true;
  w.pass(150);
  expect([w.counts(), w.said]).toEqual([[0, 0], []]);
});

test("time in which nobody ran is held against nobody", () => {
  const w = new World({ killMs: 1000 });
  w.nowMs += 3_600_000;
  w.look();
  expect([w.counts(), w.said]).toEqual([[0, 0], []]);
});

test("a thread that waits for a processor is not stuck: it is counted, and not given up", () => {
  const w = new World({ killMs: 1000 });
  w.waitedMs[0] = 0;
  w.pass(500);
  for (let i = 0; i < 40; i += 1) {
    w.waitedMs[0] += 50;
    w.pass(50);
  }
  expect(w.counts()).toEqual([1, 1]);
  expect(w.said).toEqual(["mega worker_0"]);
  w.pass(450);
  expect(w.said).toEqual(["mega worker_0"]);
  w.pass(50);
  expect(w.said).toEqual(["mega worker_0", "stuck worker_0 3000"]);
});

test("a thread that runs now and then is given up after four times its time", () => {
  const w = new World({ killMs: 1000 });
  w.waitedMs[0] = 0;
  for (let i = 0; i < 79; i += 1) {
    w.waitedMs[0] += 49;
    w.pass(50);
  }
  expect(w.said).toEqual(["mega worker_0"]);
  w.pass(50);
  expect(w.said.at(-1)).toBe("stuck worker_0 4000");
});

test("what a thread waited before it fell silent does not help it", () => {
  const w = new World({ killMs: 1000 });
  w.waitedMs[0] = 1_000_000;
  w.pass(50, 0);
  w.waitedMs[0] += 1_000_000;
  w.pass(50, 0);
  w.pass(950);
  expect(w.said).toEqual([]);
  w.pass(50);
  expect(w.said).toEqual(["stuck worker_0 1000"]);
});

test("multikill wants a share of the threads, and at least two", () => {
  const one = new World({ multiKillMs: 500, multiKillPercent: 10 }, 3);
  one.pass(5000, 1, 2);
  expect(one.said).toEqual(["mega worker_0"]);
  const half = new World({ multiKillMs: 500, multiKillPercent: 60, megaMissMs: 9000 }, 4);
  half.pass(2000, 2, 3);
  expect(half.said).toEqual([]);
  half.pass(500, 3);
  expect(half.said.map((line) => line.slice(0, 14))).toEqual([
    "stuck worker_0",
    "stuck worker_1",
    "stuck worker_2",
  ]);
});

let pulse: PulseMemory;
let kills = 0;

beforeEach(() => {
  pulse = PulseMemory.create(2);
  kills = 0;
});

test("a worker ends the process when main is stuck, if that is wanted", () => {
  const watch = new MainWatch(pulse, () => {
    kills += 1;
  });
  for (let i = 0; i < 100; i += 1) watch.look(50);
  expect(kills).toBe(0);
  pulse.setWatch(100, 300);
  for (let i = 0; i < 100; i += 1) {
    pulse.beatMain();
    watch.look(50);
  }
  for (let i = 0; i < 5; i += 1) watch.look(50);
  expect(kills).toBe(0);
  watch.look(50);
  expect(kills).toBe(1);
});

test("a thread beats as often as it is told to", () => {
  const started: number[] = [];
  const running = new Set<() => void>();
  const ticks = {
    start(intervalMs: number, tick: () => void): () => void {
      started.push(intervalMs);
      running.add(tick);
      return () => running.delete(tick);
    },
  };
  startBeating(pulse, 1, () => {}, ticks);
  pulse.setWatch(25, 0);
  for (let i = 0; i < 3; i += 1) for (const tick of Array.from(running)) tick();
  expect(started).toEqual([100, 25]);
  expect(running.size).toBe(1);
  expect(pulse.read(1).beats).toBe(3);
});

test("threads share memory without touching one another", () => {
  const other = new PulseMemory(pulse.memory);
  other.beat(1);
  other.guestMark(1).set([7, 8]);
  other.beatMain();
  expect(pulse.read(0)).toEqual({ beats: 0, plugin: 0, callback: 0 });
  expect(pulse.read(1)).toEqual({ beats: 1, plugin: 7, callback: 8 });
  expect([pulse.mainBeats, pulse.mainKillMs]).toEqual([1, 0]);
  pulse.clear(1);
  expect(pulse.read(1)).toEqual({ beats: 0, plugin: 0, callback: 0 });
});

test.runIf(process.platform === "linux")(
  "what a thread waited for a processor is told by its number",
  () => {
    expect(waitedForCpuMs(0)).toBe(null);
    noteKernelThread(pulse, 1);
    const id = pulse.signs(1).kernelThread;
    expect(existsSync(`/proc/self/task/${id}`)).toBe(true);
    expect(waitedForCpuMs(id)).toBeGreaterThanOrEqual(0);
    pulse.clear(1);
    expect(pulse.signs(1)).toEqual({ beats: 0, kernelThread: 0 });
  },
);
