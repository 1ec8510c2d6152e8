// TLS by the public interface of node:tls only; for rungs without bare handles. Made by
// tls-start.ts.
import type { Duplex } from "node:stream";
import type { CloseReason, SocketAddress } from "../engine/network-engine.ts";
import type { TlsEvents, TlsFailure } from "../engine/tls.ts";
import { ipAddress, noAddress, unixAddress } from "./addresses.ts";
import type { EngineCore } from "./engine-core.ts";
import { IoState } from "./node-io.ts";
import { ReadStyle, SocketIo } from "./socket-io.ts";
import { tellHandshakeFailed, tellSecured, tlsFailureOf } from "./tls-session.ts";
import type { TlsSockets } from "./tls-sockets.ts";

export class TlsSocketIo extends SocketIo {
  readonly sockets: TlsSockets;
  readonly #tlsEvents: TlsEvents;
  #failure: TlsFailure | null = null;

  constructor(core: EngineCore, sockets: TlsSockets, events: TlsEvents) {
    super(core, sockets.isUnix, ReadStyle.Data, IoState.Connecting, events);
    this.sockets = sockets;
    this.#tlsEvents = events;
    const { secure } = sockets;
    secure.on("error", (error) => this.#failedBy(error));
    secure.on("_tlsError", (error) => this.#failedBy(error));
    secure.once("secure", () => this.#secured());
    this.attach(secure);
  }

  override startReading(): void {
    if (this.state !== IoState.Connecting) super.startReading();
  }

  /** A handshake goes on reading. */
  override stopReading(): void {
    if (this.state !== IoState.Connecting) super.stopReading();
  }

  override sendShutdown(): void {
    // Not from inside a read: OpenSSL would look at what comes next, and drop it.
    if (this.core.depth > 0) setImmediate(endNow, this);
    else this.endNow();
  }

  endNow(): void {
    if (this.state === IoState.Dead) return;
    this.sockets.secure.end();
    if (this.state === IoState.Draining) setImmediate(setImmediate, endWaiting, this);
  }

  /** As TlsHandleIo: who has no room for close_notify is not waited for. */
  endWaiting(): void {
    if (this.state === IoState.Draining && this.pendingWrites === 0) this.die(false);
  }

  override mustDrain(): boolean {
    return this.state === IoState.Open && !this.isShutdownDone;
  }

  /** Reads on, and drops it; see TlsHandleIo. */
  override drainStarts(): void {
    super.startReading();
    this.sendShutdown();
  }

  /** 'finish' makes the end. */
  override drainDone(): void {}

  override destroy(withReset: boolean): void {
    this.sockets.destroy(withReset && !this.isShuttingDown);
  }

  override queuedBytes(): number {
    return super.queuedBytes() + this.sockets.carrier.writableLength;
  }

  override takeDuplex(): Duplex {
    return this.releaseSocket();
  }

  override askLocalAddress(): SocketAddress {
    const { carrier, isUnix } = this.sockets;
    if (isUnix) return unixAddress("");
    const { localAddress, localPort } = carrier;
    return localAddress === undefined ? noAddress : ipAddress(localAddress, localPort ?? 0);
  }

  override finish(reason: CloseReason, code: string): void {
    if (this.state !== IoState.Connecting) super.finish(reason, code);
    else this.#handshakeFailed({ kind: "reset", code, reason: "" });
  }

  override endArrived(): void {
    if (this.state !== IoState.Connecting) super.endArrived();
    else this.#handshakeFailed({ kind: "closed", code: "", reason: "" });
  }

  #secured(): void {
    if (this.state !== IoState.Connecting) return;
    this.state = IoState.Open;
    if (this.readDisables > 0) super.stopReading();
    tellSecured(this.core, this.#tlsEvents, this.sockets);
    if (!this.canWrite && this.state === IoState.Open) this.sendShutdown();
  }

  #failedBy(error: unknown): void {
    this.#failure ??= tlsFailureOf(error);
    if (this.state === IoState.Connecting) this.#handshakeFailed(this.#failure);
    else this.readFailed(this.#failure.code);
  }

  #handshakeFailed(failure: TlsFailure): void {
    this.die(false);
    tellHandshakeFailed(this.core, this.#tlsEvents, failure);
  }
}

function endNow(io: TlsSocketIo): void {
  io.endNow();
}

function endWaiting(io: TlsSocketIo): void {
  io.endWaiting();
}
