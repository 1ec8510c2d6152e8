// What is known about one downstream connection; shared by its streams.
import { isIpText } from "./ip-address.ts";
import type { StreamInfo } from "./stream-info.ts";
import type { TlsInfo } from "./tls-info.ts";

const noProtocols: readonly string[] = [];
const noTlvs: readonly ProxyTlv[] = [];

/** A type-length-value of PROXY protocol v2. */
export interface ProxyTlv {
  readonly type: number;
  readonly value: Uint8Array;
}

/** One end of a connection. */
export interface EndAddress {
  /** Or the path of a unix socket, which begins with "/" or "@". */
  readonly ip: string;
  /** 0 with a path. */
  readonly port: number;
}

/** "1.2.3.4:80", "[::1]:80", or the path. */
export function endAddressText(ip: string, port: number): string {
  if (!isIpText(ip)) return ip;
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** Texts of addresses are made when they are asked for: idle connections ask for none. */
export class ConnectionInfo {
  /** Unique in the process: worker index in the high part. */
  readonly connectionId: number = 0;
  /** The peer as the socket says. */
  readonly directRemoteIp: string;
  readonly directRemotePort: number;
  /** The socket's own address. */
  readonly directLocalIp: string;
  readonly directLocalPort: number = 0;
  /** Differs from the socket's own only when a listener filter says so. */
  localIp: string;
  localPort: number = 0;
  /** Differs from the socket's peer only when a listener filter says so; see also StreamInfo. */
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

  constructor(connectionId: number, remote: EndAddress, local: EndAddress, startMs: number) {
    this.connectionId = connectionId;
    this.directRemoteIp = remote.ip;
    this.directRemotePort = remote.port;
    this.directLocalIp = local.ip;
    this.directLocalPort = local.port;
    this.localIp = local.ip;
    this.localPort = local.port;
    this.remoteIp = remote.ip;
    this.remotePort = remote.port;
    this.startMs = startMs;
  }
  get directRemoteAddress(): string {
    return endAddressText(this.directRemoteIp, this.directRemotePort);
  }

  get directLocalAddress(): string {
    return endAddressText(this.directLocalIp, this.directLocalPort);
  }

  get localAddress(): string {
    return endAddressText(this.localIp, this.localPort);
  }

  get remoteAddress(): string {
    return endAddressText(this.remoteIp, this.remotePort);
  }
}
