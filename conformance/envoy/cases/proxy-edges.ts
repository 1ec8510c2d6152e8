// PROXY headers that are nearly right, in front of a TCP proxy: what is taken, what is closed.
import type { Case, Group, JsonObject } from "../case.ts";

const FILTER =
  "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
const GOOD = "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n";

function u16(value: number): string {
  return String.fromCharCode(value >> 8, value & 255);
}

/** Version 2: version and command, family, then what follows the length. */
function v2(command: number, family: number, rest: string, length = rest.length): string {
  const head = `\r\n\r\n\0\r\nQUIT\n${String.fromCharCode(command, family)}`;
  return `${head}${u16(length)}${rest}`;
}

const IPV4 = `\xc0\0\x02\x07\xc6\x33\x64\x09${u16(4660)}${u16(443)}`;
const MAPPED = `${"\0".repeat(10)}\xff\xff\xc0\0\x02\x07`;

type Row = readonly [id: string, title: string, header: string];

const rows: readonly Row[] = [
  ["v1-blanks", "two blanks", "PROXY TCP4 192.0.2.7  198.51.100.9 4660 443\r\n"],
  ["v1-blank-last", "a blank at the end", "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443 \r\n"],
  ["v1-more", "a seventh word", "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443 more\r\n"],
  ["v1-fewer", "no destination port", "PROXY TCP4 192.0.2.7 198.51.100.9 4660\r\n"],
  ["v1-lower", "small letters", "proxy tcp4 192.0.2.7 198.51.100.9 4660 443\r\n"],
  ["v1-zeros", "a port with a leading zero", "PROXY TCP4 192.0.2.7 198.51.100.9 04660 443\r\n"],
  ["v1-octal", "bytes with leading zeros", "PROXY TCP4 192.0.02.7 198.51.100.9 4660 443\r\n"],
  ["v1-port-over", "port 65536", "PROXY TCP4 192.0.2.7 198.51.100.9 65536 443\r\n"],
  ["v1-port-plus", "port +1", "PROXY TCP4 192.0.2.7 198.51.100.9 +1 443\r\n"],
  ["v1-any", "0.0.0.0 and 255.255.255.255", "PROXY TCP4 0.0.0.0 255.255.255.255 1 2\r\n"],
  ["v1-tcp6-brackets", "[::1]", "PROXY TCP6 [::1] [::1] 4660 443\r\n"],
  ["v1-tcp6-mapped", "an IPv4 address as IPv6", "PROXY TCP6 ::ffff:192.0.2.7 ::1 4660 443\r\n"],
  ["v1-unknown-glued", "UNKNOWN and more in one word", "PROXY UNKNOWNS\r\n"],
  ["v1-107", "UNKNOWN of 107 bytes", `PROXY UNKNOWN ${"x".repeat(91)}\r\n`],
  ["v1-108", "UNKNOWN of 108 bytes", `PROXY UNKNOWN ${"x".repeat(92)}\r\n`],
  ["twice", "two headers: the second is the client's", GOOD + GOOD],
  ["v2-empty", "PROXY without addresses", v2(0x21, 0x11, "")],
  ["v2-tail-one", "one byte behind the addresses", v2(0x21, 0x11, `${IPV4}\x05`)],
  ["v2-tlv-empty", "an empty TLV", v2(0x21, 0x11, `${IPV4}\x05\0\0`)],
  ["v2-tlv-long", "a TLV that says it is longer", v2(0x21, 0x11, `${IPV4}\x05\0\x09ab`)],
  ["v2-tcp6-mapped", "an IPv4 address as IPv6", v2(0x21, 0x21, MAPPED + MAPPED + IPV4.slice(8))],
  ["v2-protocol", "a protocol that nobody knows", v2(0x21, 0x13, IPV4)],
  [
    "v2-signature",
    "a signature with a wrong last byte",
    `\r\n\r\n\0\r\nQUIT\r\x21\x11${u16(12)}${IPV4}`,
  ],
];

const cases: readonly Case[] = rows.map(([id, title, header]) => ({
  id: `proxyedge-${id}`,
  title,
  connections: [
    { site: "main", raw: true, send: [`${header}ping`, { awaitText: "pong" }, { fin: true }] },
  ],
  streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
}));

const SOON: JsonObject = { listener_filters_timeout: "0.3s" };
const filter: JsonObject = {
  "@type": FILTER,
  rules: [{ tlv_type: 5, on_tlv_present: { metadata_namespace: "tlv", key: "id" } }],
};

export const proxyEdges: Group = {
  id: "proxy-edges",
  title: "PROXY headers at their edges",
  stats: "listener\\.|proxy_proto\\.|downstream_cx_proxy",
  sites: {
    main: { tcp: {}, listener: SOON, listenerFilters: [{ name: "p", typed_config: filter }] },
  },
  cases,
};
