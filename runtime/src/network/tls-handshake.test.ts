import { connect as connectTcp, type Socket } from "node:net";
import tls from "node:tls";
import { afterEach, beforeAll, expect, test } from "vitest";
import type { DownstreamTlsConfig, TlsContextConfig } from "../config/tls-config.ts";
import type { ListenerConfig } from "../config/snapshot.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import { makeCertificate, type TestCertificate } from "../../test/certificates.ts";
import {
  certificateConfig,
  downstreamConfig,
  serverContext,
  validationConfig,
} from "../tls/server-tls-for-test.ts";
import type { TlsServerContext } from "../tls/tls-server-context.ts";
import { Echo, ListenerWorld } from "./listener-world-for-test.ts";

let authority: TestCertificate;
let server: TestCertificate;
let wild: TestCertificate;
let client: TestCertificate;
let stranger: TestCertificate;

beforeAll(async () => {
  authority = await makeCertificate("CA", { isAuthority: true });
  server = await makeCertificate("a.example", { issuer: authority, dnsNames: ["a.example"] });
  wild = await makeCertificate("*.b.example", { issuer: authority, dnsNames: ["*.b.example"] });
  client = await makeCertificate("client", { issuer: authority });
  stranger = await makeCertificate("stranger");
});

const worlds: ListenerWorld[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world.close();
});

/** A listener with one chain that echoes over TLS. */
async function start(
  more: Partial<DownstreamTlsConfig> = {},
  context: Partial<TlsContextConfig> = {},
  listener: Partial<ListenerConfig> = {},
): Promise<ListenerWorld> {
  const world = new ListenerWorld(listener);
  worlds.push(world);
  const certificates = [certificateConfig(server), certificateConfig(wild)];
  useTls(world, serverContext(downstreamConfig(certificates, more, context), world.stats));
  await world.listen();
  return world;
}

function useTls(world: ListenerWorld, context: TlsServerContext): void {
  const factory = {
    createFilter: (callbacks: ConstructorParameters<typeof Echo>[1]) => {
      infos.push(callbacks.info);
      return new Echo("e", callbacks);
    },
  };
  world.listener.setChains([{ name: "c", match: null, isDefault: false, factory, tls: context }]);
}

const infos: ConnectionInfo[] = [];

interface Outcome {
  readonly text: string;
  readonly error: string;
  readonly subject: string;
  readonly socket: tls.TLSSocket;
}

/** Sends "x" when the handshake is over; the answer, or how it ended. */
function ask(world: ListenerWorld, options: tls.ConnectionOptions = {}): Promise<Outcome> {
  const socket = tls.connect({
    port: world.port,
    host: "127.0.0.1",
    ca: authority.pem,
    servername: "a.example",
    checkServerIdentity: () => undefined,
    ...options,
  });
  world.onClose(() => socket.destroy());
  return new Promise((resolve) => {
    let subject = "";
    const end = (text: string, error = ""): void => resolve({ text, error, subject, socket });
    socket.once("secureConnect", () => {
      const { CN } = socket.getPeerCertificate().subject ?? {};
      subject = typeof CN === "string" ? CN : "";
      socket.write("x");
    });
    socket.once("data", (bytes: Buffer) => end(bytes.toString("latin1")));
    socket.once("error", (error) => end("", Reflect.get(error, "code") as string));
    socket.once("close", () => end("", "closed"));
  });
}

function dial(world: ListenerWorld): Socket {
  const socket = connectTcp(world.port, "127.0.0.1");
  world.onClose(() => socket.destroy());
  socket.on("error", () => {});
  return socket;
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.resume();
    socket.once("close", () => resolve());
  });
}

test("serves over TLS, tells the connection of it, and counts", async () => {
  const world = await start({}, { alpnProtocols: ["h2", "http/1.1"] });
  const { text, socket } = await ask(world, { ALPNProtocols: ["h2", "http/1.1"] });
  expect(text).toBe("e:x");
  expect(socket.alpnProtocol).toBe("http/1.1");
  const info = infos.at(-1);
  expect(info?.tls?.version).toBe("TLSv1.3");
  expect(info?.tls?.alpn).toBe("http/1.1");
  expect(info?.tls?.serverName).toBe("a.example");
  expect(info?.tls?.local?.subject).toBe("CN=a.example");
  expect(info?.tls?.isPeerPresented).toBe(false);
  expect(world.count("ssl.handshake")).toBe(1);
  expect(world.count("ssl.no_certificate")).toBe(1);
  expect(world.count("ssl.versions.TLSv1.3")).toBe(1);
  expect(world.count("downstream_cx_total")).toBe(1);
});

test("gives each client the certificate of the name that it asks for", async () => {
  const world = await start();
  const seen: string[] = [];
  for (const servername of ["a.example", "x.b.example", "x.y.b.example", "other", "A.EXAMPLE"]) {
    seen.push((await ask(world, { servername })).subject);
  }
  expect(seen).toEqual(["a.example", "*.b.example", "a.example", "a.example", "a.example"]);
});

test("an RSA and an ECDSA certificate of one name serve clients of either kind", async () => {
  const rsa = await makeCertificate("rsa", { keyType: "rsa" });
  const both = [
    certificateConfig(rsa, { serverNames: ["a.example"], keyType: "rsa" }),
    certificateConfig(server),
  ];
  const world = await start();
  useTls(world, serverContext(downstreamConfig(both), world.stats));
  const asking = async (more: tls.ConnectionOptions): Promise<string> =>
    (await ask(world, { rejectUnauthorized: false, ...more })).subject;
  expect(await asking({})).toBe("a.example");
  const sigalgs = "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256";
  expect(await asking({ sigalgs })).toBe("a.example");
  expect(await asking({ sigalgs: "rsa_pss_rsae_sha256" })).toBe("rsa");
  expect(await asking({ maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256" })).toBe(
    "rsa",
  );
});

test("asks clients for certificates, and lets in whom it trusts", async () => {
  const validation = { kind: "inline", value: validationConfig(authority) } as const;
  const world = await start({}, { validation });
  const known = await ask(world, { cert: client.chainPem, key: client.keyPem });
  expect(known.text).toBe("e:x");
  expect(infos.at(-1)?.tls?.isPeerValidated).toBe(true);
  expect(infos.at(-1)?.tls?.peer?.subject).toBe("CN=client");
  expect((await ask(world)).text).toBe("e:x");
  expect(infos.at(-1)?.tls?.isPeerPresented).toBe(false);
  const unknown = await ask(world, { cert: stranger.pem, key: stranger.keyPem });
  expect(unknown.text).toBe("");
  expect(world.count("ssl.fail_verify_error")).toBe(1);
  expect(world.count("ssl.handshake")).toBe(2);
  expect(world.gauge("downstream_cx_active")).toBe(2);
});

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "refuses a client without the certificate that it must have (%s)",
  async (maxVersion) => {
    const validation = { kind: "inline", value: validationConfig(authority) } as const;
    const world = await start({ requiresClientCertificate: true }, { validation });
    const { error } = await ask(world, { maxVersion });
    const alert = maxVersion === "TLSv1.2" ? /HANDSHAKE_FAILURE/ : /CERTIFICATE_REQUIRED/;
    expect(error).toMatch(alert);
    expect(world.count("ssl.fail_verify_no_cert")).toBe(1);
    expect(world.count("ssl.connection_error")).toBe(0);
    expect(world.gauge("downstream_cx_active")).toBe(0);
    expect((await ask(world, { maxVersion, cert: client.chainPem, key: client.keyPem })).text).toBe(
      "e:x",
    );
  },
);

test("garbage, and a peer that leaves, end the connection and its place", async () => {
  const world = await start();
  const garbage = dial(world);
  garbage.write("GET / HTTP/1.1\r\n\r\n");
  await closed(garbage);
  expect(world.count("ssl.connection_error")).toBe(1);
  const leaver = dial(world);
  leaver.write(Buffer.from([22, 3, 1]));
  await world.until(() => world.gauge("downstream_cx_active") === 1);
  leaver.resetAndDestroy();
  await world.until(() => world.gauge("downstream_cx_active") === 0);
  expect(world.count("ssl.connection_error")).toBe(1);
  expect(world.count("downstream_cx_destroy")).toBe(2);
  expect(world.listener.connectionCount).toBe(0);
});

test("a client that does not finish is cut off in time, however slowly it goes on", async () => {
  const world = await start({ handshakeTimeoutMs: 1000 });
  const silent = dial(world);
  const slow = dial(world);
  await world.until(() => world.gauge("downstream_cx_active") === 2);
  slow.write(Buffer.from([22]));
  world.advance(600);
  slow.write(Buffer.from([3]));
  const gone = Promise.all([closed(silent), closed(slow)]);
  world.advance(600);
  await gone;
  expect(world.count("downstream_cx_transport_socket_connect_timeout")).toBe(2);
  expect(world.gauge("downstream_cx_active")).toBe(0);
});

test("without a configured time it is an hour", async () => {
  const world = await start();
  const silent = dial(world);
  await world.until(() => world.gauge("downstream_cx_active") === 1);
  world.advance(3_599_000);
  expect(world.gauge("downstream_cx_active")).toBe(1);
  const gone = closed(silent);
  world.advance(2000);
  await gone;
});

test("handshakes count for the listener's limit", async () => {
  const world = await start({}, {}, {});
  world.limitConnections(2);
  const silent = [dial(world), dial(world)];
  await world.until(() => world.gauge("downstream_cx_active") === 2);
  expect((await ask(world)).text).toBe("");
  expect(world.count("downstream_cx_overflow")).toBe(1);
  for (const socket of silent) socket.destroy();
  await world.until(() => world.gauge("downstream_cx_active") === 0);
  expect((await ask(world)).text).toBe("e:x");
});

test("what listener filters have read is the handshake's", async () => {
  const filter = { kind: "tls_inspector", helloBytesMax: 16_384 } as const;
  const world = await start({}, {}, { listenerFilters: [filter] });
  expect((await ask(world)).text).toBe("e:x");
  expect(infos.at(-1)?.requestedServerName).toBe("a.example");
});

test("who finishes its handshake on a chain that is going is served once, and let go", async () => {
  const world = await start();
  const carrier = dial(world);
  await world.until(() => world.gauge("downstream_cx_active") === 1);
  const left = world.listener.setChains([]);
  const [group] = [...left.values()];
  let isEmpty = false;
  group?.shutdown();
  group?.whenEmpty(() => {
    isEmpty = true;
  });
  expect(isEmpty).toBe(false);
  const socket = tls.connect({ socket: carrier, ca: authority.pem, servername: "a.example" });
  socket.on("error", () => {});
  await closed(socket);
  await world.until(() => isEmpty);
});

test("a chain that is closed at once takes its handshakes along", async () => {
  const world = await start();
  const silent = dial(world);
  await world.until(() => world.gauge("downstream_cx_active") === 1);
  const gone = closed(silent);
  world.listener.closeConnections();
  await gone;
  expect(world.gauge("downstream_cx_active")).toBe(0);
});
