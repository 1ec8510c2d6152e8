// One TCP connection, as a test sees it and moves it on.
import type { TcpExchange } from "../test/tcp-exchange.ts";
import type { LogLine } from "../test/harness.ts";

/** Live: what it tells follows what happens. */
export class TestConnection {
  readonly #exchange: TcpExchange;
  readonly #judge: () => void;
  readonly #allLogs: readonly LogLine[];
  readonly #logsFrom: number;

  constructor(exchange: TcpExchange, judge: () => void, logs: readonly LogLine[], from: number) {
    this.#exchange = exchange;
    this.#judge = judge;
    this.#allLogs = logs;
    this.#logsFrom = from;
  }

  // ---- What came of it.

  /** The filters let it through to the upstream. */
  get isConnected(): boolean {
    return this.#exchange.isConnected;
  }

  /** All bytes that the upstream has got. */
  get upstreamData(): Buffer {
    return this.#exchange.serverBytes;
  }

  /** All bytes that the downstream has got. */
  get downstreamData(): Buffer {
    return this.#exchange.clientBytes;
  }

  /** The upstream has seen the downstream's end. */
  get isUpstreamEnded(): boolean {
    return this.#exchange.isServerEnded;
  }

  get isDownstreamEnded(): boolean {
    return this.#exchange.isClientEnded;
  }

  /** How a filter closed it; null = it did not. */
  get closed(): "after flush" | "now" | null {
    return this.#exchange.closed;
  }

  /** What was logged since it came. */
  get logs(): readonly LogLine[] {
    return this.#allLogs.slice(this.#logsFrom);
  }

  // ---- What a test does. Text is UTF-8.

  /** The downstream sends. */
  async send(...data: readonly (string | Uint8Array)[]): Promise<this> {
    for (const one of data) this.#exchange.clientSends(Buffer.from(one as Uint8Array));
    return this.#judged();
  }

  /** The downstream sends no more. */
  async end(): Promise<this> {
    this.#exchange.clientEnds();
    return this.#judged();
  }

  /** The upstream sends. */
  async respond(...data: readonly (string | Uint8Array)[]): Promise<this> {
    for (const one of data) this.#exchange.serverSends(Buffer.from(one as Uint8Array));
    return this.#judged();
  }

  /** The upstream sends no more. */
  async endResponse(): Promise<this> {
    this.#exchange.serverEnds();
    return this.#judged();
  }

  /** The connection is gone: by its peer, or by the proxy. */
  async close(by: "downstream" | "proxy" = "downstream"): Promise<this> {
    this.#exchange.close(by === "downstream");
    return this.#judged();
  }

  #judged(): this {
    this.#judge();
    return this;
  }
}
