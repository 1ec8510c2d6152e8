import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DrainControl } from "./drain-control.ts";
import type { ToWorker } from "./protocol.ts";

let sent: ToWorker[];
let stopped: string[];
let drains: DrainControl;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  stopped = [];
  drains = new DrainControl({
    drainTimeMs: 5000,
    nowMs: () => Date.now(),
    broadcast: (message) => sent.push(message),
    onStopListening: (which) => stopped.push(which),
  });
});

afterEach(() => {
  drains.close();
  vi.useRealTimers();
});

const gracefully = { graceful: true, skipExit: false, inboundOnly: false };

test("a graceful drain stops listeners when the drain time is over", () => {
  drains.drainListeners(gracefully);
  expect(sent).toEqual([{ type: "drain", inboundOnly: false, elapsedMs: 0 }]);
  vi.advanceTimersByTime(4999);
  expect(stopped).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(stopped).toEqual(["all"]);
  expect(sent.at(-1)).toEqual({ type: "stop_listening", inboundOnly: false });
});

test("with skip_exit they go on; at the end of the process nothing comes after it", () => {
  drains.drainListeners({ ...gracefully, skipExit: true });
  drains.drainListeners(gracefully);
  drains.close();
  vi.advanceTimersByTime(60_000);
  expect(stopped).toEqual([]);
});

test("listeners are stopped once, by direction", () => {
  drains.stopListening(true);
  drains.stopListening(true);
  drains.stopListening(false);
  drains.stopListening(true);
  expect(stopped).toEqual(["inbound", "not_inbound"]);
});

test("a worker that comes later hears what holds, and since when", () => {
  expect(drains.messages()).toEqual([]);
  drains.setHealthcheckFailed(true);
  drains.startSequence(true);
  vi.advanceTimersByTime(1000);
  drains.startSequence(false);
  vi.advanceTimersByTime(1000);
  drains.stopListening(true);
  const messages = drains.messages();
  expect(messages.map(({ type }) => type)).toEqual([
    "healthcheck",
    "drain",
    "drain",
    "stop_listening",
  ]);
  // Inbound listeners have drained for longer.
  expect(messages[1]).toEqual({ type: "drain", inboundOnly: true, elapsedMs: 2000 });
  expect(messages[2]).toEqual({ type: "drain", inboundOnly: false, elapsedMs: 1000 });
  drains.setHealthcheckFailed(false);
  expect(drains.messages()[0]?.type).toBe("drain");
});
