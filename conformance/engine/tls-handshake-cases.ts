// What the handshake of TLS must do on any engine that carries it.
import net from "node:net";
import tls from "node:tls";
import { expect, test } from "vitest";
import { CloseReason, type NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import { anyPort, connectPair, listen, type Recorder, settle, type Side } from "./recorder.ts";
import {
  clientStart,
  contextOf,
  resetBoth,
  serverStart,
  startPair,
  testIdentity,
  tlsPair,
  TlsRecorder,
} from "./tls-pair.ts";

export function tlsHandshakeCases(engine: NetworkEngine): void {
  handshakeCases(engine);
  tlsBrokenHandshakeCases(engine);
  refusedHandshakeCases(engine);
  manyCases(engine);
}

function handshakeCases(engine: NetworkEngine): void {
  test("a record that is none breaks the connection, and says so once", async () => {
    const listening = await listen(engine, anyPort);
    const carrier = net.connect(listening.handle.localAddress.port, "127.0.0.1");
    await listening.events.until(() => listening.events.accepted.length === 1);
    const { io } = listening.events.accepted[0] as Side;
    const events = new TlsRecorder();
    engine.startTls(io, await serverStart(), events);
    const { context } = await clientStart();
    const client = tls.connect({
      socket: carrier,
      secureContext: context,
      servername: "a.example",
    });
    client.on("error", () => undefined);
    await events.until(() => events.isOver);
    carrier.write(Buffer.from("17030300200123456789abcdef0123456789abcdef0123456789", "hex"));
    carrier.write(Buffer.alloc(100));
    await events.until(() => events.isClosed);
    expect(events.reason).toBe(CloseReason.RemoteReset);
    expect(events.code).toMatch(/^ERR_SSL_/);
    expect(events.log).toEqual(["secured", "close"]);
    client.destroy();
    listening.handle.close();
  });

  test("both sides know what was agreed on", async () => {
    const { authority, client: identity } = await testIdentity();
    const pair = await tlsPair(
      engine,
      { clientCertificate: "required", protocols: ["x", "http/1.1"] },
      { context: contextOf(identity, authority), protocols: ["http/1.1", "x"] },
    );
    const server = pair.server.events.session;
    const client = pair.client.events.session;
    for (const session of [server, client]) {
      expect(session?.version).toBe("TLSv1.3");
      expect(session?.cipher).toMatch(/^TLS_/);
      expect(session?.protocol).toBe("x");
      expect(session?.isResumed).toBe(false);
      expect(session?.verifyError).toBe("");
      expect(session?.serverName).toBe("a.example");
    }
    expect(server?.peerCertificate?.subject).toBe("CN=client");
    expect(server?.localCertificate?.subject).toBe("CN=a.example");
    expect(client?.peerCertificate?.subject).toBe("CN=a.example");
    expect(client?.group).not.toBe("");
    resetBoth(pair);
  });

  test("a peer that is not trusted is connected, and its flaw named", async () => {
    const stranger = contextOf(null, null);
    const pair = await tlsPair(engine, {}, { context: stranger });
    expect(pair.client.events.session?.verifyError).toMatch(/^(SELF_SIGNED|UNABLE_TO)/);
    expect(pair.server.events.session?.verifyError).toBe("");
    expect(pair.server.events.session?.peerCertificate).toBeNull();
    resetBoth(pair);
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("a session of %s is resumed", async (version) => {
    const { authority, server } = await testIdentity();
    const limits = { minVersion: version, maxVersion: version };
    const context = contextOf(server, authority, limits);
    let session: Buffer | null = null;
    const first = await tlsPair(engine, { context }, { onSession: (given) => (session = given) });
    first.server.io.writeText("x");
    await first.client.events.until(() => first.client.events.bytes > 0 && session !== null);
    resetBoth(first);
    const second = await tlsPair(engine, { context }, { session });
    expect(second.server.events.session?.isResumed).toBe(true);
    expect(second.client.events.session?.isResumed).toBe(true);
    expect(second.server.events.session?.version).toBe(version);
    resetBoth(second);
  });

  test("certificates are chosen by the client's SNI, also by that there is none", async () => {
    const { authority, server, client } = await testIdentity();
    const asked: string[] = [];
    const [context, other] = [contextOf(server, authority), contextOf(client, authority)];
    const chooseContext = (name: string) => {
      asked.push(name);
      return name === "b.example" ? other : null;
    };
    const choosing = { context, chooseContext };
    const subjects: (string | undefined)[] = [];
    for (const serverName of ["a.example", "b.example", ""]) {
      const pair = await tlsPair(engine, choosing, { serverName });
      subjects.push(pair.client.events.session?.peerCertificate?.subject);
      resetBoth(pair);
    }
    expect(subjects).toEqual(["CN=a.example", "CN=client", "CN=a.example"]);
    expect(asked).toEqual(["a.example", "b.example", ""]);
  });

  test("lines of the key log come from both sides", async () => {
    const lines: string[] = [];
    const onKeyLog = (line: Buffer): void => void lines.push(line.toString());
    const pair = await tlsPair(engine, { onKeyLog }, { onKeyLog });
    expect(lines.filter((line) => line.startsWith("CLIENT_TRAFFIC_SECRET_0 "))).toHaveLength(2);
    expect(lines.every((line) => line.endsWith("\n"))).toBe(true);
    resetBoth(pair);
  });
}

function manyCases(engine: NetworkEngine): void {
  const sockets = (): number =>
    process.getActiveResourcesInfo().filter((name) => /TCP|TLS/.test(name)).length;

  test("200 connections with TLS, ended in three ways, leave nothing behind", async () => {
    await settle(engine);
    const before = sockets();
    for (let round = 0; round < 10; round += 1) {
      const pairs = await Promise.all(Array.from({ length: 20 }, () => tlsPair(engine)));
      for (const [at, { client, server }] of pairs.entries()) {
        client.io.writeText("x");
        server.events.whenEnded = (): void => server.io.close();
        if (at % 3 === 0) client.io.reset();
        else if (at % 3 === 1) client.io.close();
        else client.io.shutdownWrite();
      }
      await Promise.all(
        pairs.map(({ server }) =>
          server.events.until(() => server.events.hasEnded || server.events.isClosed),
        ),
      );
      for (const pair of pairs) resetBoth(pair);
    }
    for (let round = 0; round < 10 && sockets() > before; round += 1) await settle(engine);
    expect(sockets()).toBe(before);
  });
}

export function tlsBrokenHandshakeCases(engine: NetworkEngine): void {
  test("garbage in place of a ClientHello fails the handshake, and closes", async () => {
    const plain = await connectPair(engine);
    const events = new TlsRecorder();
    engine.startTls(plain.server.io, await serverStart(), events);
    plain.client.io.writeText("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await events.until(() => events.isOver);
    expect(events.failure?.kind).toBe("tls");
    expect(events.failure?.code).toMatch(/^ERR_SSL_/);
    expect(events.failure?.reason).toBe("http request");
    expect(events.log).toEqual(["failed"]);
    await plain.client.events.until(
      () => plain.client.events.hasEnded || plain.client.events.isClosed,
    );
    plain.client.io.close();
  });

  test("a peer that leaves in the middle, and one that resets", async () => {
    for (const [end, kind] of [
      ["shutdownWrite", "closed"],
      ["reset", "reset"],
    ] as const) {
      const plain = await connectPair(engine);
      const events = new TlsRecorder();
      engine.startTls(plain.server.io, await serverStart(), events);
      plain.client.io.write(Buffer.from([0x16, 0x03, 0x01, 0x01]));
      await settle(engine);
      plain.client.io[end]();
      await events.until(() => events.isOver);
      expect(events.failure?.kind).toBe(kind);
      expect(events.log).toEqual(["failed"]);
      plain.client.io.close();
    }
  });

  test.each(["close", "reset"] as const)(
    "%s during the handshake brings no event, and the peer learns of it",
    async (how) => {
      const plain = await connectPair(engine);
      const events = new TlsRecorder();
      const io = engine.startTls(plain.server.io, await serverStart(), events);
      plain.client.io.write(Buffer.from([0x16, 0x03]));
      await settle(engine);
      expect(events.log).toEqual([]);
      io[how]();
      const client: Recorder = plain.client.events;
      await client.until(() => client.hasEnded || client.isClosed);
      plain.client.io.close();
      await settle(engine);
      expect(events.log).toEqual([]);
    },
  );

  test("a client that offers other protocols only is refused", async () => {
    const pair = await tlsPair(engine, { protocols: ["http/1.1"] }, { protocols: ["h2"] });
    expect(pair.server.events.failure?.reason).toContain("no application protocol");
    expect(pair.client.events.failure?.code).toContain("NO_APPLICATION_PROTOCOL");
  });
}

function refusedHandshakeCases(engine: NetworkEngine): void {
  test.each(["TLSv1.2", "TLSv1.3"] as const)(
    "a client without the certificate that is required is refused (%s)",
    async (version) => {
      const { authority, server } = await testIdentity();
      const context = contextOf(server, authority, { minVersion: version, maxVersion: version });
      const pair = await startPair(engine, { context, clientCertificate: "required" });
      const { client } = pair;
      await pair.server.events.until(() => pair.server.events.isOver);
      expect(pair.server.events.failure?.reason).toBe("peer did not return a certificate");
      await client.events.until(() => client.events.failure !== null || client.events.isClosed);
      const code = client.events.failure?.code ?? client.events.code;
      // The client of TLS 1.3 has finished by then.
      expect(client.events.session === null).toBe(version === "TLSv1.2");
      expect(code).toMatch(/HANDSHAKE_FAILURE|CERTIFICATE_REQUIRED/);
    },
  );

  test("a connection whose peer has reset it already ends in a failure", async () => {
    const listening = await listen(engine, anyPort);
    const socket = net.connect(listening.handle.localAddress.port, "127.0.0.1");
    await listening.events.until(() => listening.events.accepted.length === 1);
    const { io } = listening.events.accepted[0] as Side;
    socket.resetAndDestroy();
    const events = new TlsRecorder();
    engine.startTls(io, await serverStart(), events);
    await events.until(() => events.isOver);
    expect(events.failure?.kind).not.toBe("tls");
    listening.handle.close();
  });
}
