// What is known about one stream: written by the rooms it walks through, read by access logs,
// stats, header formatters and guests' properties.
import type { BytesSource } from "./bytes-meter.ts";
import type { GuestCost } from "./guest-cost.ts";
import type { ConnectionInfo } from "./connection-info.ts";
import type { TlsInfo } from "./tls-info.ts";
import type { ClusterInfo, UpstreamHostInfo } from "./upstream-info.ts";

export const Protocol = { Http10: 10, Http11: 11, Http2: 20 } as const;
export type Protocol = (typeof Protocol)[keyof typeof Protocol];

/** "HTTP/1.1" and its kin, as %PROTOCOL% prints. */
export function protocolText(protocol: number): string {
  if (protocol === Protocol.Http11) return "HTTP/1.1";
  if (protocol === Protocol.Http2) return "HTTP/2";
  return protocol === Protocol.Http10 ? "HTTP/1.0" : "-";
}

/** Over HTTP/1 Envoy's filters are told the end of a body apart from its last bytes. */
export function tellsEndApart(protocol: number): boolean {
  return protocol === Protocol.Http11 || protocol === Protocol.Http10;
}

/** What an access log's line is written for. */
export type AccessLogType =
  | "NotSet"
  | "DownstreamEnd"
  | "TcpConnectionStart"
  | "TcpUpstreamConnected"
  | "TcpPeriodic"
  | "TcpConnectionEnd";

/** Times are monotonic milliseconds of the thread's clock; -1 = has not happened. */
export class StreamInfo {
  connection: ConnectionInfo | null = null;
  /** Unique in the process, for %STREAM_ID% and logs; 0 before the first use. */
  streamId: number = 0;
  protocol: number = 0;
  startMs: number = -1;
  /** Last byte of the request came. */
  requestEndMs: number = -1;
  upstreamStartMs: number = -1;
  /** First and last byte to the upstream. */
  upstreamFirstTxMs: number = -1;
  upstreamLastTxMs: number = -1;
  upstreamFirstRxMs: number = -1;
  upstreamLastRxMs: number = -1;
  downstreamFirstTxMs: number = -1;
  downstreamLastTxMs: number = -1;
  endMs: number = -1;
  /** Body bytes from and to the downstream. */
  bytesReceived: number = 0;
  bytesSent: number = 0;
  requestHeaderBytes: number = 0;
  responseHeaderBytes: number = 0;
  responseFlags: number = 0;
  /** 0 = no response was started. */
  responseCode: number = 0;
  /** One of envoy-docs' response code details; null = none. Spaces are not allowed in it. */
  responseCodeDetails: string | null = null;
  connectionTerminationDetails: string = "";
  /** A request of the runtime itself: what asks for its route finds one that says nothing. */
  isOwnCall: boolean = false;
  routeName: string = "";
  virtualHostName: string = "";
  /** Serialised envoy.config.core.v3.Metadata, for guests; null = none. */
  routeMetadata: Uint8Array | null = null;
  virtualHostMetadata: Uint8Array | null = null;
  /** Of the cluster that the router looked up; null = none yet. */
  clusterInfo: ClusterInfo | null = null;
  /** Name of the cluster the route chose; "" = none. */
  upstreamCluster: string = "";
  /** "ip:port" of the chosen host; "" = none. */
  upstreamHost: string = "";
  upstreamHostName: string = "";
  /** Null where `upstreamHost` is "". */
  hostInfo: UpstreamHostInfo | null = null;
  upstreamLocalAddress: string = "";
  upstreamProtocol: number = 0;
  upstreamConnectionId: number = 0;
  upstreamTransportFailureReason: string = "";
  /** Of the last attempt's connection; null = plain text, or none was there. */
  upstreamTls: TlsInfo | null = null;
  attemptCount: number = 0;
  /** Bytes on the client's connection; null = no codec counts them. */
  downstreamBytes: BytesSource | null = null;
  /** The same of the last attempt at an upstream; null = there was none. */
  upstreamBytes: BytesSource | null = null;
  filterChainName: string = "";
  /** %ACCESS_LOG_TYPE%; the same for all streams that use this object. */
  accessLogType: AccessLogType = "DownstreamEnd";
  healthCheck: boolean = false;
  /** Body of the local reply, only while its body_format is run; access logs see "", as Envoy's. */
  localReplyBody: string = "";
  /**
   * The client's address as trusted proxies told it (x-forwarded-for), without a port; "" = the
   * connection's peer is the client. Read it through remoteAddressOf and its kin.
   */
  forwardedIp: string = "";
  /**
   * Namespaces -> JSON-like values, for %DYNAMIC_METADATA% and guests; null = none was ever set.
   */
  dynamicMetadata: Map<string, Map<string, unknown>> | null = null;
  /** Filter state by key (wasm.<path> for guests' properties); null = none was ever set. */
  filterState: Map<string, Uint8Array> | null = null;
  /** What wasm filters of the stream cost, the last one first; null = it has none. */
  guestCost: GuestCost | null = null;

  /** The host was chosen. */
  setUpstreamHost(host: UpstreamHostInfo): void {
    this.upstreamHost = host.addressText;
    this.upstreamHostName = host.hostname;
    this.hostInfo = host;
  }

  /** As new, for the next stream of `connection` that begins at `startMs`. */
  reset(connection: ConnectionInfo, streamId: number, startMs: number): void {
    this.connection = connection;
    this.streamId = streamId;
    this.protocol = 0;
    this.startMs = startMs;
    this.requestEndMs = -1;
    this.upstreamStartMs = -1;
    this.upstreamFirstTxMs = -1;
    this.upstreamLastTxMs = -1;
    this.upstreamFirstRxMs = -1;
    this.upstreamLastRxMs = -1;
    this.downstreamFirstTxMs = -1;
    this.downstreamLastTxMs = -1;
    this.endMs = -1;
    this.bytesReceived = 0;
    this.bytesSent = 0;
    this.requestHeaderBytes = 0;
    this.responseHeaderBytes = 0;
    this.responseFlags = 0;
    this.responseCode = 0;
    this.responseCodeDetails = null;
    this.connectionTerminationDetails = "";
    this.isOwnCall = false;
    this.routeName = "";
    this.virtualHostName = "";
    this.routeMetadata = null;
    this.virtualHostMetadata = null;
    this.clusterInfo = null;
    this.upstreamCluster = "";
    this.upstreamHost = "";
    this.upstreamHostName = "";
    this.hostInfo = null;
    this.upstreamLocalAddress = "";
    this.upstreamProtocol = 0;
    this.upstreamConnectionId = 0;
    this.upstreamTransportFailureReason = "";
    this.upstreamTls = null;
    this.attemptCount = 0;
    this.downstreamBytes = null;
    this.upstreamBytes = null;
    this.filterChainName = "";
    this.healthCheck = false;
    this.localReplyBody = "";
    this.forwardedIp = "";
    this.dynamicMetadata = null;
    this.filterState = null;
    this.guestCost = null;
  }
}

/** The client's address with port, as %DOWNSTREAM_REMOTE_ADDRESS%; "" without connection. */
export function remoteAddressOf(info: StreamInfo): string {
  const ip = info.forwardedIp;
  if (ip !== "") return ip.includes(":") ? `[${ip}]:0` : `${ip}:0`;
  return info.connection === null ? "" : info.connection.remoteAddress;
}

/** The client's address without port. */
export function remoteIpOf(info: StreamInfo): string {
  if (info.forwardedIp !== "") return info.forwardedIp;
  return info.connection === null ? "" : info.connection.remoteIp;
}

/** The client's port; 0 when only its address is known. */
export function remotePortOf(info: StreamInfo): number {
  return info.forwardedIp !== "" || info.connection === null ? 0 : info.connection.remotePort;
}

/** Puts one value of dynamic metadata, of a stream or of its connection. */
export function setDynamicMetadata(
  holder: { dynamicMetadata: Map<string, Map<string, unknown>> | null },
  namespace: string,
  key: string,
  value: unknown,
): void {
  holder.dynamicMetadata ??= new Map();
  let values = holder.dynamicMetadata.get(namespace);
  if (values === undefined) {
    values = new Map();
    holder.dynamicMetadata.set(namespace, values);
  }
  values.set(key, value);
}
