// One connection of the simulated engine: the contract of IoHandle on a SimSocket. Unlike a real
// engine it checks its user: bytes that were given away must not change, reads that are disabled
// must be enabled as often.
//
//   Connecting -> Open -> Dead. Failing: a write failed and onClose is due in a later turn.
//   Draining: close() was called and the queue still leaves.
import type { Duplex } from "node:stream";
import { assert } from "../core/assert.ts";
import type { IoEvents, IoHandle, SocketAddress } from "../engine/network-engine.ts";
import { CloseReason } from "../engine/network-engine.ts";
import type { Gatherer, SimCore } from "./sim-core.ts";
import { brokenPipe, type SimSocket, type SocketOwner } from "./sim-socket.ts";

/** Pieces up to this many bytes are gathered, and as many as fit into the other. */
const gatherPieceBytes = 4096;
const gatherBytes = 16_384;

const State = { Connecting: 0, Open: 1, Failing: 2, Draining: 3, Dead: 4 } as const;
type State = (typeof State)[keyof typeof State];

/** Of a connect: its source address is no good. */
const bindCodes: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EINVAL"]);

const nowhere: SocketAddress = { address: "", port: 0, family: "ipv4" };

/** Stands in until setEvents() or onAccept gave a receiver. */
const noEvents: IoEvents = {
  onConnect() {},
  onRead() {},
  onWritable() {},
  onEnd() {},
  onClose() {},
};

/** Bytes on their way, and the caller's buffer that they came from if it was given away. */
interface Piece {
  readonly bytes: Buffer;
  readonly given: Buffer | null;
}

export class SimIo implements IoHandle, SocketOwner, Gatherer {
  readonly core: SimCore;
  readonly id: number;
  #isAccepted: boolean;
  #socket: SimSocket | null;
  #events: IoEvents;
  #state: State;
  #isDirty: boolean = false;
  #gathered: Piece[];
  #gatheredBytes: number = 0;
  /** What the kernel has not taken. */
  readonly #queue: Piece[];
  #queueBytes: number = 0;
  /** A write answered false and onWritable has not come since. */
  #owesWritable: boolean = false;
  /** The turn in which it did. */
  #blockedTurn: number = 0;
  /** Written since, in later turns. */
  #excessBytes: number = 0;
  #canWrite: boolean = true;
  #isFinDue: boolean = false;
  #isFinSent: boolean = false;
  #isReadEnded: boolean = false;
  #readDisables: number = 0;
  #unread: Buffer | null = null;
  #isUnreadScheduled: boolean = false;
  /** FIN came while bytes that were put back, or readDisable(), held it up. */
  #isEndDue: boolean = false;
  #failure: string = "";
  #local: SocketAddress | null = null;
  #remote: SocketAddress | null;

  constructor(core: SimCore, id: number, socket: SimSocket | null, remote: SocketAddress | null) {
    this.core = core;
    this.id = id;
    this.#isAccepted = socket !== null;
    this.#socket = socket;
    this.#events = noEvents;
    this.#state = socket === null ? State.Connecting : State.Open;
    this.#gathered = [];
    this.#queue = [];
    this.#remote = remote;
    core.open.add(this);
    socket?.setOwner(this);
  }

  /** The socket below; null before it is connected. Only simulations look. */
  get socket(): SimSocket | null {
    return this.#socket;
  }

  get buffer(): Buffer {
    return this.core.readArea;
  }

  /** For people. */
  toString(): string {
    const name = Object.keys(State)[this.#state];
    const socket = this.#socket?.toString() ?? "no socket";
    const waiting = `${this.writeQueueBytes} bytes wait, ${this.#readDisables} read disables`;
    return `io ${this.id} ${name}, ${waiting}, ${socket}`;
  }

  // ---- IoHandle.

  get localAddress(): SocketAddress {
    const isKnown = this.#state !== State.Dead && this.#socket !== null;
    if (isKnown) this.#local ??= this.#socket?.local ?? null;
    return this.#local ?? nowhere;
  }

  get remoteAddress(): SocketAddress {
    const isKnown = this.#state !== State.Dead && this.#socket !== null;
    if (isKnown) this.#remote ??= this.#socket?.remote ?? null;
    return this.#remote ?? nowhere;
  }

  get writeQueueBytes(): number {
    return this.#state === State.Dead ? 0 : this.#gatheredBytes + this.#queueBytes;
  }

  setEvents(events: IoEvents): void {
    this.#events = events;
  }

  write(bytes: Buffer): boolean {
    return this.#put(Buffer.from(bytes), bytes);
  }

  writeText(text: string): boolean {
    return this.#put(Buffer.from(text, "latin1"), null);
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    assert(from >= 0 && from <= to && to <= buffer.length);
    return this.#put(Buffer.from(buffer.subarray(from, to)), null);
  }

  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    assert(from >= 0 && from <= to && to <= buffer.length);
    const text = before + buffer.toString("latin1", from, to) + behind;
    return this.#put(Buffer.from(text, "latin1"), null, true);
  }

  readDisable(disabled: boolean): void {
    if (disabled) {
      this.#readDisables += 1;
      if (this.#readDisables > 1 || this.#state === State.Dead) return;
      this.#socket?.stopReading();
      if (this.#state === State.Failing) this.#later("fail", () => this.#deliverFailure());
      return;
    }
    assert(this.#readDisables > 0, "assertion failed: readDisable(false) without its true");
    this.#readDisables -= 1;
    if (this.#readDisables > 0) return;
    if (this.#state !== State.Open && this.#state !== State.Failing) return;
    this.#scheduleUnread();
    if (!this.#isReadEnded && this.#unread === null) this.#socket?.startReading();
  }

  unread(bytes: Buffer): void {
    if (bytes.length === 0 || this.#state > State.Failing) return;
    this.#unread = this.#unread === null ? bytes : Buffer.concat([bytes, this.#unread]);
    // Not before these are read: otherwise they would pile up.
    this.#socket?.stopReading();
    this.#scheduleUnread();
  }

  shutdownWrite(): void {
    if (!this.#canWrite) return;
    this.flush();
    if (!this.#canWrite) return;
    this.#canWrite = false;
    this.#isFinDue = true;
    this.#sendFinIfDue();
  }

  close(): void {
    if (this.#state >= State.Draining) return;
    this.flush();
    const mayDrain = this.#state !== State.Failing && this.#queue.length > 0;
    this.#canWrite = false;
    if (!mayDrain) {
      this.#die(false);
      return;
    }
    this.#state = State.Draining;
    this.#socket?.stopReading();
  }

  reset(): void {
    if (this.#state !== State.Dead) this.#die(true);
  }

  setReadBytesMax(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}

  detach(): Duplex {
    throw new Error("the simulated network has no Duplex to give away");
  }

  // ---- From the engine.

  /** onAccept gave a receiver: reading starts. */
  accepted(events: IoEvents): void {
    this.#events = events;
    if (this.#state <= State.Failing && this.#readDisables === 0) this.#socket?.startReading();
  }

  /** The kernel's answer to connect(). */
  connected(socket: SimSocket | null, code: string): void {
    if (this.#state === State.Dead) {
      socket?.reset();
      return;
    }
    if (socket === null) {
      if (this.#state === State.Draining) this.#die(false);
      else
        this.#finish(
          bindCodes.has(code) ? CloseReason.BindFailed : CloseReason.ConnectFailed,
          code,
        );
      return;
    }
    this.#socket = socket;
    socket.setOwner(this);
    if (this.#state === State.Draining) {
      this.#sendQueue();
      return;
    }
    this.#state = State.Open;
    this.#sendQueue();
    if (this.#readDisables === 0) socket.startReading();
    this.core.runTurn(() => this.#events.onConnect());
  }

  /** Another handle has the connection from now on, with all that waits; this one is dead. */
  takeOver(): SimIo {
    assert(this.#state === State.Open || this.#state === State.Failing);
    this.flush();
    const heir = new SimIo(this.core, this.id, this.#socket, this.#remote);
    heir.#isAccepted = this.#isAccepted;
    heir.#state = this.#state;
    heir.#failure = this.#failure;
    heir.#queue.push(...this.#queue.splice(0));
    heir.#queueBytes = this.#queueBytes;
    heir.#unread = this.#unread;
    heir.#isReadEnded = this.#isReadEnded;
    heir.#isEndDue = this.#isEndDue;
    this.#socket = null;
    this.#die(false);
    if (heir.#state === State.Failing) heir.#later("fail", () => heir.#deliverFailure());
    heir.#scheduleUnread();
    if (!heir.#isReadEnded && heir.#unread === null) heir.#socket?.startReading();
    return heir;
  }

  /** The kernel closes it, and what waits is gone. */
  crash(): void {
    this.#die(false);
  }

  /** End of the turn, or something that must not overtake what was gathered. */
  flush(): void {
    this.#isDirty = false;
    if (this.#gathered.length === 0) return;
    const gathered = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    for (const piece of gathered) checkGiven(piece);
    this.#send({ bytes: Buffer.concat(gathered.map((piece) => piece.bytes)), given: null });
  }

  // ---- SocketOwner.

  onBytes(length: number): void {
    const bytes = this.core.readArea.subarray(0, length);
    if (this.#unread !== null) {
      this.#unread = Buffer.concat([this.#unread, bytes]);
      return;
    }
    this.#deliver(this.core.readArea, length);
  }

  onFin(): void {
    this.#isReadEnded = true;
    if (this.#unread === null && this.#readDisables === 0) {
      this.#deliverEnd();
      return;
    }
    this.#isEndDue = true;
    this.#scheduleUnread();
  }

  onReadFailed(code: string): void {
    if (this.#state === State.Draining) this.#die(false);
    else this.#finish(CloseReason.RemoteReset, code);
  }

  onSpace(): void {
    const hadQueue = this.#queue.length > 0;
    this.#sendQueue();
    if (!hadQueue || this.#queue.length > 0) return;
    if (!this.#owesWritable || this.#state !== State.Open) return;
    this.#owesWritable = false;
    this.#excessBytes = 0;
    this.core.runTurn(() => this.#events.onWritable());
  }

  // ---- Writing.

  #put(bytes: Buffer, given: Buffer | null, isFramed = false): boolean {
    const { length } = bytes;
    if (!this.#canWrite || length === 0) return this.#answer();
    if (this.#owesWritable && this.core.turn !== this.#blockedTurn) this.#noteExcess(length);
    const gathers =
      this.core.depth > 0 &&
      (length <= gatherPieceBytes || isFramed || this.#gatheredBytes > 0) &&
      this.#gatheredBytes + length <= gatherBytes;
    if (gathers) {
      this.#gathered.push({ bytes, given });
      this.#gatheredBytes += length;
      if (!this.#isDirty) this.core.addDirty(this);
      this.#isDirty = true;
      return this.#answer();
    }
    const isDirty = this.#isDirty;
    if (this.#gatheredBytes > 0) this.core.gathersFull += 1;
    this.flush();
    this.#isDirty = isDirty;
    this.#send({ bytes, given });
    return this.#answer();
  }

  /** The caller was asked to stop. */
  #noteExcess(length: number): void {
    this.#excessBytes += length;
    const { core } = this;
    const excess = this.#excessBytes;
    if (this.#isAccepted) core.acceptedExcessMax = Math.max(core.acceptedExcessMax, excess);
    else core.connectedExcessMax = Math.max(core.connectedExcessMax, excess);
  }

  #answer(): boolean {
    if (this.#queue.length === 0 || !this.#canWrite) return true;
    if (!this.#owesWritable) this.#blockedTurn = this.core.turn;
    this.#owesWritable = true;
    return false;
  }

  #send(piece: Piece): void {
    this.#queue.push(piece);
    this.#queueBytes += piece.bytes.length;
    const { core } = this;
    if (this.#isAccepted) core.acceptedQueueMax = Math.max(core.acceptedQueueMax, this.#queueBytes);
    else core.connectedQueueMax = Math.max(core.connectedQueueMax, this.#queueBytes);
    if (this.#queue.length === 1 && this.#socket !== null) {
      this.core.writeCalls += 1;
      this.#sendQueue();
    }
  }

  /** As much as the kernel takes; the socket calls onSpace for the rest. */
  #sendQueue(): void {
    const queue = this.#queue;
    const socket = this.#socket;
    if (socket === null) return;
    while (queue.length > 0) {
      const piece = queue[0] as Piece;
      checkGiven(piece);
      const taken = socket.send(piece.bytes);
      if (taken === brokenPipe) {
        this.#failLater("EPIPE");
        return;
      }
      this.#queueBytes -= taken;
      if (taken < piece.bytes.length) {
        const given = piece.given?.subarray(taken) ?? null;
        queue[0] = { bytes: piece.bytes.subarray(taken), given };
        return;
      }
      queue.shift();
    }
    if (this.#state === State.Draining) this.#die(false);
    else this.#sendFinIfDue();
  }

  #sendFinIfDue(): void {
    if (!this.#isFinDue || this.#queue.length > 0 || this.#socket === null) return;
    this.#isFinDue = false;
    this.#socket.sendFin();
    this.#later("fin", () => {
      this.#isFinSent = true;
      if (this.#isReadEnded && !this.#isEndDue) this.#bothSidesEnded();
    });
  }

  #failLater(code: string): void {
    this.#queue.length = 0;
    this.#queueBytes = 0;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (this.#state === State.Draining) this.#later("fail", () => this.#deliverFailure());
    if (this.#state !== State.Open) return;
    this.#state = State.Failing;
    this.#canWrite = false;
    this.#failure = code;
    // What the peer said before it left is read first, and then the failure of reading says so.
    const isReading = this.#readDisables === 0 && !this.#isReadEnded;
    if (!isReading) this.#later("fail", () => this.#deliverFailure());
  }

  #deliverFailure(): void {
    if (this.#state === State.Draining) this.#die(false);
    else if (this.#state === State.Failing) this.#finish(CloseReason.RemoteReset, this.#failure);
  }

  // ---- Reading.

  #deliver(buffer: Buffer, length: number): void {
    if (this.#state !== State.Open && this.#state !== State.Failing) return;
    this.core.runTurn(() => {
      this.core.addLent(buffer.subarray(0, length));
      this.#events.onRead(buffer, length);
    });
  }

  #scheduleUnread(): void {
    if (this.#unread === null && !this.#isEndDue) return;
    if (this.#readDisables > 0 || this.#isUnreadScheduled) return;
    this.#isUnreadScheduled = true;
    this.#later("unread", () => this.#deliverUnread());
  }

  #deliverUnread(): void {
    this.#isUnreadScheduled = false;
    const bytes = this.#unread;
    if (this.#readDisables > 0) return;
    if (this.#state !== State.Open && this.#state !== State.Failing) return;
    if (bytes !== null) {
      this.#unread = null;
      this.#deliver(bytes, bytes.length);
    }
    // The receiver may have put bytes back, disabled reading or closed.
    if (this.#state > State.Failing) return;
    if (this.#readDisables === 0 && this.#unread === null && !this.#isReadEnded) {
      this.#socket?.startReading();
    }
    if (!this.#isEndDue || this.#unread !== null || this.#readDisables > 0) return;
    this.#isEndDue = false;
    this.#deliverEnd();
  }

  #deliverEnd(): void {
    if (this.#state === State.Failing) {
      this.#finish(CloseReason.RemoteReset, this.#failure);
      return;
    }
    if (this.#state !== State.Open) return;
    this.core.runTurn(() => this.#events.onEnd());
    if (this.#isFinSent) this.#bothSidesEnded();
  }

  #bothSidesEnded(): void {
    if (this.#state === State.Open) this.#finish(CloseReason.RemoteClose, "");
  }

  // ---- The end.

  #finish(reason: CloseReason, code: string): void {
    if (this.#state === State.Dead) return;
    this.#die(false);
    this.core.runTurn(() => this.#events.onClose(reason, code));
  }

  #die(withReset: boolean): void {
    this.#state = State.Dead;
    this.#canWrite = false;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#queue.length = 0;
    this.#queueBytes = 0;
    this.#unread = null;
    this.core.open.delete(this);
    if (withReset) this.#socket?.reset();
    else this.#socket?.close();
  }

  /** In a later turn. */
  #later(kind: string, callback: () => void): void {
    this.core.loop.after(0, kind, this.id, callback);
  }
}

/** write() gives bytes away: whoever touches them again corrupts what a real engine sends. */
function checkGiven({ bytes, given }: Piece): void {
  assert(given === null || bytes.equals(given), "bytes changed after they were given to write()");
}
