// Clients for tests that must lose no request: each sends one request after the other, and every
// request that has no whole answer is written down.
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface LoadOptions {
  /** "host:port", or a unix socket's path. */
  readonly target: string;
  /** Clients that use a connection again and again, until an answer says close. */
  readonly keepAlive: number;
  /** Clients that open a connection for each request. */
  readonly single: number;
  /** Clients stop when an answer says close, instead of connecting anew. */
  readonly leavesWhenAsked?: boolean;
}

const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const SINGLE_REQUEST = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

export class Load {
  /** Requests that were answered. */
  answered: number;
  /** Answers on connections that were to be used again, and said close. */
  askedToLeave: number;
  /** What went wrong, in words. */
  readonly failures: string[];
  readonly #options: LoadOptions;
  readonly #clients: Promise<void>[];
  #isStopping: boolean;

  constructor(options: LoadOptions) {
    this.answered = 0;
    this.askedToLeave = 0;
    this.failures = [];
    this.#options = options;
    this.#isStopping = false;
    this.#clients = [];
    for (let i = 0; i < options.keepAlive; i += 1) this.#clients.push(this.#run(REQUEST));
    for (let i = 0; i < options.single; i += 1) this.#clients.push(this.#run(SINGLE_REQUEST));
  }

  /** All clients have stopped by themselves. */
  async left(): Promise<void> {
    await Promise.all(this.#clients);
  }

  /** Lets requests under way end. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.left();
  }

  async #run(request: string): Promise<void> {
    while (!this.#isStopping) {
      const isAsked = await this.#useConnection(request);
      if (isAsked && this.#options.leavesWhenAsked === true) return;
    }
  }

  /** Resolves with true when an answer asked to leave. */
  #useConnection(request: string): Promise<boolean> {
    const socket = dial(this.#options.target);
    return new Promise((resolve) => {
      let text = "";
      /** A request is under way: an end now is a loss. */
      let isWaiting = true;
      let isAsked = false;
      const lose = (what: string): void => {
        if (!isWaiting) return;
        isWaiting = false;
        this.failures.push(`${what} after ${JSON.stringify(text)}`);
      };
      socket.setEncoding("latin1");
      socket.on("connect", () => socket.write(request));
      socket.on("data", (chunk: string) => {
        text += chunk;
        if (!isWhole(text)) return;
        isWaiting = false;
        if (!text.startsWith("HTTP/1.1 200 ")) this.failures.push(text);
        else this.answered += 1;
        isAsked = /\r\nconnection: close\r\n/i.test(text);
        text = "";
        if (request === REQUEST && isAsked) this.askedToLeave += 1;
        if (isAsked || this.#isStopping) {
          socket.end();
          return;
        }
        isWaiting = true;
        socket.write(request);
      });
      socket.on("error", (error) => lose(error.message));
      socket.on("end", () => lose("FIN"));
      socket.on("close", () => {
        lose("close");
        resolve(isAsked);
      });
    });
  }
}

function dial(target: string): Socket {
  const [host, port] = target.split(":");
  return port === undefined ? connect(target) : connect(Number(port), host);
}

/** A head and the body that its content-length or its chunks say. */
function isWhole(text: string): boolean {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return false;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, headEnd + 2));
  if (length !== null) return text.length >= headEnd + 4 + Number(length[1]);
  return text.endsWith("0\r\n\r\n");
}
