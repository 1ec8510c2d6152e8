import { expect, test } from "vitest";
import { limitPhase, limitWorkerPhase } from "./phase-limit.ts";
import { PulseMemory } from "./pulse.ts";

/** A worker that does not answer. */
class Silent {
  readonly over: number[] = [];
  readonly stop: () => void;
  nowMs = 1000;
  hasBegun = true;
  waitedMs: number | null = 0;
  #tick: () => void = () => {};

  constructor() {
    this.stop = limitPhase({
      hasBegun: () => this.hasBegun,
      waitedMs: () => this.waitedMs,
      onOver: (tookMs) => this.over.push(tookMs),
      nowMs: () => this.nowMs,
      ticks: {
        start: (_, tick) => {
          this.#tick = tick;
          return () => {
            this.#tick = (): void => {};
          };
        },
      },
    });
  }

  /** `share` of the time it waits for a processor. */
  pass(seconds: number, share = 0): void {
    for (let i = 0; i < seconds * 2; i += 1) {
      if (this.waitedMs !== null) this.waitedMs += 500 * share;
      this.nowMs += 500;
      this.#tick();
    }
  }
}

test("a worker that could run has 60 seconds", () => {
  const worker = new Silent();
  worker.pass(59.5);
  expect(worker.over).toEqual([]);
  worker.pass(5);
  expect(worker.over).toEqual([60_000]);
});

test("time in which it waits for a processor does not count, up to four times that", () => {
  const worker = new Silent();
  worker.pass(100, 0.5);
  expect(worker.over).toEqual([]);
  worker.pass(20, 0.5);
  expect(worker.over).toEqual([120_000]);
  const starved = new Silent();
  starved.pass(239.5, 1);
  expect(starved.over).toEqual([]);
  starved.pass(1, 1);
  expect(starved.over).toEqual([240_000]);
});

test("one that has not begun counts as one that waits", () => {
  const worker = new Silent();
  worker.hasBegun = false;
  worker.waitedMs = null;
  worker.pass(100);
  worker.hasBegun = true;
  worker.waitedMs = 99_000;
  worker.pass(60);
  expect(worker.over).toEqual([]);
  worker.pass(1);
  expect(worker.over).toEqual([160_500]);
});

test("where nobody tells how long it waited, all time counts", () => {
  const worker = new Silent();
  worker.waitedMs = null;
  worker.pass(60);
  expect(worker.over).toEqual([60_000]);
});

test("time in which the main thread stood still is held against nobody", () => {
  const worker = new Silent();
  worker.pass(1);
  worker.nowMs += 100_000;
  worker.pass(58);
  expect(worker.over).toEqual([]);
});

test("an answer ends it", () => {
  const worker = new Silent();
  worker.stop();
  worker.pass(300);
  expect(worker.over).toEqual([]);
});

test("it ends for a worker of which nothing was heard, too", () => {
  const stop = limitWorkerPhase(PulseMemory.create(1), 0, () => {});
  expect(stop).not.toThrow();
});
