// A TCP connection on the ring. Made by uring-engine.ts and ring-listener.ts; what all engines on
// Node's machinery agree on is in engine-node/node-io.ts.
import type { Duplex } from "node:stream";
import { assert } from "../core/assert.ts";
import type { IoEvents, SocketAddress, TcpKeepAlive } from "../engine/network-engine.ts";
import { newSocketOf } from "../engine-node/detached-socket.ts";
import { greatReadBytes } from "../engine-node/engine-core.ts";
import { gatherBytes, IoState, NodeIo } from "../engine-node/node-io.ts";
import { latin1 } from "../core/latin1.ts";
import { errorName } from "./native.ts";
import { BUFFER_GROUP, readBytesMax } from "./read-buffers.ts";
import { SendQueue } from "./send-queue.ts";
import {
  CancelFlag,
  CqeFlag,
  Errno,
  MSG_DONTWAIT,
  Op,
  POLL_FIRST,
  POLLIN,
  QUIET_CANCEL,
  SQE_FLAGS_SHIFT,
  SqeFlag,
} from "./uring-abi.ts";
import { Kind, type UringLoop, type UringOwner } from "./uring-loop.ts";

/**
 * So much and one read are never too much to wait. The next read behind these is prepared at once:
 * to have each wait for its turn's end cost a small request 1 us. Behind more than these the next
 * one is a great one, too, which is made alone: see UringLoop.addGreat().
 */
const harmlessBytes = 12_288;

/**
 * With more than this under way, a write answers false: enough for a head and 64 KiB of body. What
 * the kernel has taken is known a turn later; to stop and start a source for each of these would
 * cost a fifth of such a response.
 */
export const waitingBytesMax: number = readBytesMax + harmlessBytes;

/**
 * One read at a time. A multishot read brings up to 32 of them before a reader can stop, MiB that
 * must be kept then; it saves nothing that could be measured.
 */
const RECV = Op.Recv | (SqeFlag.BufferSelect << SQE_FLAGS_SHIFT);

/** Of a socket that has just been read empty: to look there again would be in vain. */
const RECV_WHEN_READY = RECV | POLL_FIRST;

const FIN = "FIN";

export class RingIo extends NodeIo implements UringOwner {
  readonly loop: UringLoop;
  readonly #index: number;
  readonly #queue: SendQueue;
  fd: number = -1;
  /** Operations that have not brought their last completion. */
  #operations: number = 0;
  #isConnected: boolean;
  #quickResult: number = 0;
  #isReceiving: boolean = false;
  /** What the read under way, or the last one, asked for. */
  #wantedBytes: number = readBytesMax;
  #cameBytes: number = 0;
  #isReadEmpty: boolean = false;
  /** Where a great read that is under way puts its bytes, or -1. */
  #greatAt: number = -1;
  /** The next read goes out with what this turn writes. */
  #isReadDue: boolean = false;
  #isShutdownDue: boolean = false;
  /** Of the peer: the kernel looks at it when it begins, which is later than we say so. */
  addressForKernel: Buffer | null = null;
  /** One read, that came while nobody wanted to read. */
  #held: Buffer | null = null;
  /** And what came behind it: "" = nothing yet, "FIN", or the failure's name. */
  #heldEnd: string = "";
  /** A send stopped short, which it does when the connection is over; the next will say why. */
  #isResending: boolean = false;
  /** The connection is given away: what comes is held. */
  #isLeaving: boolean = false;
  #hasLeft: boolean = false;

  constructor(loop: UringLoop, fd: number, state: IoState, events: IoEvents | null) {
    super(loop.core, state, events);
    this.loop = loop;
    this.fd = fd;
    this.#isConnected = state === IoState.Open;
    this.#queue = new SendQueue(loop);
    this.#index = loop.add(this);
  }

  override sendText(text: string): void {
    this.core.writeCalls += 1;
    const userData = this.loop.userData(this.#index, Kind.QuickSend);
    if (this.#isConnected && this.#queue.trySendText(text, this.fd, userData)) {
      this.#operations += 1;
      this.#quickResult = text.length;
      this.loop.addQuick(this);
      return;
    }
    this.#queue.addText(text);
    this.#send(text.length);
  }

  /** Its send was not taken as a whole: so much, or a negated errno. */
  quickFailed(result: number): void {
    this.#quickResult = result;
  }

  /** The kernel has looked at its send. */
  quickEnded(): void {
    this.#operations -= 1;
    const result = this.#quickResult;
    // No room in the kernel now: sent again, to wait for some.
    this.#landed(result === -Errno.Again ? 0 : result);
    this.#leaveIfDone();
  }

  override sendBytes(text: string, bytes: Buffer): void {
    if (text.length + bytes.length <= gatherBytes) {
      this.sendText(text + latin1(bytes, 0, bytes.length));
      return;
    }
    this.core.writeCalls += 1;
    this.#queue.addText(text);
    this.#queue.addBytes(bytes);
    this.#send(bytes.length);
  }

  override sendLent(text: string, buffer: Buffer, from: number, to: number): void {
    if (text.length + to - from <= gatherBytes) {
      this.sendText(text + latin1(buffer, from, to));
      return;
    }
    this.core.writeCalls += 1;
    this.#queue.addText(text);
    this.#queue.addLent(buffer, from, to);
    this.#send(to - from);
  }

  override flush(): void {
    super.flush();
    this.#start();
    if (!this.#isReadDue) return;
    this.#isReadDue = false;
    if (this.#wantsBytes() && !this.#isReceiving) this.#receive();
  }

  override mustDrain(): boolean {
    return !this.#queue.isEmpty;
  }

  override drainStarts(): void {
    this.loop.hurry();
  }

  override startReading(): void {
    if (this.#held !== null || this.#heldEnd !== "") process.nextTick(deliverHeld, this);
    else if (!this.#isReceiving) this.#receive();
  }

  /** The read goes on: most pauses are over before anything comes, and what comes is held. */
  override stopReading(): void {}

  override sendShutdown(): void {
    if (!this.#queue.isEmpty) {
      this.#isShutdownDue = true;
      this.loop.hurry();
      return;
    }
    this.#isShutdownDue = false;
    // A failure means that the connection is over, which the read side will say.
    this.loop.sockets.endWriting(this.fd);
    process.nextTick(shutdownLater, this);
  }

  handleShutdown(): void {
    if (this.state !== IoState.Dead) this.shutdownDone();
  }

  override destroy(withReset: boolean): void {
    if (this.fd >= 0) {
      if (withReset && this.#isConnected) this.loop.sockets.abort(this.fd);
      if (this.#operations > 0) this.#cancelAll();
      this.loop.ring.close(this.fd);
      this.fd = -1;
    }
    this.#queue.clear();
    this.#leaveIfDone();
  }

  override queuedBytes(): number {
    return this.#queue.bytes;
  }

  override takeDuplex(): Duplex {
    this.#isLeaving = true;
    if (this.#operations > 0) {
      this.#cancelAll();
      this.loop.settle(this.#index, this, () => this.#operations === 0);
    }
    this.loop.native.estate?.closing(this.fd);
    const socket = newSocketOf(this.fd);
    for (const bytes of this.#queue.rest()) socket.write(bytes);
    this.#queue.clear();
    const held = this.#held;
    if (held !== null) {
      this.unreadBytes = this.unreadBytes === null ? held : Buffer.concat([this.unreadBytes, held]);
    }
    this.fd = -1;
    this.#leaveIfDone();
    return socket;
  }

  override askLocalAddress(): SocketAddress {
    return this.loop.sockets.localOf(this.fd);
  }

  override askRemoteAddress(): SocketAddress {
    return this.loop.sockets.remoteOf(this.fd);
  }

  override setNoDelay(enabled: boolean): void {
    if (this.fd >= 0) this.loop.sockets.setNoDelay(this.fd, enabled);
  }

  override setKeepAlive(keepAlive: TcpKeepAlive | null): void {
    if (this.fd >= 0) this.loop.sockets.setKeepAlive(this.fd, keepAlive);
  }

  /** `address`: `length` bytes of it, where V8 does not move them. */
  startConnect(address: Buffer, length: number): void {
    const { native, ring } = this.loop;
    this.addressForKernel = address;
    this.#operations += 1;
    const userData = this.loop.userData(this.#index, Kind.Connect);
    ring.prepare(Op.Connect, this.fd, native.addressOf(address), 0, 0, userData, length);
  }

  completed(kind: number, result: number, flags: number, offset: number): void {
    if (kind === Kind.Recv) {
      if (this.#greatAt < 0) this.#received(result, flags, offset);
      else this.#greatReceived(result, flags);
    } else if (kind === Kind.Ready) {
      this.#operations -= 1;
      this.loop.addGreat(this);
    } else if (kind === Kind.Send) {
      this.#operations -= 1;
      const isShort = result > 0 && result < this.#queue.flyingBytes;
      this.#landed(result);
      this.#isResending = isShort && !this.#queue.isEmpty;
    } else if (kind === Kind.Connect) this.#connectEnded(result);
    this.#leaveIfDone();
  }

  deliverHeld(): void {
    const bytes = this.#held;
    if (bytes !== null && this.#mayDeliver()) {
      this.#held = null;
      this.bytesArrived(bytes, bytes.length);
    }
    if (this.state === IoState.Dead || this.readDisables > 0) return;
    // Bytes that were put back come first, in the next tick.
    if (this.unreadBytes !== null) process.nextTick(deliverHeld, this);
    else if (this.#heldEnd !== "" && !this.#isResending) this.#deliverEnd();
    else this.#goOnReceiving();
  }

  #receive(): void {
    this.#isReceiving = true;
    if (this.#cameBytes <= harmlessBytes) this.#prepareRead();
    else if (!this.#isReadEmpty) this.loop.addGreat(this);
    else {
      this.#operations += 1;
      const userData = this.loop.userData(this.#index, Kind.Ready);
      this.loop.ring.prepare(Op.PollAdd, this.fd, 0, 0, POLLIN, userData);
    }
  }

  /** There is something, and it is this connection's turn. */
  readNow(): void {
    if (this.fd < 0 || this.#isLeaving || !this.#wantsBytes()) {
      this.#isReceiving = false;
      return;
    }
    this.#greatAt = this.loop.reads.take();
    this.#prepareRead();
  }

  #prepareRead(): void {
    const { reads, ring } = this.loop;
    this.#operations += 1;
    const userData = this.loop.userData(this.#index, Kind.Recv);
    const wanted = this.readsMuch ? greatReadBytes : readBytesMax;
    this.#wantedBytes = wanted;
    if (this.#greatAt < 0) {
      const recv = this.#isReadEmpty ? RECV_WHEN_READY : RECV;
      ring.prepare(recv, this.fd, 0, wanted, 0, userData, 0, BUFFER_GROUP);
    } else {
      const address = reads.addressAt(this.#greatAt);
      ring.prepare(Op.Recv, this.fd, address, wanted, MSG_DONTWAIT, userData);
    }
  }

  #greatReceived(result: number, flags: number): void {
    const at = this.#greatAt;
    this.#greatAt = -1;
    if (result <= 0) this.loop.reads.release(at);
    if (result !== -Errno.Again) {
      this.#received(result, flags, at);
      return;
    }
    // Nothing was there after all.
    this.#operations -= 1;
    this.#isReceiving = false;
    this.#isReadEmpty = true;
    if (this.#wantsBytes()) this.#receive();
  }

  #received(result: number, flags: number, offset: number): void {
    this.#isReceiving = false;
    this.#operations -= 1;
    if (result === -Errno.NoBuffers) {
      this.loop.reads.short += 1;
      if (this.state === IoState.Dead) return;
      this.#isReceiving = true;
      this.loop.addHungry(this);
      return;
    }
    this.#cameBytes = result;
    this.#isReadEmpty = (flags & CqeFlag.SocketNonempty) === 0;
    if (result > 0) this.#bytesCame(result, offset);
    else if (this.state === IoState.Dead) return;
    else if (result !== -Errno.Canceled) {
      this.#heldEnd = result === 0 ? FIN : errorName(-result);
      if (this.#mayDeliver() && !this.#isResending) this.#deliverEnd();
    }
    this.#goOnReceiving();
    const isHolding = this.#held !== null || this.#heldEnd !== "";
    // Behind bytes that were put back, which come in the next tick.
    if (isHolding && this.readDisables === 0) process.nextTick(deliverHeld, this);
  }

  /** Its read found no room, and now there is some. */
  readAgain(): boolean {
    this.#isReceiving = false;
    if (this.fd >= 0) this.#goOnReceiving();
    return this.#isReceiving || this.#isReadDue;
  }

  /** No getter: V8 calls private ones through its runtime. */
  #wantsBytes(): boolean {
    return this.readDisables === 0 && this.state <= IoState.Failing;
  }

  #mayDeliver(): boolean {
    return this.unreadBytes === null && this.#wantsBytes();
  }

  #deliverEnd(): void {
    const end = this.#heldEnd;
    this.#heldEnd = "";
    if (end === FIN) this.endArrived();
    else this.readFailed(end);
  }

  #bytesCame(length: number, offset: number): void {
    const { reads } = this.loop;
    try {
      const bytes = reads.view(offset, length);
      if (this.#mayDeliver()) this.bytesArrived(bytes, length);
      else if (this.state <= IoState.Failing || this.#isLeaving) {
        this.core.readsHeld += 1;
        this.#held = Buffer.from(bytes);
      }
    } finally {
      reads.release(offset);
    }
    if (length >= readBytesMax || this.readsMuch) this.adaptReads(length >= this.#wantedBytes);
  }

  #goOnReceiving(): void {
    if (this.isReadEnded || this.#heldEnd !== "" || this.#held !== null) return;
    // Also behind bytes that were put back: what comes before they are delivered is held.
    if (!this.#wantsBytes() || this.#isReceiving) return;
    if (this.core.depth === 0 || this.#cameBytes <= harmlessBytes) {
      this.#receive();
      return;
    }
    // Behind what the receiver has sent on: that the kernel took it is then known before more
    // comes, which would otherwise be stopped as if nothing had left.
    this.#isReadDue = true;
    this.beDirty();
  }

  #landed(result: number): void {
    const queue = this.#queue;
    queue.landed(result);
    if (this.#isLeaving) return;
    if (this.state === IoState.Dead) {
      queue.clear();
      return;
    }
    const wasResending = this.#isResending;
    this.#isResending = false;
    if (result < 0) {
      queue.clear();
      this.pendingWrites = 0;
      this.failLaterWith(errorName(-result));
      if (wasResending && this.#heldEnd !== "") process.nextTick(deliverHeld, this);
      return;
    }
    if (!queue.isEmpty) {
      this.#sendOn(waitingBytesMax);
      return;
    }
    this.pendingWrites = 0;
    if (this.#isShutdownDue) this.sendShutdown();
    this.drained();
  }

  /**
   * All that a turn writes leaves together. One piece of `length` bytes may wait whole: it is what
   * a great read brought, and the next one is not read before the kernel has had this.
   */
  #send(length: number): void {
    const queue = this.#queue;
    const piece = Math.min(Math.max(length, readBytesMax), greatReadBytes);
    const max = piece + harmlessBytes;
    if (!this.#isConnected) this.pendingWrites = queue.isEmpty ? 0 : 1;
    else if (queue.bytes <= max || this.pendingWrites > 0 || this.#isResending) this.#sendOn(max);
    else this.#sendNow();
  }

  #sendOn(max: number): void {
    if (this.core.depth > 0) this.beDirty();
    else this.#start();
    if (this.#queue.bytes > max) this.pendingWrites = 1;
  }

  /**
   * More than may wait, unless the kernel has room for it: asked at once, not at the turn's end.
   * Whoever was told to wait is not: drained() has to tell him.
   */
  #sendNow(): void {
    const queue = this.#queue;
    const { loop } = this;
    do {
      this.#start();
      // One that failed, or stopped short, is heard of in its turn.
      const place = loop.sentBy(this.#index, queue.flyingBytes);
      if (place < 0) {
        this.pendingWrites = 1;
        return;
      }
      loop.ring.drop(place);
      this.#operations -= 1;
      queue.landed(queue.flyingBytes);
    } while (queue.isWaiting);
  }

  #start(): void {
    const queue = this.#queue;
    if (!queue.isWaiting || !this.#isConnected) return;
    const userData = this.loop.userData(this.#index, Kind.Send);
    if (queue.start(this.fd, userData)) this.#operations += 1;
    else this.loop.hurry();
  }

  #connectEnded(result: number): void {
    this.#operations -= 1;
    this.addressForKernel = null;
    if (this.state === IoState.Dead) return;
    if (result === 0) {
      this.#isConnected = true;
      this.#sendOn(waitingBytesMax);
    }
    this.connected(result === 0 ? "" : errorName(-result));
  }

  #cancelAll(): void {
    const flags = CancelFlag.All | CancelFlag.Fd;
    this.loop.ring.prepare(QUIET_CANCEL, this.fd, 0, 0, flags, Kind.None);
  }

  #leaveIfDone(): void {
    if (this.state !== IoState.Dead || this.#operations > 0 || this.fd >= 0) return;
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    assert(!this.#queue.isFlying);
    this.loop.remove(this.#index);
  }
}

const shutdownLater = (io: RingIo): void => io.handleShutdown();

const deliverHeld = (io: RingIo): void => io.deliverHeld();
