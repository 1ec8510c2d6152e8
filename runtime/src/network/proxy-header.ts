// Reads a PROXY protocol header, version 1 or 2, as haproxy.org's proxy-protocol.txt says and as
// Envoy takes it.
import type { EndAddress } from "../core/connection-info.ts";
import { canonicalIp, parseIpv4, parseIpv6 } from "../core/ip-address.ts";

export const ProxyHeaderState = {
  NeedMore: 0,
  /** The bytes are no PROXY header, and cannot become one. */
  NotFound: 1,
  Found: 2,
  Malformed: 3,
} as const;

export interface ProxyHeader {
  readonly state: number;
  /** 0 = not known yet. */
  readonly version: 0 | 1 | 2;
  /** Bytes of the header; 0 unless it was found. */
  readonly length: number;
  /** Null = the header names none (LOCAL, UNKNOWN): the socket's own addresses hold. */
  readonly source: EndAddress | null;
  readonly destination: EndAddress | null;
  /** Where the TLVs of version 2 stand in the bytes. */
  readonly tlvFrom: number;
}

const V1_SIGNATURE = Buffer.from("PROXY ", "latin1");
const V2_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** With its CR LF. The document says 107; Envoy takes one more. */
const V1_BYTES_MAX = 108;
const V2_HEAD_BYTES = 16;
const V4_BYTES = 12;
const V6_BYTES = 36;

const needMore = outcome(ProxyHeaderState.NeedMore, 0);
const needMoreV1 = outcome(ProxyHeaderState.NeedMore, 1);
const needMoreV2 = outcome(ProxyHeaderState.NeedMore, 2);
const notFound = outcome(ProxyHeaderState.NotFound, 0);
const malformedV1 = outcome(ProxyHeaderState.Malformed, 1);
const malformedV2 = outcome(ProxyHeaderState.Malformed, 2);

export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (bytes.length === 0) return needMore;
  const isV1 = startsAs(bytes, V1_SIGNATURE);
  if (!isV1 && !startsAs(bytes, V2_SIGNATURE)) return notFound;
  if (isV1) return bytes.length < V1_SIGNATURE.length ? needMore : readV1(bytes);
  return bytes.length < V2_SIGNATURE.length ? needMore : readV2(bytes);
}

/** As far as both go. */
function startsAs(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

function outcome(state: number, version: 0 | 1 | 2): ProxyHeader {
  return { state, version, length: 0, source: null, destination: null, tlvFrom: 0 };
}

function readV1(bytes: Buffer): ProxyHeader {
  const head = bytes.toString("latin1", 0, Math.min(bytes.length, V1_BYTES_MAX));
  const end = head.indexOf("\r\n");
  if (end < 0) return bytes.length >= V1_BYTES_MAX ? malformedV1 : needMoreV1;
  const length = end + 2;
  // As Envoy, blanks at the end are taken.
  const line = head.slice(0, end).replace(/[ \t]+$/, "");
  const found = { state: ProxyHeaderState.Found, version: 1, length, tlvFrom: length } as const;
  const words = line.split(" ");
  const family = words[1];
  if (family === "UNKNOWN") return { ...found, source: null, destination: null };
  if (words.length !== 6 || (family !== "TCP4" && family !== "TCP6")) return malformedV1;
  const isV6 = family === "TCP6";
  const source = addressOf(words[2] as string, isV6, portOf(words[4] as string));
  const destination = addressOf(words[3] as string, isV6, portOf(words[5] as string));
  if (source === null || destination === null) return malformedV1;
  return { ...found, source, destination };
}

/** -1 = none. As Envoy's reader of numbers, it takes a plus and leading zeros. */
function portOf(text: string): number {
  if (!/^\+?\d{1,90}$/.test(text)) return -1;
  const port = Number(text);
  return port <= 0xffff ? port : -1;
}

/** Null when it cannot be the address of a host. */
function addressOf(text: string, isV6: boolean, port: number): EndAddress | null {
  if (port < 0 || text.includes(":") !== isV6) return null;
  const ip = canonicalIp(text);
  if (ip === "" || !isUnicast(ip)) return null;
  return { ip, port };
}

function isUnicast(ip: string): boolean {
  const value = parseIpv4(ip);
  if (value >= 0) return value !== 0 && value !== 0xffffffff && value >>> 28 !== 0xe;
  const groups = parseIpv6(ip);
  if (groups === null) return false;
  return groups.some((group) => group !== 0) && (groups[0] as number) >> 8 !== 0xff;
}

function readV2(bytes: Buffer): ProxyHeader {
  if (bytes.length > V2_SIGNATURE.length) {
    const versionAndCommand = bytes[V2_SIGNATURE.length] as number;
    if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21) return malformedV2;
  }
  if (bytes.length < V2_HEAD_BYTES) return needMoreV2;
  const isLocal = bytes[12] === 0x20;
  const family = bytes[13] as number;
  const bodyBytes = bytes.readUInt16BE(14);
  const length = V2_HEAD_BYTES + bodyBytes;
  const isV6 = family === 0x21 || family === 0x22;
  const addressBytes = isV6 ? V6_BYTES : V4_BYTES;
  if (!isLocal) {
    const isKnown = isV6 || family === 0x11 || family === 0x12;
    if (!isKnown || bodyBytes < addressBytes) return malformedV2;
  }
  if (bytes.length < length) return needMoreV2;
  const found = { state: ProxyHeaderState.Found, version: 2, length } as const;
  if (isLocal) return { ...found, source: null, destination: null, tlvFrom: length };
  const half = isV6 ? 16 : 4;
  const portsAt = V2_HEAD_BYTES + 2 * half;
  const source = addressOf(ipAt(bytes, V2_HEAD_BYTES, half), isV6, bytes.readUInt16BE(portsAt));
  const to = ipAt(bytes, V2_HEAD_BYTES + half, half);
  const destination = addressOf(to, isV6, bytes.readUInt16BE(portsAt + 2));
  if (source === null || destination === null) return malformedV2;
  return { ...found, source, destination, tlvFrom: V2_HEAD_BYTES + addressBytes };
}

function ipAt(bytes: Buffer, at: number, length: number): string {
  if (length === 4) return bytes.subarray(at, at + 4).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16));
  return groups.join(":");
}

export interface ProxyTlv {
  readonly type: number;
  readonly value: Buffer;
}

/** The type-length-values of `bytes[from..to)`; null when they do not end where they should. */
export function readProxyTlvs(bytes: Buffer, from: number, to: number): ProxyTlv[] | null {
  const tlvs: ProxyTlv[] = [];
  for (let at = from; at < to; ) {
    if (at + 3 > to) return null;
    const end = at + 3 + bytes.readUInt16BE(at + 1);
    if (end > to) return null;
    tlvs.push({ type: bytes[at] as number, value: bytes.subarray(at + 3, end) });
    at = end;
  }
  return tlvs;
}
