import { connect as connectTcp, type Socket } from "node:net";
import { Duplex } from "node:stream";
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
  ticketKey,
  ticketKeys,
  validationConfig,
} from "../tls/server-tls-for-test.ts";
import { KeyLog } from "../tls/key-log.ts";
import { SecretSlots } from "../tls/secret-slots.ts";
import type { TlsServerContext, TlsServerDeps } from "../tls/tls-server-context.ts";
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

/** As `start`, with what contexts are made of beside the configuration. */
async function startWith(
  config: DownstreamTlsConfig,
  deps: Partial<TlsServerDeps> = {},
): Promise<ListenerWorld> {
  const world = new ListenerWorld();
  worlds.push(world);
  useTls(world, serverContext(config, world.stats, deps));
  await world.listen();
  return world;
}

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

/** A session that a first connection was given. */
async function sessionOf(world: ListenerWorld, options: tls.ConnectionOptions): Promise<Buffer> {
  const { socket } = await ask(world, options);
  const session = socket.getSession();
  if (session === undefined) throw new Error("no session came");
  return session;
}

async function isResumed(world: ListenerWorld, options: tls.ConnectionOptions): Promise<boolean> {
  const { text, socket } = await ask(world, options);
  expect(text).toBe("e:x");
  return socket.isSessionReused();
}

interface Outcome {
  readonly text: string;
  readonly error: string;
  readonly subject: string;
  readonly socket: tls.TLSSocket;
}

/** Sends "x" when the handshake is over; the answer, or how it ended. */
function ask(
  world: ListenerWorld,
  options: tls.ConnectionOptions = {},
  prepare: (socket: tls.TLSSocket) => void = () => {},
): Promise<Outcome> {
  const socket = tls.connect({
    port: world.port,
    host: "127.0.0.1",
    ca: authority.pem,
    servername: "a.example",
    checkServerIdentity: () => undefined,
    ...options,
  });
  world.onClose(() => socket.destroy());
  prepare(socket);
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

/** Sends its first 600 bytes one by one, each in a turn of its own. */
class Pieces extends Duplex {
  readonly #carrier: Socket;
  #left: number = 600;

  constructor(carrier: Socket) {
    super();
    this.#carrier = carrier;
    carrier.on("data", (bytes: Buffer) => this.push(bytes));
    carrier.once("close", () => this.push(null));
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    const count = this.#left > 0 ? 1 : bytes.length;
    this.#left -= count;
    this.#carrier.write(bytes.subarray(0, count), () => {
      if (count === bytes.length) done();
      else setImmediate(() => this._write(bytes.subarray(count), "", done));
    });
  }
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
  const told: (string | undefined)[] = [];
  for (const servername of ["a.example", "x.b.example", "x.y.b.example", "other", "A.EXAMPLE"]) {
    seen.push((await ask(world, { servername })).subject);
    told.push(infos.at(-1)?.tls?.local?.subject.replace("CN=", ""));
  }
  expect(seen).toEqual(["a.example", "*.b.example", "a.example", "a.example", "a.example"]);
  expect(told).toEqual(seen);
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

test("of several names with both kinds each, too", async () => {
  const names = ["a.example", "b.example"];
  const made = names.flatMap((name) =>
    (["ec", "rsa"] as const).map(async (keyType) => {
      const certificate = await makeCertificate(`${keyType} of ${name}`, { keyType });
      return certificateConfig(certificate, { serverNames: [name], keyType });
    }),
  );
  const world = await startWith(downstreamConfig(await Promise.all(made)));
  const asking = async (servername: string, sigalgs: string): Promise<string> =>
    (await ask(world, { rejectUnauthorized: false, servername, sigalgs })).subject;
  for (const name of names) {
    expect(await asking(name, "rsa_pss_rsae_sha256")).toBe(`rsa of ${name}`);
    expect(infos.at(-1)?.tls?.local?.subject).toBe(`CN=rsa of ${name}`);
    expect(await asking(name, "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256")).toBe(`ec of ${name}`);
  }
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

/** Chains that begin at once, and those that look at the ClientHello first. */
const beginnings = [
  ["at once", {}],
  ["by the ClientHello", { alpnProtocols: ["http/1.1"] }],
] as const;

test.each(beginnings)(
  "garbage, and a peer that leaves, end it and its place (%s)",
  async (_, context) => {
    const world = await start({}, context);
    const garbage = dial(world);
    garbage.write("GET / HTTP/1.1\r\n\r\n");
    await closed(garbage);
    expect(world.count("ssl.connection_error")).toBe(1);
    const leaver = dial(world);
    leaver.write(Buffer.from([22, 3, 1]));
    await world.until(() => world.gauge("downstream_cx_active") === 1);
    leaver.resetAndDestroy();
    await world.until(() => world.gauge("downstream_cx_active") === 0);
    const quitter = dial(world);
    quitter.end(Buffer.from([22, 3, 1]));
    await closed(quitter);
    expect(world.count("ssl.connection_error")).toBe(1);
    expect(world.count("downstream_cx_destroy")).toBe(3);
    expect(world.listener.connectionCount).toBe(0);
  },
);

test.each(beginnings)(
  "a client that does not finish is cut off in time, however slow (%s)",
  async (_, context) => {
    const world = await start({ handshakeTimeoutMs: 1000 }, context);
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
  },
);

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

test("what another listener filter has read is looked at, too", async () => {
  const context = { alpnProtocols: ["http/1.1"] };
  const world = await start({}, context, { listenerFilters: [{ kind: "http_inspector" }] });
  const { text, socket } = await ask(world, { ALPNProtocols: ["h2"] });
  expect([text, socket.alpnProtocol]).toEqual(["e:x", false]);
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

test.each(beginnings)(
  "a chain that is closed at once takes its handshakes along (%s)",
  async (_, context) => {
    const world = await start({}, context);
    const silent = dial(world);
    await world.until(() => world.gauge("downstream_cx_active") === 1);
    const gone = closed(silent);
    world.listener.closeConnections();
    await gone;
    expect(world.gauge("downstream_cx_active")).toBe(0);
  },
);

test("a client of other protocols is served without any", async () => {
  const filter = { kind: "tls_inspector", helloBytesMax: 16_384 } as const;
  const alpn = { alpnProtocols: ["h2", "http/1.1"] };
  const world = await start({}, alpn, { listenerFilters: [filter] });
  const { text, socket } = await ask(world, { ALPNProtocols: ["h2"] });
  expect([text, socket.alpnProtocol]).toEqual(["e:x", false]);
  const bare = await start({}, alpn);
  const asked = await ask(bare, { ALPNProtocols: ["h2"] });
  expect([asked.text, asked.socket.alpnProtocol]).toEqual(["e:x", false]);
  expect((await ask(bare)).text).toBe("e:x");
  expect(bare.count("ssl.connection_error")).toBe(0);
});

test("a connection knows the certificate that its ClientHello chose", async () => {
  const world = await start({}, { alpnProtocols: ["http/1.1"] });
  const { subject } = await ask(world, { servername: "x.b.example" });
  expect(subject).toBe("*.b.example");
  expect(infos.at(-1)?.tls?.local?.subject).toBe("CN=*.b.example");
});

test("a ClientHello may come in pieces, and with more behind it", async () => {
  const world = await start({}, { alpnProtocols: ["http/1.1"] });
  const carrier = dial(world);
  carrier.setNoDelay(true);
  const socket = new Pieces(carrier);
  const { text, socket: secure } = await ask(world, { socket, ALPNProtocols: ["h2", "http/1.1"] });
  expect([text, secure.alpnProtocol]).toEqual(["e:x", "http/1.1"]);
  expect(world.count("ssl.handshake")).toBe(1);
});

test("a ClientHello of more than 16 KiB is OpenSSL's", async () => {
  const world = await start({}, { alpnProtocols: ["http/1.1"] });
  const others = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${index}`.padEnd(255, "."));
  const served = await ask(world, { ALPNProtocols: [...others(70), "http/1.1"] });
  expect([served.text, served.socket.alpnProtocol]).toEqual(["e:x", "http/1.1"]);
  expect((await ask(world, { ALPNProtocols: others(40) })).text).toBe("e:x");
  const refused = await ask(world, { ALPNProtocols: others(70) });
  expect(refused.error).toMatch(/NO_APPLICATION_PROTOCOL/);
  expect(world.count("ssl.connection_error")).toBe(1);
});

test.each([
  ["tickets", {}, true],
  ["ids", { areSessionTicketsOff: true }, true],
  ["nothing", { areSessionTicketsOff: true, isStatefulResumptionOff: true }, false],
] as const)("TLS 1.2 resumes by %s", async (_what, config, expected) => {
  const world = await start(config);
  const options = { maxVersion: "TLSv1.2" } as const;
  const session = await sessionOf(world, options);
  expect(await isResumed(world, { ...options, session })).toBe(expected);
  expect(world.count("ssl.session_reused")).toBe(expected ? 1 : 0);
});

test("a session is not resumed where more is asked for, nor by other ticket keys", async () => {
  const options = { maxVersion: "TLSv1.2" } as const;
  const config = downstreamConfig([certificateConfig(server)]);
  const world = await startWith(config);
  const session = await sessionOf(world, options);
  expect(await isResumed(await startWith(config), { ...options, session })).toBe(true);
  const otherKeys = { processTicketKeys: ticketKeys(9) };
  expect(await isResumed(await startWith(config, otherKeys), { ...options, session })).toBe(false);
  const validation = { kind: "inline", value: validationConfig(authority) } as const;
  const strict = downstreamConfig([certificateConfig(server)], {}, { validation });
  const asked = await startWith(strict);
  expect(await isResumed(asked, { ...options, session })).toBe(false);
});

const versions = ["TLSv1.2", "TLSv1.3"] as const;

test.each(versions)("all configured keys read tickets, the first makes them: %s", async (v) => {
  const config = (...keys: number[]): DownstreamTlsConfig => {
    const value = keys.map(ticketKey);
    const sessionTicketKeys = { kind: "inline", value } as const;
    return downstreamConfig([certificateConfig(server)], { sessionTicketKeys });
  };
  const options = { minVersion: v, maxVersion: v };
  const session = await sessionOf(await startWith(config(1)), options);
  expect(await isResumed(await startWith(config(1, 2)), { ...options, session })).toBe(true);
  const both = await startWith(config(2, 1));
  expect(await isResumed(both, { ...options, session })).toBe(true);
  expect(await isResumed(await startWith(config(2)), { ...options, session })).toBe(false);
  const newer = await sessionOf(both, options);
  expect(await isResumed(await startWith(config(2)), { ...options, session: newer })).toBe(true);
});

test.each(versions)("keys of the process change under its listeners: %s", async (v) => {
  const processTicketKeys = ticketKeys(1);
  // A certificate that is chosen in the handshake has the same keys.
  const certificates = [certificateConfig(server), certificateConfig(wild)];
  const world = await startWith(downstreamConfig(certificates), { processTicketKeys });
  const options = { minVersion: v, maxVersion: v, servername: "x.b.example" };
  const session = await sessionOf(world, options);
  processTicketKeys.replace([ticketKey(2), ticketKey(1)]);
  expect(await isResumed(world, { ...options, session })).toBe(true);
  const newer = await sessionOf(world, options);
  processTicketKeys.replace([ticketKey(3), ticketKey(2)]);
  expect(await isResumed(world, { ...options, session })).toBe(false);
  expect(await isResumed(world, { ...options, session: newer })).toBe(true);
});

test.each([
  ["X25519", "TLSv1.3", "X25519"],
  ["P-256", "TLSv1.3", "P-256"],
  ["P-256", "TLSv1.2", "P-256"],
] as const)("counts and tells the group %s of %s", async (ecdhCurve, maxVersion, name) => {
  const world = await start();
  expect((await ask(world, { ecdhCurve, maxVersion })).text).toBe("e:x");
  expect(world.count(`ssl.curves.${name}`)).toBe(1);
  expect(infos.at(-1)?.tls?.group).toBe(name);
});

test.each([
  ["lenient", 0, "e:x", "responses"],
  ["lenient", 1, "e:x", "omitted"],
  ["strict", 1, "", "failed"],
  ["must_staple", 1, "", "failed"],
  ["must_staple", 0, "e:x", "responses"],
] as const)("a staple by policy %s that ends at %i", async (policy, endsMs, text, outcome) => {
  const staple = Buffer.from("an OCSP response, as far as this test goes");
  const config = certificateConfig(server, { ocspStaple: staple, ocspExpiresMs: endsMs });
  const world = await startWith(downstreamConfig([config], { ocspStaplePolicy: policy }));
  const seen: unknown[] = [];
  const asked = await ask(world, { requestOCSP: true }, (socket) => {
    socket.on("OCSPResponse", (bytes) => seen.push(bytes?.toString()));
  });
  expect(asked.text).toBe(text);
  expect(world.count("ssl.ocsp_staple_requests")).toBe(1);
  expect(world.count(`ssl.ocsp_staple_${outcome}`)).toBe(1);
  // Who does not ask gets none, and is served.
  expect((await ask(world)).text).toBe("e:x");
  expect(world.count("ssl.ocsp_staple_requests")).toBe(1);
  expect(seen.filter((one) => one !== undefined)).toEqual(
    outcome === "responses" ? [staple.toString()] : [],
  );
});

test("a certificate that comes later is waited for, and another one follows it", async () => {
  const first = new SecretSlots([{ key: "k", revision: 0, value: null }], null);
  const config = downstreamConfig([], {}, { certificates: [{ kind: "secret", key: "k" }] });
  const world = await startWith(config, { secrets: first });
  const factory = "server_ssl_socket_factory";
  expect((await ask(world)).text).toBe("");
  expect(world.count(`${factory}.downstream_context_secrets_not_ready`)).toBe(1);
  let slots = first;
  for (const [revision, certificate] of [server, wild].entries()) {
    const value = { kind: "certificate", certificate: certificateConfig(certificate) } as const;
    slots = new SecretSlots([{ key: "k", revision: revision + 1, value }], slots);
    slots.commit();
    expect((await ask(world)).subject).toBe(certificate.name);
  }
});

test("the key log has the lines of the connections that it is for", async () => {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) };
  const range = (address: string) => [{ address, prefixLength: 32 }];
  const logged = { path: "", localCidrs: null, remoteCidrs: range("127.0.0.1") };
  const other = { path: "", localCidrs: range("192.0.2.1"), remoteCidrs: null };
  const config = downstreamConfig([certificateConfig(server)]);
  await ask(await startWith(config, { keyLog: new KeyLog(other, sink) }));
  expect(lines).toEqual([]);
  await ask(await startWith(config, { keyLog: new KeyLog(logged, sink) }));
  expect(lines.filter((line) => line.startsWith("SERVER_TRAFFIC_SECRET_0 "))).toHaveLength(1);
});
