// Whose request it is: the client's address behind trusted proxies, internal or external, and the
// headers that follow from it. Called by ActiveStream once a request is normalised; Envoy's
// mutateRequestHeaders.
import { stripRequestHopByHop } from "../codec/http1/hop-by-hop.ts";
import type { HcmConfig } from "../config/snapshot.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import { CidrList, isIpAddress, isLoopback } from "./ip-address.ts";

/** What the process knows of itself. */
export interface NodeIdentity {
  /** --service-cluster, for add_user_agent. */
  readonly cluster: string;
  /** --service-node; "" = x-envoy-downstream-service-node is not set. */
  readonly id: string;
  /** Stands in x-forwarded-for for peers on this machine, as Envoy's local address does. */
  readonly hostIp: string;
}

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

/** Those that only proxies behind the edge may set. */
const edgeOnly: readonly string[] = [
  "x-envoy-decorator-operation",
  "x-envoy-downstream-service-cluster",
  "x-envoy-downstream-service-node",
  "x-envoy-original-path",
];

const MASK_XFF = 1 << HeaderId.XForwardedFor;
const MASK_PROTO = 1 << HeaderId.XForwardedProto;

/** What the last of trusted addresses says: its text, and whether it stood alone. */
interface XffAddress {
  /** "" = there is none that is an address. */
  ip: string;
  isSingle: boolean;
}

export class TrustedAddress {
  readonly #config: HcmConfig;
  readonly #node: NodeIdentity;
  readonly #random: Random;
  readonly #internal: CidrList;
  readonly #internalOnlyHeaders: readonly string[];
  readonly #xff: XffAddress;

  constructor(config: HcmConfig, node: NodeIdentity, random: Random) {
    this.#config = config;
    this.#node = node;
    this.#random = random;
    this.#internal = new CidrList(config.internalCidrs);
    this.#internalOnlyHeaders = config.routes.internalOnlyHeaders;
    this.#xff = { ip: "", isSingle: false };
  }

  /** Changes the request's headers and the connection's remote address in place. */
  apply(headers: HeaderMap, connection: ConnectionInfo): void {
    const config = this.#config;
    const xff = this.#xff;
    const transport = connection.isTls ? "https" : "http";
    headers.removeById(HeaderId.XEnvoyInternal);
    stripRequestHopByHop(headers, false);
    sanitizeReferer(headers);
    // Without TLS nobody vouches for a client certificate.
    headers.removeById(HeaderId.XForwardedClientCert);
    if (config.useRemoteAddress) this.#useRemoteAddress(headers, connection, transport);
    else {
      readXff(headers, config.xffNumTrustedHops, xff);
      if (xff.isSingle && config.xffNumTrustedHops > 0) xff.isSingle = false;
    }
    if ((headers.seen & MASK_PROTO) === 0) headers.setById(HeaderId.XForwardedProto, transport);
    this.#setScheme(headers, transport);
    const isInternal = xff.isSingle && this.#isInternal(xff.ip, connection);
    setRemote(connection, xff.ip);
    const isEdge = !isInternal && config.useRemoteAddress;
    if (isInternal) headers.setById(HeaderId.XEnvoyInternal, "true");
    else this.#clean(headers, isEdge);
    if (config.addUserAgent) this.#addUserAgent(headers);
    if (config.via !== "") appendVia(headers, config.via);
    if (isEdge && connection.remoteIp !== "") {
      headers.setById(HeaderId.XEnvoyExternalAddress, connection.remoteIp);
    }
    if (config.generateRequestId) this.#setRequestId(headers, isEdge);
  }

  #useRemoteAddress(headers: HeaderMap, connection: ConnectionInfo, transport: string): void {
    const config = this.#config;
    const xff = this.#xff;
    const hadXff = (headers.seen & MASK_XFF) !== 0;
    xff.ip = "";
    if (config.xffNumTrustedHops > 0) readXff(headers, config.xffNumTrustedHops - 1, xff);
    if (xff.ip === "") xff.ip = connection.directRemoteIp;
    xff.isSingle = !hadXff;
    if (!config.skipXffAppend && connection.directRemoteIp !== "") {
      const peer = connection.directRemoteIp;
      appendXff(headers, isLoopback(peer) ? this.#node.hostIp : peer);
    }
    const trustsNobody = config.xffNumTrustedHops === 0;
    if (trustsNobody || (headers.seen & MASK_PROTO) === 0) {
      headers.setById(HeaderId.XForwardedProto, transport);
    }
    if (config.appendXForwardedPort) {
      if (trustsNobody || headers.indexOfId(HeaderId.XForwardedPort) < 0) {
        headers.setById(HeaderId.XForwardedPort, String(connection.localPort));
      }
    }
  }

  /** A unix socket's peer has no address; it may be declared internal. */
  #isInternal(ip: string, connection: ConnectionInfo): boolean {
    if (ip !== "") return this.#internal.contains(ip);
    return this.#config.internalUnixSockets && connection.directRemoteIp === "";
  }

  #setScheme(headers: HeaderMap, transport: string): void {
    const overwrite = this.#config.schemeToOverwrite;
    if (overwrite !== "") {
      headers.scheme = overwrite;
      headers.setById(HeaderId.XForwardedProto, overwrite);
      return;
    }
    if (headers.scheme !== null) return;
    const proto = headers.getById(HeaderId.XForwardedProto);
    headers.scheme = proto === "http" || proto === "https" ? proto : transport;
  }

  #clean(headers: HeaderMap, isEdge: boolean): void {
    if (hasEnvoyHeader(headers)) {
      if (isEdge) removeAll(headers, edgeOnly);
      removeAll(headers, internalOnly);
    }
    removeAll(headers, this.#internalOnlyHeaders);
  }

  #addUserAgent(headers: HeaderMap): void {
    const { cluster, id } = this.#node;
    headers.setById(HeaderId.XEnvoyDownstreamServiceCluster, cluster);
    const agent = headers.getById(HeaderId.UserAgent);
    if (agent === undefined || agent === "") headers.setById(HeaderId.UserAgent, cluster);
    if (id !== "") headers.setById(HeaderId.XEnvoyDownstreamServiceNode, id);
  }

  /** Without tracing the nibble that would carry its decision stays as the UUID has it. */
  #setRequestId(headers: HeaderMap, isEdge: boolean): void {
    const keeps = !isEdge || this.#config.preserveExternalRequestId;
    const id = keeps ? headers.getById(HeaderId.XRequestId) : undefined;
    if (id === undefined || id === "") headers.setById(HeaderId.XRequestId, this.#random.uuid());
  }
}

/** True for `expect: 100-continue`, which is answered and taken out; other expectations stay. */
export function takesContinue(headers: HeaderMap): boolean {
  const expect = headers.getById(HeaderId.Expect);
  if (expect === undefined || expect.toLowerCase() !== "100-continue") return false;
  headers.removeById(HeaderId.Expect);
  return true;
}

/** One look at all names: most requests carry none of the control headers. */
function hasEnvoyHeader(headers: HeaderMap): boolean {
  for (let i = 0; i < headers.entryCount; i += 1) {
    if (headers.isLive(i) && headers.name(i).startsWith("x-envoy-")) return true;
  }
  return false;
}

function removeAll(headers: HeaderMap, names: readonly string[]): void {
  for (let i = 0; i < names.length; i += 1) headers.remove(names[i] as string);
}

/** Several lines become one, as all later readers take only the first. */
function xffText(headers: HeaderMap): string {
  if ((headers.seen & MASK_XFF) === 0) return "";
  if ((headers.duplicated & MASK_XFF) === 0) return headers.getById(HeaderId.XForwardedFor) ?? "";
  const joined = headers.getAll("x-forwarded-for").join(",");
  headers.setById(HeaderId.XForwardedFor, joined);
  return joined;
}

function appendXff(headers: HeaderMap, ip: string): void {
  const text = xffText(headers);
  headers.setById(HeaderId.XForwardedFor, text === "" ? ip : `${text},${ip}`);
}

/** The address `skip` places left of the last one. */
function readXff(headers: HeaderMap, skip: number, into: XffAddress): void {
  into.ip = "";
  into.isSingle = false;
  let text = xffText(headers);
  for (let i = 0; i < skip; i += 1) {
    const comma = text.lastIndexOf(",");
    if (comma < 0) return;
    text = text.slice(0, comma);
  }
  const comma = text.lastIndexOf(",");
  const ip = text.slice(comma + 1).trim();
  if (!isIpAddress(ip)) return;
  into.ip = ip;
  into.isSingle = comma < 0;
}

/** The connection's client is its peer, until a request says otherwise. */
export function forgetClient(connection: ConnectionInfo): void {
  setRemote(connection, "");
}

/** HTTP/1 has one stream at a time, so the connection may carry the stream's client. */
function setRemote(connection: ConnectionInfo, ip: string): void {
  if (ip === "" || ip === connection.directRemoteIp) {
    connection.remoteIp = connection.directRemoteIp;
    connection.remotePort = connection.directRemotePort;
    connection.remoteAddress = connection.directRemoteAddress;
    return;
  }
  connection.remoteIp = ip;
  connection.remotePort = 0;
  connection.remoteAddress = ip.includes(":") ? `[${ip}]:0` : `${ip}:0`;
}

/** More than one Referer, or one that is no absolute URL, is dropped. */
function sanitizeReferer(headers: HeaderMap): void {
  const referer = headers.getById(HeaderId.Referer);
  if (referer === undefined) return;
  const isPlain = /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#\s]/.test(referer);
  if (!isPlain || headers.getAll("referer").length > 1) headers.removeById(HeaderId.Referer);
}

/** For requests and responses. */
export function appendVia(headers: HeaderMap, via: string): void {
  const value = headers.getById(HeaderId.Via);
  if (value === undefined) headers.appendById(HeaderId.Via, via);
  else headers.setById(HeaderId.Via, `${headers.getAll("via").join(", ")}, ${via}`);
}
