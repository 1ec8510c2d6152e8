// The upstream of this example: HTTPS for those who show a certificate of the authority. It answers
// with who asked: the proxy by its certificate, the client by the header.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { Server } from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";

/** Serves on 127.0.0.1 with the certificates of `folder`; port 0 is any that is free. */
export async function serve(folder: string, port: number): Promise<Server> {
  const read = (name: string): Buffer => readFileSync(join(folder, name));
  const options = {
    cert: read("other.pem"),
    key: read("other-key.pem"),
    ca: read("authority.pem"),
    requestCert: true,
    rejectUnauthorized: true,
  };
  const server = createServer(options, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    const client = String(request.headers["x-forwarded-client-cert"]);
    response.end(`${String(subject.CN)} asks for ${client}\n`);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

if (import.meta.main) {
  await serve("examples/mtls/certificates", 9443);
  console.log("two.test on 127.0.0.1:9443");
}
