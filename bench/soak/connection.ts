// One HTTP/1.1 connection of the soak run's clients: sends requests, pipelined if wanted, checks
// every byte of the answers, and says of each request what became of it.
import { connect } from "node:net";
import type { Socket } from "node:net";

/**
 * "ok" is a whole 200 with the right bytes; "status" another whole answer; "cut" ended in the middle;
 * "not taken" stood behind an answer that ended the connection.
 */
export type Outcome =
  | "ok"
  | "status"
  | "corrupt"
  | "cut"
  | "no answer"
  | "not taken"
  | "timeout"
  | "aborted";

/** One request and what became of it. */
export interface Exchange {
  readonly id: number;
  readonly head: string;
  /** Sent with a content length, or in chunks of this size. */
  readonly body: Buffer | null;
  readonly chunkBytes: number;
  /** The body of an answer 200. */
  readonly expected: Buffer;
  readonly describedAs: string;
  sentAtMs: number;
  endedAtMs: number;
  status: number;
  outcome: Outcome | null;
  /** A socket's error, or what was wrong with the answer. */
  words: string;
  /** Answers on the connection before this one. */
  before: number;
}

/** Longer than any time that Headgate allows. */
const SILENCE_MS_MAX = 40_000;
const HEAD_BYTES_MAX = 64 * 1024;

export class ClientConnection {
  readonly #socket: Socket;
  readonly #onEnd: (exchange: Exchange) => void;
  readonly #onFree: () => void;
  readonly #waiting: Exchange[] = [];
  readonly #timer: NodeJS.Timeout;
  #input: Buffer = Buffer.alloc(0);
  /** Of the answer that comes; -1 = its head is not there. */
  #status = -1;
  /** Bytes of the body, or of the chunk, that are still to come; -1 = a chunk's size is to come. */
  #left = 0;
  #isChunked = false;
  #taken = 0;
  #answers = 0;
  #saysClose = false;
  #error = "";
  #isEnded = false;
  #pauseMs = 0;

  /** `onEnd` for each request that has ended; `onFree` when none waits, or all is over. */
  constructor(port: number, onEnd: (exchange: Exchange) => void, onFree: () => void) {
    this.#onEnd = onEnd;
    this.#onFree = onFree;
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (data: string | Buffer) => this.#onData(data as Buffer));
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#error = error.code ?? error.message;
    });
    this.#socket.on("close", () => this.#finish("cut"));
    this.#timer = setTimeout(() => this.#finish("timeout"), SILENCE_MS_MAX);
  }

  get isUsable(): boolean {
    return !this.#isEnded && !this.#saysClose && !this.#socket.destroyed;
  }

  send(exchange: Exchange): void {
    exchange.sentAtMs = Date.now();
    exchange.before = this.#answers;
    this.#waiting.push(exchange);
    this.#timer.refresh();
    const { body, chunkBytes } = exchange;
    if (body === null) {
      this.#socket.write(exchange.head, "latin1");
    } else if (chunkBytes === 0) {
      this.#socket.write(exchange.head, "latin1");
      this.#socket.write(body);
    } else {
      this.#socket.write(exchange.head, "latin1");
      for (let at = 0; at < body.length; at += chunkBytes) {
        const part = body.subarray(at, at + chunkBytes);
        this.#socket.write(`${part.length.toString(16)}\r\n`, "latin1");
        this.#socket.write(part);
        this.#socket.write("\r\n", "latin1");
      }
      this.#socket.write("0\r\n\r\n", "latin1");
    }
  }

  /** Waits after each read. */
  readSlowly(everyMs: number): void {
    this.#pauseMs = everyMs;
  }

  /** Leaves in the middle: by RST or FIN. What waited counts as aborted. */
  abort(isReset: boolean): void {
    if (this.#isEnded) return;
    for (const exchange of this.#waiting) exchange.outcome = "aborted";
    if (isReset) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
    this.#finish("aborted");
  }

  close(): void {
    this.#finish("aborted");
  }

  #finish(outcome: "cut" | "timeout" | "aborted"): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    let isFirst = true;
    for (const exchange of this.#waiting.splice(0)) {
      const isBegun = isFirst && this.#status !== -1;
      // After an answer that says close, or behind one that was cut, nothing was taken.
      const lost = isBegun ? "cut" : this.#saysClose || !isFirst ? "not taken" : "no answer";
      this.#settle(exchange, outcome === "cut" ? lost : outcome, this.#error);
      isFirst = false;
      this.#status = -1;
    }
    this.#onFree();
  }

  #settle(exchange: Exchange, outcome: Outcome, words: string): void {
    exchange.outcome = outcome;
    exchange.words ||= words;
    exchange.endedAtMs = Date.now();
    if (this.#status !== -1) exchange.status = this.#status;
    this.#onEnd(exchange);
  }

  #onData(data: Buffer): void {
    if (this.#isEnded) return;
    this.#timer.refresh();
    if (this.#pauseMs > 0) {
      this.#socket.pause();
      setTimeout(() => this.#socket.resume(), this.#pauseMs);
    }
    this.#input = this.#input.length === 0 ? data : Buffer.concat([this.#input, data]);
    while (!this.#isEnded && this.#step()) {
      // One part of an answer a step.
    }
  }

  /** False when more bytes are needed. */
  #step(): boolean {
    if (this.#status === -1) return this.#readHead();
    if (this.#left === -1) return this.#readChunkSize();
    return this.#readBody();
  }

  #fail(words: string): boolean {
    const [exchange] = this.#waiting;
    if (exchange !== undefined) {
      this.#waiting.shift();
      this.#settle(exchange, "corrupt", words);
    }
    this.#error = words;
    this.#finish("cut");
    return false;
  }

  #readHead(): boolean {
    const end = this.#input.indexOf("\r\n\r\n");
    if (end === -1) {
      return this.#input.length > HEAD_BYTES_MAX ? this.#fail("a head without end") : false;
    }
    const head = this.#input.toString("latin1", 0, end).toLowerCase();
    this.#input = this.#input.subarray(end + 4);
    if (this.#waiting.length === 0) return this.#fail(`an answer to nothing: ${head.slice(0, 60)}`);
    const status = /^http\/1\.1 (\d{3}) ?/.exec(head);
    if (status === null) return this.#fail(`not a head: ${head.slice(0, 60)}`);
    this.#status = Number(status[1]);
    this.#taken = 0;
    this.#isChunked = /\r\ntransfer-encoding: chunked/.test(head);
    const length = /\r\ncontent-length: (\d+)/.exec(head);
    if (!this.#isChunked && length === null) return this.#fail("an answer without a length");
    this.#left = this.#isChunked ? -1 : Number(length?.[1]);
    this.#saysClose ||= /\r\nconnection: close/.test(head);
    return true;
  }

  #readChunkSize(): boolean {
    const end = this.#input.indexOf("\r\n");
    if (end === -1) return false;
    const size = Number.parseInt(this.#input.toString("latin1", 0, end), 16);
    if (Number.isNaN(size)) return this.#fail("not a chunk size");
    if (size === 0) {
      if (this.#input.length < end + 4) return false;
      this.#input = this.#input.subarray(end + 4);
      return this.#complete();
    }
    this.#input = this.#input.subarray(end + 2);
    // Its CRLF is taken with it.
    this.#left = size + 2;
    return true;
  }

  #readBody(): boolean {
    const crlf = this.#isChunked ? 2 : 0;
    if (this.#left > crlf) {
      if (this.#input.length === 0) return false;
      const size = Math.min(this.#left - crlf, this.#input.length);
      const isRight = this.#isRight(this.#input.subarray(0, size));
      this.#input = this.#input.subarray(size);
      this.#left -= size;
      this.#taken += size;
      if (!isRight) return this.#fail(`wrong bytes before ${this.#taken}`);
    }
    if (this.#left > crlf) return true;
    if (!this.#isChunked) return this.#complete();
    if (this.#input.length < crlf) return false;
    this.#input = this.#input.subarray(crlf);
    this.#left = -1;
    return true;
  }

  #isRight(part: Buffer): boolean {
    if (this.#status !== 200) return true;
    const { expected } = this.#waiting[0] as Exchange;
    return part.equals(expected.subarray(this.#taken, this.#taken + part.length));
  }

  #complete(): boolean {
    const exchange = this.#waiting.shift() as Exchange;
    this.#answers += 1;
    const isWhole = this.#status !== 200 || this.#taken === exchange.expected.length;
    const outcome = this.#status === 200 ? (isWhole ? "ok" : "corrupt") : "status";
    const words = isWhole ? "" : `${this.#taken} bytes of ${exchange.expected.length}`;
    this.#settle(exchange, outcome, words);
    this.#status = -1;
    if (this.#saysClose) this.#finish("cut");
    else if (this.#waiting.length === 0) this.#onFree();
    return this.#input.length > 0;
  }
}
