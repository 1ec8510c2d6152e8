// What a handshake agreed on, asked from the connection when somebody wants to know. Used by both
// forms of TLS connections.
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { TlsEvents, TlsFailure, TlsSession } from "../engine/tls.ts";
import type { EngineCore } from "./engine-core.ts";
import type { TlsSockets } from "./tls-sockets.ts";

class NodeTlsSession implements TlsSession {
  readonly serverName: string;
  readonly protocol: string;
  readonly isResumed: boolean;
  readonly #sockets: TlsSockets;
  #peer: X509Certificate | null | undefined = undefined;
  #local: X509Certificate | null | undefined = undefined;
  #cipher: string | undefined = undefined;
  #version: string | undefined = undefined;
  #verifyError: string | undefined = undefined;
  #sessionId: string | undefined = undefined;

  constructor(sockets: TlsSockets) {
    this.#sockets = sockets;
    const socket = sockets.secure;
    const { servername } = socket as { servername?: unknown };
    this.serverName = typeof servername === "string" ? servername : "";
    const protocol = socket.alpnProtocol;
    this.protocol = typeof protocol === "string" ? protocol : "";
    this.isResumed = socket.isSessionReused();
  }

  get version(): string {
    return (this.#version ??= this.#socket?.getProtocol() ?? "");
  }

  get cipher(): string {
    return (this.#cipher ??= this.#socket?.getCipher().name ?? "");
  }

  get group(): string {
    const info: unknown = this.#socket?.getEphemeralKeyInfo() ?? null;
    if (typeof info !== "object" || info === null) return "";
    const name: unknown = Reflect.get(info, "name");
    return typeof name === "string" ? name : "";
  }

  get verifyError(): string {
    if (this.#verifyError === undefined) {
      this.#verifyError = this.peerCertificate === null ? "" : this.#askVerifyError();
    }
    return this.#verifyError;
  }

  get sessionId(): string {
    if (this.#sessionId === undefined) {
      const handle = this.#handle();
      const der = handle?.getSession?.();
      this.#sessionId = der === undefined ? "" : sessionIdOf(der);
    }
    return this.#sessionId;
  }

  get peerCertificate(): X509Certificate | null {
    if (this.#peer === undefined) this.#peer = this.#socket?.getPeerX509Certificate() ?? null;
    return this.#peer;
  }

  get localCertificate(): X509Certificate | null {
    if (this.#local === undefined) this.#local = this.#socket?.getX509Certificate() ?? null;
    return this.#local;
  }

  get #socket(): TLSSocket | null {
    return this.#sockets.isGone ? null : this.#sockets.secure;
  }

  #askVerifyError(): string {
    const error = this.#handle()?.verifyError?.();
    const code: unknown = error instanceof Error ? Reflect.get(error, "code") : "";
    return typeof code === "string" ? code : "UNSPECIFIED";
  }

  #handle(): SessionHandle | null {
    const socket = this.#socket;
    if (socket === null) return null;
    const handle: unknown = Reflect.get(socket, "_handle");
    return typeof handle === "object" ? (handle as SessionHandle | null) : null;
  }
}

/** As far as a TLS handle can tell more than its socket. */
interface SessionHandle {
  verifyError?(): Error | null;
  getSession?(): Buffer | undefined;
}

const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;
/** version, protocol version, cipher, and then the id. */
const FIELDS_BEFORE_ID = 3;

/** OpenSSL's SSL_SESSION is a sequence of which the fourth field is the session's id. */
export function sessionIdOf(der: Buffer): string {
  let at = 0;
  if (der[at] !== SEQUENCE) return "";
  at = contentAt(der, at);
  for (let field = 0; field < FIELDS_BEFORE_ID; field += 1) {
    at = contentAt(der, at) + lengthAt(der, at);
  }
  if (der[at] !== OCTET_STRING) return "";
  const from = contentAt(der, at);
  return der.toString("hex", from, from + lengthAt(der, at));
}

/** Lengths of up to 127 bytes stand in one byte, longer ones in as many as its low bits say. */
function lengthAt(der: Buffer, at: number): number {
  const first = der[at + 1] ?? 0;
  if (first < 0x80) return first;
  const size = first & 0x7f;
  return size > 4 || at + 2 + size > der.length ? der.length : der.readUIntBE(at + 2, size);
}

function contentAt(der: Buffer, at: number): number {
  const first = der[at + 1] ?? 0;
  return at + 2 + (first < 0x80 ? 0 : first & 0x7f);
}

/** From an error of node:tls. */
export function tlsFailureOf(error: unknown): TlsFailure {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : "";
  const reason: unknown = error instanceof Error ? Reflect.get(error, "reason") : "";
  const text = typeof code === "string" ? code : "";
  const words = typeof reason === "string" ? reason : "";
  const isOfTls = words !== "" || text === "" || text.startsWith("ERR_");
  return { kind: isOfTls ? "tls" : "reset", code: text, reason: words };
}

/** The handshake is done: told as a turn. */
export function tellSecured(core: EngineCore, events: TlsEvents, sockets: TlsSockets): void {
  const session = new NodeTlsSession(sockets);
  core.beginTurn();
  try {
    events.onSecured(session);
  } finally {
    core.endTurn();
  }
}

/** The handshake has failed, and the connection is dead: told as a turn. */
export function tellHandshakeFailed(
  core: EngineCore,
  events: TlsEvents,
  failure: TlsFailure,
): void {
  core.beginTurn();
  try {
    events.onHandshakeFailed(failure);
  } finally {
    core.endTurn();
  }
}
