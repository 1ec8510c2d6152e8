import { expect, test, vi } from "vitest";
import { Clock } from "./clock.ts";
import {
  coarseTickMs,
  fineHorizonMs,
  fineTickMs,
  intervalTicks,
  TimerEntry,
  type TickSource,
  TimerWheel,
} from "./timer-wheel.ts";

interface Ticker {
  readonly intervalMs: number;
  readonly tick: () => void;
  nextMs: number;
}

/** Time that moves only by advance(), which ticks what was started. */
class FakeTime implements TickSource {
  nowMs = 1000.25;
  readonly clock: Clock;
  readonly tickers = new Set<Ticker>();
  turns = 0;
  /** What the wall clock shows besides the time that passed. */
  epochOffsetMs = 5_000_000;

  constructor() {
    this.clock = new Clock({
      monotonicMs: () => this.nowMs,
      epochMs: () => this.epochOffsetMs + this.nowMs,
    });
  }

  start(intervalMs: number, tick: () => void): () => void {
    const ticker = { intervalMs, tick, nextMs: this.nowMs + intervalMs };
    this.tickers.add(ticker);
    return () => this.tickers.delete(ticker);
  }

  runTurn = (callback: () => void): void => {
    this.turns += 1;
    this.clock.update();
    callback();
  };

  /** Goes on in steps of a millisecond, as a loop that is never busy. */
  advance(byMs: number): void {
    const endMs = this.nowMs + byMs;
    while (this.nowMs < endMs) {
      this.nowMs += 1;
      for (const ticker of Array.from(this.tickers)) {
        if (ticker.nextMs > this.nowMs || !this.tickers.has(ticker)) continue;
        ticker.nextMs += ticker.intervalMs;
        ticker.tick();
      }
    }
    this.clock.update();
  }

  /** A loop that was busy for so long: each ticker ticks once afterwards. */
  stall(byMs: number): void {
    this.nowMs += byMs;
    for (const ticker of Array.from(this.tickers)) {
      ticker.nextMs = this.nowMs + ticker.intervalMs;
      ticker.tick();
    }
  }

  intervals(): number[] {
    return Array.from(this.tickers)
      .map((ticker) => ticker.intervalMs)
      .toSorted((a, b) => a - b);
  }
}

class Probe extends TimerEntry {
  readonly time: FakeTime;
  readonly firedAt: number[] = [];
  afterwards: (() => void) | null = null;

  constructor(time: FakeTime) {
    super();
    this.time = time;
  }

  override onDeadline(): void {
    this.firedAt.push(this.time.clock.nowMs);
    this.afterwards?.();
  }
}

function setUp(): { time: FakeTime; wheel: TimerWheel } {
  const time = new FakeTime();
  return { time, wheel: new TimerWheel(time.clock, time.runTurn, time) };
}

test.each([0, 1, 4.9, 5, 249, 250, 999.5, fineHorizonMs - 1])(
  "fires a short timer of %d ms at most a fine tick late and never early",
  (delayMs) => {
    const { time, wheel } = setUp();
    const probe = new Probe(time);
    const deadlineMs = time.nowMs + delayMs;
    wheel.schedule(probe, deadlineMs);
    time.advance(delayMs + 20);
    expect(probe.firedAt).toHaveLength(1);
    expect(probe.firedAt[0]).toBeGreaterThanOrEqual(deadlineMs);
    expect(probe.firedAt[0]).toBeLessThanOrEqual(deadlineMs + 2 * fineTickMs);
  },
);

test.each([fineHorizonMs, 1300, 2000, 15_000, 51_150, 51_200, 51_201, 60_000, 3_600_000])(
  "fires a long timer of %d ms at most a coarse tick late and never early",
  (delayMs) => {
    const { time, wheel } = setUp();
    const probe = new Probe(time);
    time.advance(37);
    const deadlineMs = time.nowMs + delayMs;
    wheel.schedule(probe, deadlineMs);
    time.advance(delayMs + 150);
    expect(probe.firedAt).toHaveLength(1);
    expect(probe.firedAt[0]).toBeGreaterThanOrEqual(deadlineMs);
    expect(probe.firedAt[0]).toBeLessThanOrEqual(deadlineMs + coarseTickMs);
  },
);

test("does not fire from inside schedule, even when the deadline has passed", () => {
  const { time, wheel } = setUp();
  const probe = new Probe(time);
  wheel.schedule(probe, time.nowMs - 500);
  expect(probe.firedAt).toEqual([]);
  expect(wheel.size).toBe(1);
  time.advance(2 * fineTickMs);
  expect(probe.firedAt).toHaveLength(1);
  expect(wheel.size).toBe(0);
});

test("a deadline that the owner moved later by its field fires at the new time only", () => {
  const { time, wheel } = setUp();
  const probe = new Probe(time);
  const startMs = time.nowMs;
  wheel.schedule(probe, startMs + 2000);
  for (let moves = 0; moves < 10; moves += 1) {
    time.advance(1500);
    probe.deadlineMs = time.nowMs + 2000;
  }
  expect(probe.firedAt).toEqual([]);
  time.advance(2200);
  expect(probe.firedAt).toHaveLength(1);
  expect(probe.firedAt[0]).toBeGreaterThanOrEqual(startMs + 17_000);
  expect(probe.firedAt[0]).toBeLessThanOrEqual(startMs + 17_100);
});

test("a deadline moved nearer by schedule fires at the near time", () => {
  const { time, wheel } = setUp();
  const probe = new Probe(time);
  wheel.schedule(probe, time.nowMs + 3_600_000);
  time.advance(10);
  const deadlineMs = time.nowMs + 250;
  wheel.schedule(probe, deadlineMs);
  expect(wheel.size).toBe(1);
  time.advance(260);
  expect(probe.firedAt).toHaveLength(1);
  expect(probe.firedAt[0]).toBeGreaterThanOrEqual(deadlineMs);
});

test("a cancelled entry does not fire, and cancelling twice is nothing", () => {
  const { time, wheel } = setUp();
  const short = new Probe(time);
  const long = new Probe(time);
  wheel.schedule(short, time.nowMs + 100);
  wheel.schedule(long, time.nowMs + 5000);
  expect(wheel.size).toBe(2);
  wheel.cancel(short);
  wheel.cancel(short);
  wheel.cancel(long);
  expect(short.isScheduled).toBe(false);
  expect(wheel.size).toBe(0);
  time.advance(6000);
  expect(short.firedAt.length + long.firedAt.length).toBe(0);
});

test("fine ticks run only while there are short timers", () => {
  const { time, wheel } = setUp();
  const probe = new Probe(time);
  expect(time.intervals()).toEqual([coarseTickMs]);
  wheel.schedule(probe, time.nowMs + 5000);
  expect(time.intervals()).toEqual([coarseTickMs]);
  const short = new Probe(time);
  wheel.schedule(short, time.nowMs + 50);
  expect(time.intervals()).toEqual([fineTickMs, coarseTickMs]);
  time.advance(70);
  expect(time.intervals()).toEqual([coarseTickMs]);
  wheel.schedule(short, time.nowMs + 50);
  wheel.cancel(short);
  time.advance(10);
  expect(time.intervals()).toEqual([coarseTickMs]);
  wheel.stop();
  expect(time.intervals()).toEqual([]);
});

test("an entry may schedule itself and cancel its neighbours from its callback", () => {
  const { time, wheel } = setUp();
  const [a, b, c] = [new Probe(time), new Probe(time), new Probe(time)];
  const deadlineMs = time.nowMs + 200;
  for (const probe of [a, b, c]) wheel.schedule(probe, deadlineMs);
  a.afterwards = () => {
    wheel.cancel(b);
    if (a.firedAt.length < 3) wheel.schedule(a, time.clock.nowMs + 50);
  };
  time.advance(1000);
  expect(a.firedAt).toHaveLength(3);
  expect(b.firedAt).toEqual([]);
  expect(c.firedAt).toHaveLength(1);
  expect(wheel.size).toBe(0);
});

test("an entry that keeps asking for now fires once a tick and does not hold up the loop", () => {
  const { time, wheel } = setUp();
  const probe = new Probe(time);
  probe.afterwards = () => wheel.schedule(probe, 0);
  wheel.schedule(probe, 0);
  time.advance(100);
  expect(probe.firedAt.length).toBeGreaterThan(15);
  expect(probe.firedAt.length).toBeLessThanOrEqual(21);
});

test("after a stall longer than the wheels everything due fires once and the rest stays", () => {
  const { time, wheel } = setUp();
  const due = [10, 500, 1270, 2000, 50_000].map((delayMs) => {
    const probe = new Probe(time);
    wheel.schedule(probe, time.nowMs + delayMs);
    return probe;
  });
  const later = new Probe(time);
  wheel.schedule(later, time.nowMs + 400_000);
  time.stall(200_000);
  time.advance(200);
  for (const probe of due) expect(probe.firedAt).toHaveLength(1);
  expect(later.firedAt).toEqual([]);
  expect(wheel.size).toBe(1);
  time.advance(200_000);
  expect(later.firedAt).toHaveLength(1);
});

test("when a callback throws, the others of its tick fire with the next one", () => {
  const { time, wheel } = setUp();
  const [a, b] = [new Probe(time), new Probe(time)];
  a.afterwards = () => {
    throw new Error("ours");
  };
  wheel.schedule(a, time.nowMs + 2);
  wheel.schedule(b, time.nowMs + 2);
  expect(() => time.advance(30)).toThrow("ours");
  time.advance(30);
  expect(b.firedAt).toHaveLength(1);
  expect(wheel.size).toBe(0);
});

test("ten thousand random timers all fire in their windows", () => {
  const { time, wheel } = setUp();
  let seed = 42;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  const probes = Array.from({ length: 10_000 }, () => {
    const probe = new Probe(time);
    const delayMs = random() < 0.5 ? random() * fineHorizonMs : random() * 60_000;
    wheel.schedule(probe, time.nowMs + delayMs);
    return probe;
  });
  const deadlines = probes.map((probe) => probe.deadlineMs);
  time.advance(60_200);
  probes.forEach((probe, index) => {
    const deadlineMs = deadlines[index] as number;
    expect(probe.firedAt).toHaveLength(1);
    expect(probe.firedAt[0]).toBeGreaterThanOrEqual(deadlineMs);
    expect(probe.firedAt[0]).toBeLessThanOrEqual(deadlineMs + coarseTickMs);
  });
  expect(wheel.size).toBe(0);
});

test("ticks are turns, and a change of the wall clock is followed within a second", () => {
  const { time, wheel } = setUp();
  const turnsBefore = time.turns;
  time.epochOffsetMs += 3_600_000;
  time.advance(1000);
  expect(time.turns - turnsBefore).toBe(10);
  expect(time.clock.epochMs()).toBeCloseTo(time.epochOffsetMs + time.nowMs, 3);
  wheel.stop();
});

test("all who want the same interval have one timer, until the last of them stops", () => {
  vi.useFakeTimers();
  try {
    const calls: string[] = [];
    const stopA = intervalTicks.start(coarseTickMs, () => calls.push("a"));
    const stopB = intervalTicks.start(coarseTickMs, () => {
      calls.push("b");
      stopB();
    });
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(2 * coarseTickMs);
    expect(calls).toEqual(["a", "b", "a"]);
    stopB();
    expect(vi.getTimerCount()).toBe(1);
    stopA();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
