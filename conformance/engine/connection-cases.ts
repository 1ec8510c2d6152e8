// What a connection of any engine must do from its first byte to its end.
import { afterEach, expect, test } from "vitest";
import {
  CloseReason,
  type NetworkEngine,
  type SocketAddress,
} from "../../runtime/src/engine/network-engine.ts";
import { connect, connectPair, listen, type Recorder, settle } from "./recorder.ts";

/** `openConnections` is the engine's count of connections that exist. */
export function connectionCases(engine: NetworkEngine, openConnections: () => number): void {
  afterEach(() => expect(openConnections()).toBe(0));

  echoAndAddressCases(engine);
  halfCloseCases(engine);
  resetCases(engine);
  closeCases(engine, openConnections);
  afterCloseCases(engine);
  connectFailureCases(engine);
}

function echoAndAddressCases(engine: NetworkEngine): void {
  test("carries bytes both ways, all 256 values of them", async () => {
    const { client, server } = await connectPair(engine);
    const all = Buffer.from(Array.from({ length: 256 }, (_, value) => value)).toString("latin1");
    server.events.whenRead = (buffer, length): void => {
      server.io.writeLent(buffer, 0, length);
    };
    client.io.writeText(all);
    await client.events.until(() => client.events.bytes === 256);
    expect(client.events.text).toBe(all);
    expect(client.events.log[0]).toBe("connect");
    expect(server.events.log).not.toContain("connect");
    client.io.close();
    await server.events.until(() => server.events.hasEnded);
    server.io.close();
  });

  test("lends bytes that the receiver may change, in a buffer that starts at 0", async () => {
    const { client, server } = await connectPair(engine);
    server.events.whenRead = (buffer, length): void => {
      expect(buffer.length).toBeGreaterThanOrEqual(length);
      buffer[0] = 0x4a;
      server.io.writeLent(buffer, 0, length);
    };
    client.io.writeText("hello");
    await client.events.until(() => client.events.bytes === 5);
    expect(client.events.text).toBe("Jello");
    client.io.reset();
    server.io.reset();
  });

  test("both ends agree on their addresses, and remember them after the end", async () => {
    const { client, server } = await connectPair(engine);
    expect(client.io.remoteAddress).toEqual(server.io.localAddress);
    expect(client.io.localAddress).toEqual(server.io.remoteAddress);
    expect(client.io.localAddress.port).toBeGreaterThan(0);
    expect(client.io.localAddress.family).toBe("ipv4");
    client.io.reset();
    server.io.reset();
    expect(server.io.remoteAddress.port).toBe(client.io.localAddress.port);
  });

  test("an address that nobody asked for in time is empty, not an error", async () => {
    const { client, server } = await connectPair(engine);
    client.io.reset();
    server.io.reset();
    expect(server.io.remoteAddress).toEqual({ address: "", port: 0, family: "ipv4" });
  });

  test("socket options may be set at any time, also when it is too late", async () => {
    const { client, server } = await connectPair(engine);
    const side = connect(engine, server.io.localAddress);
    for (const io of [client.io, server.io, side.io]) {
      io.setNoDelay(false);
      io.setNoDelay(true);
      io.setKeepAlive({ idleSeconds: 30, intervalSeconds: 5, probes: 3 });
      io.setKeepAlive(null);
      io.reset();
      io.setNoDelay(true);
      io.setKeepAlive({ idleSeconds: 30, intervalSeconds: 5, probes: 3 });
    }
    await settle(engine);
    expect(side.events.log).toEqual([]);
  });
}

function halfCloseCases(engine: NetworkEngine): void {
  test.each(["client", "server"] as const)(
    "after the %s's FIN the other side still sends, then both get their end",
    async (first) => {
      const pair = await connectPair(engine);
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
      for (const events of [near.events, far.events]) {
        expect(events.reason).toBe(CloseReason.RemoteClose);
        expect(events.code).toBe("");
        expect(events.count("close")).toBe(1);
      }
    },
  );

  test("FIN during the peer's FIN: onClose comes after the method, not inside it", async () => {
    const { client, server } = await connectPair(engine);
    let isInside = false;
    let wasInside = false;
    client.events.whenEnded = (): void => {
      isInside = true;
      client.io.shutdownWrite();
      isInside = false;
    };
    client.events.whenClosed = (): void => {
      wasInside = isInside;
    };
    server.io.shutdownWrite();
    await client.events.until(() => client.events.isClosed);
    await server.events.until(() => server.events.isClosed);
    expect(wasInside).toBe(false);
  });

  test("a FIN asked for before the connection stands leaves after what was written", async () => {
    const listening = await listen(engine);
    const client = connect(engine, listening.handle.localAddress);
    client.io.writeText("early");
    client.io.shutdownWrite();
    await listening.events.until(() => listening.events.accepted.length === 1);
    const server = listening.events.accepted[0]?.events as Recorder;
    await server.until(() => server.hasEnded);
    expect(server.text).toBe("early");
    listening.events.accepted[0]?.io.close();
    await client.events.until(() => client.events.isClosed);
    listening.handle.close();
  });
}

function resetCases(engine: NetworkEngine): void {
  test("reset reaches the peer as ECONNRESET and brings no event here", async () => {
    const { client, server } = await connectPair(engine);
    server.io.reset();
    await client.events.until(() => client.events.isClosed);
    expect(client.events.reason).toBe(CloseReason.RemoteReset);
    expect(client.events.code).toBe("ECONNRESET");
    expect(server.events.log).toEqual([]);
  });

  test("reset drops what was not sent, and a second reset or close is nothing", async () => {
    const { client, server } = await connectPair(engine);
    server.io.readDisable(true);
    expect(client.io.write(Buffer.alloc(32_000_000))).toBe(false);
    expect(client.io.writeQueueBytes).toBeGreaterThan(1_000_000);
    client.io.reset();
    expect(client.io.writeQueueBytes).toBe(0);
    client.io.reset();
    client.io.close();
    server.events.keepsText = false;
    server.io.readDisable(false);
    await server.events.until(() => server.events.isClosed);
    expect(server.events.reason).toBe(CloseReason.RemoteReset);
    await settle(engine);
    expect(client.events.log).toEqual(["connect"]);
  });

  test.each([0, 32_000_000])(
    "a reset behind a FIN that has not left, and %d bytes, lets go of the socket",
    async (bytes) => {
      const { client, server } = await connectPair(engine);
      server.events.keepsText = false;
      server.io.readDisable(true);
      if (bytes > 0) client.io.write(Buffer.alloc(bytes));
      client.io.shutdownWrite();
      client.io.reset();
      server.io.readDisable(false);
      await server.events.until(() => server.events.hasEnded || server.events.isClosed);
      // Nobody is there any more who would take it: the kernel says so.
      for (let i = 0; i < 20 && !server.events.isClosed; i += 1) {
        server.io.writeText("late");
        await settle(engine);
      }
      expect(server.events.isClosed).toBe(true);
      expect(client.events.log).toEqual(["connect"]);
    },
  );

  test("a write that fails is reported once, in a later turn, never inside it", async () => {
    const { client, server } = await connectPair(engine);
    // Over loopback the reset has arrived when this returns; our side learns of it by its write.
    server.io.readDisable(true);
    client.io.reset();
    let isInside = true;
    server.events.whenClosed = (): void => expect(isInside).toBe(false);
    engine.runTurn(() => {
      server.io.writeText("small");
      server.io.write(Buffer.alloc(30_000));
      server.io.writeLent(Buffer.alloc(30_000), 0, 30_000);
      expect(server.io.writeText("ignored")).toBe(true);
    });
    expect(server.events.isClosed).toBe(false);
    isInside = false;
    await server.events.until(() => server.events.isClosed);
    expect(server.events.reason).toBe(CloseReason.RemoteReset);
    expect(["EPIPE", "ECONNRESET"]).toContain(server.events.code);
    await settle(engine);
    expect(server.events.count("close")).toBe(1);
  });

  test("close after a failed write swallows its report", async () => {
    const { client, server } = await connectPair(engine);
    client.io.reset();
    server.io.writeText("fails");
    server.io.close();
    await settle(engine);
    expect(server.events.log).toEqual([]);
  });
}

function closeCases(engine: NetworkEngine, openConnections: () => number): void {
  test("close sends what was written, however slow the peer reads", async () => {
    const { client, server } = await connectPair(engine);
    server.events.keepsText = false;
    server.io.readDisable(true);
    client.io.writeText("head");
    client.io.write(Buffer.alloc(16_000_000, 0x62));
    client.io.writeText("tail");
    client.io.close();
    await settle(engine);
    server.io.readDisable(false);
    await server.events.until(() => server.events.hasEnded);
    expect(server.events.bytes).toBe(16_000_008);
    expect(client.events.log).toEqual(["connect"]);
    server.io.close();
    await settle(engine);
  });

  test("close within a turn sends what the turn wrote", async () => {
    const { client, server } = await connectPair(engine);
    server.events.whenRead = (): void => {
      server.io.writeText("answer");
      server.io.close();
    };
    client.io.writeText("question");
    await client.events.until(() => client.events.hasEnded);
    expect(client.events.text).toBe("answer");
    client.io.close();
    expect(server.events.log).toEqual(["read"]);
  });

  test("reset ends a close that waits for a peer who never reads", async () => {
    const { client, server } = await connectPair(engine);
    server.io.readDisable(true);
    client.io.write(Buffer.alloc(32_000_000));
    client.io.close();
    await settle(engine);
    expect(openConnections()).toBe(2);
    client.io.reset();
    expect(openConnections()).toBe(1);
    server.io.reset();
  });
}

function afterCloseCases(engine: NetworkEngine): void {
  test("writes after close and after shutdownWrite are ignored and say true", async () => {
    const { client, server } = await connectPair(engine);
    client.io.writeText("one");
    client.io.shutdownWrite();
    expect(client.io.writeText("two")).toBe(true);
    expect(client.io.write(Buffer.from("three"))).toBe(true);
    await server.events.until(() => server.events.hasEnded);
    server.io.close();
    expect(server.io.writeText("four")).toBe(true);
    expect(server.io.writeLent(Buffer.from("five"), 0, 4)).toBe(true);
    expect(server.io.writeQueueBytes).toBe(0);
    server.io.shutdownWrite();
    server.io.unread(Buffer.from("six"));
    await client.events.until(() => client.events.isClosed);
    expect(server.events.text).toBe("one");
    expect(client.events.text).toBe("");
    expect(server.events.isClosed).toBe(false);
  });

  test("no event comes after close, whatever the peer sends", async () => {
    const { client, server } = await connectPair(engine);
    server.events.whenRead = (): void => server.io.close();
    client.io.writeText("first");
    await server.events.until(() => server.events.bytes > 0);
    client.io.writeText("second");
    await client.events.until(() => client.events.isClosed || client.events.hasEnded);
    client.io.close();
    await settle(engine);
    expect(server.events.log).toEqual(["read"]);
  });

  test("an onAccept that answers null closes the connection", async () => {
    const listening = await listen(engine);
    listening.events.refuses = true;
    const client = connect(engine, listening.handle.localAddress);
    await client.events.until(() => client.events.hasEnded || client.events.isClosed);
    expect(client.events.bytes).toBe(0);
    client.io.close();
    listening.handle.close();
  });

  test("close and reset from inside onConnect and onAccept are obeyed", async () => {
    const listening = await listen(engine);
    listening.events.whenAccepted = (io): void => io.reset();
    const client = connect(engine, listening.handle.localAddress);
    client.events.whenConnected = (): void => client.io.close();
    await listening.events.until(() => listening.events.accepted.length === 1);
    await client.events.until(() => client.events.log.length > 0);
    await settle(engine);
    expect(client.events.log.filter((entry) => entry !== "connect")).not.toContain("read");
    listening.handle.close();
  });

  test("a connect given up before it was answered brings no event", async () => {
    const listening = await listen(engine);
    const closed = connect(engine, listening.handle.localAddress);
    closed.io.close();
    const reset = connect(engine, listening.handle.localAddress);
    reset.io.reset();
    await settle(engine);
    expect(closed.events.log).toEqual([]);
    expect(reset.events.log).toEqual([]);
    for (const { io } of listening.events.accepted) io.reset();
    listening.handle.close();
  });
}

function connectFailureCases(engine: NetworkEngine): void {
  const failing = async (address: SocketAddress): Promise<Recorder> => {
    const { events } = connect(engine, address);
    expect(events.log).toEqual([]);
    await events.until(() => events.isClosed);
    await settle(engine);
    expect(events.log).toEqual(["close"]);
    expect(events.reason).toBe(CloseReason.ConnectFailed);
    return events;
  };

  test("a refused connect ends in ConnectFailed, ECONNREFUSED", async () => {
    const listening = await listen(engine);
    const address = listening.handle.localAddress;
    listening.handle.close();
    await settle(engine);
    expect((await failing(address)).code).toBe("ECONNREFUSED");
  });

  test("what was written before a refused connect is dropped", async () => {
    const listening = await listen(engine);
    listening.handle.close();
    await settle(engine);
    const { io, events } = connect(engine, listening.handle.localAddress);
    io.writeText("never");
    io.write(Buffer.alloc(100_000));
    await events.until(() => events.isClosed);
    expect(events.reason).toBe(CloseReason.ConnectFailed);
    expect(io.writeQueueBytes).toBe(0);
  });

  test("an address that cannot be reached ends in ConnectFailed", async () => {
    const { code } = await failing({ address: "255.255.255.255", port: 9, family: "ipv4" });
    expect(["EACCES", "ENETUNREACH", "EHOSTUNREACH"]).toContain(code);
  });

  test("a unix path where nobody listens ends in ConnectFailed, ENOENT", async () => {
    const address = { address: "/nonexistent/socket", port: 0, family: "unix" } as const;
    expect((await failing(address)).code).toBe("ENOENT");
  });

  test("binds the source address that was asked for, and says when it cannot", async () => {
    const listening = await listen(engine);
    const bindTo = (address: string) => ({
      bindAddress: { address, port: 0, family: "ipv4" } as const,
      keepAlive: { idleSeconds: 15, intervalSeconds: 5, probes: 3 },
    });
    const client = connect(engine, listening.handle.localAddress, bindTo("127.0.0.2"));
    await listening.events.until(() => listening.events.accepted.length === 1);
    expect(listening.events.accepted[0]?.io.remoteAddress.address).toBe("127.0.0.2");
    const lost = connect(engine, listening.handle.localAddress, bindTo("192.0.2.77"));
    await lost.events.until(() => lost.events.isClosed);
    expect(lost.events.reason).toBe(CloseReason.BindFailed);
    expect(lost.events.code).toBe("EADDRNOTAVAIL");
    const other = { address: "::1", port: 0, family: "ipv6" } as const;
    const mixed = connect(engine, listening.handle.localAddress, {
      bindAddress: other,
      keepAlive: null,
    });
    await mixed.events.until(() => mixed.events.isClosed);
    expect(mixed.events.reason).toBe(CloseReason.BindFailed);
    expect(mixed.events.code).toBe("EINVAL");
    client.io.reset();
    listening.events.accepted[0]?.io.reset();
    listening.handle.close();
  });
}
