import { expect, test } from "vitest";
import { Clock } from "../core/clock.ts";
import { EngineCore, type Gatherer } from "./engine-core.ts";

class Probe implements Gatherer {
  nextDirty: Gatherer | null = null;
  readonly core: EngineCore;
  flushes = 0;

  constructor(core: EngineCore) {
    this.core = core;
  }

  /** A turn in which this one gathers something. */
  write(): void {
    this.core.runTurn(() => this.core.addDirty(this));
  }

  flush(): void {
    this.flushes += 1;
  }
}

function probes(core: EngineCore, count: number): Probe[] {
  return Array.from({ length: count }, () => new Probe(core));
}

function loopRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function flushesOf(all: readonly Probe[]): number {
  return all.reduce((sum, probe) => sum + probe.flushes, 0);
}

test("what several turns gathered is flushed after the loop's events", async () => {
  const all = probes(new EngineCore(new Clock()), 3);
  for (const probe of all) probe.write();
  expect(flushesOf(all)).toBe(0);
  await loopRound();
  expect(all.map((probe) => probe.flushes)).toEqual([1, 1, 1]);
  for (const probe of all) probe.write();
  expect(flushesOf(all)).toBe(3);
  await loopRound();
  expect(flushesOf(all)).toBe(6);
});

test("the 64th that waits lets all go", async () => {
  const all = probes(new EngineCore(new Clock()), 64);
  for (const probe of all.slice(1)) probe.write();
  expect(flushesOf(all)).toBe(0);
  all[0]?.write();
  expect(flushesOf(all)).toBe(64);
  await loopRound();
  expect(flushesOf(all)).toBe(64);
});

test("whoever waited alone is flushed at once the next 16 times", async () => {
  const [probe, other] = probes(new EngineCore(new Clock()), 2) as [Probe, Probe];
  probe.write();
  expect(probe.flushes).toBe(0);
  await loopRound();
  for (let i = 1; i <= 16; i += 1) {
    probe.write();
    expect(probe.flushes).toBe(1 + i);
  }
  // Then it looks again whether others have something to write.
  probe.write();
  other.write();
  expect(probe.flushes).toBe(17);
  await loopRound();
  probe.write();
  expect(probe.flushes).toBe(18);
  expect(other.flushes).toBe(1);
});
