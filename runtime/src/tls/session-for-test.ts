// Real handshakes over loopback, and what both sides know afterwards, without an engine.
import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import * as tls from "node:tls";
import type { TlsSession } from "../engine/tls.ts";

/** What the server knows of the client's certificate, which is asked for but may be any. */
export async function sessionOfClient(
  server: tls.SecureContextOptions,
  client: tls.ConnectionOptions,
): Promise<TlsSession> {
  const listener = createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, "connection") as Promise<[Socket]>;
  const socket = tls.connect({ rejectUnauthorized: false, ...client, port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  const [plain] = await accepted;
  // tls.createServer would leave out allowPartialTrustChain.
  const peer = new tls.TLSSocket(plain, {
    isServer: true,
    secureContext: tls.createSecureContext(server),
    requestCert: true,
    rejectUnauthorized: false,
  });
  await once(peer, "secure");
  const session = sessionOf(peer);
  socket.destroy();
  peer.destroy();
  listener.close();
  return session;
}

export function sessionOf(socket: tls.TLSSocket): TlsSession {
  return {
    version: socket.getProtocol() ?? "",
    cipher: socket.getCipher().name,
    group: "",
    serverName: "",
    protocol: socket.alpnProtocol === false ? "" : (socket.alpnProtocol ?? ""),
    isResumed: socket.isSessionReused(),
    verifyError: verifyErrorOf(socket),
    sessionId: "",
    peerCertificate: (socket.getPeerX509Certificate() as X509Certificate | undefined) ?? null,
    localCertificate: (socket.getX509Certificate() as X509Certificate | undefined) ?? null,
  };
}

/** A server-side socket has no other way to say it. */
function verifyErrorOf(socket: tls.TLSSocket): string {
  const { ssl } = socket as unknown as { ssl: { verifyError(): { code: string } | null } };
  return ssl.verifyError()?.code ?? "";
}
