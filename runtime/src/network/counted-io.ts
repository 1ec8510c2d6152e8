// Counts what a connection's filters write, where its listener's access log tells it. Others have
// the engine's handle itself. Used by listener.ts and tls-handshake.ts.
import type { Duplex } from "node:stream";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { IoEvents, IoHandle, SocketAddress, TcpKeepAlive } from "../engine/network-engine.ts";

export function countedIo(io: IoHandle, { stream }: ConnectionInfo): IoHandle {
  return stream === null ? io : new CountedIo(io, stream);
}

class CountedIo implements IoHandle {
  readonly #io: IoHandle;
  readonly #stream: StreamInfo;

  constructor(io: IoHandle, stream: StreamInfo) {
    this.#io = io;
    this.#stream = stream;
  }

  get localAddress(): SocketAddress {
    return this.#io.localAddress;
  }

  get remoteAddress(): SocketAddress {
    return this.#io.remoteAddress;
  }

  get writeQueueBytes(): number {
    return this.#io.writeQueueBytes;
  }

  setEvents(events: IoEvents): void {
    this.#io.setEvents(events);
  }

  write(bytes: Buffer): boolean {
    this.#stream.bytesSent += bytes.length;
    return this.#io.write(bytes);
  }

  writeText(text: string): boolean {
    this.#stream.bytesSent += text.length;
    return this.#io.writeText(text);
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    this.#stream.bytesSent += to - from;
    return this.#io.writeLent(buffer, from, to);
  }

  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    this.#stream.bytesSent += before.length + to - from + behind.length;
    return this.#io.writeFramed(before, buffer, from, to, behind);
  }

  readDisable(disabled: boolean): void {
    this.#io.readDisable(disabled);
  }

  shutdownWrite(): void {
    this.#io.shutdownWrite();
  }

  close(): void {
    this.#io.close();
  }

  reset(): void {
    this.#io.reset();
  }

  setReadBytesMax(bytes: number): void {
    this.#io.setReadBytesMax(bytes);
  }

  setNoDelay(enabled: boolean): void {
    this.#io.setNoDelay(enabled);
  }

  setKeepAlive(keepAlive: TcpKeepAlive | null): void {
    this.#io.setKeepAlive(keepAlive);
  }

  /** They come again. */
  unread(bytes: Buffer): void {
    this.#stream.bytesReceived -= bytes.length;
    this.#io.unread(bytes);
  }

  detach(): Duplex {
    return this.#io.detach();
  }
}
