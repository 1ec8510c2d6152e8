// How an engine reads on request: bytes put back, and reading that is disabled.
import { afterEach, expect, test } from "vitest";
import type { NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import { connect, connectPair, listen, settle } from "./recorder.ts";

export function readingCases(engine: NetworkEngine, openConnections: () => number): void {
  afterEach(() => expect(openConnections()).toBe(0));

  unreadCases(engine);
  readDisableCases(engine);
}

function unreadCases(engine: NetworkEngine): void {
  test("bytes put back come again in a later turn, though the peer is silent", async () => {
    const { client, server } = await connectPair(engine);
    let times = 0;
    server.events.whenRead = (buffer, length): void => {
      times += 1;
      if (times === 1) server.io.unread(Buffer.from(buffer.subarray(0, length)));
      expect(server.events.reads).toHaveLength(times);
    };
    client.io.writeText("peeked");
    await server.events.until(() => times === 2);
    expect(server.events.reads).toEqual(["peeked", "peeked"]);
    client.io.writeText("more");
    client.io.shutdownWrite();
    await server.events.until(() => server.events.hasEnded);
    expect(server.events.reads).toEqual(["peeked", "peeked", "more"]);
    client.io.reset();
    server.io.reset();
  });

  test("bytes put back last come first, and before what the peer sends", async () => {
    const { client, server } = await connectPair(engine);
    server.io.unread(Buffer.from("world "));
    server.io.unread(Buffer.from("hello "));
    client.io.writeText("again");
    expect(server.events.reads).toEqual([]);
    await server.events.until(() => server.events.bytes === 17);
    expect(server.events.text).toBe("hello world again");
    client.io.reset();
    server.io.reset();
  });

  test("bytes put back and the peer's end wait while reading is disabled", async () => {
    const { client, server } = await connectPair(engine);
    server.io.readDisable(true);
    server.io.unread(Buffer.from("later"));
    client.io.writeText("!");
    client.io.shutdownWrite();
    await settle(engine);
    expect(server.events.log).toEqual([]);
    server.io.readDisable(false);
    expect(server.events.log).toEqual([]);
    await server.events.until(() => server.events.hasEnded);
    expect(server.events.text).toBe("later!");
    expect(server.events.log.at(-1)).toBe("end");
    server.io.close();
    await client.events.until(() => client.events.isClosed);
  });

  test("a peer that has ended already: bytes put back in onEnd are still read", async () => {
    const { client, server } = await connectPair(engine);
    server.events.whenEnded = (): void => server.io.unread(Buffer.from("encore"));
    client.io.shutdownWrite();
    await server.events.until(() => server.events.bytes === 6);
    expect(server.events.log).toEqual(["end", "read"]);
    server.io.close();
    await client.events.until(() => client.events.isClosed);
  });
}

function readDisableCases(engine: NetworkEngine): void {
  test("readDisable counts", async () => {
    const { client, server } = await connectPair(engine);
    server.io.readDisable(true);
    server.io.readDisable(true);
    client.io.writeText("wait");
    await settle(engine);
    server.io.readDisable(false);
    await settle(engine);
    expect(server.events.bytes).toBe(0);
    server.io.readDisable(false);
    await server.events.until(() => server.events.bytes === 4);
    expect(() => server.io.readDisable(false)).toThrow("assertion failed");
    client.io.reset();
    server.io.reset();
  });

  test("reading may be disabled inside onRead and before the connection stands", async () => {
    const listening = await listen(engine);
    listening.events.whenAccepted = (io): void => {
      io.writeText("a");
      io.readDisable(true);
    };
    const client = connect(engine, listening.handle.localAddress);
    client.io.readDisable(true);
    client.io.writeText("b");
    await client.events.until(() => client.events.log.includes("connect"));
    await settle(engine);
    const server = listening.events.accepted[0];
    expect(client.events.bytes + (server?.events.bytes ?? 0)).toBe(0);
    client.events.whenRead = (): void => client.io.readDisable(true);
    client.io.readDisable(false);
    server?.io.readDisable(false);
    await client.events.until(() => client.events.bytes === 1);
    await server?.events.until(() => server.events.bytes === 1);
    server?.io.writeText("c");
    await settle(engine);
    expect(client.events.bytes).toBe(1);
    client.io.reset();
    server?.io.reset();
    listening.handle.close();
  });
}
