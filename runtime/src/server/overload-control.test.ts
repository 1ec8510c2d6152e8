import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger } from "../core/logger.ts";
import { StatsStore } from "../stats/store.ts";
import { OverloadControl } from "./overload-control.ts";
import type { ToWorker } from "./protocol.ts";

let connections: number;
let sent: ToWorker[];
let control: OverloadControl;

beforeEach(() => {
  vi.useFakeTimers();
  connections = 0;
  sent = [];
  control = new OverloadControl({
    workers: 1,
    stats: new StatsStore(),
    logger: silentLogger,
    broadcast: (message) => sent.push(message),
  });
});

afterEach(() => {
  control.close();
  vi.useRealTimers();
});

test("what the start took is given back once, ten seconds later", () => {
  control.settle(() => connections);
  vi.advanceTimersByTime(9_999);
  expect(sent).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(sent).toEqual([{ type: "shrink_heap" }]);
  vi.advanceTimersByTime(60_000);
  expect(sent).toHaveLength(1);
});

test("by the main thread alone, where connections would wait for a worker", () => {
  control.settle(() => connections);
  connections = 1;
  vi.advanceTimersByTime(10_000);
  expect(sent).toEqual([]);
});

test("never by a process that ends before", () => {
  control.settle(() => connections);
  control.close();
  vi.advanceTimersByTime(10_000);
  expect(sent).toEqual([]);
});
