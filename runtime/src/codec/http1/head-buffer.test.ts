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

/** Bytes that a parser reads in all when `text` comes in single bytes. */
function parsedBytes(text: string): number {
  const held = new HeadBuffer();
  const bytes = Buffer.from(text, "latin1");
  let parsed = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const before = held.length;
    held.append(bytes, i, i + 1, 1 << 20);
    if (held.isWorthParsing(before)) parsed += held.length;
  }
  return parsed;
}

test.each([
  ["empty lines before a request", "\r\n".repeat(30_000)],
  ["short lines", `GET / HTTP/1.1\r\n${"a:\r\n".repeat(15_000)}`],
  ["bare line ends", `GET / HTTP/1.1\r\n${"\n".repeat(60_000)}`],
  ["one long line", `GET /${"a".repeat(60_000)}`],
  ["a long head that ends", `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(10_000)}\r\n`],
])("%s in single bytes cost a linear number of parsed bytes", (_title, text) => {
  expect(parsedBytes(text)).toBeLessThan(text.length * 8);
});

test("the end of a head is never overlooked", () => {
  for (const lines of [1, 10, 17, 18, 40, 90]) {
    const text = `\r\n\r\nGET / HTTP/1.1\r\n${"a: b\r\n".repeat(lines)}\r\n`;
    for (const size of [1, 2, 3, 5, 7, 64]) {
      const held = new HeadBuffer();
      const bytes = Buffer.from(text, "latin1");
      let isWorth = false;
      for (let at = 0; at < bytes.length; at += size) {
        const before = held.length;
        held.append(bytes, at, Math.min(at + size, bytes.length), 1 << 20);
        isWorth = held.isWorthParsing(before);
      }
      expect(isWorth, `${lines} lines in pieces of ${size}`).toBe(true);
    }
  }
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
