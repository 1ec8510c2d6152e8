// Whose request it is and what that means for its headers: the client's address behind trusted
// proxies, internal or external, request id, what goes no further. Envoy's mutateRequestHeaders, in
// its order; called by ActiveStream once a request is normalised.
import { HOP_BY_HOP_MASK, isUpgrade, stripRequestHopByHop } from "../codec/http1/hop-by-hop.ts";
import type { HcmConfig } from "../config/snapshot.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import { canonicalIp, CidrList, isIpText, isLoopback } from "../core/ip-address.ts";
import { ClientCertForwarder } from "./client-cert.ts";
import { appendVia } from "./joined-headers.ts";
import { isValidReferer } from "./referer.ts";

const XFF_BIT: number = 1 << HeaderId.XForwardedFor;
const PROTO_BIT: number = 1 << HeaderId.XForwardedProto;
const PORT_BIT: number = 1 << HeaderId.XForwardedPort;
const EXPECT_BIT: number = 1 << HeaderId.Expect;
const INTERNAL_BIT: number = 1 << HeaderId.XEnvoyInternal;
const REQUEST_ID_BIT: number = 1 << HeaderId.XRequestId;

const HTTP_LINE = "x-forwarded-proto: http\r\n";
const HTTPS_LINE = "x-forwarded-proto: https\r\n";
const INTERNAL_LINE = "x-envoy-internal: true\r\n";

/** A UUID's length, and where its version stands, which Envoy makes its trace decision. */
const UUID_LENGTH = 36;
const TRACE_AT = 14;

/** What a walk over the names of a request found. */
const Found = { Control: 1, Referer: 2, ClientCert: 4 } as const;

/** Control headers that only internal clients may send. */
const internalOnly: readonly string[] = [
  "x-envoy-retriable-status-codes",
  "x-envoy-retriable-header-names",
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-force-trace",
  "x-envoy-ip-tags",
  "x-envoy-original-url",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-upstream-stream-duration-ms",
];

/** Headers that only proxies behind the edge may set. */
const behindEdgeOnly: readonly string[] = [
  "x-envoy-decorator-operation",
  "x-envoy-downstream-service-cluster",
  "x-envoy-downstream-service-node",
  "x-envoy-original-path",
  "x-envoy-original-host",
];

/** What the process knows of itself. */
export interface NodeIdentity {
  /** --service-cluster, for add_user_agent. */
  readonly cluster: string;
  /** --service-node; "" = x-envoy-downstream-service-node is not set. */
  readonly id: string;
  /** Stands in x-forwarded-for for loopback peers, as Envoy's local address does. */
  readonly hostIp: string;
}

/**
 * True when `100 Continue` is to be sent (even when the body is there, and to HTTP/1.0); the Expect
 * header is gone then. Other expectations go up. Not to be called with proxy_100_continue.
 */
export function takesContinue(headers: HeaderMap): boolean {
  if ((headers.seen & EXPECT_BIT) === 0) return false;
  const value = headers.getById(HeaderId.Expect);
  if (value === undefined || value.toLowerCase() !== "100-continue") return false;
  headers.removeById(HeaderId.Expect);
  return true;
}

/** A route table's `internal_only_headers`, lower case. */
export interface InternalOnlyHeaders {
  readonly internalOnlyHeaders: readonly string[];
}

export class RequestSanitizer {
  readonly #config: HcmConfig;
  readonly #random: Random;
  readonly #internalRanges: CidrList;
  readonly #routes: InternalOnlyHeaders;
  readonly #serviceCluster: string;
  readonly #serviceNode: string;
  readonly #viaLine: string;
  readonly #hostIp: string;
  readonly #clientCert: ClientCertForwarder;
  /** Said by #addressFromXff: the address stood alone. */
  #isOnlyAddress: boolean = false;
  /** What follows from the last peer's address: connections bring many requests. */
  #peerIp: string = "";
  #peerXff: string = "";
  #peerXffLine: string = "";
  #peerExternalLine: string = "";
  #isPeerInternal: boolean;

  /** `routes`: default the configuration's own; a table that comes by RDS may change. */
  constructor(
    config: HcmConfig,
    node: NodeIdentity,
    random: Random,
    routes: InternalOnlyHeaders = config.routes,
  ) {
    this.#config = config;
    this.#random = random;
    this.#internalRanges = new CidrList(config.internalCidrs);
    this.#routes = routes;
    this.#serviceCluster = node.cluster;
    this.#serviceNode = node.id;
    this.#viaLine = `via: ${config.via}\r\n`;
    this.#hostIp = node.hostIp;
    this.#clientCert = new ClientCertForwarder(config);
    this.#isPeerInternal = this.#isInternal("");
  }

  /**
   * Changes the headers in place; writes the client's address into `info.forwardedIp`. Lines that
   * are one list must have been joined (joined-headers.ts).
   */
  sanitize(headers: HeaderMap, connection: ConnectionInfo, info: StreamInfo): void {
    const config = this.#config;
    // An upgrade keeps its two headers: it is refused later, when the route is known.
    if ((headers.seen & HOP_BY_HOP_MASK) !== 0) stripRequestHopByHop(headers, isUpgrade(headers));
    if ((headers.seen & INTERNAL_BIT) !== 0) headers.removeById(HeaderId.XEnvoyInternal);
    const found = findDoubtful(headers);
    if ((found & Found.Referer) !== 0) sanitizeReferer(headers);
    let isInternal = false;
    if (config.useRemoteAddress) {
      isInternal = this.#useRemoteAddress(headers, connection, info);
    } else if ((headers.seen & XFF_BIT) !== 0) {
      info.forwardedIp = this.#addressFromXff(headers, config.xffNumTrustedHops);
      isInternal = this.#isOnlyAddress && this.#isInternal(info.forwardedIp);
    }
    if ((headers.seen & PROTO_BIT) === 0) setProto(headers, connection.tls !== null);
    if (config.appendXForwardedPort && (headers.seen & PORT_BIT) === 0) {
      setPort(headers, connection);
    }
    this.#setScheme(headers, connection.tls !== null);
    const isEdge = config.useRemoteAddress && !isInternal;
    if (isInternal) headers.setLineById(HeaderId.XEnvoyInternal, "true", INTERNAL_LINE);
    else if ((found & Found.Control) !== 0) {
      if (isEdge) removeAll(headers, behindEdgeOnly);
      removeAll(headers, internalOnly);
    }
    if (!isInternal && this.#routes.internalOnlyHeaders.length > 0) {
      removeAll(headers, this.#routes.internalOnlyHeaders);
    }
    if (config.addUserAgent) this.#addUserAgent(headers);
    if (config.via !== "") appendVia(headers, config.via, this.#viaLine);
    if (isEdge) this.#setExternalAddress(headers, connection, info);
    if (config.generateRequestId) this.#setRequestId(headers, isEdge);
    this.#clientCert.apply(headers, connection.tls, (found & Found.ClientCert) !== 0);
  }

  /** Answers whether the request is internal: only without x-forwarded-for of its own. */
  #useRemoteAddress(headers: HeaderMap, connection: ConnectionInfo, info: StreamInfo): boolean {
    const config = this.#config;
    const hops = config.xffNumTrustedHops;
    const hadXff = (headers.seen & XFF_BIT) !== 0;
    if (connection.remoteIp !== this.#peerIp) this.#learnPeer(connection.remoteIp);
    if (hops > 0 && hadXff) info.forwardedIp = this.#addressFromXff(headers, hops - 1);
    if (!config.skipXffAppend && this.#peerXff !== "") {
      const value = hadXff ? headers.getById(HeaderId.XForwardedFor) : "";
      if (value === undefined || value === "") {
        headers.setLineById(HeaderId.XForwardedFor, this.#peerXff, this.#peerXffLine);
      } else headers.setById(HeaderId.XForwardedFor, `${value},${this.#peerXff}`);
    }
    if (hops === 0 || (headers.seen & PROTO_BIT) === 0) setProto(headers, connection.tls !== null);
    if (config.appendXForwardedPort && (hops === 0 || (headers.seen & PORT_BIT) === 0)) {
      setPort(headers, connection);
    }
    return !hadXff && this.#isPeerInternal;
  }

  #learnPeer(ip: string): void {
    this.#peerIp = ip;
    this.#isPeerInternal = this.#isInternal(ip);
    const isIp = isIpText(ip);
    this.#peerXff = !isIp ? "" : isLoopback(ip) ? this.#hostIp : ip;
    this.#peerXffLine = `x-forwarded-for: ${this.#peerXff}\r\n`;
    this.#peerExternalLine = isIp ? `x-envoy-external-address: ${ip}\r\n` : "";
  }

  /** "" is no address: nobody. Peers on unix sockets are declared internal as a whole. */
  #isInternal(ip: string): boolean {
    return isIpText(ip) ? this.#internalRanges.contains(ip) : this.#config.internalUnixSockets;
  }

  /** The address `skip` places left of the last one; "" when that is none. */
  #addressFromXff(headers: HeaderMap, skip: number): string {
    this.#isOnlyAddress = false;
    const text = headers.getById(HeaderId.XForwardedFor) ?? "";
    let end = text.length;
    for (let i = 0; i < skip; i += 1) {
      end = end === 0 ? -1 : text.lastIndexOf(",", end - 1);
      if (end < 0) return "";
    }
    const comma = end === 0 ? -1 : text.lastIndexOf(",", end - 1);
    const ip = canonicalIp(text.slice(comma + 1, end).trim());
    this.#isOnlyAddress = ip !== "" && comma < 0 && skip === 0;
    return ip;
  }

  #setScheme(headers: HeaderMap, isTls: boolean): void {
    const overwrite = this.#config.schemeToOverwrite;
    if (overwrite !== "") {
      headers.scheme = overwrite;
      headers.setById(HeaderId.XForwardedProto, overwrite);
    } else if (headers.scheme === null) {
      const proto = headers.getById(HeaderId.XForwardedProto) ?? "";
      headers.scheme = schemeOf(proto) ?? schemeOf(proto.toLowerCase()) ?? ownScheme(isTls);
    }
  }

  #addUserAgent(headers: HeaderMap): void {
    const cluster = this.#serviceCluster;
    headers.setById(HeaderId.XEnvoyDownstreamServiceCluster, cluster);
    const agent = headers.getById(HeaderId.UserAgent);
    if (agent === undefined || agent === "") headers.setById(HeaderId.UserAgent, cluster);
    if (this.#serviceNode !== "") {
      headers.setById(HeaderId.XEnvoyDownstreamServiceNode, this.#serviceNode);
    }
  }

  #setExternalAddress(headers: HeaderMap, connection: ConnectionInfo, info: StreamInfo): void {
    const line = this.#peerExternalLine;
    if (info.forwardedIp !== "") headers.setById(HeaderId.XEnvoyExternalAddress, info.forwardedIp);
    else if (line !== "") {
      headers.setLineById(HeaderId.XEnvoyExternalAddress, connection.remoteIp, line);
    }
  }

  /** An empty id counts as none. One that is kept at the edge loses its trace decision. */
  #setRequestId(headers: HeaderMap, isEdge: boolean): void {
    const isKept = !isEdge || this.#config.preserveExternalRequestId;
    if (isKept && (headers.seen & REQUEST_ID_BIT) !== 0) {
      const id = headers.getById(HeaderId.XRequestId) as string;
      if (id !== "") {
        if (!isEdge || id.length !== UUID_LENGTH || id.charCodeAt(TRACE_AT) === 0x34) return;
        const untraced = `${id.slice(0, TRACE_AT)}4${id.slice(TRACE_AT + 1)}`;
        headers.setById(HeaderId.XRequestId, untraced);
        return;
      }
    }
    headers.setById(HeaderId.XRequestId, this.#random.uuid());
  }
}

/** One walk over the names instead of some twenty look-ups; makes no strings. */
function findDoubtful(headers: HeaderMap): number {
  let found = 0;
  for (let i = 0; i < headers.entryCount; i += 1) {
    switch (headers.idAt(i)) {
      case HeaderId.Referer:
        found |= Found.Referer;
        break;
      case HeaderId.XForwardedClientCert:
        found |= Found.ClientCert;
        break;
      case HeaderId.Other:
      case HeaderId.XEnvoyExpectedRqTimeoutMs:
      case HeaderId.XEnvoyUpstreamRqTimeoutMs:
      case HeaderId.XEnvoyOriginalPath:
      case HeaderId.XEnvoyOriginalHost:
      case HeaderId.XEnvoyDecoratorOperation:
      case HeaderId.XEnvoyRetryOn:
      case HeaderId.XEnvoyMaxRetries:
      case HeaderId.XEnvoyForceTrace:
      case HeaderId.XEnvoyDownstreamServiceCluster:
      case HeaderId.XEnvoyDownstreamServiceNode:
      case HeaderId.XEnvoyUpstreamRqPerTryTimeoutMs:
      case HeaderId.XEnvoyUpstreamRqTimeoutAltResponse:
        if (headers.nameStartsWith(i, "x-envoy-")) found |= Found.Control;
        break;
      default:
        break;
    }
  }
  return found;
}

function removeAll(headers: HeaderMap, names: readonly string[]): void {
  for (let i = 0; i < names.length; i += 1) headers.remove(names[i] as string);
}

function setProto(headers: HeaderMap, isTls: boolean): void {
  if (isTls) headers.setLineById(HeaderId.XForwardedProto, "https", HTTPS_LINE);
  else headers.setLineById(HeaderId.XForwardedProto, "http", HTTP_LINE);
}

function schemeOf(proto: string): string | null {
  return proto === "http" || proto === "https" ? proto : null;
}

function ownScheme(isTls: boolean): string {
  return isTls ? "https" : "http";
}

function setPort(headers: HeaderMap, connection: ConnectionInfo): void {
  if (!isIpText(connection.localIp)) return;
  headers.setById(HeaderId.XForwardedPort, String(connection.localPort));
}

/** Several lines count as one joined value; what is no reference goes. */
function sanitizeReferer(headers: HeaderMap): void {
  const values = headers.getAll("referer");
  const value = values.length === 1 ? (values[0] as string) : values.join(",");
  if (!isValidReferer(value)) headers.removeById(HeaderId.Referer);
  else if (values.length > 1) headers.setById(HeaderId.Referer, value);
}
