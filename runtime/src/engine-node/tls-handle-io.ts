// TLS on the handle below a TLSSocket: reads land in the engine's buffer, writes go to OpenSSL
// without a stream in between; node:tls makes the handshake. Made by tls-start.ts.
import type { Duplex } from "node:stream";
import { getSystemErrorName } from "node:util";
import { latin1 } from "../core/latin1.ts";
import type { SocketAddress, TcpKeepAlive } from "../engine/network-engine.ts";
import { CloseReason } from "../engine/network-engine.ts";
import type { TlsEvents, TlsFailure } from "../engine/tls.ts";
import { askHandle } from "./addresses.ts";
import { type HandleRung, onShutdown, setHandleKeepAlive, shutdownLater } from "./handle-io.ts";
import { onWritten } from "./handle-writes.ts";
import type { HandleOwner, TlsHandle, WriteResult } from "./node-internals.ts";
import { endOfFile, noteSecured } from "./node-internals.ts";
import { gatherBytes, IoState, NodeIo } from "./node-io.ts";
import type { TlsSockets } from "./tls-sockets.ts";
import { tellHandshakeFailed, tellSecured, tlsFailureOf } from "./tls-session.ts";

/**
 * OpenSSL gets so much at once: more would stand in memory twice, plain and encrypted, until the
 * kernel takes it.
 */
const writeBytesMax = 131_072;

export class TlsHandleIo extends NodeIo implements HandleOwner {
  readonly rung: HandleRung;
  readonly sockets: TlsSockets;
  readonly handle: TlsHandle;
  readonly #tlsEvents: TlsEvents;
  /** A write is under way, and the handle takes no other one. */
  #isInFlight: boolean = false;
  /** What waits for that; ours. */
  readonly #queue: Buffer[];
  #queueBytes: number = 0;
  #isShutdownDue: boolean = false;
  #isShutdownSent: boolean = false;

  constructor(rung: HandleRung, sockets: TlsSockets, handle: TlsHandle, events: TlsEvents) {
    super(rung.core, IoState.Connecting, events);
    this.rung = rung;
    this.sockets = sockets;
    this.handle = handle;
    this.#tlsEvents = events;
    this.#queue = [];
    handle.io = this;
    handle.onread = rung.onread;
    handle.useUserBuffer(rung.core.readArea);
    handle.onerror = onTlsError;
    sockets.secure.once("secure", () => this.#secured());
    sockets.secure.once("close", () => this.#closedBelow());
  }

  override sendText(text: string): void {
    if (this.#mustQueue(text.length)) this.#enqueue(Buffer.from(text, "latin1"));
    else this.#sent(this.handle.writeLatin1String(null, text));
  }

  override sendBytes(text: string, bytes: Buffer): void {
    if (this.#mustQueue(text.length + bytes.length)) {
      if (text !== "") this.#enqueue(Buffer.from(text, "latin1"));
      this.#enqueue(bytes);
    } else this.#sendBoth(text, bytes);
  }

  /** OpenSSL has encrypted, or copied, all of it when the call returns. */
  override sendLent(text: string, buffer: Buffer, from: number, to: number): void {
    if (this.#mustQueue(text.length + to - from)) {
      if (text !== "") this.#enqueue(Buffer.from(text, "latin1"));
      this.#enqueue(Buffer.from(buffer.subarray(from, to)));
    } else this.#sendBoth(text, buffer.subarray(from, to));
  }

  override sendFramed(
    text: string,
    buffer: Buffer,
    from: number,
    to: number,
    behind: string,
  ): void {
    if (this.#mustQueue(text.length + to - from + behind.length)) {
      super.sendFramed(text, buffer, from, to, behind);
      return;
    }
    const bytes = buffer.subarray(from, to);
    const chunks = [text, "latin1", bytes, "buffer", behind, "latin1"];
    this.#sent(this.handle.writev(null, chunks, false));
  }

  override startReading(): void {
    if (this.state === IoState.Connecting) return;
    const status = this.handle.readStart();
    if (status < 0) this.failLater(status);
  }

  /** A handshake goes on reading. */
  override stopReading(): void {
    if (this.state !== IoState.Connecting) this.handle.readStop();
  }

  override sendShutdown(): void {
    if (this.#isInFlight || this.#queueBytes > 0) {
      this.#isShutdownDue = true;
      return;
    }
    // Not from inside a read: OpenSSL would look at what comes next, and drop it.
    if (this.core.depth > 0) setImmediate(shutdownNow, this);
    else this.shutdownNow();
  }

  shutdownNow(): void {
    if (this.state === IoState.Dead || this.#isShutdownSent) return;
    this.#isShutdownSent = true;
    const request = this.rung.bare.newShutdown();
    request.oncomplete = onShutdown;
    request.handle = this.handle;
    const status = this.handle.shutdown(request);
    if (status !== 0) process.nextTick(shutdownLater, this);
    this.#countPending();
    // All the rest has left. As Envoy: who has no room for close_notify is not waited for, which
    // would be for ever.
    if (this.state === IoState.Draining && this.pendingWrites > 0) this.die(false);
  }

  override mustDrain(): boolean {
    return this.state === IoState.Open && !this.isShutdownDone;
  }

  /**
   * Reads on, and drops it: what stands unread in the kernel, as session tickets may, would make
   * the close a reset, and a reset takes away what the peer has not read.
   */
  override drainStarts(): void {
    this.handle.readStart();
    if (!this.#isShutdownDue) this.sendShutdown();
  }

  /** The shutdown that follows makes the end. */
  override drainDone(): void {}

  override destroy(withReset: boolean): void {
    this.#queue.length = 0;
    this.#queueBytes = 0;
    // As HandleIo: a reset while close_notify and FIN leave would fail, and free nothing.
    const isShuttingDown = this.#isShutdownSent && !this.isShutdownDone;
    this.sockets.destroy(withReset && !isShuttingDown);
  }

  override queuedBytes(): number {
    return this.#queueBytes + this.handle._parent.writeQueueSize;
  }

  override takeDuplex(): Duplex {
    const { secure } = this.sockets;
    // The handle must not get a write before it has reported ours.
    if (this.#isInFlight) secure.cork();
    for (const bytes of this.#queue) secure.write(bytes);
    this.handle.onread = (): undefined => {
      const length = this.rung.bare.streamState[this.rung.bare.readResultIndex] ?? 0;
      if (length > 0) secure.push(Buffer.from(this.core.readArea.subarray(0, length)));
      else if (length === endOfFile) secure.push(null);
      else if (length < 0) secure.destroy();
    };
    noteSecured(secure);
    return secure;
  }

  override askLocalAddress(): SocketAddress {
    return askHandle(this.handle._parent, "getsockname");
  }

  override askRemoteAddress(): SocketAddress {
    return askHandle(this.handle._parent, "getpeername");
  }

  override setNoDelay(enabled: boolean): void {
    if (this.state !== IoState.Dead) this.handle._parent.setNoDelay?.(enabled);
  }

  override setKeepAlive(keepAlive: TcpKeepAlive | null): void {
    if (this.state !== IoState.Dead) setHandleKeepAlive(this.handle._parent, keepAlive);
  }

  override finish(reason: CloseReason, code: string): void {
    if (this.state !== IoState.Connecting) super.finish(reason, code);
    else this.#handshakeFailed({ kind: "reset", code, reason: "" });
  }

  /** OpenSSL says so; an alert has left if there is one for it. */
  tlsFailed(error: unknown): void {
    const failure = tlsFailureOf(error);
    if (this.state === IoState.Connecting) this.#handshakeFailed(failure);
    else this.readFailed(failure.code);
  }

  handleRead(result: number): undefined {
    if (result > 0) this.bytesArrived(this.core.readArea, result);
    else if (this.state === IoState.Connecting) this.#endedEarly(result);
    else if (result === endOfFile) {
      // Comes twice: for close_notify and for FIN.
      if (!this.isReadEnded) this.endArrived();
    } else if (result < 0) this.readFailed(getSystemErrorName(result));
  }

  handleWritten(status: number): void {
    this.#isInFlight = false;
    if (this.state === IoState.Dead) {
      this.sockets.secure.uncork();
      return;
    }
    if (status < 0) {
      this.failLater(status);
      return;
    }
    this.#pump();
  }

  handleShutdown(): void {
    if (this.state !== IoState.Dead) this.shutdownDone();
  }

  handleConnected(): void {}

  /** node:tls has made an end of its own. */
  #closedBelow(): void {
    if (this.state !== IoState.Dead) this.finish(CloseReason.RemoteReset, "ECONNRESET");
  }

  #endedEarly(result: number): void {
    if (result === endOfFile) this.#handshakeFailed({ kind: "closed", code: "", reason: "" });
    else if (result < 0) this.finish(CloseReason.RemoteReset, getSystemErrorName(result));
  }

  #secured(): void {
    if (this.state !== IoState.Connecting) return;
    this.state = IoState.Open;
    if (this.readDisables > 0) this.handle.readStop();
    tellSecured(this.core, this.#tlsEvents, this.sockets);
    this.#pump();
    if (!this.canWrite && this.state === IoState.Open && !this.#isShutdownDue) this.sendShutdown();
  }

  #handshakeFailed(failure: TlsFailure): void {
    this.die(false);
    tellHandshakeFailed(this.core, this.#tlsEvents, failure);
  }

  #mustQueue(length: number): boolean {
    const isReady = this.state === IoState.Open && !this.#isInFlight && this.#queueBytes === 0;
    return !isReady || length > writeBytesMax;
  }

  #enqueue(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queueBytes += bytes.length;
    if (this.state === IoState.Open && !this.#isInFlight) this.#sendQueued();
    this.#countPending();
  }

  #sendBoth(text: string, bytes: Buffer): void {
    if (text === "") this.#sent(this.handle.writeBuffer(null, bytes));
    else if (text.length + bytes.length <= gatherBytes) {
      this.#sent(this.handle.writeLatin1String(null, text + latin1(bytes, 0, bytes.length)));
    } else this.#sent(this.handle.writev(null, [text, "latin1", bytes, "buffer"], false));
  }

  /** As many of the queue's bytes as one write may have. */
  #sendQueued(): void {
    const chunks: Buffer[] = [];
    let room = writeBytesMax;
    while (room > 0) {
      const first = this.#queue[0];
      if (first === undefined) break;
      if (first.length > room) {
        chunks.push(first.subarray(0, room));
        this.#queue[0] = first.subarray(room);
        room = 0;
        break;
      }
      chunks.push(first);
      this.#queue.shift();
      room -= first.length;
    }
    this.#queueBytes -= writeBytesMax - room;
    const [only] = chunks;
    if (chunks.length === 1 && only !== undefined) this.#sent(this.handle.writeBuffer(null, only));
    else this.#sent(this.handle.writev(null, chunks, true));
  }

  #sent(result: WriteResult): void {
    this.core.writeCalls += 1;
    if (typeof result === "number") {
      if (result < 0) this.failLater(result);
      return;
    }
    if (result.writeStatus !== null) {
      if (result.writeStatus < 0) this.failLater(result.writeStatus);
      return;
    }
    result.oncomplete = onWritten;
    result.handle = this.handle;
    this.#isInFlight = true;
    this.#countPending();
  }

  /** A write that the kernel has taken is reported in the next round; nobody waits for that. */
  #countPending(): void {
    const waits = this.#queueBytes > 0 || this.handle._parent.writeQueueSize > 0;
    this.pendingWrites = waits ? 1 : 0;
  }

  #pump(): void {
    if (this.state === IoState.Dead || this.#isInFlight) return;
    if (this.#queueBytes > 0) this.#sendQueued();
    this.#countPending();
    if (this.#isShutdownDue && !this.#isInFlight && this.#queueBytes === 0) {
      this.#isShutdownDue = false;
      this.sendShutdown();
    }
    if (this.pendingWrites === 0) this.drained();
  }
}

function shutdownNow(io: TlsHandleIo): void {
  io.shutdownNow();
}

function onTlsError(this: TlsHandle, error: unknown): void {
  if (this.io instanceof TlsHandleIo) this.io.tlsFailed(error);
}
