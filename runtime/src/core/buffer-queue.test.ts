// BufferQueue against a plain string as its model.
import { describe, expect, test } from "vitest";
import { BlockPool, blockPool } from "./block-pool.ts";
import { BufferQueue } from "./buffer-queue.ts";
import { LentRoom, lentRoom } from "./lent-room.ts";
import { SeededRandom } from "./random.ts";

function queueOf(...parts: string[]): BufferQueue {
  const queue = new BufferQueue();
  for (const part of parts) queue.append(Buffer.from(part, "latin1"));
  return queue;
}

/** Whoever still has the block of a size that was given back last, or lent bytes, shows up. */
function scribble(): void {
  const last = [1, 100_000, 1 << 20].map((bytes) => blockPool.take(bytes).fill("!"));
  for (const block of last) blockPool.give(block);
  lentRoom.enter();
  lentRoom.take(300_000).fill("!");
  lentRoom.leave();
}

describe("BufferQueue", () => {
  test("keeps order and length; empty pieces leave no chunk", () => {
    const queue = queueOf("ab", "", "c");
    queue.prepend(Buffer.from("x"));
    queue.prepend(Buffer.alloc(0));
    expect(queue.length).toBe(4);
    expect(queue.chunkCount).toBe(3);
    expect(queue.toString()).toBe("xabc");
    expect(queue.chunkCount).toBe(1);
  });

  test("an empty queue", () => {
    const queue = new BufferQueue();
    expect(queue.linearize().length).toBe(0);
    expect(queue.chunkCount).toBe(0);
    queue.drain(5);
    queue.replace(0, 3, Buffer.from("ab"));
    expect(queue.toString()).toBe("ab");
  });

  test("appendCopy does not keep the lent bytes", () => {
    const lent = Buffer.from("abcd");
    const queue = new BufferQueue();
    queue.appendCopy(lent, 1, 3);
    queue.appendCopy(lent, 2, 2);
    lent.fill(0);
    expect(queue.toString()).toBe("bc");
  });

  test("lent bytes are used as they are, and copied when they are to stay", () => {
    const lent = Buffer.from("-abcd-");
    const room = new LentRoom();
    room.enter();
    const queue = new BufferQueue();
    queue.lend(room, lent, 1, 5);
    const more = queue.take(2);
    more.write("xy");
    queue.append(more);
    expect(queue.chunks[0]?.buffer).toBe(lent.buffer);
    const to = queueOf("<");
    const other = new BufferQueue();
    other.lend(room, lent, 1, 3);
    to.moveFrom(other);
    queue.own();
    room.leave();
    room.enter();
    room.take(2).fill("?");
    room.leave();
    lent.fill("?");
    expect(queue.toString()).toBe("abcdxy");
    expect(to.toString()).toBe("<ab");
    const later = queue.take(3);
    expect(later.length).toBe(3);
    expect(later.buffer).not.toBe(more.buffer);
    queue.lend(room, lent, 2, 2);
    queue.own();
    expect(queue.toString()).toBe("abcdxy");
  });

  test.each([1, 2, 3, 4, 5])("in blocks it is what it is without, seed %d", (seed) => {
    const random = new SeededRandom(seed);
    const below = (count: number): number => (random.u32() >>> 8) % count;
    const letters = (size: number): string => String.fromCharCode(97 + below(26)).repeat(size);
    const room = new LentRoom();
    const lentQueue = (text: string): BufferQueue => {
      const queue = new BufferQueue();
      queue.lend(room, Buffer.from(text), 0, text.length);
      return queue;
    };
    const queue = lentQueue(letters(30_000));
    let model = queue.chunks.join("");
    queue.own();
    for (let step = 0; step < 100; step += 1) {
      const text = letters(below(below(10) === 0 ? 700_000 : 40_000));
      const at = below(model.length + 1);
      switch (below(6)) {
        case 0:
          queue.drain(at);
          model = model.slice(at);
          break;
        case 1:
          queue.replace(at, 100, Buffer.from(text));
          model = model.slice(0, at) + text + model.slice(at + 100);
          break;
        case 2:
          queue.refill(Buffer.from(`-${text}-`), 1, text.length + 1);
          model = text;
          break;
        case 3: {
          const other = lentQueue(text);
          other.own();
          queue.moveFrom(other);
          model += text;
          break;
        }
        default:
          queue.moveFrom(lentQueue(text));
          model += text;
      }
      scribble();
      expect(queue.length).toBe(model.length);
      const copy = Buffer.alloc(model.length);
      queue.copyTo(copy, 0, 0, model.length);
      expect(copy.toString("latin1") === model).toBe(true);
    }
    queue.clear();
    expect(queue.length).toBe(0);
  });

  test("blocks go back when the queue is empty, and a mostly drained queue keeps few", () => {
    const { compactions } = blockPool;
    const room = new LentRoom();
    const piece = Buffer.alloc(60_000, "p");
    const queue = new BufferQueue();
    queue.lend(room, piece, 0, piece.length);
    queue.own();
    for (let i = 0; i < 100; i += 1) {
      const more = new BufferQueue();
      more.lend(room, piece, 0, piece.length);
      queue.moveFrom(more);
      queue.drain(59_990);
    }
    const rest = queue.length;
    expect(rest).toBe(60_000 + 1000);
    expect(blockPool.compactions).toBeGreaterThan(compactions);
    const before = blockPool.freeBytes;
    queue.clear();
    expect(blockPool.freeBytes - before).toBeGreaterThan(0);
    expect(blockPool.freeBytes - before).toBeLessThanOrEqual(4 * rest + 65_536);
  });

  test.each([1, 20])("a body of up to 1 MiB is one piece, first read %d KiB", (first) => {
    const room = new LentRoom();
    const queue = new BufferQueue();
    for (let size = first * 1024; queue.length < 1 << 20; size = 48 * 1024) {
      const read = Buffer.alloc(Math.min(size, (1 << 20) - queue.length), "r");
      const more = new BufferQueue();
      more.lend(room, read, 0, read.length);
      if (queue.length > 0) queue.moveFrom(more);
      else {
        queue.lend(room, read, 0, read.length);
        queue.own();
      }
    }
    expect(queue.chunkCount).toBe(1);
    queue.clear();
  });

  test("in a callback what is put in place of all is lent, and is copied when it stays", () => {
    const queue = new BufferQueue();
    lentRoom.enter();
    queue.lend(lentRoom, Buffer.alloc(100_000, "a"), 0, 100_000);
    queue.own();
    queue.isInCallback = true;
    queue.refill(Buffer.alloc(300_000, "b"), 0, 300_000);
    queue.isInCallback = false;
    const [lent] = queue.chunks;
    expect(queue.chunkCount).toBe(1);
    queue.own();
    expect(queue.chunks[0]?.buffer).not.toBe(lent?.buffer);
    queue.refill(Buffer.from("c"), 0, 1);
    expect(queue.chunks[0]?.buffer).not.toBe(lent?.buffer);
    queue.refill(Buffer.alloc(300_000, "b"), 0, 300_000);
    lentRoom.leave();
    scribble();
    expect(queue.toString()).toBe("b".repeat(300_000));
    queue.isInCallback = true;
    queue.refill(Buffer.from("d"), 0, 1);
    scribble();
    expect(queue.toString()).toBe("d");
  });

  test("the pool keeps 64 blocks of 64 KiB, 16 of 256, 8 of 1024", () => {
    const pool = new BlockPool();
    for (const [kib, kept] of [
      [64, 64],
      [256, 16],
      [1024, 8],
    ] as const) {
      const before = pool.freeBytes;
      const blocks = Array.from({ length: kept + 2 }, () => pool.take(kib * 1024 - 9));
      expect(new Set(blocks).size).toBe(kept + 2);
      const refused = pool.refused;
      for (const block of blocks) pool.give(block);
      expect(pool.refused - refused).toBe(2);
      expect(pool.freeBytes - before).toBe(kept * kib * 1024);
      expect(blocks).toContain(pool.take(kib * 1024));
    }
    expect(pool.take(5 << 20).length).toBe(1 << 20);
  });

  test("a room grows up to 4 MiB, then gives memory of its own, and all anew when it is left", () => {
    const room = new LentRoom();
    room.enter();
    const first = room.take(200_000);
    room.enter();
    const second = room.take(50_000);
    room.leave();
    const third = room.take(3_000_000).fill("3");
    const fourth = room.take(1_000_000).fill("4");
    const fifth = room.take(1_000_000).fill("5");
    expect(second.buffer).toBe(first.buffer);
    expect(second.byteOffset).toBe(200_000);
    expect(third.buffer.byteLength).toBe(4 << 20);
    expect(fourth.buffer).toBe(third.buffer);
    expect(fifth.buffer).not.toBe(third.buffer);
    expect([third[2_999_999], fourth[0], fifth[0]]).toEqual([51, 52, 53]);
    expect(room.refused).toBe(1);
    room.leave();
    room.enter();
    const again = room.take(10);
    expect(again.byteOffset).toBe(0);
    expect(again.buffer).toBe(third.buffer);
    room.leave();
  });

  test("moveFrom empties the other", () => {
    const from = queueOf("c", "d");
    const to = queueOf("ab");
    to.moveFrom(from);
    expect(to.toString()).toBe("abcd");
    expect(from.length).toBe(0);
    expect(from.chunkCount).toBe(0);
  });

  test("drain, at and across chunk borders, and beyond the end", () => {
    for (let count = 0; count <= 8; count += 1) {
      const queue = queueOf("ab", "cde", "f");
      queue.drain(count);
      expect(queue.length).toBe(Math.max(0, 6 - count));
      expect(queue.toString()).toBe("abcdef".slice(count));
    }
  });

  test("copyTo, every range", () => {
    for (let start = 0; start <= 6; start += 1) {
      for (let size = 0; size <= 6 - start; size += 1) {
        const target = Buffer.from("--------");
        queueOf("ab", "cde", "f").copyTo(target, 1, start, size);
        const text = "abcdef".slice(start, start + size);
        expect(target.toString()).toBe(`-${text}${"-".repeat(7 - size)}`);
      }
    }
  });

  test("replace, every range, is cut to the queue", () => {
    for (let start = 0; start <= 7; start += 1) {
      for (let size = 0; size <= 8; size += 1) {
        const queue = queueOf("ab", "cde", "f");
        queue.replace(start, size, Buffer.from("XY"));
        const expected = `${"abcdef".slice(0, start)}XY${"abcdef".slice(start + size)}`;
        expect(queue.length).toBe(expected.length);
        expect(queue.toString()).toBe(expected);
      }
    }
  });

  test("replace by nothing removes", () => {
    const queue = queueOf("abc", "def");
    queue.replace(2, 2, Buffer.alloc(0));
    expect(queue.toString()).toBe("abef");
    queue.replace(0, 4, Buffer.alloc(0));
    expect(queue.length).toBe(0);
    expect(queue.chunkCount).toBe(0);
  });
});
