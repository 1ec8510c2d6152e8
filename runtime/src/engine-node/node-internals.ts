// Every undocumented part of Node that this room leans on, and nothing else; see node-engine.ts for
// what happens when one of them is missing.
import { randomBytes } from "node:crypto";
import type * as net from "node:net";
import type { SecureContext } from "node:tls";
import type { TicketKey, TicketKeys } from "../engine/tls.ts";

/** What a read's result is when the peer sent FIN; the same on all systems. */
export const endOfFile = -4095;

/** What a handle reports to: the connection that owns it. */
export interface HandleOwner {
  /**
   * `result` > 0: bytes in the buffer given to useUserBuffer; < 0: a negated system error. Answers
   * the buffer of the next reads; undefined = the same.
   */
  handleRead(result: number): Buffer | undefined;
  /** A queued write left, or failed with a negated system error. */
  handleWritten(status: number): void;
  /** FIN was sent, or could not be. */
  handleShutdown(): void;
  handleConnected(status: number): void;
}

/** A write of which libuv queued some bytes; it lives until `oncomplete`. */
export interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | null;
  handle: StreamHandle | null;
  /** What libuv points into, kept from the garbage collector. */
  buffer: unknown;
  /** Not null when the write was over before `oncomplete` was set. */
  readonly writeStatus: number | null;
}

/** 0: all bytes are in the kernel; negative: a system error; a request: some bytes are queued. */
export type WriteResult = number | WriteRequest;

export interface ShutdownRequest {
  oncomplete: (this: ShutdownRequest) => void;
  handle: StreamHandle;
}

export interface ConnectRequest {
  oncomplete: (this: ConnectRequest, status: number, handle: StreamHandle) => void;
  owner: HandleOwner;
}

/** What getsockname and getpeername fill in. */
export interface AddressSlot {
  address?: string;
  port?: number;
}

/** A TCP or pipe handle. `io` is our own property on it; `owner` would be net.Socket's. */
export interface StreamHandle {
  readonly fd: number;
  readonly writeQueueSize: number;
  io: HandleOwner | null;
  onread: (this: StreamHandle) => Buffer | undefined;
  readStart(): number;
  readStop(): number;
  useUserBuffer(buffer: Buffer): number;
  writeLatin1String(request: null, text: string): WriteResult;
  writeBuffer(request: null, bytes: Buffer): WriteResult;
  writev(request: null, chunks: readonly unknown[], areAllBuffers: boolean): WriteResult;
  shutdown(request: ShutdownRequest): number;
  close(): void;
  /** The rest exists on TCP handles only. */
  reset?(): number;
  setNoDelay?(enabled: boolean): number;
  setKeepAlive?(
    enabled: boolean,
    idleSeconds: number,
    intervalSeconds?: number,
    probes?: number,
  ): number;
  getsockname?(slot: AddressSlot): number;
  getpeername?(slot: AddressSlot): number;
}

export interface TcpHandle extends StreamHandle {
  connect(request: ConnectRequest, address: string, port: number): number;
  connect6(request: ConnectRequest, address: string, port: number): number;
  bind(address: string, port: number, flags: number): number;
  bind6(address: string, port: number, flags: number): number;
}

export interface PipeHandle extends StreamHandle {
  connect(request: ConnectRequest, path: string): number;
  bind(path: string): number;
}

export interface ServerHandle {
  onconnection: (this: ServerHandle, status: number, client: StreamHandle) => void;
  listen(backlog: number): number;
  close(): void;
}

/** The classes and numbers of tcp_wrap, pipe_wrap and stream_wrap. */
export interface BareHandles {
  readonly newTcp: () => TcpHandle;
  readonly newTcpServer: () => TcpHandle & ServerHandle;
  readonly newPipe: () => PipeHandle;
  readonly newPipeServer: () => PipeHandle & ServerHandle;
  readonly newTcpConnect: () => ConnectRequest;
  readonly newPipeConnect: () => ConnectRequest;
  readonly newShutdown: () => ShutdownRequest;
  /** `streamState[readResultIndex]` is the length of a read or a negated system error. */
  readonly streamState: Int32Array;
  readonly readResultIndex: number;
  /** Flags of bind6 and bind. */
  readonly ipv6Only: number;
  readonly reusePort: number;
}

type Constructor<T> = new (type?: number) => T;

interface Bindings {
  readonly TCP: Constructor<TcpHandle & ServerHandle>;
  readonly TCPConnectWrap: Constructor<ConnectRequest>;
  readonly Pipe: Constructor<PipeHandle & ServerHandle>;
  readonly PipeConnectWrap: Constructor<ConnectRequest>;
  readonly ShutdownWrap: Constructor<ShutdownRequest>;
  readonly WriteWrap: Constructor<object>;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
}

const handleMethods = [
  "readStart",
  "readStop",
  "useUserBuffer",
  "writeLatin1String",
  "writeBuffer",
  "writev",
  "shutdown",
  "close",
];

/** Node 26 makes write requests itself; older ones abort the process when they get null for one. */
export function lacksNullWrites(nodeVersion: string): string | null {
  const major = Number.parseInt(nodeVersion, 10);
  return major >= 26 ? null : `Node ${nodeVersion} wants a request object for each write`;
}

/** Returns the handles' classes, or in words why they are not to be had. */
export function loadBareHandles(): BareHandles | string {
  // Prints nothing, unless Node runs with --pending-deprecation; throws under --permission.
  const binding = Reflect.get(process, "binding") as unknown;
  if (typeof binding !== "function") return "process.binding is not there";
  const tcp: Record<string, unknown> = {};
  const pipe: Record<string, unknown> = {};
  const stream: Record<string, unknown> = {};
  try {
    Object.assign(tcp, Reflect.apply(binding, process, ["tcp_wrap"]));
    Object.assign(pipe, Reflect.apply(binding, process, ["pipe_wrap"]));
    Object.assign(stream, Reflect.apply(binding, process, ["stream_wrap"]));
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, "code") : null;
    return `process.binding is refused (${typeof code === "string" ? code : "error"})`;
  }
  // The checks below are what makes this cast true as far as we use it.
  const all = { ...tcp, ...pipe, ...stream } as unknown as Bindings;
  const tcpConstants = (tcp["constants"] ?? {}) as Record<string, number>;
  const pipeConstants = (pipe["constants"] ?? {}) as Record<string, number>;
  const flaw = findFlaw(all, tcpConstants, pipeConstants);
  if (flaw !== null) return flaw;
  return {
    newTcp: () => new all.TCP(tcpConstants["SOCKET"]),
    newTcpServer: () => new all.TCP(tcpConstants["SERVER"]),
    newPipe: () => new all.Pipe(pipeConstants["SOCKET"]),
    newPipeServer: () => new all.Pipe(pipeConstants["SERVER"]),
    newTcpConnect: () => new all.TCPConnectWrap(),
    newPipeConnect: () => new all.PipeConnectWrap(),
    newShutdown: () => new all.ShutdownWrap(),
    streamState: all.streamBaseState,
    readResultIndex: all.kReadBytesOrError,
    ipv6Only: tcpConstants["UV_TCP_IPV6ONLY"] ?? 0,
    reusePort: tcpConstants["UV_TCP_REUSEPORT"] ?? 0,
  };
}

function findFlaw(
  all: Bindings,
  tcpConstants: Record<string, number>,
  pipeConstants: Record<string, number>,
): string | null {
  for (const name of ["TCP", "TCPConnectWrap", "Pipe", "PipeConnectWrap", "ShutdownWrap"]) {
    if (typeof Reflect.get(all, name) !== "function") return `${name} is not there`;
  }
  if (!(all.streamBaseState instanceof Int32Array)) return "streamBaseState is not there";
  if (typeof all.kReadBytesOrError !== "number") return "kReadBytesOrError is not there";
  for (const name of ["SOCKET", "SERVER"]) {
    if (tcpConstants[name] === undefined || pipeConstants[name] === undefined) {
      return `constant ${name} is not there`;
    }
  }
  if (!("writeStatus" in new all.WriteWrap())) return "write requests are of the old kind";
  const probe = new all.TCP(tcpConstants["SOCKET"]);
  const missing = handleMethods.find((name) => typeof Reflect.get(probe, name) !== "function");
  probe.close();
  return missing === undefined ? null : `handle.${missing} is not there`;
}

/** The handle below a socket, or null when it has none (any more) of the kind we know. */
export function handleOf(socket: net.Socket): StreamHandle | null {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return null;
  const isKnown = handleMethods.every((name) => typeof Reflect.get(handle, name) === "function");
  return isKnown ? (handle as StreamHandle) : null;
}

/** Takes the handle away from its socket, which is dead afterwards and closes nothing. */
export function takeHandle(socket: net.Socket): StreamHandle | null {
  const handle = handleOf(socket);
  if (handle !== null) {
    handle.readStop();
    // net.Socket's own note of whether the handle reads.
    Reflect.set(handle, "reading", false);
    Reflect.set(socket, "_handle", null);
  }
  return handle;
}

/** Options of net.Socket that wrap a handle without reading from it yet. */
export function handleSocketOptions(
  handle: StreamHandle,
  onread: net.OnReadOpts,
): net.SocketConstructorOpts {
  const options = { handle, onread, allowHalfOpen: true, pauseOnCreate: true };
  // The public type does not know `handle`.
  return options as unknown as net.SocketConstructorOpts;
}

/**
 * As handleSocketOptions, but the socket reads from the start, as an accepted one does: node:http2
 * takes over the handle and counts on it.
 */
export function detachedSocketOptions(
  handle: StreamHandle,
  onread: net.OnReadOpts,
): net.SocketConstructorOpts {
  const options = { handle, onread, allowHalfOpen: true };
  // The public type does not know `handle`.
  return options as unknown as net.SocketConstructorOpts;
}

/** What a server's certificate callback is told. */
export interface CertificateQuestion {
  readonly servername?: string | false;
  /** The client asks for a staple. */
  readonly OCSPRequest?: boolean;
}

/** What a ClientHello says of the session that it would resume. */
export interface HelloSession {
  readonly sessionId: Buffer;
  readonly tlsTicket: boolean;
}

/** The handle below a TLSSocket. It takes one write at a time: a second one ends the process. */
export interface TlsHandle extends StreamHandle {
  /** The handle of the socket that carries the records. */
  readonly _parent: StreamHandle;
  /** What the certificate callback has chosen: the inner part of a SecureContext. */
  sni_context: unknown;
  oncertcb: (this: TlsHandle, question: CertificateQuestion) => void;
  onclienthello: (this: TlsHandle, hello: HelloSession) => void;
  onnewsession: (this: TlsHandle, id: Buffer, session: Buffer) => void;
  onkeylog: (this: TlsHandle, line: Buffer) => void;
  onerror: (this: TlsHandle, error: unknown) => void;
  setServername(name: string): void;
  start(): void;
  enableCertCb(): void;
  certCbDone(): void;
  setOCSPResponse(response: Buffer): void;
  enableSessionCallbacks(): void;
  loadSession(session: Buffer | null): void;
  clientHelloDone(): void;
  newSessionDone(): void;
  enableKeylogCallback(): void;
}

const tlsHandleMethods = [
  "setServername",
  "start",
  "enableCertCb",
  "certCbDone",
  "setOCSPResponse",
  "enableSessionCallbacks",
  "loadSession",
  "clientHelloDone",
  "newSessionDone",
  "enableKeylogCallback",
];

/** The handle below a TLS socket, or null when it is not of the kind we know. */
export function tlsHandleOf(socket: net.Socket): TlsHandle | null {
  const handle = handleOf(socket);
  if (handle === null || typeof Reflect.get(handle, "_parent") !== "object") return null;
  const isKnown = tlsHandleMethods.every((name) => {
    return typeof Reflect.get(handle, name) === "function";
  });
  return isKnown ? (handle as TlsHandle) : null;
}

/** The part of a SecureContext that handles take. */
export function innerContext(context: SecureContext): unknown {
  return Reflect.get(context, "context");
}

/** 1 = the ticket is good, 2 = good, and another one is due, 0 = nobody knows its key. */
type TicketAnswer = readonly [number, Buffer, Buffer, Buffer?, Buffer?];

interface TicketContext {
  onticketkeycallback?: (name: Buffer, iv: Buffer, isMade: boolean) => TicketAnswer;
  enableTicketKeyCallback(): void;
}

const IV_BYTES = 16;

/** Contexts have one key of their own: with several, OpenSSL asks for each ticket. */
export function useTicketKeys(context: SecureContext, ticketKeys: TicketKeys): void {
  const inner = innerContext(context) as TicketContext;
  if (inner.onticketkeycallback !== undefined) return;
  // A node:tls without the question: each context has keys of its own, and full handshakes help.
  if (typeof inner.enableTicketKeyCallback !== "function") return;
  inner.onticketkeycallback = (name, _iv, isMade): TicketAnswer => {
    const first = ticketKeys.keys[0] as TicketKey;
    if (isMade) return [1, first.sign, first.encrypt, first.name, randomBytes(IV_BYTES)];
    const key = ticketKeys.keys.find((one) => one.name.equals(name));
    if (key === undefined) return [0, first.sign, first.encrypt];
    return [key === first ? 1 : 2, key.sign, key.encrypt];
  };
  inner.enableTicketKeyCallback();
}

/** Sends the ClientHello; `serverName` "" = without SNI. */
export function startTlsClient(socket: net.Socket, handle: TlsHandle, serverName: string): void {
  if (socket.destroyed) return;
  if (serverName !== "") handle.setServername(serverName);
  handle.start();
}

/** Its handshake was made on the handle: without this node:http2 would wait for 'secureConnect'. */
export function noteSecured(socket: net.Socket): void {
  Reflect.set(socket, "secureConnecting", false);
}
