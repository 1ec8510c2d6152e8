// Upstreams of process tests that speak TLS, and say in their answers what they saw of it.
import { createServer } from "node:https";
import type { ServerOptions } from "node:https";
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

  constructor(certificate: TestCertificate, options: ServerOptions = {}) {
    this.port = 0;
    const own = { cert: certificate.chainPem, key: certificate.keyPem };
    const server = createServer({ ...own, ...options }, (request, response) => {
      response.end(JSON.stringify(seen(request.socket as TLSSocket)));
    });
    // Its connections that fail are seen at the other end.
    server.on("tlsClientError", () => {});
    this.#server = new LocalServer(server);
  }

  async listen(): Promise<void> {
    this.port = await this.#server.listen();
  }

  close(): void {
    this.#server.close();
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
