// The upstream that `headgate filter run` puts behind a filter, when there is none: it answers with
// what came to it. Main thread only.
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import { createServer, type Server, type Socket } from "node:net";

/** An import would read every export of node:http: 40 ms of the start. */
const http = process.getBuiltinModule("node:http");

/** Of a body that is told; the rest is counted only. */
const BODY_TOLD_MAX = 1024 * 1024;

/** Two servers at 127.0.0.1: one tells requests as JSON, one sends back the bytes that come. */
export class EchoUpstream {
  readonly #http: HttpServer;
  readonly #tcp: Server;
  readonly #sockets: Set<Socket>;

  private constructor(requests: HttpServer, bytes: Server) {
    this.#http = requests;
    this.#tcp = bytes;
    this.#sockets = new Set();
    bytes.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // The client has gone: nobody is left to answer.
      socket.on("error", () => {});
      socket.pipe(socket);
    });
  }

  static async start(): Promise<EchoUpstream> {
    const echo = new EchoUpstream(http.createServer(tell), createServer({ allowHalfOpen: true }));
    await Promise.all([listen(echo.#http), listen(echo.#tcp)]);
    return echo;
  }

  get httpPort(): number {
    return portOf(this.#http);
  }

  get tcpPort(): number {
    return portOf(this.#tcp);
  }

  close(): void {
    this.#http.closeAllConnections();
    this.#http.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#tcp.close();
  }
}

/** Whether nobody listens on the port. Headgate itself would share it with another Headgate. */
export function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

function tell(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    if (bytes < BODY_TOLD_MAX) chunks.push(chunk.subarray(0, BODY_TOLD_MAX - bytes));
    bytes += chunk.length;
  });
  // The client has gone: nobody is left to answer.
  request.on("error", () => {});
  request.on("end", () => {
    const { method, url: path, headers } = request;
    const body = Buffer.concat(chunks).toString("utf8");
    const told = { method, path, headers, body, bodyBytes: bytes };
    response.setHeader("content-type", "application/json");
    response.end(`${JSON.stringify(told, null, 1)}\n`);
  });
}
