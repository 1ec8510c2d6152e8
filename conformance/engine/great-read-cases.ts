// How much one read brings: what a connection may read at once, what it gets, and what it gets when
// its receiver has stopped. Bytes are the same whatever the reads.
import { afterEach, expect, test } from "vitest";
import type { NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import { greatReadBytes, readAreaBytes } from "../../runtime/src/engine-node/engine-core.ts";
import { connectPair, Pattern, type Side } from "./recorder.ts";

const BLOCK = 1 << 20;
const BLOCKS = 12;

/** `isGreat`: the engine makes great reads where it may. */
export function greatReadCases(
  engine: NetworkEngine,
  openConnections: () => number,
  isGreat: boolean,
): void {
  afterEach(() => expect(openConnections()).toBe(0));

  /** Lengths of the reads in which all of it comes; `onRead` follows each. */
  async function lengths(bytesMax: number, onRead: (server: Side) => void): Promise<number[]> {
    const { client, server } = await connectPair(engine);
    const sent = new Pattern(7);
    const expected = new Pattern(7);
    const all: number[] = [];
    let wanted = Buffer.alloc(BLOCK);
    let at = BLOCK;
    let same = true;
    server.events.keepsText = false;
    if (bytesMax >= 0) server.io.setReadBytesMax(bytesMax);
    server.events.whenRead = (buffer, length): void => {
      all.push(length);
      for (let from = 0; from < length; ) {
        if (at === BLOCK) {
          wanted = Buffer.alloc(BLOCK);
          expected.fill(wanted);
          at = 0;
        }
        const size = Math.min(length - from, BLOCK - at);
        same &&= buffer.compare(wanted, at, at + size, from, from + size) === 0;
        at += size;
        from += size;
      }
      onRead(server);
    };
    for (let n = 0; n < BLOCKS; n += 1) {
      const block = Buffer.allocUnsafeSlow(BLOCK);
      sent.fill(block);
      client.io.write(block);
    }
    await server.events.until(() => server.events.bytes === BLOCK * BLOCKS);
    client.io.reset();
    server.io.reset();
    expect(same).toBe(true);
    return all;
  }

  test.each([
    ["nothing said", -1],
    ["less than a usual read", 4096],
    ["less than a great one", greatReadBytes - 1],
  ])("reads are usual ones: %s", async (_words, bytesMax) => {
    const all = await lengths(bytesMax, () => {});
    expect(Math.max(...all)).toBeLessThanOrEqual(readAreaBytes);
  });

  test.each([
    ["as much as a great one", greatReadBytes],
    ["any", 0],
  ])("reads become great when they are full: %s", async (_words, bytesMax) => {
    const all = await lengths(bytesMax, () => {});
    const largest = Math.max(...all);
    expect(largest).toBeLessThanOrEqual(greatReadBytes);
    expect(all[0]).toBeLessThanOrEqual(readAreaBytes);
    expect(largest > readAreaBytes).toBe(isGreat);
  });

  test("who stops in a read gets usual ones again, and goes on where it was", async () => {
    let before = 0;
    let isAfterStop = false;
    const afterStop: number[] = [0];
    const all = await lengths(0, ({ io, events }) => {
      const length = events.bytes - before;
      before = events.bytes;
      if (isAfterStop) afterStop.push(length);
      isAfterStop = length > readAreaBytes;
      if (!isAfterStop) return;
      io.readDisable(true);
      setImmediate(() => io.readDisable(false));
    });
    expect(Math.max(...afterStop)).toBeLessThanOrEqual(readAreaBytes);
    expect(all.some((length) => length > readAreaBytes)).toBe(isGreat);
  });
}
