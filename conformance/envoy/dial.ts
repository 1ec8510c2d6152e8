// Opens a client's connection to a proxy: TCP or a unix socket, bytes in front, then perhaps TLS.
import net from "node:net";
import tls from "node:tls";
import type { Connection, TlsClient } from "./case.ts";
import { type CertificateSet, the } from "./certificates.ts";

/** What connections of one case share. */
export interface DialContext {
  /** Null where no case speaks TLS. */
  readonly certificates: CertificateSet | null;
  /** TLS sessions by the number of their connection, from 0. */
  readonly sessions: (Buffer | undefined)[];
}

/** A connection under way; `socket` can be written to at once. */
export interface Dialled {
  /** What bytes go through. */
  readonly socket: net.Socket;
  /** What a reset goes to; the same without TLS. */
  readonly transport: net.Socket;
  /** Facts of the handshake, undefined before its end and without TLS. */
  readonly describe: () => string | undefined;
}

/** Dials `port` of 127.0.0.1, or what the connection names. */
export function dial(port: number, connection: Connection, context: DialContext): Dialled {
  const { to, from } = connection;
  const transport =
    to?.path === undefined
      ? net.connect({
          port: to?.port === undefined ? port : Number(to.port),
          host: to?.host ?? "127.0.0.1",
          noDelay: true,
          allowHalfOpen: true,
          ...(from?.host === undefined ? {} : { localAddress: from.host }),
          ...(from?.port === undefined ? {} : { localPort: Number(from.port) }),
        })
      : net.connect({ path: to.path, allowHalfOpen: true });
  if (connection.before !== undefined) transport.write(connection.before, "latin1");
  if (connection.tls === undefined) {
    return { socket: transport, transport, describe: () => undefined };
  }
  const socket = tls.connect({ ...tlsOptions(connection.tls, context), socket: transport });
  return { socket, transport, describe: () => describeTls(socket, connection.tls) };
}

function tlsOptions(client: TlsClient, context: DialContext): tls.ConnectionOptions {
  const { certificates, sessions } = context;
  if (certificates === null) throw new Error("the group needs `certificates: true`");
  const own =
    client.certificate === undefined ? undefined : the(certificates.byName, client.certificate);
  const session = client.resume === undefined ? undefined : sessions[client.resume - 1];
  return {
    rejectUnauthorized: false,
    ca: [the(certificates.byName, "authority").pem],
    // A name that is no host name would not be sent; none is an empty one.
    servername: client.servername ?? "",
    checkServerIdentity: () => undefined,
    ...(client.alpn === undefined ? {} : { ALPNProtocols: [...client.alpn] }),
    ...(client.minVersion === undefined ? {} : { minVersion: client.minVersion }),
    ...(client.maxVersion === undefined ? {} : { maxVersion: client.maxVersion }),
    ...(client.ciphers === undefined ? {} : { ciphers: client.ciphers }),
    ...(own === undefined ? {} : { cert: own.chainPem, key: own.keyPem }),
    ...(session === undefined ? {} : { session }),
  };
}

/**
 * Version, protocol and peer of a finished handshake. Of a client the cipher where its case asks
 * for some, of a server (no `client`) the name it was asked for.
 */
export function describeTls(socket: tls.TLSSocket, client?: TlsClient): string | undefined {
  if (socket.getProtocol() === null || !socket.getPeerFinished()) return undefined;
  const sni = "servername" in socket ? socket.servername : undefined;
  const peer = socket.getPeerCertificate().subject?.CN?.toString();
  const trust = socket.authorized ? "trusted" : String(socket.authorizationError ?? "not checked");
  return [
    socket.getProtocol(),
    ...(client?.ciphers === undefined ? [] : [socket.getCipher().standardName]),
    ...(client === undefined && typeof sni === "string" ? [`sni ${sni}`] : []),
    ...(typeof socket.alpnProtocol === "string" ? [`alpn ${socket.alpnProtocol}`] : []),
    // Node knows no certificate of a server whose session is resumed.
    socket.isSessionReused()
      ? "resumed"
      : peer === undefined
        ? "no certificate"
        : `${peer} ${trust}`,
  ].join(", ");
}
