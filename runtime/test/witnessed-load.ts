// A load that knows for each request which worker had its connection: by the answers, which tell the
// connection's number in Headgate, and by what the upstream was told with the request.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { dial, parseAnswer } from "./http-clients.ts";
import { Pace } from "./pace.ts";
import { HttpUpstream } from "./upstreams.ts";

/** Numbers of connections have the worker's index above this many bits. */
const WORKER_UNIT = 2 ** 40;
/** How long the upstream takes for each request: some are under way at any time. */
const ANSWER_MS = 15;

/** To be merged into a connection manager. */
export const tellingHcm: object = {
  response_headers_to_add: [told()],
  request_headers_to_add: [told()],
};

function told(): object {
  return { header: { key: "x-connection", value: "%CONNECTION_ID%" } };
}

/** One connection of a client. */
interface Witnessed {
  /** The worker that has answered on it, or has sent its request to the upstream. */
  worker: number | null;
  /** Answers on it. */
  answers: number;
}

export interface Loss {
  /** Null = the connection never had an answer, and the upstream never saw its request. */
  readonly worker: number | null;
  readonly answersBefore: number;
  readonly words: string;
}

export class WitnessUpstream extends HttpUpstream {
  readonly #workers: Map<string, number>;

  constructor() {
    const workers = new Map<string, number>();
    super((request: IncomingMessage, response: ServerResponse) => {
      const { "x-request": id, "x-connection": connection } = request.headers;
      workers.set(String(id), Math.floor(Number(connection) / WORKER_UNIT));
      setTimeout(() => response.end("ok"), ANSWER_MS);
    });
    this.#workers = workers;
  }

  /** The worker that sent this request. */
  workerOf(id: string): number | null {
    return this.#workers.get(id) ?? null;
  }
}

export interface WitnessedLoadOptions {
  readonly target: string;
  readonly upstream: WitnessUpstream;
  /** Clients that keep their connections. */
  readonly kept: number;
  /** Clients that have a connection for each request. */
  readonly single: number;
}

export class WitnessedLoad {
  answered: number;
  readonly losses: Loss[];
  readonly #connections: Witnessed[];
  readonly #options: WitnessedLoadOptions;
  readonly #clients: Promise<void>[];
  readonly #name: string;
  #asked: number;
  #isStopping: boolean;

  constructor(name: string, options: WitnessedLoadOptions) {
    this.answered = 0;
    this.losses = [];
    this.#connections = [];
    this.#options = options;
    this.#name = name;
    this.#asked = 0;
    this.#isStopping = false;
    this.#clients = [];
    for (let i = 0; i < options.kept; i += 1) this.#clients.push(this.#run(true));
    for (let i = 0; i < options.single; i += 1) this.#clients.push(this.#run(false));
  }

  /** Connections of which it is known that this worker had them. */
  connectionsOf(worker: number): number {
    return this.#connections.filter((connection) => connection.worker === worker).length;
  }

  /** Answers that this worker gave. */
  answersOf(worker: number): number {
    const own = this.#connections.filter((connection) => connection.worker === worker);
    return own.reduce((sum, { answers }) => sum + answers, 0);
  }

  /** One request more, on a connection of its own. */
  ask(path: string): void {
    this.#clients.push(this.#useConnection(false, new Pace(), path));
  }

  /** Lets requests under way end. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
  }

  async #run(isKept: boolean): Promise<void> {
    const pace = new Pace();
    while (!this.#isStopping) {
      await this.#useConnection(isKept, pace, "/");
      await pace.turn();
    }
  }

  #useConnection(isKept: boolean, pace: Pace, path: string): Promise<void> {
    const connection: Witnessed = { worker: null, answers: 0 };
    this.#connections.push(connection);
    const socket = dial(this.#options.target);
    return new Promise((resolve) => {
      let text = "";
      let waitsFor = this.#ask(socket, path);
      const lose = (words: string): void => {
        if (waitsFor === "") return;
        connection.worker ??= this.#options.upstream.workerOf(waitsFor);
        const { worker, answers } = connection;
        this.losses.push({ worker, answersBefore: answers, words: `${words} after "${text}"` });
        waitsFor = "";
      };
      const goOn = (): void => {
        if (this.#isStopping || !isKept) socket.end();
        else if (socket.writable) waitsFor = this.#ask(socket, path);
      };
      socket.on("data", (chunk: string) => {
        text += chunk;
        const answer = parseAnswer(text);
        if (answer === null) return;
        const { head, status } = answer;
        const id = Number(/\r\nx-connection: (\d+)\r\n/.exec(head)?.[1]);
        connection.worker = Math.floor(id / WORKER_UNIT);
        connection.answers += 1;
        if (status === 200) this.answered += 1;
        else lose(String(status));
        waitsFor = "";
        text = "";
        if (isKept && !this.#isStopping) pace.step(goOn);
        else socket.end();
      });
      socket.on("error", ({ message }) => lose(message));
      socket.on("end", () => lose("FIN"));
      socket.on("close", () => {
        lose("close");
        resolve();
      });
    });
  }

  /** Answers with the request's name. */
  #ask(socket: Socket, path: string): string {
    this.#asked += 1;
    const id = `${this.#name}-${this.#asked}`;
    socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\nx-request: ${id}\r\n\r\n`);
    return id;
  }
}
