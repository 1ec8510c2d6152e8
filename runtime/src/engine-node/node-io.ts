// One connection, as far as the three rungs agree: states, gathering, counting, events. Subclasses
// move the bytes; engine-core.ts calls flush() after one or more turns.
import type { Duplex } from "node:stream";
import { getSystemErrorName } from "node:util";
import { assert } from "../core/assert.ts";
import { latin1 } from "../core/latin1.ts";
import type {
  IoEvents,
  IoHandle,
  ListenEvents,
  SocketAddress,
  TcpKeepAlive,
} from "../engine/network-engine.ts";
import { CloseReason } from "../engine/network-engine.ts";
import { type EngineCore, type Gatherer, greatReadBytes } from "./engine-core.ts";

/** Pieces up to this many bytes are gathered. */
export const gatherPieceBytes = 4096;

/** This much is gathered; Node writes strings up to this length without allocating. */
export const gatherBytes = 16384;

/**
 * Connecting -> Open -> Dead. Failing: a write failed and onClose is due in a later turn.
 * Draining: close() was called and the queue still leaves. Moved by the methods of NodeIo only.
 */
export const IoState = {
  Connecting: 0,
  Open: 1,
  Failing: 2,
  Draining: 3,
  Dead: 4,
} as const;
export type IoState = (typeof IoState)[keyof typeof IoState];

/** Stands in until setEvents() or onAccept gave a receiver. */
class NoEvents implements IoEvents {
  onConnect(): void {}
  onRead(): void {}
  onWritable(): void {}
  onEnd(): void {}
  onClose(): void {}
}

const noEvents: IoEvents = new NoEvents();

/** Errors after which the peer's last bytes may still stand in the kernel's queue. */
const peerIsGone = new Set(["EPIPE", "ECONNRESET"]);

function deliverFailure(io: NodeIo): void {
  io.deliverFailure();
}

function deliverUnread(io: NodeIo): void {
  io.deliverUnread();
}

export abstract class NodeIo implements IoHandle, Gatherer {
  readonly core: EngineCore;
  events: IoEvents;
  state: IoState;
  nextDirty: Gatherer | null = null;
  isDirty: boolean = false;
  /** Small writes of this turn, a character per byte. */
  gathered: string = "";
  /** Writes that wait in user space; 0 = all but `gathered` is in the kernel. */
  pendingWrites: number = 0;
  /** A write returned false and onWritable has not come since. */
  owesWritable: boolean = false;
  /** False after shutdownWrite(), close(), reset(), detach() or a failure: writes are ignored. */
  canWrite: boolean = true;
  isShutdownDone: boolean = false;
  isReadEnded: boolean = false;
  readDisables: number = 0;
  /** Reads of `greatReadBytes` are allowed. */
  mayReadMuch: boolean = false;
  /** And are made now. */
  readsMuch: boolean = false;
  isUnreadScheduled: boolean = false;
  /** Bytes put back; while there are some, no others are delivered. */
  unreadBytes: Buffer | null = null;
  /** The peer's FIN came while bytes that were put back, or readDisable(), held it up. */
  isEndDue: boolean = false;
  failure: string = "";
  /** ConnectFailed or BindFailed: what it is when connecting fails. */
  connectFailure: CloseReason = CloseReason.ConnectFailed;
  local: SocketAddress | null = null;
  remote: SocketAddress | null = null;

  constructor(core: EngineCore, state: IoState, events: IoEvents | null) {
    this.core = core;
    this.events = events ?? noEvents;
    this.state = state;
    core.openConnections += 1;
  }

  // What a rung does. None of these calls the receiver; the send methods report through
  // `pendingWrites` and failLater().
  abstract sendText(text: string): void;
  /** `text` may be empty; `bytes` are ours now. */
  abstract sendBytes(text: string, bytes: Buffer): void;
  /** `text` may be empty; of `buffer[from..to)` is copied what the kernel does not take. */
  abstract sendLent(text: string, buffer: Buffer, from: number, to: number): void;
  abstract startReading(): void;
  abstract stopReading(): void;
  /** Sends FIN after what was sent; ends in shutdownDone(). */
  abstract sendShutdown(): void;
  abstract destroy(withReset: boolean): void;
  abstract queuedBytes(): number;
  abstract takeDuplex(): Duplex;
  abstract askLocalAddress(): SocketAddress;
  abstract askRemoteAddress(): SocketAddress;
  abstract setNoDelay(enabled: boolean): void;
  abstract setKeepAlive(keepAlive: TcpKeepAlive | null): void;

  /** As sendLent, with `behind` at its end. */
  sendFramed(text: string, buffer: Buffer, from: number, to: number, behind: string): void {
    this.sendLent(text, buffer, from, to);
    this.writeText(behind);
  }

  /** Whether close() has something to send before the connection can go. */
  mustDrain(): boolean {
    return this.pendingWrites > 0;
  }

  /** Called by close() in state Draining. */
  drainStarts(): void {}

  /** In state Draining nothing waits any more. */
  drainDone(): void {
    this.die(false);
  }

  get localAddress(): SocketAddress {
    return (this.local ??= this.askLocalAddress());
  }

  get remoteAddress(): SocketAddress {
    return (this.remote ??= this.askRemoteAddress());
  }

  get writeQueueBytes(): number {
    if (this.state === IoState.Dead) return 0;
    return this.gathered.length + (this.pendingWrites > 0 ? this.queuedBytes() : 0);
  }

  setEvents(events: IoEvents): void {
    this.events = events;
  }

  writeText(text: string): boolean {
    const length = text.length;
    if (!this.canWrite || length === 0) return this.#answer();
    if (this.#gathers(length)) this.#gather(text);
    else this.sendText(this.#takeGathered() + text);
    return this.#answer();
  }

  write(bytes: Buffer): boolean {
    const length = bytes.length;
    if (!this.canWrite || length === 0) return this.#answer();
    if (this.#gathers(length)) this.#gather(latin1(bytes, 0, length));
    else this.sendBytes(this.#takeGathered(), bytes);
    return this.#answer();
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    assert(from >= 0 && from <= to && to <= buffer.length);
    const length = to - from;
    if (!this.canWrite || length === 0) return this.#answer();
    if (this.#gathers(length)) this.#gather(latin1(buffer, from, to));
    else this.sendLent(this.#takeGathered(), buffer, from, to);
    return this.#answer();
  }

  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    assert(from >= 0 && from <= to && to <= buffer.length);
    if (!this.canWrite) return this.#answer();
    const length = before.length + to - from + behind.length;
    // It would be made text anyway.
    const isText = this.gathered.length + length <= gatherBytes;
    if (isText && this.core.depth > 0) this.#gather(before + latin1(buffer, from, to) + behind);
    else this.sendFramed(this.#takeGathered() + before, buffer, from, to, behind);
    return this.#answer();
  }

  readDisable(disabled: boolean): void {
    if (disabled) {
      this.readDisables += 1;
      if (this.readDisables > 1 || this.state === IoState.Dead) return;
      this.stopReading();
      // Nothing will come from the read side now, so the failure need not wait for it.
      if (this.state === IoState.Failing) process.nextTick(deliverFailure, this);
      return;
    }
    assert(this.readDisables > 0);
    this.readDisables -= 1;
    if (this.readDisables > 0) return;
    if (this.state !== IoState.Open && this.state !== IoState.Failing) return;
    this.#scheduleUnread();
    if (!this.isReadEnded) this.startReading();
  }

  setReadBytesMax(bytes: number): void {
    this.mayReadMuch = bytes === 0 || bytes >= greatReadBytes;
  }

  unread(bytes: Buffer): void {
    if (bytes.length === 0 || this.state > IoState.Failing) return;
    this.unreadBytes = this.unreadBytes === null ? bytes : Buffer.concat([bytes, this.unreadBytes]);
    this.#scheduleUnread();
  }

  shutdownWrite(): void {
    if (!this.canWrite) return;
    this.flush();
    if (!this.canWrite) return;
    this.canWrite = false;
    // A connection that is not there yet sends its FIN in connected().
    if (this.state === IoState.Open) this.sendShutdown();
  }

  close(): void {
    if (this.state >= IoState.Draining) return;
    this.flush();
    const mayDrain = this.state !== IoState.Failing && this.mustDrain();
    this.canWrite = false;
    if (!mayDrain) {
      this.die(false);
      return;
    }
    this.state = IoState.Draining;
    this.stopReading();
    this.drainStarts();
  }

  reset(): void {
    if (this.state !== IoState.Dead) this.die(true);
  }

  detach(): Duplex {
    assert(this.state === IoState.Open || this.state === IoState.Failing);
    this.flush();
    this.state = IoState.Dead;
    this.canWrite = false;
    this.core.openConnections -= 1;
    const duplex = this.takeDuplex();
    if (this.unreadBytes !== null) duplex.unshift(this.unreadBytes);
    this.unreadBytes = null;
    return duplex;
  }

  /** End of the turn, or something that must not overtake what was gathered. */
  flush(): void {
    this.isDirty = false;
    const text = this.gathered;
    if (text === "") return;
    this.gathered = "";
    this.sendText(text);
  }

  /** Reading starts when the listener has given a receiver, unless the connection is over. */
  acceptedBy(listener: ListenEvents): void {
    this.core.beginTurn();
    try {
      const events = listener.onAccept(this);
      if (events === null) {
        this.close();
        return;
      }
      this.events = events;
      if (this.state <= IoState.Failing && this.readDisables === 0) this.startReading();
    } finally {
      this.core.endTurn();
    }
  }

  /** The kernel's answer to connect(). `code` is "" on success. */
  connected(code: string): void {
    if (this.state === IoState.Draining) {
      if (code !== "" || this.pendingWrites === 0) this.die(false);
      return;
    }
    if (this.state !== IoState.Connecting) return;
    if (code !== "") {
      this.finish(this.connectFailure, code);
      return;
    }
    this.state = IoState.Open;
    if (!this.canWrite) this.sendShutdown();
    if (this.readDisables === 0) this.startReading();
    this.core.beginTurn();
    try {
      this.events.onConnect();
    } finally {
      this.core.endTurn();
    }
  }

  bytesArrived(buffer: Buffer, length: number): void {
    if (this.state !== IoState.Open && this.state !== IoState.Failing) return;
    // A rung may have had them at hand when reading was disabled.
    if (this.unreadBytes !== null || this.readDisables > 0) {
      this.core.readsHeld += 1;
      const bytes = buffer.subarray(0, length);
      this.unreadBytes =
        this.unreadBytes === null ? Buffer.from(bytes) : Buffer.concat([this.unreadBytes, bytes]);
      return;
    }
    this.core.beginTurn();
    try {
      this.events.onRead(buffer, length);
    } finally {
      this.core.endTurn();
    }
  }

  /**
   * After each read, whether it brought as much as it might: the next ones are great if it did and
   * its receiver goes on; usual ones again when it has stopped, so that it holds no more than one.
   */
  adaptReads(isFull: boolean): void {
    if (this.readDisables > 0) this.readsMuch = false;
    else if (isFull) this.readsMuch = this.mayReadMuch;
  }

  /** The peer's FIN. */
  endArrived(): void {
    this.isReadEnded = true;
    if (this.unreadBytes === null && this.readDisables === 0) {
      this.#deliverEnd();
      return;
    }
    this.isEndDue = true;
    this.#scheduleUnread();
  }

  /** A read failed: nothing more will come. */
  readFailed(code: string): void {
    if (this.state === IoState.Draining) this.die(false);
    else if (this.state !== IoState.Dead) this.finish(CloseReason.RemoteReset, code);
  }

  /** The queue in user space is empty; never called from inside a write. */
  drained(): void {
    if (this.state === IoState.Draining) {
      this.drainDone();
      return;
    }
    if (!this.owesWritable || this.state !== IoState.Open) return;
    this.owesWritable = false;
    this.core.beginTurn();
    try {
      this.events.onWritable();
    } finally {
      this.core.endTurn();
    }
  }

  shutdownDone(): void {
    this.isShutdownDone = true;
    if (this.state === IoState.Draining) {
      this.die(false);
      return;
    }
    if (this.isReadEnded && !this.isEndDue) this.#bothSidesEnded();
  }

  /** A write or the start of a connect failed: says so in a later turn. `status` is negative. */
  failLater(status: number): void {
    this.failLaterWith(getSystemErrorName(status));
  }

  failLaterWith(code: string): void {
    if (this.state === IoState.Draining) {
      process.nextTick(deliverFailure, this);
      return;
    }
    if (this.state > IoState.Open) return;
    const wasOpen = this.state === IoState.Open;
    this.canWrite = false;
    this.gathered = "";
    this.failure = code;
    if (!wasOpen) {
      process.nextTick(deliverFailure, this);
      return;
    }
    this.state = IoState.Failing;
    // A peer that answered early and closed: its answer is read first, and then an end or an error
    // follows at once, because the connection is over.
    const isReading = this.readDisables === 0 && !this.isReadEnded;
    if (!(isReading && peerIsGone.has(code))) process.nextTick(deliverFailure, this);
  }

  deliverFailure(): void {
    if (this.state === IoState.Draining) this.die(false);
    else if (this.state === IoState.Connecting) {
      this.finish(this.connectFailure, this.failure);
    } else if (this.state === IoState.Failing) {
      this.finish(CloseReason.RemoteReset, this.failure);
    }
  }

  deliverUnread(): void {
    this.isUnreadScheduled = false;
    const bytes = this.unreadBytes;
    if (this.readDisables > 0) return;
    if (this.state !== IoState.Open && this.state !== IoState.Failing) return;
    if (bytes !== null) {
      this.unreadBytes = null;
      this.bytesArrived(bytes, bytes.length);
    }
    // The receiver may have put bytes back, disabled reading or closed.
    if (!this.isEndDue || this.unreadBytes !== null || this.readDisables > 0) return;
    this.isEndDue = false;
    this.#deliverEnd();
  }

  /** The last event. */
  finish(reason: CloseReason, code: string): void {
    if (this.state === IoState.Dead) return;
    this.die(false);
    this.core.beginTurn();
    try {
      this.events.onClose(reason, code);
    } finally {
      this.core.endTurn();
    }
  }

  /** What text stands before already, and fits behind it, would be made text anyway. */
  #gathers(length: number): boolean {
    return (
      this.core.depth > 0 &&
      (length <= gatherPieceBytes || this.gathered !== "") &&
      this.gathered.length + length <= gatherBytes
    );
  }

  #gather(text: string): void {
    this.gathered = this.gathered === "" ? text : this.gathered + text;
    this.beDirty();
  }

  /** flush() will be called at the end of the turn. */
  beDirty(): void {
    if (this.isDirty) return;
    this.isDirty = true;
    this.core.addDirty(this);
  }

  #takeGathered(): string {
    const text = this.gathered;
    if (text !== "") this.core.gathersFull += 1;
    this.gathered = "";
    return text;
  }

  #answer(): boolean {
    if (this.pendingWrites === 0 || !this.canWrite) return true;
    this.owesWritable = true;
    return false;
  }

  #scheduleUnread(): void {
    if (this.unreadBytes === null && !this.isEndDue) return;
    if (this.readDisables > 0 || this.isUnreadScheduled) return;
    this.isUnreadScheduled = true;
    process.nextTick(deliverUnread, this);
  }

  #deliverEnd(): void {
    if (this.state === IoState.Failing) {
      this.finish(CloseReason.RemoteReset, this.failure);
      return;
    }
    if (this.state !== IoState.Open) return;
    this.core.beginTurn();
    try {
      this.events.onEnd();
    } finally {
      this.core.endTurn();
    }
    if (this.isShutdownDone) this.#bothSidesEnded();
  }

  #bothSidesEnded(): void {
    if (this.state === IoState.Open) this.finish(CloseReason.RemoteClose, "");
  }

  die(withReset: boolean): void {
    this.state = IoState.Dead;
    this.canWrite = false;
    this.gathered = "";
    this.unreadBytes = null;
    this.core.openConnections -= 1;
    this.destroy(withReset);
  }
}
