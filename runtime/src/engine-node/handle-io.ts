// Rung 1: a connection on a bare TCP or pipe handle. Made by node-engine.ts and handle-listener.ts.
import type { Duplex } from "node:stream";
import { getSystemErrorName } from "node:util";
import type {
  ConnectOptions,
  IoEvents,
  SocketAddress,
  TcpKeepAlive,
} from "../engine/network-engine.ts";
import { CloseReason } from "../engine/network-engine.ts";
import { askHandle, kernelPath } from "./addresses.ts";
import { newDetachedSocket } from "./detached-socket.ts";
import { type EngineCore, readAreaBytes } from "./engine-core.ts";
import {
  type HandleWriter,
  writeBytesOn,
  writeFramedOn,
  writeLentOn,
  writeTextOn,
} from "./handle-writes.ts";
import {
  type BareHandles,
  type ConnectRequest,
  endOfFile,
  type HandleOwner,
  type PipeHandle,
  type ShutdownRequest,
  type StreamHandle,
  type TcpHandle,
} from "./node-internals.ts";
import { IoState, NodeIo } from "./node-io.ts";

/** What all bare handles of one engine need. */
export class HandleRung {
  readonly core: EngineCore;
  readonly bare: BareHandles;
  /** The one function that all handles call when bytes came. */
  readonly onread: (this: StreamHandle) => Buffer | undefined;

  constructor(core: EngineCore, bare: BareHandles) {
    this.core = core;
    this.bare = bare;
    const { streamState, readResultIndex } = bare;
    this.onread = function onHandleRead(this: StreamHandle): Buffer | undefined {
      return this.io?.handleRead(streamState[readResultIndex] ?? 0);
    };
  }
}

export class HandleIo extends NodeIo implements HandleWriter, HandleOwner {
  readonly rung: HandleRung;
  readonly handle: StreamHandle;
  fd: number = -1;
  /** FIN is asked for and has not left. */
  #isShuttingDown: boolean = false;

  constructor(rung: HandleRung, handle: StreamHandle, state: IoState, events: IoEvents | null) {
    super(rung.core, state, events);
    this.rung = rung;
    this.handle = handle;
    // Stays for the handle's life: through it the handle keeps the engine's read buffer alive.
    handle.io = this;
    handle.onread = rung.onread;
    // Once per handle: each call pushes a listener that lives until the handle is closed.
    handle.useUserBuffer(rung.core.readArea);
    handle.setNoDelay?.(true);
  }

  get canWriteSync(): boolean {
    return this.state === IoState.Open;
  }

  override sendText(text: string): void {
    writeTextOn(this, text);
  }

  override sendBytes(text: string, bytes: Buffer): void {
    writeBytesOn(this, text, bytes);
  }

  override sendLent(text: string, buffer: Buffer, from: number, to: number): void {
    writeLentOn(this, text, buffer, from, to);
  }

  override sendFramed(
    text: string,
    buffer: Buffer,
    from: number,
    to: number,
    behind: string,
  ): void {
    writeFramedOn(this, text, buffer, from, to, behind);
  }

  override startReading(): void {
    const status = this.handle.readStart();
    if (status < 0) this.failLater(status);
  }

  override stopReading(): void {
    this.handle.readStop();
  }

  override sendShutdown(): void {
    const request = this.rung.bare.newShutdown();
    request.oncomplete = onShutdown;
    request.handle = this.handle;
    const status = this.handle.shutdown(request);
    this.#isShuttingDown = status === 0;
    // 1: done already; negative: the connection is over, and the read side says so.
    if (status !== 0) process.nextTick(shutdownLater, this);
  }

  override destroy(withReset: boolean): void {
    const handle = this.handle;
    // Only TCP can reset, and not while a FIN waits behind the queue: Node takes a handle whose
    // reset failed for closed, and keeps its socket for ever; its worker could not even end.
    const mayReset = withReset && !this.#isShuttingDown && handle.reset !== undefined;
    if (!mayReset || handle.reset?.() !== 0) handle.close();
  }

  override queuedBytes(): number {
    return this.handle.writeQueueSize;
  }

  override takeDuplex(): Duplex {
    this.handle.readStop();
    return newDetachedSocket(this.core, this.handle);
  }

  override askLocalAddress(): SocketAddress {
    return askHandle(this.handle, "getsockname");
  }

  override askRemoteAddress(): SocketAddress {
    return askHandle(this.handle, "getpeername");
  }

  override setNoDelay(enabled: boolean): void {
    if (this.state !== IoState.Dead) this.handle.setNoDelay?.(enabled);
  }

  override setKeepAlive(keepAlive: TcpKeepAlive | null): void {
    if (this.state !== IoState.Dead) setHandleKeepAlive(this.handle, keepAlive);
  }

  /** Node reads into the buffer that is answered from then on. */
  handleRead(result: number): Buffer | undefined {
    if (result > 0) {
      this.bytesArrived(this.core.greatReadArea, result);
      if (result >= readAreaBytes || this.readsMuch) return this.#chooseArea(result);
    } else if (result === endOfFile) this.endArrived();
    else if (result < 0) this.readFailed(getSystemErrorName(result));
    return undefined;
  }

  #chooseArea(result: number): Buffer | undefined {
    const didReadMuch = this.readsMuch;
    this.adaptReads(result >= readAreaBytes);
    if (this.readsMuch === didReadMuch) return undefined;
    return this.readsMuch ? this.core.greatReadArea : this.core.readArea;
  }

  handleWritten(status: number): void {
    this.pendingWrites -= 1;
    if (this.state === IoState.Dead) return;
    if (status < 0) this.failLater(status);
    else if (this.pendingWrites === 0) this.drained();
  }

  handleShutdown(): void {
    this.#isShuttingDown = false;
    if (this.state !== IoState.Dead) this.shutdownDone();
  }

  handleConnected(status: number): void {
    this.connected(status === 0 ? "" : getSystemErrorName(status));
  }
}

/** Starts a connection; failures come as onClose in a later turn. */
export function connectHandle(
  rung: HandleRung,
  address: SocketAddress,
  options: ConnectOptions,
  events: IoEvents,
): HandleIo {
  const { bare } = rung;
  const isUnix = address.family === "unix";
  const handle = isUnix ? bare.newPipe() : bare.newTcp();
  const io = new HandleIo(rung, handle, IoState.Connecting, events);
  io.remote = address;
  const request = isUnix ? bare.newPipeConnect() : bare.newTcpConnect();
  request.owner = io;
  request.oncomplete = onConnected;
  const status = isUnix
    ? (handle as PipeHandle).connect(request, kernelPath(address.address))
    : startTcp(io, request, address, options);
  if (typeof status === "number" && status < 0) io.failLater(status);
  return io;
}

export function setHandleKeepAlive(handle: StreamHandle, keepAlive: TcpKeepAlive | null): void {
  if (keepAlive === null) {
    handle.setKeepAlive?.(false, 0);
    return;
  }
  const { idleSeconds, intervalSeconds, probes } = keepAlive;
  handle.setKeepAlive?.(true, idleSeconds, intervalSeconds, probes);
}

function startTcp(
  io: HandleIo,
  request: ConnectRequest,
  address: SocketAddress,
  options: ConnectOptions,
): number {
  const handle = io.handle as TcpHandle;
  const { bindAddress, keepAlive } = options;
  if (bindAddress !== null && bindAddress.family !== "unix") {
    // By the family of the destination: one of the other family is refused as the kernel does.
    const status =
      address.family === "ipv6"
        ? handle.bind6(bindAddress.address, bindAddress.port, 0)
        : handle.bind(bindAddress.address, bindAddress.port, 0);
    if (status < 0) {
      io.connectFailure = CloseReason.BindFailed;
      return status;
    }
  }
  const status =
    address.family === "ipv6"
      ? handle.connect6(request, address.address, address.port)
      : handle.connect(request, address.address, address.port);
  // Only now is there a socket: libuv forgets the numbers that it is told before.
  if (status >= 0 && keepAlive !== null) setHandleKeepAlive(handle, keepAlive);
  return status;
}

function onConnected(this: ConnectRequest, status: number): void {
  this.owner.handleConnected(status);
}

export function onShutdown(this: ShutdownRequest): void {
  this.handle.io?.handleShutdown();
}

export function shutdownLater(io: HandleOwner): void {
  io.handleShutdown();
}
