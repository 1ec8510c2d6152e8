// The listener filter proxy_protocol: versions 1 and 2, TLVs, what is no header, in front of HTTP
// and of TCP.
import type { Case, Connection, Group, JsonObject, Piece } from "../case.ts";
import { get } from "../case.ts";

const FILTER = "envoy.filters.listener.proxy_protocol";
const TYPE =
  "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
const TCP4 = "\x11";
const TCP6 = "\x21";

function filter(more: JsonObject = {}): readonly JsonObject[] {
  return [{ name: FILTER, typed_config: { "@type": TYPE, ...more } }];
}

function u16(value: number): string {
  return String.fromCharCode(value >> 8, value & 255);
}

function tlv(type: number, value: string): string {
  return String.fromCharCode(type) + u16(value.length) + value;
}

/** A version 2 header; 192.0.2.7:4660 speaks to 198.51.100.9:443. */
function v2(command: string, family: string, addresses: string, length?: number): string {
  return SIGNATURE + command + family + u16(length ?? addresses.length) + addresses;
}

const ADDRESSES_4 = `\xc0\x00\x02\x07\xc6\x33\x64\x09${u16(4660)}${u16(443)}`;
const ADDRESSES_6 = `${`\x20\x01\x0d\xb8${"\0".repeat(11)}\x07`}${`\x20\x01\x0d\xb8${"\0".repeat(11)}\x09`}${u16(4660)}${u16(443)}`;
const V2_4 = v2("\x21", TCP4, ADDRESSES_4);
const V1_4 = "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n";

function http(...send: readonly Piece[]): readonly Connection[] {
  return [{ send }];
}

function at(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, send }];
}

/** What the filter closes: nothing comes back. */
function refused(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send: [...send, { awaitEnd: true }] }];
}

const good: readonly Case[] = [
  { id: "proxy-v1-tcp4", title: "version 1, IPv4", connections: http(V1_4 + get("/")) },
  {
    id: "proxy-v1-tcp6",
    title: "version 1, IPv6",
    connections: http(`PROXY TCP6 2001:db8::7 2001:db8::9 4660 443\r\n${get("/")}`),
  },
  {
    id: "proxy-v1-unknown",
    title: "version 1, UNKNOWN: the connection's own addresses",
    connections: http(`PROXY UNKNOWN\r\n${get("/")}`),
  },
  {
    id: "proxy-v1-unknown-more",
    title: "version 1, UNKNOWN with more on the line",
    connections: http(`PROXY UNKNOWN 1.2.3.4 what ever\r\n${get("/")}`),
  },
  {
    id: "proxy-v1-split",
    title: "version 1 in four pieces",
    connections: http("PRO", "XY TCP4 192.0.2.7 198.51", ".100.9 4660 443\r", `\n${get("/")}`),
  },
  { id: "proxy-v2-tcp4", title: "version 2, IPv4", connections: http(V2_4 + get("/")) },
  {
    id: "proxy-v2-tcp6",
    title: "version 2, IPv6",
    connections: http(v2("\x21", TCP6, ADDRESSES_6) + get("/")),
  },
  {
    id: "proxy-v2-local",
    title: "version 2, LOCAL: the connection's own addresses",
    connections: http(v2("\x20", "\0", "") + get("/")),
  },
  {
    id: "proxy-v2-local-addresses",
    title: "version 2, LOCAL with addresses: they are skipped",
    connections: http(v2("\x20", TCP4, ADDRESSES_4) + get("/")),
  },
  {
    id: "proxy-v2-unspec",
    title: "version 2, PROXY with an unspecified family",
    connections: http(v2("\x21", "\0", "") + get("/")),
  },
  {
    id: "proxy-v2-udp",
    title: "version 2 over UDP",
    connections: http(v2("\x21", "\x12", ADDRESSES_4) + get("/")),
  },
  {
    id: "proxy-v2-unix",
    title: "version 2, unix sockets",
    connections: refused("main", v2("\x21", "\x31", "\0".repeat(216)) + get("/")),
  },
  {
    id: "proxy-v2-split",
    title: "version 2 in pieces",
    connections: http(V2_4.slice(0, 5), V2_4.slice(5, 14), V2_4.slice(14), get("/")),
  },
  {
    id: "proxy-v2-tlvs",
    title: "version 2 with TLVs: those of a rule become metadata",
    connections: at(
      "tlvs",
      v2("\x21", TCP4, ADDRESSES_4 + tlv(2, "name.test") + tlv(0xea, "vpc-1")) + get("/"),
    ),
  },
  {
    id: "proxy-v2-tlvs-binary",
    title: "a TLV that is no UTF-8",
    connections: at("tlvs", v2("\x21", TCP4, ADDRESSES_4 + tlv(2, "\xff\xfe")) + get("/")),
  },
  {
    id: "proxy-v2-tlv-cut",
    title: "a TLV that is longer than the header",
    connections: refused("tlvs", v2("\x21", TCP4, `${ADDRESSES_4}\x02\x00\x09ab`) + get("/")),
  },
  {
    id: "proxy-tcp",
    title: "in front of a TCP proxy: the header does not go up",
    connections: [{ site: "tcp", raw: true, send: [`${V1_4}ping`, { awaitText: "pong" }] }],
    streams: [{ steps: [{ awaitText: "ping" }, "pong"], after: "close" }],
  },
  {
    id: "proxy-tcp-tlvs",
    title: "a TCP proxy's log shows the TLVs of rules",
    connections: [
      {
        site: "metadata",
        raw: true,
        send: [
          `${v2("\x21", TCP4, ADDRESSES_4 + tlv(2, "name.test") + tlv(0xea, "vpc-1"))}ping`,
          { awaitText: "pong" },
        ],
      },
    ],
    streams: [{ steps: [{ awaitText: "ping" }, "pong"], after: "close" }],
  },
  {
    id: "proxy-xff",
    title: "use_remote_address sees the address of the header",
    connections: at("edge", V1_4 + get("/")),
  },
  {
    id: "proxy-match",
    title: "the filter chain is chosen by the addresses of the header",
    connections: at("match", V1_4 + get("/")),
  },
  {
    id: "proxy-match-unknown",
    title: "the filter chain without addresses in the header",
    connections: at("match", `PROXY UNKNOWN\r\n${get("/")}`),
  },
];

const bad: readonly Case[] = [
  {
    id: "proxy-none",
    title: "no header where one must be: closed",
    connections: refused("main", get("/")),
  },
  {
    id: "proxy-none-short",
    title: "two bytes, then FIN",
    connections: refused("main", "PR", { fin: true }),
  },
  {
    id: "proxy-none-optional",
    title: "allow_requests_without_proxy_protocol: HTTP without a header",
    connections: at("optional", get("/")),
  },
  {
    id: "proxy-v1-optional",
    title: "allow_requests_without_proxy_protocol: a header is used",
    connections: at("optional", V1_4 + get("/")),
  },
  {
    id: "proxy-bad-optional",
    title: "allow_requests_without_proxy_protocol: a malformed header closes all the same",
    connections: refused("optional", `PROXY TCP4 nonsense\r\n${get("/")}`),
  },
  {
    id: "proxy-v1-bad-address",
    title: "version 1 with an address that is none",
    connections: refused("main", `PROXY TCP4 192.0.2.999 198.51.100.9 1 2\r\n${get("/")}`),
  },
  {
    id: "proxy-v1-bad-port",
    title: "version 1 with a port above 65535",
    connections: refused("main", `PROXY TCP4 192.0.2.7 198.51.100.9 70000 2\r\n${get("/")}`),
  },
  {
    id: "proxy-v1-bad-family",
    title: "version 1 with a protocol that is none",
    connections: refused("main", `PROXY UDP4 192.0.2.7 198.51.100.9 1 2\r\n${get("/")}`),
  },
  {
    id: "proxy-v1-mixed",
    title: "version 1: TCP4 with IPv6 addresses",
    connections: refused("main", `PROXY TCP4 2001:db8::7 2001:db8::9 1 2\r\n${get("/")}`),
  },
  {
    id: "proxy-v1-too-long",
    title: "version 1 of more than 107 bytes",
    connections: refused("main", `PROXY UNKNOWN ${"x".repeat(120)}\r\n${get("/")}`),
  },
  {
    id: "proxy-v1-lf-only",
    title: "version 1 that ends with LF alone",
    connections: refused("main", `PROXY TCP4 192.0.2.7 198.51.100.9 1 2\n${get("/")}`),
  },
  {
    id: "proxy-v2-bad-version",
    title: "version 2's signature with version 3",
    connections: refused("main", v2("\x31", TCP4, ADDRESSES_4) + get("/")),
  },
  {
    id: "proxy-v2-bad-command",
    title: "version 2 with command 2",
    connections: refused("main", v2("\x22", TCP4, ADDRESSES_4) + get("/")),
  },
  {
    id: "proxy-v2-short",
    title: "version 2 with fewer bytes than its addresses need",
    connections: refused("main", v2("\x21", TCP4, ADDRESSES_4.slice(0, 8)) + get("/")),
  },
  {
    id: "proxy-v2-disallowed",
    title: "disallowed_versions: version 2 is refused",
    connections: refused("v1only", V2_4 + get("/")),
  },
  {
    id: "proxy-v1-disallowed",
    title: "disallowed_versions: version 1 is refused",
    connections: refused("v2only", V1_4 + get("/")),
  },
  {
    id: "proxy-v1-disallowed-optional",
    title: "disallowed_versions of an optional header: the header is no header",
    connections: at("v2optional", V1_4 + get("/")),
  },
  {
    id: "proxy-v2-disallowed-optional",
    title: "disallowed_versions of an optional header: version 2",
    connections: [{ site: "v1optional", send: [V2_4 + get("/")] }],
  },
  {
    id: "proxy-v1-allowed",
    title: "disallowed_versions: version 1 passes",
    connections: at("v1only", V1_4 + get("/")),
  },
  {
    id: "proxy-timeout",
    title: "half a header: the listener filters' timeout closes",
    connections: refused("hasty", "PROXY TCP4 "),
  },
  {
    id: "proxy-timeout-continue",
    title: "continue_on_listener_filters_timeout: what came is HTTP",
    connections: [{ site: "patient", send: ["GET", { pauseMs: 500 }, get("/").slice(3)] }],
  },
];

const ADDRESSES_FORMAT: JsonObject = {
  text_format_source: {
    inline_string:
      "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% " +
      "%FILTER_CHAIN_NAME% %DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol)% " +
      "%DYNAMIC_METADATA(own:vpc)% %RESPONSE_FLAGS%\n",
  },
};

const RULES = [
  { tlv_type: 2, on_tlv_present: { key: "authority" } },
  { tlv_type: 0xea, on_tlv_present: { metadata_namespace: "own", key: "vpc" } },
];

const base = { logFormat: ADDRESSES_FORMAT };

export const proxyProtocol: Group = {
  id: "proxy-protocol",
  title: "PROXY protocol",
  stats: "listener\\.|proxy_proto\\.|downstream_cx_proxy_proto_error",
  sites: {
    main: { ...base, listenerFilters: filter() },
    tlvs: { ...base, listenerFilters: filter({ rules: RULES }) },
    optional: {
      ...base,
      listenerFilters: filter({ allow_requests_without_proxy_protocol: true, stat_prefix: "opt" }),
    },
    v1only: { ...base, listenerFilters: filter({ disallowed_versions: ["V2"] }) },
    v2only: { ...base, listenerFilters: filter({ disallowed_versions: ["V1"] }) },
    v1optional: {
      ...base,
      listenerFilters: filter({
        disallowed_versions: ["V2"],
        allow_requests_without_proxy_protocol: true,
      }),
    },
    v2optional: {
      ...base,
      listenerFilters: filter({
        disallowed_versions: ["V1"],
        allow_requests_without_proxy_protocol: true,
      }),
    },
    metadata: {
      tcp: {},
      logFormat: ADDRESSES_FORMAT,
      listenerFilters: filter({ rules: RULES }),
    },
    tcp: { tcp: {}, listenerFilters: filter() },
    edge: { ...base, listenerFilters: filter(), hcm: { use_remote_address: true } },
    match: {
      listenerFilters: filter(),
      chains: [
        { ...base, name: "header", match: { destination_port: 443 } },
        { ...base, name: "else" },
      ],
    },
    hasty: { ...base, listenerFilters: filter(), listener: { listener_filters_timeout: "0.3s" } },
    patient: {
      ...base,
      listenerFilters: filter({ allow_requests_without_proxy_protocol: true }),
      listener: {
        listener_filters_timeout: "0.3s",
        continue_on_listener_filters_timeout: true,
      },
    },
  },
  cases: [...good, ...bad],
};
