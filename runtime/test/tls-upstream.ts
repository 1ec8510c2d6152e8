// Upstreams of process tests that speak TLS, and say in their answers what they saw of it.
import { createServer } from "node:https";
import type { Server, ServerOptions } from "node:https";
import { createServer as createNetServer } from "node:net";
import type { Server as NetServer } from "node:net";
import type { TLSSocket } from "node:tls";
import type { TestCertificate } from "./certificates.ts";
import { LocalServer } from "./upstreams.ts";

/** The body of each answer. */
export interface Seen {
  /** SNI; "" = none. */
  readonly sni: string;
  readonly version: string;
  readonly isResumed: boolean;
  /** "" = none. */
  readonly alpn: string;
  /** Common name of the client's certificate; "" = it has none. */
  readonly client: string;
  readonly peer: string;
}

export class TlsUpstream {
  readonly #server: LocalServer;
  /** 0 before `listen`. */
  port: number;
  /** With `expectsLine`: what stood in front of the handshakes. */
  readonly lines: string[];

  /** `expectsLine`: a line of plain text comes first on each connection. */
  constructor(certificate: TestCertificate, options: ServerOptions = {}, expectsLine = false) {
    this.port = 0;
    this.lines = [];
    const own = { cert: certificate.chainPem, key: certificate.keyPem };
    const server = createServer({ ...own, ...options }, (request, response) => {
      response.end(JSON.stringify(seen(request.socket as TLSSocket)));
    });
    // Its connections that fail are seen at the other end.
    server.on("tlsClientError", () => {});
    this.#server = new LocalServer(expectsLine ? this.#behindLine(server) : server);
  }

  async listen(): Promise<void> {
    this.port = await this.#server.listen();
  }

  close(): void {
    this.#server.close();
  }

  #behindLine(secure: Server): NetServer {
    return createNetServer((socket) => {
      socket.once("data", (bytes: Buffer) => {
        const end = bytes.indexOf("\r\n") + 2;
        this.lines.push(bytes.toString("latin1", 0, end));
        socket.pause();
        if (bytes.length > end) socket.unshift(bytes.subarray(end));
        secure.emit("connection", socket);
      });
    });
  }
}

function seen(socket: TLSSocket): Seen {
  const name: unknown = Reflect.get(socket, "servername");
  return {
    sni: typeof name === "string" ? name : "",
    version: socket.getProtocol() ?? "",
    isResumed: socket.isSessionReused(),
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
    client: socket.getPeerX509Certificate()?.subject ?? "",
    peer: socket.remoteAddress ?? "",
  };
}
