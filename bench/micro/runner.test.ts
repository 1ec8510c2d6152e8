// Checks the runner of the micro benches with a clock of its own.
import { expect, test } from "vitest";
import { measure } from "./runner.ts";

test("gives nanoseconds per call, however many calls a round has", () => {
  let ms = 0;
  const run = (times: number): number => {
    ms += (times * 10) / 1e6;
    return times;
  };
  const result = measure({ name: "x", run }, { rounds: 3, roundMs: 10, now: () => ms });
  expect(result.name).toBe("x");
  expect(result.ns).toBeCloseTo(10);
  expect(result.leastNs).toBeCloseTo(10);
  expect(result.mostNs).toBeCloseTo(10);
});

test("gives the median of the rounds, the least and the most", () => {
  let ms = 0;
  let calls = 0;
  // The first call already takes half a round and ends the search; then the rounds come.
  const costsMs = [10, 30, 10, 20];
  const run = (times: number): number => {
    ms += (costsMs[calls] ?? 0) * times;
    calls += 1;
    return times;
  };
  const result = measure({ name: "x", run }, { rounds: 3, roundMs: 10, now: () => ms });
  expect(result.ns).toBeCloseTo(20e6);
  expect(result.leastNs).toBeCloseTo(10e6);
  expect(result.mostNs).toBeCloseTo(30e6);
});
