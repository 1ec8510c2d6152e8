// An io handle for tests of rooms above the engine: keeps what is written, the test makes the
// events.
import type { Duplex } from "node:stream";
import type { IoEvents, IoHandle, SocketAddress, TcpKeepAlive } from "../engine/network-engine.ts";

export class FakeIo implements IoHandle {
  readonly localAddress: SocketAddress = { address: "127.0.0.1", port: 10_000, family: "ipv4" };
  readonly remoteAddress: SocketAddress = { address: "127.0.0.1", port: 40_000, family: "ipv4" };
  sent = "";
  fate: "open" | "closed" | "reset" = "open";
  /** FIN was sent. */
  isShutdown = false;
  writeQueueBytes = 0;
  /** close() lets a queue leave, and reset() may end that. */
  drainsOnClose = false;
  /** What the write methods answer. */
  isFast = true;
  readDisables = 0;
  unreadBytes: Buffer[] = [];
  keepAlive: TcpKeepAlive | null = null;
  readBytesMax = -1;

  setEvents(_events: IoEvents): void {}
  write(bytes: Buffer): boolean {
    return this.writeText(bytes.toString("latin1"));
  }
  writeText(text: string): boolean {
    if (this.fate === "open") this.sent += text;
    return this.isFast;
  }
  writeLent(buffer: Buffer, from: number, to: number): boolean {
    return this.writeText(buffer.toString("latin1", from, to));
  }
  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    return this.writeText(before + buffer.toString("latin1", from, to) + behind);
  }
  readDisable(disabled: boolean): void {
    this.readDisables += disabled ? 1 : -1;
  }
  shutdownWrite(): void {
    this.isShutdown = true;
  }
  close(): void {
    if (this.fate === "open") this.fate = "closed";
  }
  reset(): void {
    if (this.fate === "open" || this.drainsOnClose) this.fate = "reset";
  }
  setReadBytesMax(bytes: number): void {
    this.readBytesMax = bytes;
  }
  setNoDelay(): void {}
  setKeepAlive(keepAlive: TcpKeepAlive | null): void {
    this.keepAlive = keepAlive;
  }
  unread(bytes: Buffer): void {
    this.unreadBytes.push(bytes);
  }
  detach(): Duplex {
    throw new Error("not here");
  }
}
