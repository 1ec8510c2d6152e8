// Rung 3: a connection on a net.Socket, by its public interface only. Rung 2 builds on it.
import net from "node:net";
import type { Duplex } from "node:stream";
import type {
  ConnectOptions,
  IoEvents,
  SocketAddress,
  TcpKeepAlive,
} from "../engine/network-engine.ts";
import { CloseReason } from "../engine/network-engine.ts";
import { ipAddress, kernelPath, noAddress, unixAddress } from "./addresses.ts";
import type { EngineCore } from "./engine-core.ts";
import { gatherBytes, IoState, NodeIo } from "./node-io.ts";

/** How a socket's bytes reach us. */
export const ReadStyle = {
  /** Through the `onread` option, into the engine's buffer. */
  Onread: 0,
  /** Through 'data' events: accepted sockets have no such option. Node allocates each chunk. */
  Data: 1,
} as const;
export type ReadStyle = (typeof ReadStyle)[keyof typeof ReadStyle];

export class SocketIo extends NodeIo {
  readonly isUnix: boolean;
  readonly readStyle: ReadStyle;
  /** Does not change after attach(). */
  #socket: net.Socket | null = null;
  /** Bytes wait in the stream's own buffer; counted as one of `pendingWrites`. */
  #isStreamBlocked: boolean = false;
  #isDetached: boolean = false;
  #closeCode: string = "";
  readonly #afterWrite: (error?: Error | null) => void;
  readonly #onConnect: () => void;
  readonly #onData: (bytes: Buffer) => void;
  readonly #onEnd: () => void;
  readonly #onFinish: () => void;
  readonly #onError: (error: Error) => void;
  readonly #onClose: () => void;

  constructor(
    core: EngineCore,
    isUnix: boolean,
    readStyle: ReadStyle,
    state: IoState,
    events: IoEvents | null,
  ) {
    super(core, state, events);
    this.isUnix = isUnix;
    this.readStyle = readStyle;
    // An error is followed by 'error' and 'close', which report it.
    this.#afterWrite = (error): void => {
      if (error === undefined || error === null) this.#streamWritten();
    };
    this.#onConnect = (): void => this.connected("");
    this.#onData = (bytes): void => this.bytesArrived(bytes, bytes.length);
    this.#onEnd = (): void => this.endArrived();
    this.#onFinish = (): void => this.#finished();
    this.#onError = (error): void => this.#failed(error);
    this.#onClose = (): void => this.#closed();
  }

  get socket(): net.Socket {
    return this.#socket as net.Socket;
  }

  /** Must follow the constructor at once: the socket's onread option needs the connection first. */
  attach(socket: net.Socket): void {
    this.#socket = socket;
    if (this.state === IoState.Connecting) socket.once("connect", this.#onConnect);
    if (this.readStyle === ReadStyle.Data) socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("finish", this.#onFinish);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  /** For the socket's `onread` option. */
  onreadOption(): net.OnReadOpts {
    return {
      buffer: this.core.readArea,
      callback: (length: number, buffer: Uint8Array): boolean => this.#onread(length, buffer),
    };
  }

  override sendText(text: string): void {
    this.core.writeCalls += 1;
    this.socket.write(text, "latin1", this.#afterWrite);
    this.#afterSend();
  }

  override sendBytes(text: string, bytes: Buffer): void {
    if (text !== "" && text.length + bytes.length <= gatherBytes) {
      this.sendText(text + bytes.toString("latin1"));
      return;
    }
    if (text !== "") this.sendText(text);
    this.core.writeCalls += 1;
    this.socket.write(bytes, this.#afterWrite);
    this.#afterSend();
  }

  override sendLent(text: string, buffer: Buffer, from: number, to: number): void {
    this.sendBytes(text, Buffer.from(buffer.subarray(from, to)));
  }

  override startReading(): void {
    this.socket.resume();
  }

  override stopReading(): void {
    this.socket.pause();
  }

  override sendShutdown(): void {
    this.socket.end();
  }

  override destroy(withReset: boolean): void {
    const socket = this.socket;
    // A socket that still connects would wait for the connection before it resets it.
    const mayReset = !this.isUnix && !socket.connecting && !socket.destroyed;
    if (withReset && mayReset && !this.isShuttingDown) socket.resetAndDestroy();
    else socket.destroy();
  }

  /** FIN is asked for and has not left: a reset would fail, and the socket never go. */
  get isShuttingDown(): boolean {
    return this.socket.writableEnded && !this.socket.writableFinished;
  }

  override queuedBytes(): number {
    return this.socket.writableLength;
  }

  override takeDuplex(): Duplex {
    const socket = this.releaseSocket();
    // Paused, or what comes before the new owner listens would be lost. The handle goes on reading
    // into the stream's buffer, as node:http2 expects: a stream that got something asks for more.
    socket.pause();
    socket.push(Buffer.alloc(0));
    return socket;
  }

  override askLocalAddress(): SocketAddress {
    if (this.isUnix) return unixAddress("");
    const { localAddress, localPort } = this.socket;
    return localAddress === undefined ? noAddress : ipAddress(localAddress, localPort ?? 0);
  }

  override askRemoteAddress(): SocketAddress {
    if (this.isUnix) return unixAddress("");
    const { remoteAddress, remotePort } = this.socket;
    return remoteAddress === undefined ? noAddress : ipAddress(remoteAddress, remotePort ?? 0);
  }

  override setNoDelay(enabled: boolean): void {
    if (!this.isUnix) this.socket.setNoDelay(enabled);
  }

  override setKeepAlive(keepAlive: TcpKeepAlive | null): void {
    if (!this.isUnix) setSocketKeepAlive(this.socket, keepAlive);
  }

  /** The socket is somebody else's from here on. */
  releaseSocket(): net.Socket {
    const socket = this.socket;
    this.#isDetached = true;
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("finish", this.#onFinish);
    socket.off("error", this.#onError);
    socket.off("close", this.#onClose);
    return socket;
  }

  #onread(length: number, buffer: Uint8Array): boolean {
    if (this.#isDetached) return this.socket.push(Buffer.from(buffer.subarray(0, length)));
    this.bytesArrived(this.core.readArea, length);
    return true;
  }

  #afterSend(): void {
    this.#countStream();
    // A write that failed: the socket closes itself in a later turn.
    if (!this.socket.writable) this.canWrite = false;
  }

  #countStream(): void {
    const isBlocked = this.socket.writableLength > 0;
    if (isBlocked === this.#isStreamBlocked) return;
    this.#isStreamBlocked = isBlocked;
    this.pendingWrites += isBlocked ? 1 : -1;
  }

  #streamWritten(): void {
    if (this.state === IoState.Dead || !this.#isStreamBlocked) return;
    this.#countStream();
    if (this.pendingWrites === 0) this.drained();
  }

  #finished(): void {
    if (this.state !== IoState.Dead) this.shutdownDone();
  }

  #failed(error: Error): void {
    const code: unknown = Reflect.get(error, "code");
    this.#closeCode = typeof code === "string" ? code : "EIO";
    if (Reflect.get(error, "syscall") === "bind") this.connectFailure = CloseReason.BindFailed;
  }

  #closed(): void {
    if (this.state === IoState.Connecting) {
      this.finish(this.connectFailure, this.#closeCode);
    } else if (this.#closeCode === "" && this.isReadEnded) {
      this.finish(CloseReason.RemoteClose, "");
    } else {
      this.readFailed(this.#closeCode);
    }
  }
}

/** Milliseconds of a second: net.Socket takes those, and hands seconds to the kernel. */
const secondMs = 1000;

/** Newer arguments of setKeepAlive than its types know. */
interface KeepsAlive {
  setKeepAlive(enabled: boolean, idleMs: number, intervalMs: number, probes: number): void;
}

function setSocketKeepAlive(socket: net.Socket, keepAlive: TcpKeepAlive | null): void {
  if (keepAlive === null) {
    socket.setKeepAlive(false);
    return;
  }
  const { idleSeconds, intervalSeconds, probes } = keepAlive;
  const keeping = socket as unknown as KeepsAlive;
  keeping.setKeepAlive(true, idleSeconds * secondMs, intervalSeconds * secondMs, probes);
}

/** A socket that connects. */
export function startSocket(
  io: SocketIo,
  address: SocketAddress,
  options: ConnectOptions,
): net.Socket {
  const socket = net.connect(connectOptions(io, address, options));
  if (options.keepAlive !== null && !io.isUnix) setSocketKeepAlive(socket, options.keepAlive);
  return socket;
}

/** Options for net.connect; throws later when an address is none, which config has checked. */
function connectOptions(
  io: SocketIo,
  address: SocketAddress,
  options: ConnectOptions,
): net.NetConnectOpts {
  const common = { allowHalfOpen: true, onread: io.onreadOption() };
  if (address.family === "unix") return { ...common, path: kernelPath(address.address) };
  const { bindAddress } = options;
  const hasBind = bindAddress !== null && bindAddress.family !== "unix";
  return {
    ...common,
    host: address.address,
    port: address.port,
    noDelay: true,
    ...(hasBind ? { localAddress: bindAddress.address } : {}),
    ...(hasBind && bindAddress.port > 0 ? { localPort: bindAddress.port } : {}),
  };
}

/** Rung 3's connect(). */
export function connectSocket(
  core: EngineCore,
  address: SocketAddress,
  options: ConnectOptions,
  events: IoEvents,
): SocketIo {
  const isUnix = address.family === "unix";
  const io = new SocketIo(core, isUnix, ReadStyle.Onread, IoState.Connecting, events);
  io.remote = address;
  io.attach(startSocket(io, address, options));
  return io;
}
