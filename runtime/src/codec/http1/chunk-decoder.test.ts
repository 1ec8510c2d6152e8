// The chunk decoder: any split of any chunking gives the same body.
import { expect, test } from "vitest";
import { ChunkDecoder, type ChunkReceiver } from "./chunk-decoder.ts";
import { ParseResult } from "./codec-errors.ts";

class Body implements ChunkReceiver {
  text = "";
  ends = 0;
  stopsAt = Number.POSITIVE_INFINITY;

  onChunkData(buffer: Buffer, from: number, to: number, isLast: boolean): boolean {
    this.text += buffer.toString("latin1", from, to);
    if (isLast) this.ends += 1;
    return this.text.length < this.stopsAt;
  }
}

/** mulberry32 */
function makeRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

test("5,000 random bodies in random chunks, split at random", () => {
  const random = makeRandom(99);
  const decoder = new ChunkDecoder();
  for (let run = 0; run < 5_000; run += 1) {
    let body = "";
    let coded = "";
    for (let chunks = random(6); chunks > 0; chunks -= 1) {
      const data = "\r\n0;x".charAt(random(5)).repeat(1 + random(40));
      const size = data.length.toString(16);
      coded += `${"0".repeat(random(3))}${random(2) === 0 ? size : size.toUpperCase()}`;
      coded += ["", ";a=b", " ", "\t;\xff"][random(4)] as string;
      coded += `\r\n${data}\r\n`;
      body += data;
    }
    const last = `${"0".repeat(1 + random(3))}\r\n`;
    const bytes = Buffer.from(`${coded}${last}\r\nGET`, "latin1");
    const received = new Body();
    decoder.reset();
    let at = 0;
    while (at < bytes.length && !decoder.isAtTrailers) {
      const to = Math.min(bytes.length, at + 1 + random(30));
      const used = decoder.decode(bytes, at, to, received);
      if (used < at) throw new Error(`run ${run}: ${used} for ${JSON.stringify(coded)}`);
      at = used;
    }
    expect(received.text).toBe(body);
    // Either the end came with the data, or the trailers are next.
    const expected = decoder.isEnded ? "GET" : "\r\nGET";
    expect(bytes.toString("latin1", at)).toBe(expected);
    expect(received.ends).toBe(decoder.isEnded ? 1 : 0);
  }
});

test("data and end are one event when they come together", () => {
  const body = new Body();
  const decoder = new ChunkDecoder();
  const bytes = Buffer.from("3\r\nabc\r\n0\r\n\r\n");
  expect(decoder.decode(bytes, 0, bytes.length, body)).toBe(bytes.length);
  expect([body.text, body.ends, decoder.isEnded]).toEqual(["abc", 1, true]);
});

test("a receiver that says stop is not called again", () => {
  const body = new Body();
  body.stopsAt = 1;
  const bytes = Buffer.from("1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
  expect(new ChunkDecoder().decode(bytes, 0, bytes.length, body)).toBe(ParseResult.More);
  expect(body.text).toBe("a");
});

test("a chunk size up to 2^53-1 is taken, one more is not", () => {
  const most = Buffer.from("1fffffffffffff\r\n");
  expect(new ChunkDecoder().decode(most, 0, most.length, new Body())).toBe(most.length);
  const more = Buffer.from("20000000000000\r\n");
  expect(new ChunkDecoder().decode(more, 0, more.length, new Body())).toBe(ParseResult.CodecError);
});
