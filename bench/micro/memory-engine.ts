// An engine without sockets: bytes are handed over in memory, as a turn of the real one would. What
// a request costs on it is what our rooms cost, without kernel, libuv and Node's stream layer.
import { Duplex } from "node:stream";
import type { Clock } from "../../runtime/src/core/clock.ts";
import type {
  EngineCapabilities,
  IoEvents,
  IoHandle,
  ListenEvents,
  ListenHandle,
  ListenOptions,
  NetworkEngine,
  SocketAddress,
} from "../../runtime/src/engine/network-engine.ts";

const LOCAL: SocketAddress = { address: "127.0.0.1", port: 10000, family: "ipv4" };
const REMOTE: SocketAddress = { address: "127.0.0.1", port: 50000, family: "ipv4" };

/** A connection whose other end is the bench. */
export class MemoryIo implements IoHandle {
  readonly localAddress: SocketAddress = LOCAL;
  readonly remoteAddress: SocketAddress = REMOTE;
  readonly writeQueueBytes: number = 0;
  /** Bytes that were written so far. */
  sentBytes: number = 0;
  events: IoEvents | null = null;
  readonly #engine: MemoryEngine;

  constructor(engine: MemoryEngine) {
    this.#engine = engine;
  }

  setEvents(events: IoEvents): void {
    this.events = events;
  }

  write(bytes: Buffer): boolean {
    this.sentBytes += bytes.length;
    return true;
  }

  writeText(text: string): boolean {
    this.sentBytes += text.length;
    this.#engine.lastWritten = this;
    return true;
  }

  writeLent(_buffer: Buffer, from: number, to: number): boolean {
    this.sentBytes += to - from;
    return true;
  }

  writeFramed(before: string, _buffer: Buffer, from: number, to: number, behind: string): boolean {
    this.sentBytes += before.length + to - from + behind.length;
    return true;
  }

  readDisable(): void {}
  shutdownWrite(): void {}
  close(): void {}
  reset(): void {}
  setReadBytesMax(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}
  unread(): void {}

  detach(): Duplex {
    return new Duplex();
  }
}

export class MemoryEngine implements NetworkEngine {
  readonly name = "memory";
  readonly capabilities: EngineCapabilities = {
    reusePort: true,
    abstractUnixSockets: true,
    tls: false,
  };
  readonly #clock: Clock;
  #listener: ListenEvents | null = null;
  /** Connections to the upstream, in order. */
  readonly connected: MemoryIo[] = [];
  /** Where text was written last. */
  lastWritten: MemoryIo | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  listen(_address: SocketAddress, _options: ListenOptions, events: ListenEvents): ListenHandle {
    this.#listener = events;
    queueMicrotask(() => events.onListening());
    return { localAddress: LOCAL, close: () => {} };
  }

  connect(_address: SocketAddress, _options: unknown, events: IoEvents): MemoryIo {
    const io = new MemoryIo(this);
    io.setEvents(events);
    this.connected.push(io);
    queueMicrotask(() => events.onConnect());
    return io;
  }

  startTls(): never {
    throw new Error("bytes in memory need no TLS");
  }

  accept(): MemoryIo {
    const io = new MemoryIo(this);
    io.events = this.#listener?.onAccept(io) ?? null;
    return io;
  }

  /** One turn: the bytes arrive at `io`. */
  deliver(io: MemoryIo, buffer: Buffer, length: number): void {
    this.#clock.update();
    io.events?.onRead(buffer, length);
  }

  runTurn(callback: () => void): void {
    this.#clock.update();
    callback();
  }
}
