// HeadBuffer: bounded, and no work for each byte of a slow sender.
import { expect, test } from "vitest";
import { HeadBuffer } from "./head-buffer.ts";

test("takes no more than its limit", () => {
  const held = new HeadBuffer();
  const bytes = Buffer.alloc(5000, "a");
  expect(held.append(bytes, 0, 3000, 4000)).toBe(3000);
  expect(held.append(bytes, 0, 3000, 4000)).toBe(1000);
  expect(held.append(bytes, 0, 1, 4000)).toBe(0);
  expect(held.length).toBe(4000);
  expect(held.bytes.toString("latin1", 0, held.length)).toBe("a".repeat(4000));
});

test("a head of single bytes is parsed at each line's end and each doubling only", () => {
  const held = new HeadBuffer();
  const text = Buffer.from(`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(3)}x: ${"y".repeat(10_000)}`);
  let parses = 0;
  for (let i = 0; i < text.length; i += 1) {
    const before = held.length;
    held.append(text, i, i + 1, 20_000);
    if (held.isWorthParsing(before)) parses += 1;
  }
  expect(parses).toBeGreaterThan(4);
  expect(parses).toBeLessThan(25);
});

test("knows a whole head and whole trailers", () => {
  const held = new HeadBuffer();
  const bytes = Buffer.from("A: b\r\n\r\nmore");
  held.append(bytes, 0, 7, 100);
  expect(held.hasHead()).toBe(false);
  held.append(bytes, 7, 8, 100);
  expect(held.hasHead()).toBe(true);
  const empty = new HeadBuffer();
  empty.append(Buffer.from("\r\n"), 0, 2, 100);
  expect(empty.hasHead()).toBe(true);
});
