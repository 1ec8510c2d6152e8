import { beforeEach, expect, test } from "vitest";
import type { Listener } from "../network/listener.ts";
import { type Counter, StatsStore } from "../stats/store.ts";
import { stopListeningWhenQuiet } from "./quiet-stop.ts";

let impatient: Counter;

beforeEach(() => {
  impatient = new StatsStore({ slotsMax: 4096 }).counter("listener_stopped_busy");
});

/** A listener to which somebody comes in each of so many turns. */
class Busy {
  acceptedCount = 0;
  isListening = true;
  readonly turns: number;

  constructor(turns: number) {
    this.turns = turns;
    this.#come();
  }

  stopListening(): void {
    this.isListening = false;
  }

  #come(): void {
    this.acceptedCount += 1;
    if (this.isListening && this.acceptedCount < this.turns) setImmediate(() => this.#come());
  }
}

function stop(...listeners: Busy[]): Promise<void> {
  return new Promise((resolve) => {
    stopListeningWhenQuiet(listeners as unknown as Listener[], setImmediate, impatient, resolve);
  });
}

test("closes each after a turn in which nobody came to it, and tells when all are", async () => {
  const [a, b] = [new Busy(3), new Busy(20)];
  await stop(a, b);
  expect([a.acceptedCount, b.acceptedCount]).toEqual([3, 20]);
  expect([a.isListening, b.isListening]).toEqual([false, false]);
  expect(impatient.value).toBe(0);
});

test("does not wait for ever", async () => {
  const storm = new Busy(Number.POSITIVE_INFINITY);
  await stop(storm);
  expect(storm.isListening).toBe(false);
  expect(impatient.value).toBe(1);
});

test("needs no listener", async () => {
  await expect(stop()).resolves.toBeUndefined();
});
