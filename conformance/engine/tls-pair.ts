// Connections with TLS for the engine cases: contexts, receivers that write down what came, and
// pairs of ends between which the handshake is done.
import { createSecureContext, type SecureContext } from "node:tls";
import type { IoHandle, NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import type {
  TlsClientStart,
  TlsEvents,
  TlsFailure,
  TicketKeys,
  TlsServerStart,
  TlsSession,
} from "../../runtime/src/engine/tls.ts";
import { makeCertificate, type TestCertificate } from "../../runtime/test/certificates.ts";
import { connectPair, type Pair, Recorder } from "./recorder.ts";

export class TlsRecorder extends Recorder implements TlsEvents {
  session: TlsSession | null = null;
  failure: TlsFailure | null = null;
  whenSecured: ((session: TlsSession) => void) | null = null;

  get isOver(): boolean {
    return this.session !== null || this.failure !== null;
  }

  onSecured(session: TlsSession): void {
    this.log.push("secured");
    this.session = session;
    this.whenSecured?.(session);
    this.changed();
  }

  onHandshakeFailed(failure: TlsFailure): void {
    this.log.push("failed");
    this.failure = failure;
    this.changed();
  }
}

export interface TlsSide {
  readonly io: IoHandle;
  readonly events: TlsRecorder;
}

export interface TlsPair {
  readonly client: TlsSide;
  readonly server: TlsSide;
}

export interface TestIdentity {
  readonly authority: TestCertificate;
  readonly server: TestCertificate;
  readonly client: TestCertificate;
}

let identity: Promise<TestIdentity> | null = null;

async function makeIdentity(): Promise<TestIdentity> {
  const authority = await makeCertificate("engine CA", { isAuthority: true });
  const server = await makeCertificate("a.example", {
    issuer: authority,
    dnsNames: ["a.example"],
  });
  const client = await makeCertificate("client", { issuer: authority });
  return { authority, server, client };
}

/** The same for all cases of a file. */
export function testIdentity(): Promise<TestIdentity> {
  return (identity ??= makeIdentity());
}

export function contextOf(
  certificate: TestCertificate | null,
  authority: TestCertificate | null,
  more: Readonly<Record<string, unknown>> = {},
): SecureContext {
  return createSecureContext({
    ...(certificate === null ? {} : { cert: certificate.chainPem, key: certificate.keyPem }),
    ...(authority === null ? {} : { ca: authority.pem }),
    ...more,
  });
}

const ticketKeys: TicketKeys = {
  keys: [{ name: Buffer.alloc(16, 1), sign: Buffer.alloc(32, 2), encrypt: Buffer.alloc(16, 3) }],
};

export async function serverStart(more: Partial<TlsServerStart> = {}): Promise<TlsServerStart> {
  const { authority, server } = await testIdentity();
  return {
    side: "server",
    context: contextOf(server, authority),
    protocols: [],
    onKeyLog: null,
    chooseContext: null,
    clientCertificate: "none",
    staple: null,
    ticketKeys,
    sessions: null,
    ...more,
  };
}

export async function clientStart(more: Partial<TlsClientStart> = {}): Promise<TlsClientStart> {
  const { authority } = await testIdentity();
  return {
    side: "client",
    context: contextOf(null, authority),
    protocols: [],
    onKeyLog: null,
    serverName: "a.example",
    session: null,
    onSession: null,
    ...more,
  };
}

/** TLS on both ends of a pair; nothing has been waited for. */
export async function startPair(
  engine: NetworkEngine,
  server: Partial<TlsServerStart> = {},
  client: Partial<TlsClientStart> = {},
  pair?: Pair,
): Promise<TlsPair> {
  const starts = [await serverStart(server), await clientStart(client)] as const;
  const plain = pair ?? (await connectPair(engine));
  const serverEvents = new TlsRecorder();
  const clientEvents = new TlsRecorder();
  return {
    server: { io: engine.startTls(plain.server.io, starts[0], serverEvents), events: serverEvents },
    client: { io: engine.startTls(plain.client.io, starts[1], clientEvents), events: clientEvents },
  };
}

/** Two ends between which the handshake is over, for good or bad. */
export async function tlsPair(
  engine: NetworkEngine,
  server: Partial<TlsServerStart> = {},
  client: Partial<TlsClientStart> = {},
): Promise<TlsPair> {
  const pair = await startPair(engine, server, client);
  for (const { events } of [pair.client, pair.server]) await events.until(() => events.isOver);
  return pair;
}

export function resetBoth(pair: TlsPair): void {
  pair.client.io.reset();
  pair.server.io.reset();
}
