// How connections to some of a cluster's hosts talk: a PROXY header or none, TLS or plain text.
// Made by Cluster, one for each of its transport sockets; asked by connect-attempt.ts.
import type {
  TransportSocketConfig,
  TransportSocketMatch,
  UpstreamProxyProtocolConfig,
  UpstreamSocketConfig,
  UpstreamTlsConfig,
} from "../config/snapshot.ts";
import { TlsClientContext, type TlsClientOptions } from "../tls/tls-client-context.ts";

export class UpstreamTransport {
  /** For stats. */
  readonly name: string;
  readonly match: TransportSocketMatch;
  /** In the order in which they are written; [] = none. */
  readonly proxyHeaders: readonly UpstreamProxyProtocolConfig[];
  /** Null = plain text. */
  readonly tls: TlsClientContext | null;

  constructor({ name, match, socket }: TransportSocketConfig, tlsOptions: () => TlsClientOptions) {
    const tls = tlsOf(socket);
    this.name = name === "" ? "default" : name;
    this.match = match;
    this.proxyHeaders = proxyHeadersOf(socket);
    this.tls = tls === null ? null : new TlsClientContext(tls, tlsOptions());
  }

  /** All of the match stands in the endpoint's metadata. */
  isFor(metadata: TransportSocketMatch): boolean {
    return Object.entries(this.match).every(([key, value]) => metadata[key] === value);
  }
}

function proxyHeadersOf(socket: UpstreamSocketConfig): UpstreamProxyProtocolConfig[] {
  return socket.kind === "proxy_protocol" ? [socket, ...proxyHeadersOf(socket.inner)] : [];
}

/** What is behind all PROXY headers; null = plain text. */
export function tlsOf(socket: UpstreamSocketConfig): UpstreamTlsConfig | null {
  if (socket.kind === "proxy_protocol") return tlsOf(socket.inner);
  return socket.kind === "tls" ? socket.tls : null;
}
