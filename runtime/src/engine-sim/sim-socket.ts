// The kernel's half of one end of a connection: what travels, what has arrived, FIN and RST. Made
// in pairs by sim-network.ts; used by the SimIo that owns it.
import { assert } from "../core/assert.ts";
import type { SocketAddress } from "../engine/network-engine.ts";
import type { Link } from "./link.ts";
import type { SimLoop } from "./sim-loop.ts";

/** Who hears of a socket. Each call is the outermost one of a turn of the loop. */
export interface SocketOwner {
  readonly buffer: Buffer;
  /** `buffer[0..length)` was filled. */
  onBytes(length: number): void;
  onFin(): void;
  onReadFailed(code: string): void;
  /** There may be room again, or the connection is broken: worth another send. */
  onSpace(): void;
}

/** `bytes` null = FIN. */
interface Segment {
  readonly arrivalMs: number;
  readonly bytes: Buffer | null;
}

/** What send() answers when the connection is broken. */
export const brokenPipe = -1;

export class SimSocket {
  readonly id: number;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly #loop: SimLoop;
  readonly #link: Link;
  /** The other end; null until the two are joined. */
  #peer: SimSocket | null = null;
  #owner: SocketOwner | null = null;
  /** From the peer, in flight. */
  readonly #inFlight: Segment[];
  #lastArrivalMs: number = 0;
  /** From the peer, here and not read. */
  readonly #arrived: Buffer[];
  #arrivedBytes: number = 0;
  /** In flight and arrived. */
  #usedBytes: number = 0;
  #hasFin: boolean = false;
  #isFinRead: boolean = false;
  /** Why the connection is broken, "" = it is not. */
  #failure: string = "";
  #isReading: boolean = false;
  #isReadDue: boolean = false;
  #isSpaceDue: boolean = false;
  /** A send did not take everything: the sender is told when there is room. */
  #isBlocked: boolean = false;
  #hasSentFin: boolean = false;
  #isClosed: boolean = false;

  constructor(id: number, local: SocketAddress, remote: SocketAddress, loop: SimLoop, link: Link) {
    this.id = id;
    this.local = local;
    this.remote = remote;
    this.#loop = loop;
    this.#link = link;
    this.#inFlight = [];
    this.#arrived = [];
  }

  /** The other end; null before they are joined. */
  get peer(): SimSocket | null {
    return this.#peer;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Neither end can hear of the other any more. */
  get isOver(): boolean {
    return this.#isClosed && (this.#peer === null || this.#peer.#isClosed);
  }

  /** For people. */
  toString(): string {
    const to = `${this.remote.address}:${this.remote.port}`;
    const state = this.#isClosed ? "closed" : this.#failure === "" ? "open" : this.#failure;
    return `socket ${this.id} to ${to} ${state}, ${this.#arrivedBytes} bytes unread`;
  }

  join(peer: SimSocket): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  setOwner(owner: SocketOwner): void {
    this.#owner = owner;
  }

  // ---- The owner's calls.

  startReading(): void {
    this.#isReading = true;
    this.#wakeReader();
  }

  stopReading(): void {
    this.#isReading = false;
  }

  /** How many of `bytes` the kernel took, perhaps none; brokenPipe when it will never take any. */
  send(bytes: Buffer): number {
    assert(!this.#isClosed && !this.#hasSentFin);
    const peer = this.#peer;
    if (this.#failure !== "" || peer === null) return brokenPipe;
    const room = peer.#link.capacity - peer.#usedBytes;
    const count = this.#link.writeSize(Math.min(room, bytes.length));
    if (count > 0) {
      // A copy: the sender's buffer may be one that is used again.
      peer.#travel(Buffer.from(bytes.subarray(0, count)));
      this.#loop.trace.note(this.#loop.nowMs, "send", this.id, count);
    }
    if (count < bytes.length) {
      this.#isBlocked = true;
      if (room > count) this.#wakeWriter();
    }
    return count;
  }

  sendFin(): void {
    if (this.#hasSentFin || this.#isClosed) return;
    this.#hasSentFin = true;
    if (this.#failure === "" && this.#peer !== null) this.#peer.#travel(null);
  }

  /** As the kernel does: bytes that nobody read turn the FIN into a reset. */
  close(): void {
    if (this.#isClosed) return;
    if (this.#arrivedBytes > 0) {
      this.reset();
      return;
    }
    this.sendFin();
    this.#end();
  }

  reset(): void {
    if (this.#isClosed) return;
    this.#end();
    if (this.#failure === "" && this.#peer !== null) this.#peer.#resetTravels();
  }

  /** From now on nothing arrives here. */
  hang(): void {
    this.#link.isHanging = true;
  }

  /** The connection is broken, by the network or the peer: this end hears of it now. */
  break(code: string): void {
    if (this.#isClosed || this.#failure !== "") return;
    this.#failure = code;
    this.#inFlight.length = 0;
    this.#usedBytes = this.#arrivedBytes;
    if (this.#link.dropsUnread()) this.#dropArrived();
    this.#wakeReader();
    if (this.#isBlocked) this.#wakeWriter();
  }

  // ---- What comes from the peer.

  #travel(bytes: Buffer | null): void {
    if (this.#isClosed && bytes === null) return;
    const arrivalMs = Math.max(this.#lastArrivalMs, this.#loop.nowMs + this.#link.latencyMs());
    this.#lastArrivalMs = arrivalMs;
    this.#inFlight.push({ arrivalMs, bytes });
    this.#usedBytes += bytes?.length ?? 0;
    this.#loop.after(arrivalMs - this.#loop.nowMs, "arrive", this.id, () => this.#arrive());
  }

  /** The peer's RST: behind what it sent before, or past it, and then that is lost. */
  #resetTravels(): void {
    const isLast = this.#link.keepsOrderOfReset();
    const atMs = this.#loop.nowMs + this.#link.latencyMs();
    const delay = (isLast ? Math.max(this.#lastArrivalMs, atMs) : atMs) - this.#loop.nowMs;
    // A link that hangs loses it.
    if (this.#link.isHanging) return;
    const arrive = (): void => {
      this.#arrive();
      this.break("ECONNRESET");
    };
    // Over a loopback interface a reset has arrived when the call that sent it returns.
    if (delay === 0) arrive();
    else this.#loop.after(delay, "rst", this.id, arrive);
  }

  #arrive(): void {
    const inFlight = this.#inFlight;
    if (this.#link.isHanging) return;
    let count = 0;
    // Rounding must not keep a segment back for which no other event comes.
    const nowMs = this.#loop.nowMs + 1e-6;
    while (count < inFlight.length && (inFlight[count] as Segment).arrivalMs <= nowMs) count += 1;
    for (const { bytes } of inFlight.splice(0, count)) {
      if (bytes === null) this.#hasFin = true;
      else if (this.#isClosed) {
        // Nobody is here to read it: the kernel says so.
        this.#usedBytes -= bytes.length;
        if (this.#peer !== null) this.#peer.#resetTravels();
      } else {
        this.#arrived.push(bytes);
        this.#arrivedBytes += bytes.length;
      }
    }
    this.#wakeReader();
  }

  // ---- Towards the owner.

  #hasNews(): boolean {
    return this.#arrivedBytes > 0 || this.#failure !== "" || (this.#hasFin && !this.#isFinRead);
  }

  #wakeReader(): void {
    if (!this.#isReading || this.#isReadDue || this.#owner === null || !this.#hasNews()) return;
    this.#isReadDue = true;
    this.#loop.after(0, "read", this.id, () => {
      this.#isReadDue = false;
      if (this.#isReading && !this.#isClosed) this.#read();
    });
  }

  #read(): void {
    const owner = this.#owner;
    if (owner === null) return;
    if (this.#arrivedBytes > 0) {
      const wanted = this.#link.readSize(Math.min(this.#arrivedBytes, owner.buffer.length));
      const length = this.#fill(owner.buffer, wanted);
      this.#loop.trace.note(this.#loop.nowMs, "bytes", this.id, length);
      owner.onBytes(length);
      this.#wakeReader();
    } else if (this.#failure !== "") {
      this.#isReading = false;
      owner.onReadFailed(this.#failure);
    } else if (this.#hasFin && !this.#isFinRead) {
      this.#isFinRead = true;
      owner.onFin();
      this.#wakeReader();
    }
  }

  #fill(buffer: Buffer, wanted: number): number {
    let at = 0;
    while (at < wanted) {
      const first = this.#arrived[0] as Buffer;
      const count = Math.min(first.length, wanted - at);
      first.copy(buffer, at, 0, count);
      at += count;
      if (count === first.length) this.#arrived.shift();
      else this.#arrived[0] = first.subarray(count);
    }
    this.#arrivedBytes -= at;
    this.#usedBytes -= at;
    if (this.#peer !== null) this.#peer.#roomCame();
    return at;
  }

  #dropArrived(): void {
    this.#arrived.length = 0;
    this.#usedBytes -= this.#arrivedBytes;
    this.#arrivedBytes = 0;
  }

  #roomCame(): void {
    if (this.#isBlocked) this.#wakeWriter();
  }

  #wakeWriter(): void {
    if (this.#isSpaceDue || this.#isClosed) return;
    this.#isSpaceDue = true;
    this.#loop.after(this.#link.wakeMs(), "space", this.id, () => {
      this.#isSpaceDue = false;
      if (this.#isClosed) return;
      this.#isBlocked = false;
      this.#owner?.onSpace();
    });
  }

  #end(): void {
    this.#isClosed = true;
    this.#isReading = false;
    this.#owner = null;
    this.#dropArrived();
  }
}
