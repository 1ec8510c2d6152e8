// One connection through network filters in the harness: both ends of the chain, played without sockets.
import { ConnectionInfo } from "../src/core/connection-info.ts";
import type {
  NetworkFilter,
  NetworkFilterCallbacks,
  NetworkIo,
  PassingFilterFactory,
} from "../src/filter/network-filter.ts";
import { NetworkFilterChain } from "../src/network/network-filter-manager.ts";
import { addressOf } from "./message.ts";

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
  readonly #filter: NetworkFilter;
  readonly #settle: () => void;
  /** What the terminal filter writes through; there before its first event. */
  #server: NetworkIo | null;
  #isOver: boolean;

  constructor(factory: PassingFilterFactory, id: number, nowMs: number, settle: () => void) {
    const peer = addressOf("127.0.0.1:50000");
    this.info = new ConnectionInfo(id, peer, addressOf("127.0.0.1:10000"), nowMs);
    this.writeQueueBytes = 0;
    this.toServer = "";
    this.toClient = "";
    this.closed = null;
    this.#settle = settle;
    this.#server = null;
    this.#isOver = false;
    const terminal = {
      createFilter: (callbacks: NetworkFilterCallbacks) => this.#terminal(callbacks),
    };
    this.#filter = new NetworkFilterChain([factory], terminal, 1 << 20).createFilter(this);
    this.#play(() => this.#filter.onNewConnection());
  }

  // ---- What a test does.

  clientSends(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    this.#play(() => this.#filter.onData(bytes, bytes.length));
  }

  clientEnds(): void {
    this.#play(() => this.#filter.onEnd());
  }

  serverSends(text: string): void {
    this.#play(() => this.#server?.writeText(text));
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
      onNewConnection: () => this.#toServer("(new)"),
      onData: (buffer, length) => this.#toServer(buffer.toString("latin1", 0, length)),
      onEnd: () => this.#toServer("(end)"),
      onWritable: () => {},
      onClose: () => {},
      onDelayedCloseTimeout: () => {},
      onTimeoutsChanged: () => {},
      onShutdown: () => {},
    };
  }

  #toServer(text: string): void {
    this.toServer += text;
  }

  // ---- NetworkFilterCallbacks and NetworkIo, for the chain.

  get io(): NetworkIo {
    return this;
  }

  write(bytes: Buffer): boolean {
    this.toClient += bytes.toString("latin1");
    return true;
  }

  writeText(text: string): boolean {
    this.toClient += text;
    return true;
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    return this.write(buffer.subarray(from, to));
  }

  readDisable(): void {}

  shutdownWrite(): void {
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
