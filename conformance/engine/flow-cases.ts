// How an engine writes: what leaves together, what waits, and that nothing is lost or changed.
import { createHash } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import type { IoHandle, NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import {
  connect,
  connectPair,
  listen,
  Pattern,
  type Recorder,
  settle,
  type Side,
} from "./recorder.ts";

const transferBytes = 64 * 1024 * 1024;

export interface FlowCounts {
  readonly openConnections: number;
  readonly writeCalls: number;
  readonly gathersFull: number;
  readonly batchesFull: number;
}

export function flowCases(engine: NetworkEngine, counts: FlowCounts): void {
  afterEach(() => expect(counts.openConnections).toBe(0));

  gatheringCases(engine, counts);
  orderCases(engine, counts);
  lentCases(engine);
  backPressureCases(engine);
  transferCases(engine);
  proxyCases(engine);
}

function gatheringCases(engine: NetworkEngine, counts: FlowCounts): void {
  test("a small response in three pieces is one write and arrives as one read", async () => {
    const { client, server } = await connectPair(engine);
    let calls = 0;
    server.events.whenRead = (): void => {
      calls = counts.writeCalls;
      expect(server.io.writeText("HTTP/1.1 200 OK\r\n")).toBe(true);
      expect(server.io.write(Buffer.from("content-length: 2\r\n\r\n"))).toBe(true);
      expect(server.io.writeLent(Buffer.from("-ok-"), 1, 3)).toBe(true);
      expect(server.io.writeQueueBytes).toBe(40);
      expect(counts.writeCalls).toBe(calls);
    };
    client.io.writeText("?");
    await client.events.until(() => client.events.bytes === 40);
    expect(client.events.reads).toEqual(["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]);
    expect(counts.writeCalls).toBe(calls + 1);
    reset(client, server);
  });

  test("no more than 16 KiB of small writes wait for the turn's end", async () => {
    const { client, server } = await connectPair(engine);
    const full = counts.gathersFull;
    engine.runTurn(() => {
      for (let i = 0; i < 4; i += 1) server.io.write(Buffer.alloc(4096, "s"));
      expect(counts.gathersFull).toBe(full);
      server.io.writeText("one more");
      expect(counts.gathersFull).toBe(full + 1);
    });
    await client.events.until(() => client.events.bytes === 16_392);
    expect(client.events.text.slice(16_380)).toBe("ssssone more");
    reset(client, server);
  });

  test("a response with a body of some KiB in one chunk is one write", async () => {
    const { client, server } = await connectPair(engine);
    const body = Buffer.alloc(9000, "b");
    let calls = 0;
    server.events.whenRead = (): void => {
      calls = counts.writeCalls;
      server.io.writeText("HTTP/1.1 200 OK\r\n\r\n");
      expect(server.io.writeFramed("2328\r\n", body, 0, 9000, "\r\n0\r\n\r\n")).toBe(true);
    };
    client.io.writeText("?");
    await client.events.until(() => client.events.bytes === 9032);
    expect(counts.writeCalls).toBe(calls + 1);
    reset(client, server);
  });

  test("outside a turn a write leaves at once", async () => {
    const { client, server } = await connectPair(engine);
    const calls = counts.writeCalls;
    client.io.writeText("a");
    expect(counts.writeCalls).toBe(calls + 1);
    client.io.write(Buffer.from("b"));
    client.io.writeLent(Buffer.from("c"), 0, 1);
    expect(counts.writeCalls).toBe(calls + 3);
    await server.events.until(() => server.events.bytes === 3);
    expect(server.events.text).toBe("abc");
    reset(client, server);
  });

  test("writes of a turn leave when the events at hand are delivered", async () => {
    const { client, server } = await connectPair(engine);
    const calls = counts.writeCalls;
    engine.runTurn(() => {
      engine.runTurn(() => client.io.writeText("inner "));
      server.io.writeText("other");
      expect(counts.writeCalls).toBe(calls);
      client.io.writeText("outer");
    });
    await server.events.until(() => server.events.bytes === 11);
    await client.events.until(() => client.events.bytes === 5);
    expect(server.events.text).toBe("inner outer");
    expect(counts.writeCalls).toBe(calls + 2);
    reset(client, server);
  });

  test("no more than 64 connections wait with what they write", async () => {
    const pairs = await Promise.all(Array.from({ length: 80 }, () => connectPair(engine)));
    const calls = counts.writeCalls;
    const batches = counts.batchesFull;
    for (const { client } of pairs) engine.runTurn(() => client.io.writeText("a"));
    expect(counts.writeCalls).toBeGreaterThan(calls + 80 - 64);
    expect(counts.batchesFull).toBe(batches + 1);
    for (const { client, server } of pairs) {
      await server.events.until(() => server.events.bytes === 1);
      reset(client, server);
    }
  });

  test("a turn that throws has let go of its writes, and the next turn works", async () => {
    const { client, server } = await connectPair(engine);
    const failing = (): void => {
      client.io.writeText("one ");
      throw new Error("ours");
    };
    expect(() => engine.runTurn(failing)).toThrow("ours");
    engine.runTurn(() => {
      client.io.writeText("t");
      client.io.writeText("wo");
    });
    await server.events.until(() => server.events.bytes === 7);
    expect(server.events.text).toBe("one two");
    reset(client, server);
  });
}

function orderCases(engine: NetworkEngine, counts: FlowCounts): void {
  test.each([4096, 4097, 16_384, 16_385, 40_000])(
    "pieces around %d bytes keep their order",
    async (length) => {
      const { client, server } = await connectPair(engine);
      const big = "x".repeat(length);
      let expected = "";
      engine.runTurn(() => {
        for (let at = 0; at < 8; at += 1) {
          client.io.writeText(`t${at}`);
          client.io.writeText(big);
          client.io.write(Buffer.from(`b${at}${big}`));
          const lent = Buffer.from(`l${at}${big}!`);
          client.io.writeLent(lent, 0, lent.length);
          lent.fill(0);
          client.io.writeLent(Buffer.from("-"), 0, 1);
          expected += `t${at}${big}b${at}${big}l${at}${big}!-`;
        }
      });
      await server.events.until(() => server.events.bytes >= expected.length);
      expect(server.events.text === expected).toBe(true);
      reset(client, server);
    },
  );

  test.each([10, 4097, 16_370, 16_384, 40_000, 70_000])(
    "lent pieces of %d bytes between texts keep their order",
    async (length) => {
      const { client, server } = await connectPair(engine);
      let expected = "";
      const write = (at: number): void => {
        const lent = Buffer.from(`.${"y".repeat(length)}.`);
        client.io.writeFramed(`<${at}`, lent, 1, length + 1, `${at}>`);
        lent.fill(0);
        expected += `<${at}${"y".repeat(length)}${at}>`;
      };
      write(0);
      engine.runTurn(() => {
        for (let at = 1; at < 5; at += 1) write(at);
        client.io.writeText("-");
        expected += "-";
      });
      // Texts that are longer than the room for them.
      client.io.writeFramed("b".repeat(3000), Buffer.from("lent"), 1, 3, "e".repeat(20_000));
      expected += `${"b".repeat(3000)}en${"e".repeat(20_000)}`;
      await server.events.until(() => server.events.bytes >= expected.length);
      expect(server.events.text === expected).toBe(true);
      reset(client, server);
    },
  );

  test("nothing to write is no write, and says true", async () => {
    const { client, server } = await connectPair(engine);
    const calls = counts.writeCalls;
    expect(client.io.writeText("")).toBe(true);
    expect(client.io.write(Buffer.alloc(0))).toBe(true);
    expect(client.io.writeLent(Buffer.from("abc"), 3, 3)).toBe(true);
    const { io } = client;
    expect(() => io.writeLent(Buffer.from("abc"), 2, 4)).toThrow("assertion failed");
    expect(() => io.writeFramed("", Buffer.from("abc"), 2, 4, "")).toThrow("assertion failed");
    expect(counts.writeCalls).toBe(calls);
    await settle(engine);
    expect(server.events.log).toEqual([]);
    reset(client, server);
  });
}

function lentCases(engine: NetworkEngine): void {
  test("a head in front of lent bytes changes nothing else in the read buffer", async () => {
    const { client, server } = await connectPair(engine);
    const head = "h".repeat(300);
    const body = Buffer.alloc(40_000);
    new Pattern(7).fill(body);
    let sent = "";
    server.events.whenRead = (buffer, length): void => {
      const before = buffer.toString("latin1", 0, length);
      server.io.writeText(head);
      server.io.writeLent(buffer, 100, length);
      expect(buffer.toString("latin1", 0, length) === before).toBe(true);
      sent += head + before.slice(100);
    };
    client.io.write(body);
    await server.events.until(() => server.events.bytes === 40_000);
    await client.events.until(() => client.events.bytes >= sent.length);
    expect(client.events.text === sent).toBe(true);
    reset(client, server);
  });

  test.each([2047, 2048, 2049, 4000])("a head of %d bytes fits or does not", async (length) => {
    const { client, server } = await connectPair(engine);
    const head = "H".repeat(length);
    let sent = "";
    server.events.whenRead = (buffer, size): void => {
      server.io.writeText(head);
      server.io.writeLent(buffer.subarray(0, size), 0, size);
      sent += head + buffer.toString("latin1", 0, size);
    };
    client.io.writeText("b".repeat(30_000));
    await server.events.until(() => server.events.bytes === 30_000);
    await client.events.until(() => client.events.bytes >= sent.length);
    expect(client.events.text === sent).toBe(true);
    reset(client, server);
  });
}

function backPressureCases(engine: NetworkEngine): void {
  test("onWritable follows false, once, when nothing waits any more", async () => {
    const { client, server } = await connectPair(engine);
    server.io.readDisable(true);
    server.events.keepsText = false;
    expect(client.io.write(Buffer.alloc(16_000_000))).toBe(false);
    expect(client.io.writeText("x")).toBe(false);
    engine.runTurn(() => expect(client.io.writeText("y")).toBe(false));
    const waiting = client.io.writeQueueBytes;
    expect(waiting).toBeGreaterThan(1_000_000);
    expect(waiting).toBeLessThanOrEqual(16_000_002);
    await settle(engine);
    expect(client.events.count("writable")).toBe(0);
    client.events.whenWritable = (): void => expect(client.io.writeQueueBytes).toBe(0);
    server.io.readDisable(false);
    await client.events.until(() => client.events.count("writable") > 0);
    await server.events.until(() => server.events.bytes === 16_000_002);
    await settle(engine);
    expect(client.events.count("writable")).toBe(1);
    expect(client.io.writeText("z")).toBe(true);
    reset(client, server);
  });

  test("writes that all left bring no onWritable", async () => {
    const { client, server } = await connectPair(engine);
    for (let at = 0; at < 50; at += 1) expect(client.io.writeText("small")).toBe(true);
    await server.events.until(() => server.events.bytes === 250);
    await settle(engine);
    expect(client.events.log).toEqual(["connect"]);
    reset(client, server);
  });

  test("a queue that cannot leave because the peer resets ends in onClose", async () => {
    const { client, server } = await connectPair(engine);
    server.io.readDisable(true);
    expect(client.io.write(Buffer.alloc(16_000_000))).toBe(false);
    await settle(engine);
    server.io.reset();
    await client.events.until(() => client.events.isClosed);
    expect(client.events.log).toEqual(["connect", "close"]);
    expect(client.io.writeQueueBytes).toBe(0);
  });
}

function transferCases(engine: NetworkEngine): void {
  test.each(["write", "writeLent", "writeText"] as const)(
    "64 MiB through %s to a slow reader arrive unchanged",
    async (method) => {
      const { client, server } = await connectPair(engine);
      const sentHash = createHash("sha1");
      const seenHash = createHash("sha1");
      server.events.keepsText = false;
      readSlowly(server, (bytes) => seenHash.update(bytes));
      const pattern = new Pattern(99);
      // One buffer for all lent writes: a byte of it that is kept will be seen to change.
      const lent = Buffer.alloc(96 * 1024 + 12);
      let sent = 0;
      let size = 4;
      const pump = (): void => {
        let goesOn = true;
        while (goesOn && sent < transferBytes) {
          size = size >= lent.length ? 4 : Math.min(lent.length, size * 3);
          const length = Math.min(size, transferBytes - sent);
          const bytes = (method === "write" ? Buffer.alloc(length) : lent).subarray(0, length);
          pattern.fill(bytes);
          sentHash.update(bytes);
          sent += length;
          if (method === "write") goesOn = client.io.write(bytes);
          else if (method === "writeLent") goesOn = client.io.writeLent(lent, 0, length);
          else goesOn = client.io.writeText(bytes.toString("latin1"));
          expect(client.io.writeQueueBytes).toBeLessThan(256 * 1024);
        }
        if (sent === transferBytes) client.io.shutdownWrite();
      };
      client.events.whenWritable = pump;
      engine.runTurn(pump);
      await server.events.until(() => server.events.hasEnded);
      expect(server.events.bytes).toBe(transferBytes);
      expect(seenHash.digest("hex")).toBe(sentHash.digest("hex"));
      expect(client.events.count("writable")).toBeGreaterThan(0);
      server.io.close();
      await client.events.until(() => client.events.isClosed);
    },
  );
}

function proxyCases(engine: NetworkEngine): void {
  test("a proxy that lends what it reads keeps 64 MiB unchanged and little in memory", async () => {
    const outer = await listen(engine);
    const inner = await listen(engine);
    let queueMax = 0;
    outer.events.whenAccepted = (io, events): void => {
      const up = connect(engine, inner.handle.localAddress);
      forward({ io, events }, up, (bytes) => {
        queueMax = Math.max(queueMax, bytes);
      });
    };
    const client = connect(engine, outer.handle.localAddress);
    await inner.events.until(() => inner.events.accepted.length === 1);
    const server = inner.events.accepted[0] as Side;
    server.events.keepsText = false;
    const seenHash = createHash("sha1");
    readSlowly(server, (bytes) => seenHash.update(bytes));

    const pattern = new Pattern(3);
    const sentHash = createHash("sha1");
    let sent = 0;
    const pump = (): void => {
      let goesOn = true;
      while (goesOn && sent < transferBytes) {
        const bytes = Buffer.alloc(128 * 1024);
        pattern.fill(bytes);
        sentHash.update(bytes);
        sent += bytes.length;
        goesOn = client.io.write(bytes);
      }
      if (sent === transferBytes) client.io.shutdownWrite();
    };
    client.events.whenWritable = pump;
    pump();
    await server.events.until(() => server.events.hasEnded);
    const headBytes = server.events.bytes - transferBytes;
    expect(headBytes).toBe(5);
    expect(seenHash.digest("hex")).toBe(hashWithHead(sentHash, "head:", 3));
    expect(queueMax).toBeGreaterThan(0);
    expect(queueMax).toBeLessThan(256 * 1024);
    for (const side of [client, server, outer.events.accepted[0] as Side]) side.io.reset();
    outer.handle.close();
    inner.handle.close();
    await settle(engine);
  });
}

/** The pattern's hash with `head` in front; checked against the plain one first. */
function hashWithHead(plain: ReturnType<typeof createHash>, head: string, seed: number): string {
  const hash = createHash("sha1").update(head);
  const check = createHash("sha1");
  const pattern = new Pattern(seed);
  const bytes = Buffer.alloc(128 * 1024);
  for (let at = 0; at < transferBytes; at += bytes.length) {
    pattern.fill(bytes);
    hash.update(bytes);
    check.update(bytes);
  }
  expect(check.digest("hex")).toBe(plain.digest("hex"));
  return hash.digest("hex");
}

/** Lends everything from one side to the other; the first bytes get a head. */
function forward(from: Side, to: Side, sawQueue: (bytes: number) => void): void {
  let isFirst = true;
  from.events.keepsText = false;
  from.io.readDisable(true);
  to.events.whenConnected = (): void => from.io.readDisable(false);
  from.events.whenRead = (buffer, length): void => {
    if (isFirst) to.io.writeText("head:");
    isFirst = false;
    if (!to.io.writeLent(buffer, 0, length)) from.io.readDisable(true);
    sawQueue(to.io.writeQueueBytes);
  };
  to.events.whenWritable = (): void => from.io.readDisable(false);
  from.events.whenEnded = (): void => to.io.shutdownWrite();
  to.events.whenEnded = (): void => to.io.close();
  to.events.whenClosed = (): void => undefined;
}

/** Reads a megabyte, then lets the kernel's buffers fill up, and so on. */
function readSlowly(side: Side, saw: (bytes: Buffer) => void): void {
  const { io, events }: { io: IoHandle; events: Recorder } = side;
  let untilPause = 1_000_000;
  events.whenRead = (buffer, length): void => {
    saw(buffer.subarray(0, length));
    untilPause -= length;
    if (untilPause > 0) return;
    untilPause = 1_000_000;
    io.readDisable(true);
    let rounds = 20;
    const wait = (): void => {
      rounds -= 1;
      if (rounds > 0) setImmediate(wait);
      else io.readDisable(false);
    };
    wait();
  };
}

function reset(...sides: Side[]): void {
  for (const { io } of sides) io.reset();
}
