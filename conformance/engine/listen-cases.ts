// What listening must do in any engine: addresses of all families, sharing, failures.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  CloseReason,
  type NetworkEngine,
  type SocketAddress,
} from "../../runtime/src/engine/network-engine.ts";
import { anyPort, connect, listen, listenOptions, settle, type Side } from "./recorder.ts";

/** `hasFiles`: unix sockets are files; a simulated network has none. */
export function listenCases(
  engine: NetworkEngine,
  openConnections: () => number,
  hasFiles: boolean,
): void {
  afterEach(() => expect(openConnections()).toBe(0));

  sharingCases(engine);
  if (hasFiles) unixFileCases(engine);
  unixCases(engine);
  ipv6Cases(engine);

  test("a closed listener takes nobody, and those it took stay", async () => {
    const listening = await listen(engine);
    const client = connect(engine, listening.handle.localAddress);
    await listening.events.until(() => listening.events.accepted.length === 1);
    listening.handle.close();
    listening.handle.close();
    await settle(engine);
    const late = connect(engine, listening.handle.localAddress);
    await late.events.until(() => late.events.isClosed);
    expect(late.events.reason).toBe(CloseReason.ConnectFailed);
    const server = listening.events.accepted[0] as Side;
    server.io.writeText("still here");
    await client.events.until(() => client.events.bytes === 10);
    client.io.reset();
    server.io.reset();
  });

  test("a listener closed at once is never heard of", async () => {
    const { events, handle } = { ...(await listen(engine)) };
    handle.close();
    const other = engine.listen(anyPort, listenOptions, events);
    events.isListening = false;
    other.close();
    await settle(engine);
    expect(events.isListening).toBe(false);
    expect(events.errors).toEqual([]);
  });

  test("an address that is not ours is refused by name", async () => {
    const { events } = await listen(engine, { address: "192.0.2.77", port: 0, family: "ipv4" });
    expect(events.errors).toEqual(["EADDRNOTAVAIL"]);
    expect(events.isListening).toBe(false);
  });
}

function sharingCases(engine: NetworkEngine): void {
  test("port 0 becomes a real port, and a second listener on it gets EADDRINUSE", async () => {
    const first = await listen(engine);
    expect(first.handle.localAddress.port).toBeGreaterThan(0);
    const second = await listen(engine, first.handle.localAddress);
    expect(second.events.errors).toEqual(["EADDRINUSE"]);
    expect(second.events.isListening).toBe(false);
    first.handle.close();
  });

  test.runIf(engine.capabilities.reusePort)("reusePort lets both listen", async () => {
    const options = { ...listenOptions, reusePort: true };
    const first = await listen(engine, anyPort, options);
    const second = await listen(engine, first.handle.localAddress, options);
    expect(second.events.errors).toEqual([]);
    const third = await listen(engine, first.handle.localAddress);
    expect(third.events.errors).toEqual(["EADDRINUSE"]);
    first.handle.close();
    second.handle.close();
  });
}

async function echoOver(engine: NetworkEngine, address: SocketAddress): Promise<Side[]> {
  const listening = await listen(engine, address, { ...listenOptions, mode: 0o600 });
  expect(listening.events.errors).toEqual([]);
  const client = connect(engine, listening.handle.localAddress);
  client.io.writeText("ping");
  await listening.events.until(() => listening.events.accepted.length === 1);
  const server = listening.events.accepted[0] as Side;
  await server.events.until(() => server.events.bytes === 4);
  server.io.writeLent(Buffer.alloc(200_000, 0x70), 0, 200_000);
  client.events.keepsText = false;
  await client.events.until(() => client.events.bytes === 200_000);
  const isFile = address.family === "unix" && !address.address.startsWith("@");
  expect(isFile ? statSync(address.address).mode & 0o777 : 0o600).toBe(0o600);
  listening.handle.close();
  return [client, server];
}

function unixFileCases(engine: NetworkEngine): void {
  test("listens on and connects to a unix path with its mode, and removes it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "engine-"));
    const address = { address: join(folder, "s"), port: 0, family: "unix" } as const;
    const [client, server] = (await echoOver(engine, address)) as [Side, Side];
    expect(client.io.remoteAddress).toEqual(address);
    expect(server.io.localAddress).toEqual(address);
    expect(server.io.remoteAddress).toEqual({ address: "", port: 0, family: "unix" });
    await settle(engine);
    expect(() => statSync(address.address)).toThrow("ENOENT");
    client.io.shutdownWrite();
    await server.events.until(() => server.events.hasEnded);
    server.io.shutdownWrite();
    await client.events.until(() => client.events.isClosed);
    await server.events.until(() => server.events.isClosed);
    expect(client.events.reason).toBe(CloseReason.RemoteClose);
    rmSync(folder, { recursive: true });
  });
}

function unixCases(engine: NetworkEngine): void {
  test.runIf(engine.capabilities.abstractUnixSockets)(
    "listens on and connects to an abstract name",
    async () => {
      const name = `@engine-${process.pid}-${Math.floor(performance.now() * 1000)}`;
      const address = { address: name, port: 0, family: "unix" } as const;
      const sides = await echoOver(engine, address);
      const [client, server] = sides as [Side, Side];
      expect(server.io.localAddress).toEqual(address);
      // A unix socket knows no reset: the peer sees the end, or the loss of what it did not read.
      server.io.reset();
      await client.events.until(() => client.events.hasEnded || client.events.isClosed);
      client.io.close();
    },
  );

  test("a second listener on a unix path gets EADDRINUSE, with reusePort too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "engine-"));
    const address = { address: join(folder, "s"), port: 0, family: "unix" } as const;
    const options = { ...listenOptions, reusePort: true };
    const first = await listen(engine, address, options);
    const second = await listen(engine, address, options);
    expect(first.events.errors).toEqual([]);
    expect(second.events.errors).toEqual(["EADDRINUSE"]);
    first.handle.close();
    rmSync(folder, { recursive: true });
  });
}

function ipv6Cases(engine: NetworkEngine): void {
  test("carries bytes over ::1 and says so", async () => {
    const sides = await echoOver(engine, { address: "::1", port: 0, family: "ipv6" });
    const [client, server] = sides as [Side, Side];
    expect(client.io.remoteAddress.address).toBe("::1");
    expect(server.io.remoteAddress).toEqual(client.io.localAddress);
    expect(server.io.remoteAddress.family).toBe("ipv6");
    client.io.reset();
    server.io.reset();
  });

  test("an IPv4 client of a dual-stack listener is reported as IPv4", async () => {
    const anyV6 = { address: "::", port: 0, family: "ipv6" } as const;
    const listening = await listen(engine, anyV6, { ...listenOptions, ipv4Compat: true });
    const client = connect(engine, { ...anyPort, port: listening.handle.localAddress.port });
    await listening.events.until(() => listening.events.accepted.length === 1);
    const server = listening.events.accepted[0] as Side;
    expect(server.io.remoteAddress).toEqual(client.io.localAddress);
    expect(server.io.remoteAddress.address).toBe("127.0.0.1");
    expect(server.io.localAddress.family).toBe("ipv4");
    client.io.reset();
    server.io.reset();
    listening.handle.close();
  });

  test("without ipv4Compat a listener on :: takes no IPv4", async () => {
    const listening = await listen(engine, { address: "::", port: 0, family: "ipv6" });
    const client = connect(engine, { ...anyPort, port: listening.handle.localAddress.port });
    await client.events.until(() => client.events.isClosed);
    expect(client.events.code).toBe("ECONNREFUSED");
    listening.handle.close();
  });
}
