// Clients for tests of real processes, byte for byte: an answer that is not whole is a failure. Targets
// are "host:port", or the path of a unix socket.
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";

export interface Answer {
  readonly status: number;
  /** Status line and headers, with their line ends. */
  readonly head: string;
  /** As it came. */
  readonly body: string;
}

/** Not connected yet. */
export function dial(target: string, localAddress?: string): Socket {
  const [host, port] = target.split(":");
  const place = {
    port: Number(port),
    host,
    ...(localAddress === undefined ? {} : { localAddress }),
  };
  const socket = port === undefined ? connect(target) : connect(place);
  return socket.setEncoding("latin1");
}

/** As `dial`, with TLS: `secureConnect` says when it is there. */
export function dialTls(target: string, options: ConnectionOptions): TLSSocket {
  const [host = "", port] = target.split(":");
  return connectTls({ host, port: Number(port), ...options }).setEncoding("latin1");
}

/** The first answer of a connection, when it is whole as its content-length or its chunks say. */
export function parseAnswer(text: string): Answer | null {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const head = text.slice(0, headEnd + 2);
  const body = text.slice(headEnd + 4);
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(head);
  const isWhole = length === null ? body.endsWith("0\r\n\r\n") : body.length >= Number(length[1]);
  return isWhole ? { status: Number(head.slice("HTTP/1.1 ".length, 12)), head, body } : null;
}

/** The server ends the connection after this answer. */
export function saysClose(answer: Answer): boolean {
  return /\r\nconnection: close\r\n/i.test(answer.head);
}

/** A connection that is kept for one request after the other. */
export class KeptConnection {
  readonly socket: Socket;
  isClosed: boolean;
  #text: string;
  #wake: () => void;

  /** From an address of this machine, when one is named. */
  constructor(target: string, localAddress?: string) {
    this.isClosed = false;
    this.#text = "";
    this.#wake = () => {};
    this.socket = dial(target, localAddress);
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk: string) => {
      this.#text += chunk;
      this.#wake();
    });
    this.socket.on("close", () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  static async open(target: string): Promise<KeptConnection> {
    const client = new KeptConnection(target);
    await once(client.socket, "connect");
    return client;
  }

  /** The next answer; fails when the connection ends before it is whole. */
  async ask(path = "/", fields: Readonly<Record<string, string>> = {}): Promise<Answer> {
    this.#text = "";
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n${lines.join("")}\r\n`);
    for (;;) {
      const answer = parseAnswer(this.#text);
      if (answer !== null) return answer;
      if (this.isClosed) throw new Error(`closed after ${JSON.stringify(this.#text)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** One request on a connection of its own. */
export async function get(
  target: string,
  path = "/",
  fields: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const client = new KeptConnection(target);
  try {
    return await client.ask(path, fields);
  } finally {
    client.destroy();
  }
}

/** Nobody listens there. */
export async function isRefused(target: string): Promise<boolean> {
  const socket = dial(target);
  const outcome = await new Promise<string | undefined>((resolve) => {
    socket.once("connect", () => resolve("connected"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  socket.destroy();
  return outcome === "ECONNREFUSED";
}
