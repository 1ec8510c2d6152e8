import { expect, test } from "vitest";
import { StatsStore } from "../stats/store.ts";
import {
  breakerMemory,
  type CircuitBreaker,
  makeCircuitBreaker,
  openBreakerMemory,
  releaseThread,
  showOpenBreakers,
} from "./circuit-breaker.ts";

const config = {
  maxConnections: 2,
  maxPendingRequests: 0,
  maxRequests: 1,
  maxRetries: 3,
  trackRemaining: true,
};

function thread(
  memory: SharedArrayBuffer,
  index: number,
  isHigh = false,
): { breaker: CircuitBreaker; stats: StatsStore } {
  const stats = new StatsStore({ slotsMax: 2000 });
  const cells = openBreakerMemory(memory, 3, index);
  const isOwner = index === 0;
  const breaker = makeCircuitBreaker(cells, 2, isHigh, config, stats, "cluster.up.", isOwner);
  return { breaker, stats };
}

const open = "cluster.up.circuit_breakers.default.cx_open";
const remaining = "cluster.up.circuit_breakers.default.remaining_cx";

test("threads share counts, and the gauges' sum over threads is right", () => {
  const memory = breakerMemory(2, 3);
  const a = thread(memory, 0);
  const b = thread(memory, 1);
  const sum = (name: string): number => {
    showOpenBreakers(a.breaker, false);
    return a.stats.gauge(name).value + b.stats.gauge(name).value;
  };
  expect(sum(remaining)).toBe(2);
  a.breaker.connections.increase();
  expect(b.breaker.connections.canCreate()).toBe(true);
  b.breaker.connections.increase();
  expect(a.breaker.connections.canCreate()).toBe(false);
  expect([sum(open), sum(remaining)]).toEqual([1, 0]);
  a.breaker.connections.decrease();
  expect([sum(open), sum(remaining)]).toEqual([0, 1]);
  expect(b.breaker.connections.count).toBe(1);
  b.breaker.connections.decrease();
  expect(sum(remaining)).toBe(2);
});

test("a limit of 0 lets nothing in", () => {
  const { breaker } = thread(breakerMemory(1, 3), 0);
  expect(breaker.pending.canCreate()).toBe(false);
  expect(breaker.requests.canCreate()).toBe(true);
  expect(breaker.retries.max).toBe(3);
});

test("priorities count apart", () => {
  const memory = breakerMemory(1, 3);
  const usual = thread(memory, 0);
  const high = thread(memory, 0, true);
  usual.breaker.requests.increase();
  expect(usual.breaker.requests.canCreate()).toBe(false);
  expect(high.breaker.requests.canCreate()).toBe(true);
});

test("what a dead thread held is given back", () => {
  const memory = breakerMemory(2, 3);
  const a = thread(memory, 0);
  const b = thread(memory, 1);
  a.breaker.connections.increase();
  b.breaker.connections.increase();
  b.breaker.requests.increase();
  releaseThread(memory, 3, 1);
  expect(a.breaker.connections.count).toBe(1);
  expect(a.breaker.requests.count).toBe(0);
  releaseThread(memory, 3, 1);
  expect(a.breaker.connections.count).toBe(1);
});

test("the gauge of what is open stays right when the thread that opened it dies", () => {
  const memory = breakerMemory(3, 3);
  const main = thread(memory, 0);
  const a = thread(memory, 1);
  const b = thread(memory, 2);
  const shown = (): number => {
    showOpenBreakers(main.breaker, false);
    return main.stats.gauge(open).value;
  };
  b.breaker.connections.increase();
  a.breaker.connections.increase();
  expect(shown()).toBe(1);
  showOpenBreakers(main.breaker, true);
  expect(main.stats.gauge(open).value).toBe(0);
  b.breaker.connections.decrease();
  expect(shown()).toBe(0);
  b.breaker.connections.increase();
  expect(shown()).toBe(1);
  // What a dead thread held is given back, and so may close the breaker.
  releaseThread(memory, 3, 1);
  expect(shown()).toBe(0);
  // Threads without the gauge, whose parts would be lost with them.
  const ofA = a.stats.definitions.map(({ name }) => name);
  expect(ofA).not.toContain(open);
});
