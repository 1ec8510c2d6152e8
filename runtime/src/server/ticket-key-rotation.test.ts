// Keys of session tickets: what workers are told when they change.
import { afterEach, expect, test, vi } from "vitest";
import { TICKET_KEY_BYTES } from "../tls/ticket-keys.ts";
import type { ToWorker } from "./protocol.ts";
import { TicketKeyRotation } from "./ticket-key-rotation.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("the new key comes first, and the one before is kept until the next change", () => {
  const told: ToWorker[] = [];
  const rotation = new TicketKeyRotation((message) => told.push(message));
  const [first] = rotation.message.keys;
  expect(rotation.message.keys.map((key) => key.length)).toEqual([TICKET_KEY_BYTES]);
  rotation.rotate();
  const [second] = rotation.message.keys;
  expect(rotation.message.keys).toEqual([second, first]);
  expect(second).not.toEqual(first);
  rotation.rotate();
  const [third] = rotation.message.keys;
  expect(rotation.message.keys).toEqual([third, second]);
  expect(told).toEqual([
    { type: "ticket_keys", keys: [second, first] },
    { type: "ticket_keys", keys: [third, second] },
  ]);
});

test("keys change by themselves, until the process ends", () => {
  vi.useFakeTimers();
  const told: ToWorker[] = [];
  const rotation = new TicketKeyRotation((message) => told.push(message));
  rotation.start();
  vi.advanceTimersByTime(2 * 172_800_000);
  expect(told).toHaveLength(2);
  rotation.close();
  vi.advanceTimersByTime(172_800_000);
  expect(told).toHaveLength(2);
});
