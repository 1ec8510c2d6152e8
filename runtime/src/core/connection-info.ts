// What is known about one downstream connection; shared by its streams.
import type { StreamInfo } from "./stream-info.ts";
import type { TlsInfo } from "./tls-info.ts";

const noProtocols: readonly string[] = [];
const noTlvs: readonly ProxyTlv[] = [];

/** A type-length-value of PROXY protocol v2. */
export interface ProxyTlv {
  readonly type: number;
  readonly value: Uint8Array;
}

/** Addresses are text; addresses with port are "1.2.3.4:80", "[::1]:80" or a unix path. */
export class ConnectionInfo {
  /** Unique in the process: worker index in the high part. */
  readonly connectionId: number = 0;
  /** The peer as the socket says. */
  readonly directRemoteAddress: string;
  readonly directRemoteIp: string;
  readonly directRemotePort: number;
  /** The socket's own address. */
  readonly directLocalAddress: string;
  readonly directLocalIp: string;
  readonly directLocalPort: number = 0;
  /** Differs from the socket's own only when a listener filter says so. */
  localAddress: string;
  localIp: string;
  localPort: number = 0;
  /** Differs from the socket's peer only when a listener filter says so; see also StreamInfo. */
  remoteAddress: string;
  remoteIp: string;
  remotePort: number = 0;
  /** SNI; "" without TLS. */
  requestedServerName: string = "";
  /** What the client speaks, as far as listener filters have looked: "raw_buffer" or "tls". */
  transportProtocol: string = "raw_buffer";
  /** The client's ALPN, or what http_inspector found, in the client's order. */
  applicationProtocols: readonly string[] = noProtocols;
  /** Null = plain text, or the handshake has not ended. */
  tls: TlsInfo | null = null;
  /** When the handshake ended, of the thread's clock; -1 = it has not. */
  securedMs: number = -1;
  /** Fingerprints of the client's hello, when tls_inspector is told to take them; "" = none. */
  ja3: string = "";
  ja4: string = "";
  /** Why the transport failed, in the TLS library's words; "" = it did not. */
  transportFailureReason: string = "";
  /** Why tls_inspector found no TLS, in the same words; "" = it did, or nobody has looked. */
  helloFailureReason: string = "";
  listenerName: string = "";
  /** As envoy.config.core.v3.TrafficDirection. */
  listenerDirection: number = 0;
  /** Serialised envoy.config.core.v3.Metadata of the listener, for guests; null = none. */
  listenerMetadata: Uint8Array | null = null;
  filterChainName: string = "";
  /**
   * Namespaces -> values that listener filters found. As in Envoy it is the connection's, not part
   * of its streams' metadata. Null = none.
   */
  dynamicMetadata: Map<string, Map<string, unknown>> | null = null;
  /** Filter state that outlives a stream, as StreamInfo's; null = none was ever set. */
  filterState: Map<string, Uint8Array> | null = null;
  /** There was a PROXY header. */
  hasProxyHeader: boolean = false;
  /** Of the PROXY header, as far as upstreams may be told them, in their order. */
  proxyTlvs: readonly ProxyTlv[] = noTlvs;
  startMs: number = 0;
  terminationDetails: string = "";
  /** The connection as a whole, for its listener's access log; null = nobody writes one. */
  stream: StreamInfo | null = null;

  constructor(
    connectionId: number,
    remote: { readonly text: string; readonly ip: string; readonly port: number },
    local: { readonly text: string; readonly ip: string; readonly port: number },
    startMs: number,
  ) {
    this.connectionId = connectionId;
    this.directRemoteAddress = remote.text;
    this.directRemoteIp = remote.ip;
    this.directRemotePort = remote.port;
    this.directLocalAddress = local.text;
    this.directLocalIp = local.ip;
    this.directLocalPort = local.port;
    this.localAddress = local.text;
    this.localIp = local.ip;
    this.localPort = local.port;
    this.remoteAddress = remote.text;
    this.remoteIp = remote.ip;
    this.remotePort = remote.port;
    this.startMs = startMs;
  }
}
