// Runs the network filters that stand in front of a chain's terminal filter: for the connection it
// is the terminal filter, for the terminal filter it is the connection. One per connection, made
// only for chains that have such filters.
//
//   read:   engine --> #read --filters, first to last--> #passed --> terminal filter
//   write:  terminal filter --> #write --filters, last to first--> engine
import { BufferQueue } from "../core/buffer-queue.ts";
import { BytesMeter } from "../core/bytes-meter.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import { NetworkFilterStatus } from "../filter/network-filter.ts";
import type { Counter } from "../stats/store.ts";
import type {
  NetworkFilter,
  NetworkFilterCallbacks,
  NetworkFilterFactory,
  NetworkIo,
  PassingFilterCallbacks,
  PassingFilterFactory,
  PassingNetworkFilter,
} from "../filter/network-filter.ts";

export class NetworkFilterChain implements NetworkFilterFactory {
  readonly #filters: readonly PassingFilterFactory[];
  readonly #terminal: NetworkFilterFactory;
  readonly #limit: HoldLimit;

  constructor(
    filters: readonly PassingFilterFactory[],
    terminal: NetworkFilterFactory,
    limit: HoldLimit,
  ) {
    this.#filters = filters;
    this.#terminal = terminal;
    this.#limit = limit;
  }

  createFilter(callbacks: NetworkFilterCallbacks): NetworkFilter {
    return new NetworkFilterManager(callbacks, this.#filters, this.#terminal, this.#limit);
  }
}

/** What filters of one connection may hold, each way. */
export interface HoldLimit {
  /** More than this stops the direction's source. */
  readonly bytesMax: number;
  /** How often the client was not read. */
  readonly pausedReading: Counter;
  /** How often the terminal filter was told to stop. */
  readonly backedUp: Counter;
}

/** A filter's place in the chain of one connection. */
class Place implements PassingFilterCallbacks {
  readonly info: ConnectionInfo;
  readonly readBuffer: BufferQueue;
  readonly writeBuffer: BufferQueue;
  readonly filter: PassingNetworkFilter;
  isStarted: boolean = false;
  readonly #manager: NetworkFilterManager;
  readonly #at: number;

  constructor(manager: NetworkFilterManager, at: number, factory: PassingFilterFactory) {
    this.info = manager.info;
    this.readBuffer = manager.readBuffer;
    this.writeBuffer = manager.writeBuffer;
    this.#manager = manager;
    this.#at = at;
    this.filter = factory.createFilter(this);
  }

  continueReading(): void {
    this.#manager.read(this.#at + 1);
  }

  continueWriting(): void {
    this.#manager.continueWriting(this.#at - 1);
  }

  closeAfterFlush(delayMs: number): void {
    this.#manager.closeAfterFlush(delayMs);
  }

  closeNow(): void {
    this.#manager.closeNow();
  }
}

export class NetworkFilterManager implements NetworkFilter, NetworkFilterCallbacks, NetworkIo {
  readonly info: ConnectionInfo;
  /** Bytes of the downstream that filters have not let pass. */
  readonly readBuffer: BufferQueue;
  /** Bytes to the downstream that filters have not let pass. */
  readonly writeBuffer: BufferQueue;
  readonly wire: BytesMeter;
  readonly #callbacks: NetworkFilterCallbacks;
  readonly #limit: HoldLimit;
  readonly #places: readonly Place[];
  readonly #terminal: NetworkFilter;
  /** Passed all filters while the terminal filter had put bytes back that come before. */
  readonly #passed: BufferQueue;
  /** Bytes that the terminal filter has put back: they come again, and filters have seen them. */
  #unreadBytes: number = 0;
  #isTerminalStarted: boolean = false;
  #isReadEnded: boolean = false;
  #isReadEndPassed: boolean = false;
  /** Reading is stopped because filters hold too much. */
  #isReadHeld: boolean = false;
  #isWriteEnded: boolean = false;
  #isWriteEndPassed: boolean = false;
  /** The terminal filter was told to stop writing, because filters hold too much. */
  #owesWritable: boolean = false;
  /** Closing or closed: nobody is called but for the close. */
  #isOver: boolean = false;

  constructor(
    callbacks: NetworkFilterCallbacks,
    filters: readonly PassingFilterFactory[],
    terminal: NetworkFilterFactory,
    limit: HoldLimit,
  ) {
    this.info = callbacks.info;
    this.readBuffer = new BufferQueue();
    this.writeBuffer = new BufferQueue();
    this.wire = new BytesMeter();
    this.#callbacks = callbacks;
    this.#limit = limit;
    this.#passed = new BufferQueue();
    this.#places = filters.map((factory, at) => new Place(this, at, factory));
    this.#terminal = terminal.createFilter(this);
  }

  /** For the terminal filter. */
  get io(): NetworkIo {
    return this;
  }

  // ---- NetworkFilter: events of the connection.

  onNewConnection(): void {
    this.read(0);
  }

  onData(buffer: Buffer, length: number): void {
    const seen = Math.min(this.#unreadBytes, length);
    if (seen > 0) {
      // The terminal filter may put some of it back, which counts again.
      this.#unreadBytes -= seen;
      this.#terminal.onData(buffer.subarray(0, seen), seen);
      if (this.#isOver) return;
      this.#deliver();
    }
    this.wire.received += length - seen;
    if (seen === length || this.#isOver) return;
    this.readBuffer.appendCopy(buffer, seen, length);
    this.read(0);
  }

  onEnd(): void {
    this.#isReadEnded = true;
    this.read(0);
  }

  onWritable(): void {
    this.#owesWritable = false;
    this.#terminal.onWritable();
  }

  onClose(remote: boolean): void {
    this.#isOver = true;
    for (let i = 0; i < this.#places.length; i += 1) {
      (this.#places[i] as Place).filter.onClose(remote);
    }
    this.#terminal.onClose(remote);
    this.readBuffer.clear();
    this.writeBuffer.clear();
    this.#passed.clear();
  }

  onDelayedCloseTimeout(): void {
    this.#terminal.onDelayedCloseTimeout();
  }

  onTimeoutsChanged(): void {
    this.#terminal.onTimeoutsChanged();
  }

  onShutdown(): void {
    this.#terminal.onShutdown();
  }

  // ---- NetworkFilterCallbacks, for the terminal filter; closing for all.

  setFlushTimeout(timeoutMs: number): void {
    this.#callbacks.setFlushTimeout(timeoutMs);
  }

  closeAfterFlush(delayMs: number): void {
    this.#isOver = true;
    this.#callbacks.closeAfterFlush(delayMs);
  }

  closeAfterFin(delayMs: number): void {
    this.#isOver = true;
    this.#callbacks.closeAfterFin(delayMs);
  }

  closeNow(): void {
    this.#isOver = true;
    this.#callbacks.closeNow();
  }

  // ---- NetworkIo, for the terminal filter.

  get writeQueueBytes(): number {
    return this.#callbacks.io.writeQueueBytes + this.writeBuffer.length;
  }

  write(bytes: Buffer): boolean {
    this.writeBuffer.append(bytes);
    return this.#write(this.#places.length - 1);
  }

  writeText(text: string): boolean {
    return this.write(Buffer.from(text, "latin1"));
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    this.writeBuffer.appendCopy(buffer, from, to);
    return this.#write(this.#places.length - 1);
  }

  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    this.writeBuffer.append(Buffer.from(before, "latin1"));
    this.writeBuffer.appendCopy(buffer, from, to);
    return this.writeText(behind);
  }

  readDisable(disabled: boolean): void {
    this.#callbacks.io.readDisable(disabled);
  }

  shutdownWrite(): void {
    this.#isWriteEnded = true;
    this.#write(this.#places.length - 1);
  }

  unread(bytes: Buffer): void {
    this.#unreadBytes += bytes.length;
    this.#callbacks.io.unread(bytes);
  }

  // ---- For the filters' places.

  /** Goes on with filter `at`, and behind the last one with the terminal filter. */
  read(at: number): void {
    for (let i = at; i < this.#places.length; i += 1) {
      if (this.#isOver || !this.#passes(this.#places[i] as Place)) {
        this.#holdRead();
        return;
      }
    }
    if (this.#isOver) return;
    if (!this.#isTerminalStarted) {
      this.#isTerminalStarted = true;
      this.#terminal.onNewConnection();
    }
    this.#passed.moveFrom(this.readBuffer);
    this.#deliver();
    this.#holdRead();
  }

  continueWriting(at: number): void {
    const isFlowing = this.#write(at);
    if (!isFlowing || !this.#owesWritable || this.#isOver) return;
    this.#owesWritable = false;
    this.#terminal.onWritable();
  }

  // ---- Private parts.

  #passes(place: Place): boolean {
    if (!place.isStarted) {
      place.isStarted = true;
      if (place.filter.onNewConnection() !== NetworkFilterStatus.Continue) return false;
    }
    if (this.#isOver) return false;
    if (this.readBuffer.length === 0 && !(this.#isReadEnded && !this.#isReadEndPassed)) return true;
    const status = place.filter.onData(this.readBuffer, this.#isReadEnded);
    return status === NetworkFilterStatus.Continue && !this.#isOver;
  }

  /** In one piece: bytes that the terminal filter puts back must not stand between others. */
  #deliver(): void {
    if (this.#isOver || this.#unreadBytes > 0) return;
    if (this.#passed.length > 0) {
      const bytes = this.#passed.linearize();
      this.#passed.clear();
      this.#terminal.onData(bytes, bytes.length);
    }
    if (!this.#isReadEnded || this.#isReadEndPassed || this.#isOver) return;
    // The end stands behind what filters hold, and behind what the terminal filter put back.
    if (this.#unreadBytes > 0 || this.readBuffer.length > 0) return;
    this.#isReadEndPassed = true;
    this.#terminal.onEnd();
  }

  #holdRead(): void {
    const isHeld = this.readBuffer.length > this.#limit.bytesMax;
    if (isHeld === this.#isReadHeld || this.#isOver) return;
    this.#isReadHeld = isHeld;
    if (isHeld) this.#limit.pausedReading.inc();
    this.#callbacks.io.readDisable(isHeld);
  }

  /** As IoHandle's write methods: false = stop until onWritable. */
  #write(from: number): boolean {
    const { io } = this.#callbacks;
    const end = this.#isWriteEnded;
    for (let i = from; i >= 0 && !this.#isOver; i -= 1) {
      if (this.writeBuffer.length === 0 && (!end || this.#isWriteEndPassed)) break;
      const { filter } = this.#places[i] as Place;
      if (filter.onWrite(this.writeBuffer, end) === NetworkFilterStatus.Continue) continue;
      if (this.writeBuffer.length <= this.#limit.bytesMax) return true;
      if (!this.#owesWritable) this.#limit.backedUp.inc();
      this.#owesWritable = true;
      return false;
    }
    if (this.#isOver) return true;
    const isFlowing = this.#flush();
    if (!end || this.#isWriteEndPassed) return isFlowing;
    this.#isWriteEndPassed = true;
    io.shutdownWrite();
    return true;
  }

  #flush(): boolean {
    const { io } = this.#callbacks;
    const { chunks } = this.writeBuffer;
    this.wire.sent += this.writeBuffer.length;
    let isFlowing = true;
    for (let i = 0; i < chunks.length; i += 1) isFlowing = io.write(chunks[i] as Buffer);
    this.writeBuffer.clear();
    return isFlowing;
  }
}
