import { X509Certificate } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { makeCertificate, type TestCertificate } from "../../test/certificates.ts";
import type {
  DynamicSecret,
  TlsValidationConfig,
  UpstreamTlsConfig,
} from "../config/tls-config.ts";
import type { TlsSession } from "../engine/tls.ts";
import { StatsStore } from "../stats/store.ts";
import { SecretSlots } from "./secret-slots.ts";
import { validationConfig } from "./server-tls-for-test.ts";
import { type ConnectionEnds, TlsClientContext, type TlsWish } from "./tls-client-context.ts";
import { TlsFactoryStats, TlsStats } from "./tls-stats.ts";

let authority: TestCertificate;
let server: X509Certificate;

beforeAll(async () => {
  authority = await makeCertificate("authority", { isAuthority: true });
  const leaf = await makeCertificate("leaf", { issuer: authority, dnsNames: ["a.test", "b.test"] });
  server = new X509Certificate(leaf.pem);
});

const wish: TlsWish = { serverName: "", verifyNames: [], hostname: "", protocols: [] };

function config(more: Partial<UpstreamTlsConfig["context"]> = {}): UpstreamTlsConfig {
  return {
    context: {
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.3",
      cipherSuites: "ECDHE-ECDSA-AES128-GCM-SHA256",
      prefersClientChaCha: false,
      curves: "X25519",
      signatureAlgorithms: "",
      alpnProtocols: [],
      certificates: [],
      validation: { kind: "secret", key: "ca" },
      keyLog: null,
      ...more,
    },
    sni: "",
    autoHostSni: false,
    autoSniSanValidation: false,
    sessionKeysMax: 2,
    enforcesRsaKeyUsage: false,
  };
}

const secret = (revision: number): DynamicSecret => ({
  key: "ca",
  revision,
  value: revision === 0 ? null : { kind: "validation", validation: validationConfig(authority) },
});

const io: ConnectionEnds = {
  localAddress: { address: "10.0.0.1", port: 1, family: "ipv4" },
  remoteAddress: { address: "10.0.0.2", port: 2, family: "ipv4" },
};

class World {
  readonly stats = new StatsStore({ slotsMax: 20_000 });
  readonly factoryStats = new TlsFactoryStats(this.stats, "cluster.up.client_ssl_socket_factory.");
  secrets: SecretSlots;
  readonly keyLog: string[] = [];
  readonly warnings: string[] = [];
  readonly context: TlsClientContext;

  constructor(tls: UpstreamTlsConfig, revision: number) {
    this.secrets = new SecretSlots([secret(revision)], null);
    this.secrets.commit();
    this.context = new TlsClientContext(tls, {
      secrets: this.secrets,
      stats: new TlsStats(this.stats, "cluster.up."),
      factoryStats: this.factoryStats,
      openKeyLog: (path) => ({ write: (text) => this.keyLog.push(`${path} ${text}`) }),
      epochMs: () => Date.parse("2026-01-01T00:00:00Z"),
      warn: (text) => this.warnings.push(text),
    });
  }

  rotate(revision: number, more: Partial<TlsValidationConfig> = {}): void {
    const validation = { ...validationConfig(authority), ...more };
    const value = { kind: "validation", validation } as const;
    this.secrets = new SecretSlots([{ ...secret(revision), value }], this.secrets);
    this.secrets.commit();
  }

  /** A connection that the server accepts, and that brings a session. */
  connect(more: Partial<TlsWish>, session: Partial<TlsSession> = {}): Buffer | null {
    const connection = this.context.connect({ ...wish, ...more }, io);
    if (connection === null) throw new Error("a secret is missing");
    const { start } = connection;
    const verdict = connection.judge(sessionOf(session));
    if (typeof verdict === "string") throw new Error(verdict);
    start.onSession?.(Buffer.from(JSON.stringify(more)));
    return start.session;
  }
}

function sessionOf(more: Partial<TlsSession>): TlsSession {
  return {
    version: "TLSv1.2",
    cipher: "ECDHE-ECDSA-AES128-GCM-SHA256",
    group: "X25519",
    serverName: "",
    protocol: "",
    isResumed: false,
    verifyError: "",
    sessionId: "",
    peerCertificate: server,
    localCertificate: null,
    ...more,
  };
}

test("without its secrets there is no connection; a new one makes a new context", () => {
  const world = new World(config(), 0);
  expect(world.context.connect(wish, io)).toBe(null);
  expect(world.factoryStats.upstreamNotReady.value).toBe(1);
  world.rotate(1);
  const first = world.context.connect(wish, io)?.start.context;
  expect(world.context.connect(wish, io)?.start.context).toBe(first);
  world.rotate(2);
  const second = world.context.connect(wish, io)?.start.context;
  expect(second).toBeDefined();
  expect(second).not.toBe(first);
});

test("what OpenSSL refuses is told once, counted, and ends no worker", () => {
  const world = new World(config({ curves: "no such curve" }), 1);
  expect(world.context.connect(wish, io)).toBe(null);
  expect(world.context.connect(wish, io)).toBe(null);
  expect(world.context.whyNot).toMatch(/^TLS error: .+/);
  expect(world.stats.counter("cluster.up.ssl.connection_error").value).toBe(2);
  expect(world.factoryStats.upstreamNotReady.value).toBe(0);
  expect(world.warnings).toEqual([
    `its TLS cannot be used: ${world.context.whyNot.replace("TLS error: ", "")}`,
  ]);
});

test("a secret that OpenSSL refuses changes nothing", () => {
  const world = new World(config(), 1);
  const before = world.context.connect(wish, io)?.start.context;
  world.rotate(2, { crlPem: "no list" });
  expect(world.context.connect(wish, io)?.start.context).toBe(before);
  expect(world.context.connect(wish, io)?.start.context).toBe(before);
  expect(world.warnings).toHaveLength(1);
  world.rotate(3);
  expect(world.context.connect(wish, io)?.start.context).not.toBe(before);
  expect(world.warnings).toHaveLength(1);
});

test("sessions are offered to the same name only, the newest, and no more than are kept", () => {
  const world = new World(config(), 1);
  const a = { serverName: "a.test" };
  expect(world.connect(a)).toBe(null);
  expect(world.connect({ serverName: "b.test" })).toBe(null);
  expect(world.connect({ ...a, verifyNames: ["a.test"] })).toBe(null);
  // The third has put out the first.
  expect(world.connect(a)).toBe(null);
  expect(world.connect(a)?.toString()).toBe(JSON.stringify(a));
  world.rotate(2);
  expect(world.connect(a)).toBe(null);
});

test("a ticket of TLS 1.3 is offered once", () => {
  const world = new World(config(), 1);
  const offered = (): boolean => world.context.connect(wish, io)?.start.session !== null;
  world.connect({}, { version: "TLSv1.3" });
  expect([offered(), offered()]).toEqual([true, false]);
});

test("a session that came before the server was accepted is kept only then", () => {
  const world = new World(config(), 1);
  const early = world.context.connect(wish, io);
  early?.start.onSession?.(Buffer.from("early"));
  expect(world.context.connect(wish, io)?.start.session).toBe(null);
  early?.judge(sessionOf({ verifyError: "CERT_HAS_EXPIRED", peerCertificate: server }));
  expect(world.context.connect(wish, io)?.start.session?.toString()).not.toBe("early");
  const good = world.context.connect(wish, io);
  good?.start.onSession?.(Buffer.from("good"));
  good?.judge(sessionOf({}));
  expect(world.context.connect(wish, io)?.start.session?.toString()).toBe("good");
});

test("a resumed session has the server that its first handshake had", () => {
  const world = new World(config(), 1);
  world.connect({});
  const resumed = world.context.connect(wish, io);
  const info = resumed?.judge(sessionOf({ isResumed: true, peerCertificate: null }));
  expect(info).toMatchObject({ isResumed: true, isPeerValidated: true });
  expect(info).toHaveProperty("peer.subject", "CN=leaf");
});

test("a server that shows no certificate is none that can be believed", () => {
  const world = new World(config(), 1);
  const reason = world.context.connect(wish, io)?.judge(sessionOf({ peerCertificate: null }));
  expect(reason).toContain("CERTIFICATE_VERIFY_FAILED");
  expect(world.stats.counter("cluster.up.ssl.fail_verify_no_cert").value).toBe(1);
  const blind = new World(config({ validation: null }), 1);
  const session = sessionOf({ peerCertificate: null });
  expect(typeof blind.context.connect(wish, io)?.judge(session)).toBe("object");
  const named = blind.context.connect({ ...wish, verifyNames: ["a.test"] }, io);
  expect(named?.judge(sessionOf({}))).toContain("CERTIFICATE_VERIFY_FAILED");
});

test("a request's name goes before the endpoint's, and that before the configured one", () => {
  const world = new World({ ...config(), sni: "configured.test", autoHostSni: true }, 1);
  const nameFor = (more: Partial<TlsWish>): string | undefined =>
    world.context.connect({ ...wish, ...more }, io)?.start.serverName;
  expect(nameFor({})).toBe("configured.test");
  expect(nameFor({ hostname: "host.test" })).toBe("host.test");
  expect(nameFor({ hostname: "host.test", serverName: "a.test" })).toBe("a.test");
});

test("what breaks is told in Envoy's words, and counted when it is TLS's fault", () => {
  const world = new World(config(), 1);
  const text = (kind: "tls" | "closed" | "reset", code: string): string | undefined =>
    world.context.connect(wish, io)?.failed({ kind, code, reason: "" });
  expect(text("closed", "")).toBe("");
  expect(text("reset", "ECONNRESET")).toContain("|33554536:system library:");
  expect(text("reset", "EPIPE")).toBe("");
  expect(world.stats.counter("cluster.up.ssl.connection_error").value).toBe(0);
  expect(text("tls", "ERR_SSL_WRONG_VERSION_NUMBER")).toContain("|268435703:SSL routines:");
  expect(world.stats.counter("cluster.up.ssl.connection_error").value).toBe(1);
});

test("keys are logged for the addresses that are asked for", () => {
  const logging = (remote: string): TlsClientContext => {
    const remoteCidrs = [{ address: remote, prefixLength: 32 }];
    const keyLog = { path: "/keys", localCidrs: null, remoteCidrs };
    return new World(config({ keyLog }), 1).context;
  };
  const world = new World(
    config({ keyLog: { path: "/keys", localCidrs: null, remoteCidrs: null } }),
    1,
  );
  world.context.connect(wish, io)?.start.onKeyLog?.(Buffer.from("line"));
  expect(world.keyLog).toEqual(["/keys line"]);
  expect(logging("10.0.0.9").connect(wish, io)?.start.onKeyLog).toBe(null);
  expect(logging("10.0.0.2").connect(wish, io)?.start.onKeyLog).not.toBe(null);
});
