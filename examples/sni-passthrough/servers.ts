// The two TLS servers of this example. Each has a certificate of its own, made when it starts, and
// answers every request with its name.
import { once } from "node:events";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { makeCertificate } from "../../runtime/test/certificates.ts";

export interface NamedServer {
  readonly server: Server;
  readonly port: number;
  /** PEM, for clients that want to trust it. */
  readonly certificate: string;
}

/** Serves HTTPS on 127.0.0.1; port 0 is any that is free. */
export async function serve(name: string, port: number): Promise<NamedServer> {
  const dnsNames = [`${name}.test`, `*.${name}.test`];
  const { pem, keyPem } = await makeCertificate(`${name}.test`, { dnsNames });
  const server = createServer({ cert: pem, key: keyPem }, (_, response) => {
    response.end(`${name} answers\n`);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port, certificate: pem };
}

if (import.meta.main) {
  await serve("shop", 9443);
  await serve("mail", 9444);
  console.log("shop.test on 127.0.0.1:9443, mail.test on 127.0.0.1:9444");
}
