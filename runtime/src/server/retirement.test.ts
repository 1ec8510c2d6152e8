import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Retirement } from "./retirement.ts";

let connections: number;
let drains: number;
let progress: number[];
let ended: string[];

beforeEach(() => {
  vi.useFakeTimers();
  connections = 2;
  drains = 0;
  progress = [];
  ended = [];
});

afterEach(() => {
  vi.useRealTimers();
});

function retire(drainTimeMs: number, shutdownMs: number): Retirement {
  const retirement = new Retirement({
    drainTimeMs,
    onDrain: () => {
      drains += 1;
    },
    connections: () => connections,
    nowMs: () => Date.now(),
    onProgress: (count) => progress.push(count),
    onEnd: (reason) => ended.push(reason),
  });
  expect(retirement.remainingMs).toBeNull();
  retirement.start(7, shutdownMs);
  retirement.start(8, 1);
  return retirement;
}

test("ends when the last connection has gone for good", () => {
  retire(60_000, 90_000);
  // Listeners close first.
  expect(drains).toBe(0);
  vi.advanceTimersByTime(2000);
  expect(drains).toBe(1);
  connections = 0;
  vi.advanceTimersByTime(250);
  // One that stood in an accept queue.
  connections = 1;
  vi.advanceTimersByTime(1000);
  expect(ended).toEqual([]);
  connections = 0;
  vi.advanceTimersByTime(1000);
  expect(ended).toEqual(["the takeover by process 7"]);
  expect(progress[0]).toBe(2);
});

test("ends when the drain time is over; streams get what the successor has left", () => {
  const retirement = retire(5000, 12_000);
  vi.advanceTimersByTime(4900);
  expect(ended).toEqual([]);
  vi.advanceTimersByTime(300);
  expect(ended.length).toBe(1);
  expect(retirement.remainingMs).toBeGreaterThan(6000);
  expect(retirement.remainingMs).toBeLessThan(7001);
  vi.advanceTimersByTime(60_000);
  expect([ended.length, retirement.remainingMs]).toEqual([1, 0]);
});

test("ends early when the successor's patience is shorter than the drain time", () => {
  const retirement = retire(600_000, 1000);
  vi.advanceTimersByTime(1250);
  expect([ended.length, retirement.remainingMs]).toEqual([1, 0]);
});
