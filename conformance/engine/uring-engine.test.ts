// The io_uring engine against the cases of all engines, and what only it has: a thread that sleeps in
// the ring and must still hear everything else, memory that the kernel fills, an estate.
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { MessageChannel, Worker } from "node:worker_threads";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { Clock } from "../../runtime/src/core/clock.ts";
import { newEstateMemory, Estate, settleEstate } from "../../runtime/src/engine-uring/estate.ts";
import { readBytesMax } from "../../runtime/src/engine-uring/read-buffers.ts";
import { waitingBytesMax } from "../../runtime/src/engine-uring/ring-io.ts";
import {
  createUringEngine,
  type UringEngine,
} from "../../runtime/src/engine-uring/uring-engine.ts";
import { Op } from "../../runtime/src/engine-uring/uring-abi.ts";
import { connectionCases } from "./connection-cases.ts";
import { detachCases } from "./detach-cases.ts";
import { flowCases } from "./flow-cases.ts";
import { greatReadCases } from "./great-read-cases.ts";
import { listenCases } from "./listen-cases.ts";
import { machineCases } from "./machine-cases.ts";
import { connectMany, endAll, useAll } from "./many-connections.ts";
import { readingCases } from "./reading-cases.ts";
import { anyPort, connect, connectPair, listen, settle, type Side } from "./recorder.ts";
import { tlsCases } from "./tls-cases.ts";

const made = createUringEngine(new Clock(), newEstateMemory());
const whyNot = typeof made === "string" ? `NOT TESTED, there is none: ${made}` : "";
/** Nobody asks it where there is none. */
const engine = made as UringEngine;

describe.skipIf(whyNot !== "")(`io_uring ${whyNot}`, () => {
  test("names itself", () => expect(engine.name).toBe("io_uring"));
  const groups = whyNot === "" ? [commonCases, loopCases, memoryCases, estateCases] : [];
  for (const group of groups) group();
});

function commonCases(): void {
  const openConnections = (): number => engine.coreForTest.openConnections;
  connectionCases(engine, openConnections);
  readingCases(engine, openConnections);
  greatReadCases(engine, openConnections, true);
  flowCases(engine, engine.coreForTest);
  listenCases(engine, openConnections, true);
  detachCases(engine, openConnections);
  tlsCases(engine, openConnections);
  machineCases(engine, "io_uring");
}

function loopCases(): void {
  /** A listener keeps the thread in the ring. */
  async function whileListening(work: () => Promise<void>): Promise<void> {
    const listening = await listen(engine);
    await work();
    listening.handle.close();
    await settle(engine);
  }

  test("timers, immediates, ticks, promises, messages and files are heard in the ring", () =>
    whileListening(async () => {
      const order: string[] = [];
      await new Promise<void>((resolve) => setTimeout(resolve, 5));
      await new Promise<void>((resolve) => setImmediate(resolve));
      process.nextTick(() => order.push("tick"));
      await new Promise<void>((resolve) => setImmediate(resolve));
      const { port1, port2 } = new MessageChannel();
      const message = new Promise((resolve) => port2.once("message", resolve));
      port1.postMessage("hello");
      expect(await message).toBe("hello");
      port1.close();
      await Promise.all(Array.from({ length: 20 }, () => import("node:fs/promises")));
      const { readFile } = await import("node:fs/promises");
      expect((await readFile("/proc/self/comm", "utf8")).length).toBeGreaterThan(1);
      expect(order).toEqual(["tick"]);
    }));

  test("what a receiver leaves for a tick or a promise is done before the next sleep", async () => {
    const { client, server } = await connectPair(engine);
    server.events.whenRead = (): void => {
      process.nextTick(() => server.io.writeText("tick "));
      void Promise.resolve().then(() => server.io.writeText("promise"));
    };
    client.io.writeText("?");
    await client.events.until(() => client.events.bytes === 12);
    expect(client.events.text).toBe("tick promise");
    client.io.reset();
    server.io.reset();
  });

  test("connections that the kernel has accepted are served when the listener is closed", async () => {
    const { ring } = engine.loopForTest;
    const { handle, events } = await listen(engine);
    const clients = Array.from({ length: 5 }, () => connect(engine, handle.localAddress));
    for (const { io } of clients) io.writeText("asked");
    // The first brings them to the kernel, the second what came of it; nobody looks at that yet.
    for (let i = 0; i < 5; i += 1) ring.submit();
    expect(events.accepted.length).toBe(0);
    handle.close();
    expect(events.accepted.length).toBe(5);
    for (const { events: server, io } of events.accepted) {
      await server.until(() => server.bytes === 5);
      io.writeText("answered");
    }
    for (const { events: client, io } of clients) {
      await client.until(() => client.bytes === 8);
      io.reset();
    }
    for (const { io } of events.accepted) io.reset();
    await settle(engine);
  });

  test("an idle thread sleeps in the ring, and rarely wakes", async () => {
    const { ring } = engine.loopForTest;
    const listening = await listen(engine);
    onTestFinished(() => listening.handle.close());
    const entersIn60Ms = async (): Promise<number> => {
      const timer = new Promise<void>((resolve) => setTimeout(resolve, 60));
      await new Promise<void>((resolve) => setImmediate(resolve));
      const before = ring.enters;
      await timer;
      return ring.enters - before;
    };
    // What V8 and the tests before have left may come in between; a thread that spins never rests.
    await expect.poll(entersIn60Ms, { timeout: 60_000 }).toBeLessThan(30);
  });
}

function memoryCases(): void {
  const { reads } = engine.loopForTest;

  test("more bytes than the read buffers hold come in order, and all buffers come back", async () => {
    const all = reads.free;
    const { readBuffersShort } = engine.limits;
    const pairs = await Promise.all(Array.from({ length: 100 }, () => connectPair(engine)));
    for (const { client, server } of pairs) {
      server.events.keepsText = false;
      client.io.write(Buffer.alloc(6 * readBytesMax, 1));
    }
    for (const { server } of pairs) {
      await server.events.until(() => server.events.bytes === 6 * readBytesMax);
    }
    for (const { client, server } of pairs) {
      client.io.reset();
      server.io.reset();
    }
    await settle(engine);
    expect(engine.limits.readBuffersShort).toBeGreaterThan(readBuffersShort);
    // The chunk that bytes come into now may have been begun.
    expect(reads.free).toBeGreaterThanOrEqual(all - 1);
  });

  test("of those that find no room, who has gone or stopped does not keep the others from theirs", async () => {
    const { readBuffersShort } = engine.limits;
    const pairs = await Promise.all(Array.from({ length: 120 }, () => connectPair(engine)));
    const total = 6 * readBytesMax;
    for (const [index, { client, server }] of pairs.entries()) {
      server.events.keepsText = false;
      const isLast = index % 10 === 9;
      // Most go or stop with their first bytes, in the turns in which others have found no room.
      server.events.whenRead = (): void => {
        if (isLast || server.events.bytes === total) return;
        if (index % 2 === 0) server.io.reset();
        else server.io.readDisable(true);
      };
      client.io.write(Buffer.alloc(total, 1));
    }
    for (const [index, { server }] of pairs.entries()) {
      if (index % 10 === 9) await server.events.until(() => server.events.bytes === total);
    }
    expect(engine.limits.readBuffersShort).toBeGreaterThan(readBuffersShort);
    // And who stopped has not been forgotten.
    for (const [index, { server }] of pairs.entries()) {
      if (index % 10 === 9 || index % 2 === 0) continue;
      server.events.whenRead = (): void => {};
      server.io.readDisable(false);
      await server.events.until(() => server.events.bytes === total);
    }
    for (const { client, server } of pairs) {
      client.io.reset();
      server.io.reset();
    }
    await settle(engine);
  });

  test("a reader that has stopped holds one read, however much comes", async () => {
    const pairs = await Promise.all(Array.from({ length: 20 }, () => connectPair(engine)));
    const { readsHeld } = engine.limits;
    for (const { client, server } of pairs) {
      server.events.keepsText = false;
      // With a read under way.
      server.io.readDisable(true);
      client.io.write(Buffer.alloc(2_000_000, 1));
    }
    for (let i = 0; i < 5; i += 1) await settle(engine);
    const held = engine.limits.readsHeld;
    // Whoever found no room has not even read.
    expect(held).toBeGreaterThan(readsHeld);
    expect(held).toBeLessThanOrEqual(readsHeld + pairs.length);
    for (const { server } of pairs) {
      expect(server.events.bytes).toBe(0);
      server.events.whenRead = (): void => server.io.readDisable(true);
      server.io.readDisable(false);
      await server.events.until(() => server.events.bytes > 0);
      // Now it is known to read much, and waits for its turn.
      server.io.readDisable(false);
      server.io.readDisable(true);
    }
    for (let i = 0; i < 5; i += 1) await settle(engine);
    expect(engine.limits.readsHeld).toBe(held);
    for (const { client, server } of pairs) {
      const seen = server.events.bytes;
      server.events.whenRead = (buffer, length): void => {
        expect(length).toBeLessThanOrEqual(readBytesMax);
        expect(buffer.subarray(0, length).every((byte) => byte === 1)).toBe(true);
      };
      expect(seen).toBeLessThan(2_000_000);
      server.io.readDisable(false);
      await server.events.until(() => server.events.bytes === 2_000_000);
      client.io.reset();
      server.io.reset();
    }
  });

  test("who reads much reads alone: what he has sent on leaves in the call that lets the next one read", async () => {
    const from = await Promise.all(Array.from({ length: 6 }, () => connectPair(engine)));
    const to = await Promise.all(Array.from({ length: 6 }, () => connectPair(engine)));
    const bytes = 60_000;
    const { ring } = engine.loopForTest;
    const calls: number[] = [];
    for (const [i, { server }] of from.entries()) {
      const next = to[i] as (typeof to)[0];
      for (const { events } of [server, next.server]) events.keepsText = false;
      server.events.whenRead = (buffer, length): void => {
        calls.push(ring.enters);
        next.client.io.writeLent(buffer, 0, length);
      };
    }
    // The first time nobody knows that it is much.
    for (const round of [1, 2, 3]) {
      calls.length = 0;
      engine.runTurn(() => {
        for (const { client } of from) client.io.write(Buffer.alloc(bytes, round));
      });
      const got = (): boolean => to.every(({ server }) => server.events.bytes === round * bytes);
      for (let i = 0; i < 1000 && !got(); i += 1) await settle(engine);
      expect(got()).toBe(true);
    }
    expect(calls.length).toBeGreaterThanOrEqual(from.length);
    expect(new Set(calls).size).toBe(calls.length);
    for (const { client, server } of [...from, ...to]) {
      client.io.reset();
      server.io.reset();
    }
    await settle(engine);
  });

  test("what the kernel has room for stops nobody, however much it is at once", async () => {
    const { client, server } = await connectPair(engine);
    const block = Buffer.alloc(waitingBytesMax + 1, 1);
    server.events.keepsText = false;
    engine.runTurn(() => expect(client.io.write(block)).toBe(true));
    expect(client.io.writeQueueBytes).toBe(0);
    await server.events.until(() => server.events.bytes === block.length);
    // Until there is none.
    server.io.readDisable(true);
    let sent = block.length;
    const writeOne = (): boolean => {
      sent += block.length;
      return client.io.write(block);
    };
    engine.runTurn(() => {
      while (writeOne());
      // Told once, and once is enough.
      expect(writeOne()).toBe(false);
    });
    expect(client.io.writeQueueBytes).toBeGreaterThan(waitingBytesMax);
    let resumed = 0;
    client.events.whenWritable = (): void => {
      resumed += 1;
    };
    server.io.readDisable(false);
    await server.events.until(() => server.events.bytes === sent);
    await client.events.until(() => resumed === 1);
    expect(client.io.writeQueueBytes).toBe(0);
    for (const { io } of [client, server]) io.reset();
    await settle(engine);
  });

  test("who may read much is told to wait as early as others, behind one piece of what is written", async () => {
    const { client, server } = await connectPair(engine);
    const head = "h".repeat(2048);
    const piece = Buffer.alloc(65_536, 1);
    client.io.setReadBytesMax(0);
    server.events.keepsText = false;
    server.io.readDisable(true);
    const writeOne = (): boolean => client.io.writeText(head) && client.io.write(piece);
    // One in each turn, until the kernel has no room.
    let waiting = 0;
    for (let mayGoOn = true; mayGoOn; ) {
      engine.runTurn(() => {
        mayGoOn = writeOne();
        waiting = client.io.writeQueueBytes;
      });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const one = piece.length + head.length;
    expect(waiting).toBeGreaterThanOrEqual(one);
    expect(waiting).toBeLessThanOrEqual(waitingBytesMax + one);
    for (const { io } of [client, server]) io.reset();
    await settle(engine);
  });

  test("a reader that sends on what it reads is not stopped by what has left already", async () => {
    const from = await connectPair(engine);
    const to = await connectPair(engine);
    to.server.events.keepsText = false;
    from.server.events.keepsText = false;
    let refused = 0;
    from.server.events.whenRead = (buffer, length): void => {
      if (!to.client.io.writeLent(buffer, 0, length)) refused += 1;
    };
    from.client.io.write(Buffer.alloc(400_000, 1));
    await to.server.events.until(() => to.server.events.bytes === 400_000);
    expect(refused).toBe(0);
    for (const { io } of [from.client, from.server, to.client, to.server]) io.reset();
    await settle(engine);
  });

  test("peers who do not read leave enough buffers for the others", async () => {
    const stuck: Side[] = [];
    const lenders: Side[] = [];
    const block = Buffer.alloc(1_000_000, 2);
    for (let i = 0; i < 70; i += 1) {
      const from = await connectPair(engine);
      const to = await connectPair(engine);
      stuck.push(from.client, from.server, to.client, to.server);
      lenders.push(to.client);
      to.server.io.readDisable(true);
      from.server.events.keepsText = false;
      // Lent to somebody whose peer does not read, until it says so.
      from.server.events.whenRead = (buffer, length): void => {
        if (!to.client.io.writeLent(buffer, 0, length)) from.server.io.readDisable(true);
      };
      to.client.events.whenWritable = (): void => from.server.io.readDisable(false);
      for (let n = 0; n < 8; n += 1) from.client.io.write(block);
    }
    // One after the other reads, and each until its peer is full.
    const isFull = ({ io }: Side): boolean => io.writeQueueBytes > waitingBytesMax;
    for (let i = 0; i < 1000 && !lenders.every(isFull); i += 1) await settle(engine);
    const largest = Math.max(...lenders.map(({ io }) => io.writeQueueBytes));
    expect(largest).toBeGreaterThan(waitingBytesMax);
    expect(largest).toBeLessThanOrEqual(waitingBytesMax + readBytesMax);
    // What has come and is not delivered has some for a moment.
    for (let i = 0; i < 1000 && reads.free <= 2; i += 1) await settle(engine);
    expect(reads.free).toBeGreaterThan(2);
    const { client, server } = await connectPair(engine);
    server.events.keepsText = false;
    client.io.write(Buffer.alloc(4_000_000, 3));
    await server.events.until(() => server.events.bytes === 4_000_000);
    for (const { io } of [...stuck, client, server]) io.reset();
    await settle(engine);
  });

  test("more completions than the queue holds come late, and none is lost", async () => {
    const { completionsOverflow } = engine.limits;
    const { client, server } = await connectPair(engine);
    const { ring } = engine.loopForTest;
    server.io.writeText("before");
    // Each of them completes at once, and finds nothing to cancel.
    for (let i = 0; i < 20_000; i += 1) ring.prepare(Op.AsyncCancel, -1, 1, 0, 0, 0);
    server.io.writeText(" and after");
    client.io.writeText("too");
    await client.events.until(() => client.events.bytes === 16);
    await server.events.until(() => server.events.bytes === 3);
    expect(client.events.text).toBe("before and after");
    expect(engine.limits.completionsOverflow).toBeGreaterThan(completionsOverflow);
    client.io.reset();
    server.io.reset();
  });

  test("with the arena full of what cannot leave, texts still leave", async () => {
    const { arena } = engine.loopForTest;
    const taken: number[] = [];
    for (let at = arena.take(16_384); at >= 0; at = arena.take(16_384)) taken.push(at);
    const { sendArenaFull } = engine.limits;
    const { client, server } = await connectPair(engine);
    client.io.writeText("small");
    client.io.write(Buffer.from("and given"));
    engine.runTurn(() => {
      server.io.writeText("a head ");
      server.io.write(Buffer.alloc(20_000, 0x62));
    });
    await server.events.until(() => server.events.bytes === 14);
    await client.events.until(() => client.events.bytes === 20_007);
    expect(server.events.text).toBe("smalland given");
    expect(client.events.text.slice(0, 9)).toBe("a head bb");
    expect(engine.limits.sendArenaFull).toBeGreaterThan(sendArenaFull);
    for (const at of taken) arena.release(at);
    client.io.reset();
    server.io.reset();
  });

  test("1,000 connections leave no file, no index and no buffer behind", async () => {
    const sockets = (): number =>
      readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
        } catch {
          return false;
        }
      }).length;
    const before = sockets();
    const many = await connectMany(engine);
    await useAll(many);
    expect(sockets()).toBeGreaterThanOrEqual(2000);
    await endAll(engine, many);
    const { loopForTest } = engine;
    for (let i = 0; i < 1000 && loopForTest.liveOwners > 0; i += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(engine.coreForTest.openConnections).toBe(0);
    expect(loopForTest.liveOwners).toBe(0);
    expect(sockets()).toBeLessThanOrEqual(before);
  });
}

function estateCases(): void {
  const workers: Worker[] = [];
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
  });

  test("a thread that is killed in its sleep ends, and what it left is let go of", async () => {
    const estateMemory = newEstateMemory();
    const url = new URL("./echo-worker.ts", import.meta.url);
    const workerData = { kind: "io_uring", id: "a", port: 0, estateMemory };
    const worker = new Worker(url, { workerData, execArgv: [] });
    workers.push(worker);
    const { port } = await new Promise<{ port: number }>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    const living = createPeer({ ...anyPort, port });
    living.io.writeText("x");
    await living.events.until(() => living.events.bytes === 3);
    await worker.terminate();
    // The ring, the listener, the connection.
    expect(new Estate(estateMemory).descriptors.length).toBe(3);
    expect(settleEstate(estateMemory)).toBe(3);
    const late = createPeer({ ...anyPort, port });
    await living.events.until(() => living.events.hasEnded || living.events.isClosed);
    living.io.close();
    await late.events.until(() => late.events.isClosed);
    expect(late.events.code).toBe("ECONNREFUSED");
  });

  test("what a thread had accepted and closed when it stood still is let go of, too", async () => {
    const estateMemory = newEstateMemory();
    const flags = new Int32Array(new SharedArrayBuffer(12));
    const url = new URL("./stuck-worker.ts", import.meta.url);
    const worker = new Worker(url, { workerData: { estateMemory, flags }, execArgv: [] });
    workers.push(worker);
    const [port] = (await once(worker, "message")) as [number];
    const peers = [createPeer({ ...anyPort, port })];
    peers[0]?.io.writeText("x");
    await once(worker, "message");
    // The kernel takes them in; the thread will hear of them all at once.
    for (let i = 0; i < 4; i += 1) peers.push(createPeer({ ...anyPort, port }));
    for (const { events } of peers) await events.until(() => events.count("connect") === 1);
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
    const standsStill = Atomics.waitAsync(flags, 1, 0);
    await standsStill.value;
    await worker.terminate();
    // The ring, the listener, the connections.
    expect(settleEstate(estateMemory)).toBe(7);
    for (const { events, io } of peers) {
      await events.until(() => events.hasEnded || events.isClosed);
      io.close();
    }
  });

  function createPeer(address: typeof anyPort): Side {
    return connect(engine, address);
  }
}
