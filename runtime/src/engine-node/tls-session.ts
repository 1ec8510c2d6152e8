// What a handshake agreed on, asked from the connection when somebody wants to know. Used by both
// forms of TLS connections.
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { DerElement } from "../core/der-reader.ts";
import { DerTag, readDer, readDerAll } from "../core/der-reader.ts";
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
  #der: Buffer | undefined = undefined;
  #group: string | undefined = undefined;

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
    return (this.#group ??= this.#askGroup());
  }

  get verifyError(): string {
    if (this.#verifyError === undefined) {
      this.#verifyError = this.peerCertificate === null ? "" : this.#askVerifyError();
    }
    return this.#verifyError;
  }

  get sessionId(): string {
    return (this.#sessionId ??= sessionIdOf(this.#session()));
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

  /** Servers are not told, but their sessions know. */
  #askGroup(): string {
    const info: unknown = this.#socket?.getEphemeralKeyInfo() ?? null;
    if (typeof info !== "object") return "";
    if (info === null) return sessionGroupOf(this.#session());
    const name: unknown = Reflect.get(info, "name");
    return typeof name === "string" ? name : "";
  }

  #session(): Buffer {
    return (this.#der ??= this.#handle()?.getSession?.() ?? noBytes);
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

/** version, protocol version, cipher, and then the id. */
const ID_FIELD = 3;
/** The field [19] of a session: the number of the group, as TLS has it. */
const GROUP_TAG = 0xb3;

/** By their numbers (IANA, "TLS Supported Groups"), in BoringSSL's words. */
const groupNames: ReadonlyMap<number, string> = new Map([
  [0x17, "P-256"],
  [0x18, "P-384"],
  [0x19, "P-521"],
  [0x1d, "X25519"],
  [0x0202, "MLKEM1024"],
  [0x11ec, "X25519MLKEM768"],
]);

const noBytes = Buffer.alloc(0);

/** OpenSSL's SSL_SESSION is a sequence of which the fourth field is the session's id. */
export function sessionIdOf(der: Buffer): string {
  const id = fieldsOf(der)[ID_FIELD];
  return id?.tag === DerTag.OctetString ? id.content.toString("hex") : "";
}

/** "" = without a key exchange of its own, as by RSA. */
export function sessionGroupOf(der: Buffer): string {
  const field = fieldsOf(der).find(({ tag }) => tag === GROUP_TAG);
  const number = field === undefined ? null : readDer(field.content);
  if (number?.tag !== DerTag.Integer || number.content.length > 4) return "";
  const id = number.content.readUIntBE(0, number.content.length);
  return groupNames.get(id) ?? `0x${id.toString(16)}`;
}

function fieldsOf(der: Buffer): readonly DerElement[] {
  const session = readDer(der);
  return session?.tag === DerTag.Sequence ? readDerAll(session.content) : [];
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
