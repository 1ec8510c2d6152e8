// Writes the PROXY protocol header that tells an upstream who the client is, as haproxy.org's
// proxy-protocol.txt says. What network/proxy-header.ts reads.
import type { ConnectionInfo } from "../core/connection-info.ts";
import { parseIpv4, parseIpv6 } from "../core/ip-address.ts";

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const HEAD_BYTES = 16;
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;

/** Of the connection's client; a unix socket's has no address to tell. */
export function proxyHeaderOf(connection: ConnectionInfo, version: "v1" | "v2"): Buffer {
  const { remoteIp, remotePort, localIp, localPort } = connection;
  const isIpv4 = parseIpv4(remoteIp) >= 0 && parseIpv4(localIp) >= 0;
  const source = parseIpv6(remoteIp);
  const destination = parseIpv6(localIp);
  const isIpv6 = source !== null && destination !== null;
  if (version === "v1") {
    if (!isIpv4 && !isIpv6) return Buffer.from("PROXY UNKNOWN\r\n", "latin1");
    const family = isIpv4 ? "TCP4" : "TCP6";
    const text = `PROXY ${family} ${remoteIp} ${localIp} ${remotePort} ${localPort}\r\n`;
    return Buffer.from(text, "latin1");
  }
  if (isIpv4) {
    const addresses = Buffer.alloc(8);
    addresses.writeUInt32BE(parseIpv4(remoteIp), 0);
    addresses.writeUInt32BE(parseIpv4(localIp), 4);
    return v2(PROXY, TCP4, addresses, remotePort, localPort);
  }
  if (!isIpv6) return v2Head(LOCAL, 0, 0);
  const addresses = Buffer.alloc(32);
  for (const [at, group] of [...source, ...destination].entries()) {
    addresses.writeUInt16BE(group, at * 2);
  }
  return v2(PROXY, TCP6, addresses, remotePort, localPort);
}

function v2(
  command: number,
  family: number,
  addresses: Buffer,
  sourcePort: number,
  destinationPort: number,
): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(sourcePort, 0);
  ports.writeUInt16BE(destinationPort, 2);
  const head = v2Head(command, family, addresses.length + ports.length);
  return Buffer.concat([head, addresses, ports]);
}

function v2Head(command: number, family: number, length: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  SIGNATURE.copy(head);
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(length, 14);
  return head;
}
