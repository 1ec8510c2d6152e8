// One connection through network filters in the harness: both ends of the chain, played without sockets.
import { ConnectionInfo } from "../src/core/connection-info.ts";
import type {
  NetworkFilter,
  NetworkFilterCallbacks,
  NetworkIo,
  PassingFilterFactory,
} from "../src/filter/network-filter.ts";
import { type HoldLimit, NetworkFilterChain } from "../src/network/network-filter-manager.ts";
import { StatsStore } from "../src/stats/store.ts";
import { addressOf } from "./message.ts";

export interface TcpAddresses {
  /** "ip:port" of the peer. Default "127.0.0.1:50000". */
  readonly remoteAddress?: string;
  /** Default "127.0.0.1:10000". */
  readonly localAddress?: string;
  /** SNI. Default "". */
  readonly serverName?: string;
}

/** Live: its fields follow what happens. Stands for the connection and for the terminal filter. */
export class TcpExchange implements NetworkFilterCallbacks, NetworkIo {
  readonly info: ConnectionInfo;
  readonly wire: null = null;
  readonly writeQueueBytes: number;
  /** What came out of the chain, "(new)", "(end)" among it. */
  toServer: string;
  /** The same in the other direction. */
  toClient: string;
  /** How a filter closed the connection; null = it did not. */
  closed: "after flush" | "now" | null;
  /** The bytes alone. */
  serverBytes: Buffer;
  clientBytes: Buffer;
  isServerEnded: boolean;
  isClientEnded: boolean;
  /** The filters let the connection through to the server. */
  isConnected: boolean;
  readonly #filter: NetworkFilter;
  readonly #settle: () => void;
  /** What the terminal filter writes through; there before its first event. */
  #server: NetworkIo | null;
  #isOver: boolean;

  constructor(
    factories: readonly PassingFilterFactory[],
    id: number,
    nowMs: number,
    settle: () => void,
    { remoteAddress, localAddress, serverName }: TcpAddresses = {},
  ) {
    const peer = addressOf(remoteAddress ?? "127.0.0.1:50000");
    const own = addressOf(localAddress ?? "127.0.0.1:10000");
    this.info = new ConnectionInfo(id, peer, own, nowMs);
    this.info.requestedServerName = serverName ?? "";
    this.writeQueueBytes = 0;
    this.toServer = "";
    this.toClient = "";
    this.closed = null;
    this.serverBytes = Buffer.alloc(0);
    this.clientBytes = Buffer.alloc(0);
    this.isServerEnded = false;
    this.isClientEnded = false;
    this.isConnected = false;
    this.#settle = settle;
    this.#server = null;
    this.#isOver = false;
    const terminal = {
      createFilter: (callbacks: NetworkFilterCallbacks) => this.#terminal(callbacks),
    };
    this.#filter = new NetworkFilterChain(factories, terminal, holdLimit()).createFilter(this);
    this.#play(() => this.#filter.onNewConnection());
  }

  // ---- What a test does.

  /** Text is one byte a character. */
  clientSends(data: string | Uint8Array): void {
    const bytes = bytesOf(data);
    this.#play(() => this.#filter.onData(bytes, bytes.length));
  }

  clientEnds(): void {
    this.#play(() => this.#filter.onEnd());
  }

  serverSends(data: string | Uint8Array): void {
    const bytes = bytesOf(data);
    this.#play(() => this.#server?.write(bytes));
  }

  serverEnds(): void {
    this.#play(() => this.#server?.shutdownWrite());
  }

  /** The connection is gone. */
  close(remote: boolean): void {
    this.#play(() => {
      this.#isOver = true;
      this.#filter.onClose(remote);
    });
  }

  #play(step: () => void): void {
    if (!this.#isOver) step();
    this.#settle();
    if (this.closed === null || this.#isOver) return;
    this.#isOver = true;
    this.#filter.onClose(false);
    this.#settle();
  }

  #terminal(callbacks: NetworkFilterCallbacks): NetworkFilter {
    this.#server = callbacks.io;
    return {
      onNewConnection: () => {
        this.isConnected = true;
        this.toServer += "(new)";
      },
      onData: (buffer, length) => {
        this.serverBytes = Buffer.concat([this.serverBytes, buffer.subarray(0, length)]);
        this.toServer += buffer.toString("latin1", 0, length);
      },
      onEnd: () => {
        this.isServerEnded = true;
        this.toServer += "(end)";
      },
      onWritable: () => {},
      onClose: () => {},
      onDelayedCloseTimeout: () => {},
      onTimeoutsChanged: () => {},
      onShutdown: () => {},
    };
  }

  // ---- NetworkFilterCallbacks and NetworkIo, for the chain.

  get io(): NetworkIo {
    return this;
  }

  write(bytes: Buffer): boolean {
    this.clientBytes = Buffer.concat([this.clientBytes, bytes]);
    this.toClient += bytes.toString("latin1");
    return true;
  }

  writeText(text: string): boolean {
    return this.write(Buffer.from(text, "latin1"));
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    return this.write(buffer.subarray(from, to));
  }

  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    return this.writeText(before + buffer.toString("latin1", from, to) + behind);
  }

  readDisable(): void {}

  shutdownWrite(): void {
    this.isClientEnded = true;
    this.toClient += "(end)";
  }

  unread(): void {}

  setFlushTimeout(): void {}

  closeAfterFlush(): void {
    this.closed ??= "after flush";
  }

  closeAfterFin(): void {
    this.closed ??= "after flush";
  }

  closeNow(): void {
    this.closed ??= "now";
  }
}

function bytesOf(data: string | Uint8Array): Buffer {
  return typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data);
}

function holdLimit(): HoldLimit {
  const stats = new StatsStore({ slotsMax: 4096 });
  return {
    bytesMax: 1 << 20,
    pausedReading: stats.counter("paused_reading_total"),
    backedUp: stats.counter("backed_up_total"),
  };
}
