// What TLS on a connection of any engine that carries it must do.
import { createHash } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { CloseReason, type NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import { connectPair, Pattern, settle } from "./recorder.ts";
import { tlsHandshakeCases } from "./tls-handshake-cases.ts";
import {
  clientStart,
  resetBoth,
  serverStart,
  startPair,
  type TlsPair,
  tlsPair,
  TlsRecorder,
} from "./tls-pair.ts";

export function tlsCases(engine: NetworkEngine, openConnections: () => number): void {
  afterEach(() => expect(openConnections()).toBe(0));

  tlsByteCases(engine);
  tlsFlowCases(engine);
  tlsEndCases(engine, openConnections);
  tlsHandshakeCases(engine);
}

export function tlsByteCases(engine: NetworkEngine): void {
  test("TLS carries bytes both ways, all 256 values of them", async () => {
    const pair = await tlsPair(engine);
    const { client, server } = pair;
    const all = Buffer.from(Array.from({ length: 256 }, (_, value) => value)).toString("latin1");
    server.events.whenRead = (buffer, length): void => {
      server.io.writeText("<");
      server.io.writeLent(buffer, 0, length);
      server.io.write(Buffer.from(">"));
    };
    client.io.writeText(all);
    await client.events.until(() => client.events.bytes === 258);
    expect(client.events.text).toBe(`<${all}>`);
    expect(client.events.log[0]).toBe("secured");
    expect(client.events.log).not.toContain("connect");
    expect(client.io.remoteAddress).toEqual(server.io.localAddress);
    expect(server.io.remoteAddress).toEqual(client.io.localAddress);
    resetBoth(pair);
  });

  test("what is written before the handshake is over leaves after it", async () => {
    const pair = await startPair(engine);
    const { client, server } = pair;
    expect(client.io.writeText("early ")).toBe(false);
    client.io.write(Buffer.from("words"));
    expect(client.io.writeQueueBytes).toBe(11);
    client.io.shutdownWrite();
    await server.events.until(() => server.events.hasEnded);
    expect(server.events.text).toBe("early words");
    resetBoth(pair);
  });

  test("bytes put back before TLS are the first that it reads", async () => {
    const plain = await connectPair(engine);
    const start = await serverStart();
    const serverEvents = new TlsRecorder();
    const clientEvents = new TlsRecorder();
    plain.server.events.whenRead = (buffer, length): void => {
      plain.server.io.unread(Buffer.from(buffer.subarray(0, length)));
      const io = engine.startTls(plain.server.io, start, serverEvents);
      serverEvents.whenRead = (): void => void io.writeText("answer");
      serverEvents.whenEnded = (): void => io.close();
    };
    const client = engine.startTls(plain.client.io, await clientStart(), clientEvents);
    client.writeText("question");
    await clientEvents.until(() => clientEvents.bytes > 0);
    expect(serverEvents.text).toBe("question");
    expect(plain.server.events.log).toEqual(["read"]);
    client.shutdownWrite();
    await clientEvents.until(() => clientEvents.isClosed);
  });

  test("bytes put back during TLS come again", async () => {
    const pair = await tlsPair(engine);
    const { client, server } = pair;
    let isFirst = true;
    server.events.whenRead = (buffer, length): void => {
      if (isFirst) server.io.unread(Buffer.from(buffer.subarray(0, length)));
      isFirst = false;
    };
    client.io.writeText("twice");
    await server.events.until(() => server.events.bytes === 10);
    expect(server.events.reads).toEqual(["twice", "twice"]);
    resetBoth(pair);
  });
}

export function tlsFlowCases(engine: NetworkEngine): void {
  test("16 MiB reach a slow reader unchanged; the writer is told to stop and go on", async () => {
    const pair = await tlsPair(engine);
    const { client, server } = pair;
    const pattern = new Pattern(7);
    const sent = createHash("sha256");
    const seen = createHash("sha256");
    const total = 16 * 1024 * 1024;
    let left = total;
    let stops = 0;
    let queueMax = 0;
    const lent = Buffer.alloc(65_536);
    const pump = (): void => {
      while (left > 0) {
        pattern.fill(lent);
        sent.update(lent);
        left -= lent.length;
        const isTaken = client.io.writeLent(lent, 0, lent.length);
        lent.fill(0);
        queueMax = Math.max(queueMax, client.io.writeQueueBytes);
        if (isTaken) continue;
        stops += 1;
        return;
      }
    };
    client.events.whenWritable = pump;
    server.events.keepsText = false;
    let reads = 0;
    server.events.whenRead = (buffer, length): void => {
      seen.update(buffer.subarray(0, length));
      reads += 1;
      if (reads % 64 !== 0) return;
      server.io.readDisable(true);
      setImmediate(() => engine.runTurn(() => server.io.readDisable(false)));
    };
    server.io.readDisable(true);
    engine.runTurn(pump);
    expect(left).toBeGreaterThan(0);
    server.io.readDisable(false);
    await server.events.until(() => server.events.bytes === total);
    expect(seen.digest("hex")).toBe(sent.digest("hex"));
    expect(stops).toBeGreaterThan(0);
    // One write, plain or encrypted, never both.
    expect(queueMax).toBeLessThanOrEqual(lent.length + 1024);
    resetBoth(pair);
  });

  test("nothing is delivered while reading is disabled, and all of it afterwards", async () => {
    const pair = await tlsPair(engine);
    const { client, server } = pair;
    const held = engine.limits?.readsHeld ?? 0;
    server.events.keepsText = false;
    server.events.whenRead = (): void => {
      if (server.events.bytes < 100_000) server.io.readDisable(true);
    };
    client.io.write(Buffer.alloc(100_000, 0x61));
    let rounds = 0;
    while (server.events.bytes < 100_000) {
      const before = server.events.bytes;
      await server.events.until(() => server.events.bytes > before);
      const seen = server.events.bytes;
      await settle(engine);
      expect(server.events.bytes).toBe(seen);
      rounds += 1;
      if (seen < 100_000) server.io.readDisable(false);
    }
    expect(rounds).toBeGreaterThan(1);
    // Node's sockets keep it themselves, and nobody hears of it.
    const isOurs = engine.limits !== undefined && !engine.name.includes("sockets");
    const heldNow = engine.limits?.readsHeld ?? 0;
    expect(heldNow > held).toBe(isOurs);
    resetBoth(pair);
  });

  test("the end waits while reading is disabled", async () => {
    const pair = await tlsPair(engine);
    const { client, server } = pair;
    server.io.readDisable(true);
    client.io.writeText("last");
    client.io.shutdownWrite();
    await settle(engine);
    expect(server.events.log).toEqual(["secured"]);
    server.io.readDisable(false);
    await server.events.until(() => server.events.hasEnded);
    expect(server.events.log).toEqual(["secured", "read", "end"]);
    resetBoth(pair);
  });
}

export function tlsEndCases(engine: NetworkEngine, openConnections: () => number): void {
  test.each(["client", "server"] as const)(
    "after the %s's close_notify the other side still sends, then both get their end",
    async (first) => {
      const pair = await tlsPair(engine);
      const near = pair[first];
      const far = pair[first === "client" ? "server" : "client"];
      near.io.writeText("last words");
      near.io.shutdownWrite();
      await far.events.until(() => far.events.hasEnded);
      expect(far.events.text).toBe("last words");
      near.events.keepsText = false;
      far.io.write(Buffer.alloc(3_000_000, 0x61));
      far.io.shutdownWrite();
      await near.events.until(() => near.events.isClosed);
      await far.events.until(() => far.events.isClosed);
      expect(near.events.bytes).toBe(3_000_000);
      expect(near.events.log.slice(-2)).toEqual(["end", "close"]);
      for (const { events } of [near, far]) {
        expect(events.reason).toBe(CloseReason.RemoteClose);
        expect(events.count("end")).toBe(1);
        expect(events.count("close")).toBe(1);
      }
    },
  );

  test("close sends what was written and close_notify, however slow the peer reads", async () => {
    const pair = await tlsPair(engine);
    const { client, server } = pair;
    server.events.keepsText = false;
    server.io.readDisable(true);
    client.io.writeText("head");
    client.io.write(Buffer.alloc(16_000_000, 0x62));
    client.io.writeText("tail");
    client.io.close();
    client.io.writeText("ignored");
    await settle(engine);
    expect(client.io.writeQueueBytes).toBeGreaterThan(0);
    server.io.readDisable(false);
    await server.events.until(() => server.events.hasEnded);
    expect(server.events.bytes).toBe(16_000_008);
    expect(client.events.log).toEqual(["secured"]);
    server.io.close();
    await settle(engine);
    await settle(engine);
  });

  test("nobody waits for a peer that has no room for close_notify", async () => {
    let sockets = 0;
    /** Ends of which one reads nothing; writes `most` times, or until the kernel takes no more. */
    const fill = async (most: number): Promise<readonly [pair: TlsPair, writes: number]> => {
      const address = `@headgate-full-${process.pid}-${(sockets += 1)}`;
      const plain = await connectPair(engine, { address, port: 0, family: "unix" });
      const pair = await startPair(engine, {}, {}, plain);
      for (const { events } of [pair.client, pair.server]) await events.until(() => events.isOver);
      pair.client.io.readDisable(true);
      let writes = 0;
      while (writes < most && pair.server.io.writeQueueBytes === 0) {
        pair.server.io.write(Buffer.alloc(5000));
        writes += 1;
        await settle(engine);
      }
      return [pair, writes];
    };
    const [full, most] = await fill(1000);
    resetBoth(full);
    const [pair, writes] = await fill(most - 1);
    expect(writes).toBe(most - 1);
    expect(pair.server.io.writeQueueBytes).toBe(0);
    engine.runTurn(() => pair.server.io.close());
    while (openConnections() > 1) await settle(engine);
    resetBoth(pair);
  });

  test("a half-close inside a read loses nothing of what came with it", async () => {
    const pair = await tlsPair(engine);
    const { client, server } = pair;
    server.events.keepsText = false;
    server.events.whenRead = (): void => server.io.shutdownWrite();
    engine.runTurn(() => client.io.write(Buffer.alloc(100_000, 0x63)));
    await server.events.until(() => server.events.bytes === 100_000);
    await client.events.until(() => client.events.hasEnded);
    expect(client.events.isClosed).toBe(false);
    resetBoth(pair);
  });

  test("reset reaches the peer as ECONNRESET and brings no event here", async () => {
    const { client, server } = await tlsPair(engine);
    server.io.reset();
    server.io.close();
    await client.events.until(() => client.events.isClosed);
    expect(client.events.reason).toBe(CloseReason.RemoteReset);
    expect(client.events.code).toBe("ECONNRESET");
    expect(server.events.log).toEqual(["secured"]);
  });
}
