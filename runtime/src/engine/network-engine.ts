// What carries bytes for us: the contract between the rooms above and an engine below.
// Implementations live in engine-*/; only server/ names one. See RATIONALE.md, "Why an engine
// contract?".
import type { Duplex } from "node:stream";
import type { TlsEvents, TlsStart } from "./tls.ts";

/** An IP address with a port, or the path of a unix socket (abstract ones begin with "@"). */
export interface SocketAddress {
  /** Textual IP address without brackets, or the path when `family` is "unix". */
  readonly address: string;
  /** 0..65535; 0 for unix sockets, and "any free port" for listen. */
  readonly port: number;
  readonly family: "ipv4" | "ipv6" | "unix";
}

export interface ListenOptions {
  /** SO_REUSEPORT: every worker binds the same address. Ignored for unix sockets. */
  readonly reusePort: boolean;
  /** Length of the kernel's accept queue; 0 = the engine's default (4096). */
  readonly backlog: number;
  /** Only for "::": accept IPv4 too. */
  readonly ipv4Compat: boolean;
  /** Octal mode of a unix socket's file, 0 = leave as the umask made it. */
  readonly mode: number;
  /** The file of a unix socket stands in its place only after publish(). Default false. */
  readonly publishLater?: boolean;
}

export interface ListenHandle {
  /** The address in use; port 0 has become a real port once `onListening` came. */
  readonly localAddress: SocketAddress;
  /**
   * With publishLater: clients find a unix socket from now on, instead of the one that was there.
   * Nothing happens for other addresses; engines without files need not have it.
   */
  publish?(): void;
  /**
   * Accepts no more; connections that were accepted stay. Those that an engine has accepted ahead
   * come to onAccept before this returns.
   */
  close(): void;
}

export interface ListenEvents {
  onListening(): void;
  /**
   * Returns the receiver of the new connection's events, or null to refuse it (the engine then
   * closes it). Reading starts when this returns.
   */
  onAccept(io: IoHandle): IoEvents | null;
  /** Listening failed, or accept did; `code` is the system's name, for example "EADDRINUSE". */
  onError(code: string): void;
}

/** TCP keep-alive. Each number is at least 1. */
export interface TcpKeepAlive {
  /** Before the first probe. */
  readonly idleSeconds: number;
  /** Between probes. */
  readonly intervalSeconds: number;
  /** Unanswered ones after which the connection is dead. */
  readonly probes: number;
}

export interface ConnectOptions {
  /** Source address to bind, or null. */
  readonly bindAddress: SocketAddress | null;
  /** Null = off. */
  readonly keepAlive: TcpKeepAlive | null;
}

export const CloseReason = {
  /** The peer closed its side (FIN) and we closed ours. */
  RemoteClose: 0,
  /** The peer reset the connection, or a write failed. */
  RemoteReset: 1,
  /** connect() was refused or unreachable. */
  ConnectFailed: 2,
  /** We closed it. Never delivered to the receiver that called close() or reset(). */
  LocalClose: 3,
  /** The source address could not be bound; nothing was sent. */
  BindFailed: 4,
} as const;
export type CloseReason = (typeof CloseReason)[keyof typeof CloseReason];

/**
 * The receiver of one connection's events. Every event is the outermost call of a turn: the engine
 * flushes what was written in a turn when it has delivered the events it has at hand.
 */
export interface IoEvents {
  onConnect(): void;
  /**
   * `buffer[0..length)` holds bytes that arrived. They are lent and writable: the receiver may
   * change them (the parser lower-cases names in place) and must not keep them after it returns.
   */
  onRead(buffer: Buffer, length: number): void;
  /** Everything written so far is in the kernel; follows a write that returned false. */
  onWritable(): void;
  /** The peer will send no more (FIN); we may still write. */
  onEnd(): void;
  /**
   * The connection is gone; the last event. Never called from inside a method of IoHandle: a write
   * that fails is reported in a later turn. `code` is the system's error name or "".
   */
  onClose(reason: CloseReason, code: string): void;
}

/**
 * One connection. Small writes of a turn are gathered and leave in one system call when the engine
 * has delivered the events it has at hand; outside a turn they leave at once. The write methods
 * answer "is all of it in the kernel, or about to be?": on false stop the source of the bytes until
 * onWritable. Writes after close are ignored.
 */
export interface IoHandle {
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
  /** Bytes that wait for the kernel. */
  readonly writeQueueBytes: number;
  setEvents(events: IoEvents): void;
  /** Bytes given away: the caller never touches `bytes` again. */
  write(bytes: Buffer): boolean;
  /** Text of which every character is one byte (latin1). */
  writeText(text: string): boolean;
  /**
   * Bytes lent for the duration of the call: `buffer[from..to)`; the engine copies what does not
   * leave.
   */
  writeLent(buffer: Buffer, from: number, to: number): boolean;
  /** Lent bytes between two texts, as a chunk of a body has them: in one call, where it can be. */
  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean;
  /** Counted: reading goes on when as many false as true came. */
  readDisable(disabled: boolean): void;
  /** Sends FIN after what was written; reading goes on. */
  shutdownWrite(): void;
  /** Sends what was written, then closes both directions. No event follows. */
  close(): void;
  /** Closes at once and drops what was not sent. TCP sends RST. No event follows. */
  reset(): void;
  /**
   * What a read may bring at the most, and so what a receiver that stops has to hold:
   * per_connection_buffer_limit_bytes. 0 = no limit; default, and least, are the engine's usual 68
   * KiB. Engines take more only where a connection brings much; they need not.
   */
  setReadBytesMax(bytes: number): void;
  setNoDelay(enabled: boolean): void;
  /** Null = off. */
  setKeepAlive(keepAlive: TcpKeepAlive | null): void;
  /** Puts bytes back in front of what will be read next; they come with the next turn's onRead. */
  unread(bytes: Buffer): void;
  /**
   * Gives the connection away as a Duplex (node:tls, node:http2); this handle is dead afterwards
   * and no event follows. Bytes put back by unread() are read first.
   */
  detach(): Duplex;
}

/** What an engine can do: configuration that needs more is refused at load. */
export interface EngineCapabilities {
  readonly reusePort: boolean;
  readonly abstractUnixSockets: boolean;
  readonly tls: boolean;
}

/** How often connections of one engine met limits at which nothing is lost. Only grow. */
export interface EngineLimits {
  /** What came was kept, as its reader had stopped. */
  readonly readsHeld: number;
  /** Small writes of a turn left before its end, because more came than is gathered. */
  readonly gathersFull: number;
  /** So many connections waited with their writes that all left at once. */
  readonly batchesFull: number;
}

export interface NetworkEngine {
  /** For the log: "node (bare handles)", ... */
  readonly name: string;
  readonly capabilities: EngineCapabilities;
  /** Undefined = nobody counts. */
  readonly limits?: EngineLimits;
  listen(address: SocketAddress, options: ListenOptions, events: ListenEvents): ListenHandle;
  /** Never calls `events` before it returned. */
  connect(address: SocketAddress, options: ConnectOptions, events: IoEvents): IoHandle;
  /**
   * Starts TLS on a connection that stands; `io` is dead afterwards and brings no event. What was
   * put back by unread() is read first. Never calls `events` before it returned. What is written
   * before onSecured leaves after the handshake; shutdownWrite() and close() send close_notify
   * before FIN, and the peer's close_notify is onEnd. Throws where the engine cannot do it.
   */
  startTls(io: IoHandle, start: TlsStart, events: TlsEvents): IoHandle;
  /**
   * Runs `callback` as a turn: what it writes leaves together at the end. For timers and messages.
   */
  runTurn(callback: () => void): void;
}
