// Clients for tests that must lose no request: each sends a few requests one behind the other, rests a little,
// and goes on; every request that has no whole answer is written down. Without rests they would only show how
// fast the machine is, and keep it from what the test waits for.
import { TLSSocket } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { dial, dialTls, parseAnswer, saysClose } from "./http-clients.ts";
import { Pace } from "./pace.ts";

export interface LoadOptions {
  /** "host:port", or a unix socket's path. */
  readonly target: string;
  /** Clients that use a connection again and again, until an answer says close. */
  readonly keepAlive: number;
  /** Clients that open a connection for each request; default 0. */
  readonly single?: number;
  /** Clients stop when an answer says close, instead of connecting anew. */
  readonly leavesWhenAsked?: boolean;
  /** What each answer must have; default: any. */
  readonly body?: string;
  /** Speaks TLS; each connection is looked at when it is made. Default: plain text. */
  readonly tls?: ConnectionOptions & { readonly onSecure?: (socket: TLSSocket) => void };
}

const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const SINGLE_REQUEST = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const FAILURES_KEPT = 20;

export class Load {
  /** Requests that were answered with 200 and the body that was wanted. */
  answered: number;
  /** Answers on connections that were to be used again, and said close. */
  askedToLeave: number;
  /** What went wrong, in words: the first ones. */
  readonly failures: string[];
  /** Bodies, and how often they came. */
  readonly bodies: Map<string, number>;
  readonly #options: LoadOptions;
  readonly #clients: Promise<void>[];
  #isStopping: boolean;

  constructor(options: LoadOptions) {
    const { keepAlive, single = 0 } = options;
    this.answered = 0;
    this.askedToLeave = 0;
    this.failures = [];
    this.bodies = new Map();
    this.#options = options;
    this.#isStopping = false;
    this.#clients = [];
    for (let i = 0; i < keepAlive; i += 1) this.#clients.push(this.#run(REQUEST));
    for (let i = 0; i < single; i += 1) this.#clients.push(this.#run(SINGLE_REQUEST));
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
    const pace = new Pace();
    while (!this.#isStopping) {
      const isAsked = await this.#useConnection(request, pace);
      if (isAsked && this.#options.leavesWhenAsked === true) return;
      await pace.turn();
    }
  }

  /** Resolves with true when an answer asked to leave. */
  #useConnection(request: string, pace: Pace): Promise<boolean> {
    const { tls, target } = this.#options;
    const socket = tls === undefined ? dial(target) : dialTls(target, tls);
    const connected = tls === undefined ? "connect" : "secureConnect";
    return new Promise((resolve) => {
      let text = "";
      /** A request is under way: an end now is a loss. */
      let isWaiting = true;
      let isAsked = false;
      const lose = (what: string): void => {
        if (!isWaiting) return;
        isWaiting = false;
        this.#fail(`${what} after ${JSON.stringify(text)}`);
      };
      /** Behind a rest it may be the time to stop, or nobody may be there any more. */
      const goOn = (): void => {
        if (this.#isStopping) socket.end();
        if (this.#isStopping || !socket.writable) return;
        isWaiting = true;
        socket.write(request);
      };
      socket.on(connected, () => {
        if (socket instanceof TLSSocket) tls?.onSecure?.(socket);
        socket.write(request);
      });
      socket.on("data", (chunk: string) => {
        text += chunk;
        const answer = parseAnswer(text);
        if (answer === null) return;
        isWaiting = false;
        this.#count(answer.status, answer.body);
        isAsked = saysClose(answer);
        text = "";
        if (request === REQUEST && isAsked) this.askedToLeave += 1;
        if (isAsked || this.#isStopping) {
          socket.end();
          return;
        }
        pace.step(goOn);
      });
      socket.on("error", (error) => lose(error.message));
      socket.on("end", () => lose("FIN"));
      socket.on("close", () => {
        lose("close");
        resolve(isAsked);
      });
    });
  }

  #count(status: number, body: string): void {
    const { body: wanted = body } = this.#options;
    if (status !== 200 || body !== wanted) return this.#fail(`${status} ${body}`);
    this.answered += 1;
    this.bodies.set(body, (this.bodies.get(body) ?? 0) + 1);
  }

  #fail(what: string): void {
    if (this.failures.length < FAILURES_KEPT) this.failures.push(what);
  }
}
