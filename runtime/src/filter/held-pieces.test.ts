import { expect, test } from "vitest";
import { BufferQueue } from "../core/buffer-queue.ts";
import { LentRoom } from "../core/lent-room.ts";
import { HeldPieces } from "./held-pieces.ts";

function lentQueue(room: LentRoom, text: string): BufferQueue {
  const queue = new BufferQueue();
  queue.lend(room, Buffer.from(text), 0, text.length);
  return queue;
}

test("what a filter holds is not copied for an end without bytes, but when it stays", () => {
  const room = new LentRoom();
  const held = new HeldPieces();
  held.reset(1);
  room.enter();
  const body = lentQueue(room, "replaced");
  const lent = body.chunks[0];
  held.holdSeen(0, body);
  held.holdSeen(0, new BufferQueue());
  expect(held.seenAt(0)?.chunks[0]).toBe(lent);
  held.own();
  room.leave();
  lent?.fill("?");
  expect(held.takeSeen(0)?.toString()).toBe("replaced");
});

test("bytes behind it are copied together with it", () => {
  const room = new LentRoom();
  const held = new HeldPieces();
  held.reset(1);
  room.enter();
  const body = lentQueue(room, "first ");
  const lent = body.chunks[0];
  held.holdSeen(0, body);
  held.holdSeen(0, lentQueue(room, "second"));
  held.own();
  room.leave();
  lent?.fill("?");
  expect(held.takeSeen(0)?.toString()).toBe("first second");
});
