// An upstream that notes the exact bytes it is sent and answers by a script; used by run-group.ts.
import net from "node:net";
import { DEFAULT_REPLY, type Reply } from "./case.ts";
import { cutRequest, type Message } from "./wire.ts";

/** One request as the upstream saw it. */
export interface UpstreamRequest {
  /** Name of the upstream. */
  readonly upstream: string;
  /** Number of the connection among those of this case, from 1. */
  readonly connection: number;
  readonly message: Message;
}

interface Pending {
  readonly upstream: string;
  readonly connection: UpstreamConnection;
  message: Message;
}

const CLOSE_MS_MAX = 300;

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One accepted connection. Requests are answered one after the other. */
class UpstreamConnection {
  readonly socket: net.Socket;
  number: number;
  #received: string;
  #current: Pending | undefined;
  #isAnswering: boolean;
  readonly #recorder: UpstreamRecorder;
  readonly #upstream: string;

  constructor(recorder: UpstreamRecorder, upstream: string, socket: net.Socket) {
    this.socket = socket;
    this.number = 0;
    this.#received = "";
    this.#current = undefined;
    this.#isAnswering = false;
    this.#recorder = recorder;
    this.#upstream = upstream;
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (part) => {
      this.#received += part.toString("latin1");
      this.#advance();
    });
    socket.on("end", () => socket.end());
  }

  #advance(): void {
    const cut = cutRequest(this.#received);
    if (cut === undefined) return;
    if (this.#current === undefined) {
      this.#current = {
        upstream: this.#upstream,
        connection: this,
        message: cut.message,
      };
      this.#recorder.note(this.#current);
    } else {
      this.#current.message = cut.message;
    }
    const reply = this.#recorder.replyFor(this.#current);
    if (!this.#isAnswering && (cut.message.isComplete || reply.when === "head")) {
      this.#isAnswering = true;
      void this.#answer(reply).finally(() => this.#next());
    }
  }

  async #answer(reply: Reply): Promise<void> {
    for (const [at, step] of reply.steps.entries()) {
      if (typeof step === "string") {
        if (at > 0 && typeof reply.steps[at - 1] === "string") await delay(25);
        if (!this.socket.destroyed) this.socket.write(step, "latin1");
      } else if ("pauseMs" in step) {
        await delay(step.pauseMs);
      } else {
        while (this.#current?.message.isComplete !== true && !this.socket.destroyed) {
          await delay(5);
        }
      }
    }
    if (reply.after === "close") this.socket.end();
    if (reply.after === "reset") this.socket.resetAndDestroy();
  }

  /** The answer is out: whatever came behind the request is the next one. */
  #next(): void {
    const cut = cutRequest(this.#received);
    this.#isAnswering = false;
    if (cut === undefined || !cut.message.isComplete) return;
    this.#received = this.#received.slice(cut.used);
    this.#current = undefined;
    this.#advance();
  }
}

/** Servers on ports of loopback, one per name, that share one script. */
export class UpstreamRecorder {
  readonly ports: Record<string, number>;
  readonly #servers: net.Server[];
  readonly #connections: Set<UpstreamConnection>;
  #replies: readonly Reply[];
  #pending: Pending[];
  #connectionCount: number;

  private constructor() {
    this.ports = {};
    this.#servers = [];
    this.#connections = new Set();
    this.#replies = [];
    this.#pending = [];
    this.#connectionCount = 0;
  }

  /** Listens for each name on a port of the caller's choice. */
  static async start(ports: Readonly<Record<string, number>>): Promise<UpstreamRecorder> {
    const recorder = new UpstreamRecorder();
    for (const [name, port] of Object.entries(ports)) await recorder.#listen(name, port);
    return recorder;
  }

  #listen(name: string, port: number): Promise<void> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      const connection = new UpstreamConnection(this, name, socket);
      this.#connections.add(connection);
      socket.on("close", () => this.#connections.delete(connection));
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host: "127.0.0.1" }, () => {
        this.ports[name] = (server.address() as net.AddressInfo).port;
        resolve();
      });
    });
  }

  /** Forgets what was noted and sets the answers of the next case. */
  script(replies: readonly Reply[]): void {
    this.#replies = replies;
    this.#pending = [];
    this.#connectionCount = 0;
    for (const connection of this.#connections) connection.number = 0;
  }

  /** Called by a connection when the head of a request is there. */
  note(pending: Pending): void {
    if (pending.connection.number === 0) {
      this.#connectionCount += 1;
      pending.connection.number = this.#connectionCount;
    }
    this.#pending.push(pending);
  }

  /** The answer to a noted request. */
  replyFor(pending: Pending): Reply {
    return this.#replies[this.#pending.indexOf(pending)] ?? DEFAULT_REPLY;
  }

  /** What came since `script`. */
  requests(): UpstreamRequest[] {
    return this.#pending.map((pending) => ({
      upstream: pending.upstream,
      connection: pending.connection.number,
      message: pending.message,
    }));
  }

  /** Ends all connections and waits until the proxy has ended its side too. */
  async closeConnections(): Promise<void> {
    for (const { socket } of this.#connections) socket.end();
    const until = Date.now() + CLOSE_MS_MAX;
    while (this.#connections.size > 0 && Date.now() < until) await delay(2);
    for (const { socket } of this.#connections) socket.destroy();
  }

  async stop(): Promise<void> {
    await this.closeConnections();
    const closed = this.#servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    await Promise.all(closed);
  }
}
