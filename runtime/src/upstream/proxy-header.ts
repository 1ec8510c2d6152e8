// Writes the PROXY protocol header that tells an upstream who the client is, as Envoy does and
// haproxy.org's proxy-protocol.txt says; network/proxy-header.ts reads one.
import { isIP } from "node:net";
import type { ProxyTlvConfig, UpstreamProxyProtocolConfig } from "../config/snapshot.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import { parseIpv4, parseIpv6 } from "../core/ip-address.ts";
import type { SocketAddress } from "../engine/network-engine.ts";

const V2_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const VERSION_2_LOCAL = 0x20;
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
/** The length of addresses and TLVs is told in 16 bits. */
const V2_BYTES_MAX = 0xffff;
const TLV_HEAD_BYTES = 3;

export interface ProxyEndpoint {
  /** Literal; "" = not an IP address. */
  readonly ip: string;
  readonly port: number;
}

/** Whom the header tells about. */
export interface ProxiedConnection {
  readonly source: ProxyEndpoint;
  readonly destination: ProxyEndpoint;
  /** Those that came with the downstream's own header. */
  readonly tlvs: readonly ProxyTlvConfig[];
}

/** `areTlvsCut`: not all TLVs had room. */
export interface WrittenHeader {
  readonly bytes: Buffer;
  readonly areTlvsCut: boolean;
}

/** What is to be written, beside the addresses. */
export type ProxyHeaderConfig = Pick<
  UpstreamProxyProtocolConfig,
  "version" | "passThroughTlvs" | "addedTlvs"
>;

/** Of the connection's client; a unix socket's has no address to tell. */
export function proxyHeaderOf(connection: ConnectionInfo, version: "v1" | "v2"): Buffer {
  const config: ProxyHeaderConfig = { version, passThroughTlvs: "none", addedTlvs: [] };
  return writeProxyHeader(config, proxiedConnection(connection)).bytes;
}

export function proxiedConnection(info: ConnectionInfo): ProxiedConnection {
  return {
    source: { ip: info.remoteIp, port: info.remotePort },
    destination: { ip: info.localIp, port: info.localPort },
    tlvs: info.proxyTlvs,
  };
}

/** For a connection of our own, behind which there is no client. */
export function localProxyHeader(
  version: "v1" | "v2",
  local: SocketAddress,
  remote: SocketAddress,
): Buffer {
  return version === "v1" ? v1Header(endpointOf(local), endpointOf(remote)) : v2Local();
}

export function writeProxyHeader(
  config: ProxyHeaderConfig,
  connection: ProxiedConnection,
): WrittenHeader {
  if (config.version === "v1") {
    return { bytes: v1Header(connection.source, connection.destination), areTlvsCut: false };
  }
  const version = commonVersion(connection.source, connection.destination);
  if (version === 0) return { bytes: v2Local(), areTlvsCut: false };
  return v2Header(config, connection, version === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6);
}

function endpointOf(address: SocketAddress): ProxyEndpoint {
  return { ip: address.family === "unix" ? "" : address.address, port: address.port };
}

/** 0 = no IP addresses, or of two versions: a header has no place for those. */
function commonVersion(source: ProxyEndpoint, destination: ProxyEndpoint): number {
  const version = isIP(source.ip);
  return version === isIP(destination.ip) ? version : 0;
}

function v1Header(source: ProxyEndpoint, destination: ProxyEndpoint): Buffer {
  const version = commonVersion(source, destination);
  if (version === 0) return Buffer.from("PROXY UNKNOWN\r\n", "latin1");
  const ips = `${source.ip} ${destination.ip}`;
  const ports = `${source.port} ${destination.port}`;
  return Buffer.from(`PROXY TCP${version} ${ips} ${ports}\r\n`, "latin1");
}

function v2Local(): Buffer {
  return Buffer.concat([V2_SIGNATURE, Buffer.from([VERSION_2_LOCAL, 0, 0, 0])]);
}

function v2Header(
  config: ProxyHeaderConfig,
  { source, destination, tlvs }: ProxiedConnection,
  family: number,
): WrittenHeader {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const addresses = [ipBytes(source.ip), ipBytes(destination.ip), ports];
  let length = addresses.reduce((sum, { length: bytes }) => sum + bytes, 0);
  const pieces: Buffer[] = [];
  let areTlvsCut = false;
  for (const tlv of chooseTlvs(config, tlvs)) {
    const bytes = TLV_HEAD_BYTES + tlv.value.length;
    if (length + bytes > V2_BYTES_MAX) {
      areTlvsCut = true;
      continue;
    }
    length += bytes;
    pieces.push(tlvBytes(tlv));
  }
  const head = Buffer.from([VERSION_2_PROXY, family, length >>> 8, length & 0xff]);
  const bytes = Buffer.concat([V2_SIGNATURE, head, ...addresses, ...pieces]);
  return { bytes, areTlvsCut };
}

/** Added ones first; of the downstream's those that are wanted and were not added. */
function chooseTlvs(
  { addedTlvs, passThroughTlvs }: ProxyHeaderConfig,
  passed: readonly ProxyTlvConfig[],
): readonly ProxyTlvConfig[] {
  if (passThroughTlvs === "none") return addedTlvs;
  const addedTypes = new Set(addedTlvs.map(({ type }) => type));
  const wanted = passed.filter(
    ({ type }) =>
      !addedTypes.has(type) && (passThroughTlvs === "all" || passThroughTlvs.includes(type)),
  );
  return [...addedTlvs, ...wanted];
}

function tlvBytes({ type, value }: ProxyTlvConfig): Buffer {
  const head = Buffer.from([type, value.length >>> 8, value.length & 0xff]);
  return Buffer.concat([head, value]);
}

function ipBytes(ip: string): Buffer {
  if (isIP(ip) === 4) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(parseIpv4(ip) >>> 0, 0);
    return bytes;
  }
  const groups = parseIpv6(ip) ?? [];
  const bytes = Buffer.alloc(16);
  groups.forEach((group, at) => bytes.writeUInt16BE(group, 2 * at));
  return bytes;
}
