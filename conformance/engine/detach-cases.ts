// A connection given away as a Duplex: to plain readers and to node:http2.
import http2 from "node:http2";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { afterEach, expect, test } from "vitest";
import type { NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import { connect, connectPair, listen, settle } from "./recorder.ts";

export function detachCases(engine: NetworkEngine, openConnections: () => number): void {
  afterEach(() => expect(openConnections()).toBe(0));

  plainCases(engine);
  http2Cases(engine);
  tlsCases(engine);
}

function plainCases(engine: NetworkEngine): void {
  test("a detached connection reads what was put back, then the rest, and writes", async () => {
    const { client, server } = await connectPair(engine);
    let duplex: Duplex | null = null;
    server.events.whenRead = (buffer, length): void => {
      server.io.writeText("before ");
      server.io.unread(Buffer.from(buffer.subarray(0, length)));
      duplex = server.io.detach();
    };
    client.io.writeText("one ");
    await server.events.until(() => duplex !== null);
    const taken = duplex as unknown as Duplex;
    client.io.writeText("two ");
    client.io.write(Buffer.alloc(300_000, 0x7a));
    client.io.shutdownWrite();
    let seen = "";
    taken.setEncoding("latin1");
    taken.on("data", (text: string) => {
      seen += text;
    });
    taken.resume();
    await new Promise((resolve) => taken.once("end", resolve));
    expect(seen === `one two ${"z".repeat(300_000)}`).toBe(true);
    taken.end("after");
    await client.events.until(() => client.events.isClosed);
    expect(client.events.text).toBe("before after");
    expect(server.events.log).toEqual(["read"]);
  });

  test("a handle is dead after detach", async () => {
    const { client, server } = await connectPair(engine);
    const duplex = server.io.detach();
    expect(() => server.io.detach()).toThrow("assertion failed");
    expect(server.io.writeText("ignored")).toBe(true);
    server.io.close();
    server.io.reset();
    duplex.destroy();
    await client.events.until(() => client.events.hasEnded || client.events.isClosed);
    client.io.close();
    await settle(engine);
    expect(client.events.bytes).toBe(0);
    expect(server.events.log).toEqual([]);
  });
}

function http2Cases(engine: NetworkEngine): void {
  test("node:http2 speaks over detached connections on both sides", async () => {
    const server = http2.createServer((request, response) => {
      request.resume();
      request.on("end", () => response.end("b".repeat(100_000)));
    });
    const listening = await listen(engine);
    listening.events.whenAccepted = (io, events): void => {
      // The preface has been looked at, as a protocol inspector would.
      events.whenRead = (buffer, length): void => {
        io.unread(Buffer.from(buffer.subarray(0, length)));
        server.emit("connection", io.detach());
      };
    };
    const client = connect(engine, listening.handle.localAddress);
    await client.events.until(() => client.events.log.includes("connect"));
    const session = http2.connect("http://localhost", {
      createConnection: () => client.io.detach(),
    });
    const stream = session.request({ ":path": "/", ":method": "POST" });
    stream.end("a".repeat(100_000));
    let bytes = 0;
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await new Promise((resolve) => stream.once("end", resolve));
    expect(bytes).toBe(100_000);
    session.close();
    await new Promise((resolve) => session.once("close", resolve));
    listening.handle.close();
  });
}

function tlsCases(engine: NetworkEngine): void {
  test("node:tls speaks over detached connections on both sides", async () => {
    const { client, server } = await connectPair(engine);
    const key = { psk: Buffer.from("a key that both know"), identity: "us" };
    const suite = { ciphers: "PSK", maxVersion: "TLSv1.2", minVersion: "TLSv1.2" } as const;
    let secured: tls.TLSSocket | null = null;
    server.events.whenRead = (buffer, length): void => {
      // The hello has been looked at, as a TLS inspector would.
      server.io.unread(Buffer.from(buffer.subarray(0, length)));
      const options = { ...suite, isServer: true, pskCallback: () => key.psk };
      secured = new tls.TLSSocket(server.io.detach(), options as tls.TLSSocketOptions);
      secured.on("data", (bytes: Buffer) => secured?.write(bytes));
      secured.on("end", () => secured?.end());
    };
    const socket = tls.connect({
      ...suite,
      socket: client.io.detach(),
      pskCallback: () => key,
      checkServerIdentity: () => undefined,
    });
    socket.write("s".repeat(200_000));
    let seen = 0;
    socket.on("data", (bytes: Buffer) => {
      seen += bytes.length;
      if (seen === 200_000) socket.end();
    });
    await new Promise((resolve) => socket.once("close", resolve));
    expect(seen).toBe(200_000);
    expect(socket.getProtocol() ?? "TLSv1.2").toBe("TLSv1.2");
  });
}
