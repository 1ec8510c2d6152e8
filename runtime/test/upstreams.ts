// Servers that tests of real processes put behind the proxy.
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener, Server as HttpServer, ServerResponse } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";

/** A server on an address of its own; `close` ends its connections, too. */
export class LocalServer {
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  /** A server of node:net or of node:http. */
  constructor(server: Server | HttpServer) {
    this.#server = server;
    this.#sockets = new Set();
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      // What broke is seen at the other end.
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** Answers with the port. */
  async listen(port = 0, address = "127.0.0.1"): Promise<number> {
    this.#server.listen(port, address);
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Answers every request with the same body, or as it is told; those for /hold wait. */
export class HttpUpstream {
  readonly #server: LocalServer;
  /** Answers to requests for /hold, until somebody gives them. */
  held: ServerResponse[];
  /** 0 before `listen`. */
  port: number;

  constructor(answer: string | RequestListener) {
    this.held = [];
    this.port = 0;
    const server = createServer((request, response) => {
      if (request.url === "/hold") this.held.push(response);
      else if (typeof answer === "string") response.end(answer);
      else answer(request, response);
    });
    this.#server = new LocalServer(server);
  }

  async listen(port = 0, address = "127.0.0.1"): Promise<void> {
    this.port = await this.#server.listen(port, address);
  }

  close(): void {
    this.#server.close();
  }
}
