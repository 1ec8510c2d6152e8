// How connections to some of a cluster's hosts talk: a PROXY header or none, TLS or plain text.
// Made by Cluster, one for each of its transport sockets; asked by connect-attempt.ts.
import type {
  TransportSocketConfig,
  TransportSocketMatch,
  UpstreamProxyProtocolConfig,
  UpstreamSocketConfig,
} from "../config/snapshot.ts";
import { TlsClientContext, type TlsClientOptions } from "../tls/tls-client-context.ts";

export class UpstreamTransport {
  readonly match: TransportSocketMatch;
  /** In the order in which they are written; [] = none. */
  readonly proxyHeaders: readonly UpstreamProxyProtocolConfig[];
  /** Null = plain text. */
  readonly tls: TlsClientContext | null;

  constructor({ match, socket }: TransportSocketConfig, tlsOptions: () => TlsClientOptions) {
    const proxyHeaders: UpstreamProxyProtocolConfig[] = [];
    let inner: UpstreamSocketConfig = socket;
    while (inner.kind === "proxy_protocol") {
      proxyHeaders.push(inner);
      inner = inner.inner;
    }
    this.match = match;
    this.proxyHeaders = proxyHeaders;
    this.tls = inner.kind === "tls" ? new TlsClientContext(inner.tls, tlsOptions()) : null;
  }

  /** All of the match stands in the endpoint's metadata. */
  isFor(metadata: TransportSocketMatch): boolean {
    return Object.entries(this.match).every(([key, value]) => metadata[key] === value);
  }
}
