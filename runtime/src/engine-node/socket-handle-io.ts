// Rung 2: a net.Socket for reading and for events, its handle for writing.
import net from "node:net";
import type { Duplex } from "node:stream";
import type { ConnectOptions, IoEvents, SocketAddress } from "../engine/network-engine.ts";
import { newDetachedSocket } from "./detached-socket.ts";
import type { EngineCore } from "./engine-core.ts";
import {
  type HandleWriter,
  writeBytesOn,
  writeFramedOn,
  writeLentOn,
  writeTextOn,
} from "./handle-writes.ts";
import {
  type HandleOwner,
  handleOf,
  handleSocketOptions,
  type StreamHandle,
  takeHandle,
} from "./node-internals.ts";
import { IoState } from "./node-io.ts";
import { ReadStyle, SocketIo, startSocket } from "./socket-io.ts";

export class SocketHandleIo extends SocketIo implements HandleWriter, HandleOwner {
  fd: number = -1;
  #handle: StreamHandle | null = null;

  constructor(core: EngineCore, isUnix: boolean, state: IoState, events: IoEvents | null) {
    super(core, isUnix, ReadStyle.Onread, state, events);
  }

  /** Only asked for after attach(). */
  get handle(): StreamHandle {
    return this.#handle as StreamHandle;
  }

  get canWriteSync(): boolean {
    return this.state === IoState.Open;
  }

  override attach(socket: net.Socket): void {
    super.attach(socket);
    this.#handle = handleOf(socket);
    if (this.#handle !== null) this.#handle.io = this;
  }

  override sendText(text: string): void {
    if (this.#mustUseStream()) super.sendText(text);
    else writeTextOn(this, text);
  }

  override sendBytes(text: string, bytes: Buffer): void {
    if (this.#mustUseStream()) super.sendBytes(text, bytes);
    else writeBytesOn(this, text, bytes);
  }

  override sendLent(text: string, buffer: Buffer, from: number, to: number): void {
    if (this.#mustUseStream()) super.sendLent(text, buffer, from, to);
    else writeLentOn(this, text, buffer, from, to);
  }

  override sendFramed(
    text: string,
    buffer: Buffer,
    from: number,
    to: number,
    behind: string,
  ): void {
    if (this.#mustUseStream()) super.sendFramed(text, buffer, from, to, behind);
    else writeFramedOn(this, text, buffer, from, to, behind);
  }

  override queuedBytes(): number {
    return super.queuedBytes() + (this.#handle === null ? 0 : this.#handle.writeQueueSize);
  }

  override takeDuplex(): Duplex {
    const socket = this.releaseSocket();
    const handle = takeHandle(socket);
    if (handle === null) return socket;
    return newDetachedSocket(this.core, handle);
  }

  handleRead(): undefined {
    return undefined;
  }

  handleWritten(status: number): void {
    this.pendingWrites -= 1;
    if (this.state === IoState.Dead) return;
    if (status < 0) this.failLater(status);
    else if (this.pendingWrites === 0) this.drained();
  }

  handleShutdown(): void {}

  handleConnected(): void {}

  /** The stream keeps what is written before the connection stands; nothing may overtake that. */
  #mustUseStream(): boolean {
    return (
      this.#handle === null || this.state === IoState.Connecting || this.socket.writableLength > 0
    );
  }
}

/** Rung 2's connect(). */
export function connectSocketHandle(
  core: EngineCore,
  address: SocketAddress,
  options: ConnectOptions,
  events: IoEvents,
): SocketHandleIo {
  const io = new SocketHandleIo(core, address.family === "unix", IoState.Connecting, events);
  io.remote = address;
  io.attach(startSocket(io, address, options));
  return io;
}

/** Wraps an accepted socket anew, because only new sockets take the onread option. */
export function adoptSocket(core: EngineCore, accepted: net.Socket, isUnix: boolean): SocketIo {
  const handle = takeHandle(accepted);
  if (handle === null) {
    const plain = new SocketIo(core, isUnix, ReadStyle.Data, IoState.Open, null);
    plain.attach(accepted);
    return plain;
  }
  const io = new SocketHandleIo(core, isUnix, IoState.Open, null);
  io.attach(new net.Socket(handleSocketOptions(handle, io.onreadOption())));
  return io;
}
