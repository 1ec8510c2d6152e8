// Clusters of type ORIGINAL_DST: the request or its connection says where it goes to.
import type { Case, Connection, Group, JsonObject, Piece } from "../case.ts";
import { get, one } from "../case.ts";

const PROXY =
  "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
const HEADER = "x-envoy-original-dst-host";
/** The port is the cluster's to say. */
const TO_US = "PROXY TCP4 192.0.2.7 127.0.0.1 4660 443\r\n";

function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

/** Version 2 from 192.0.2.7:4660 to 198.51.100.9:443, with a TLV of type 0xe0. */
function v2(value: string): string {
  const tlv = `\xe0\0${String.fromCharCode(value.length)}${value}`;
  const length = String.fromCharCode(12 + tlv.length);
  const addresses = "\xc0\0\x02\x07\xc6\x33\x64\x09\x12\x34\x01\xbb";
  return `\r\n\r\n\0\r\nQUIT\n\x21\x11\0${length}${addresses}${tlv}`;
}

const cases: readonly Case[] = [
  {
    id: "destination-header",
    title: "a header of the client",
    connections: one(get("/port", `${HEADER}: 127.0.0.1:1`)),
  },
  {
    id: "destination-header-none",
    title: "no header: 503, UH",
    connections: one(get("/port")),
  },
  {
    id: "destination-header-name",
    title: "a header whose value is a name: 503, UH, counted",
    connections: one(get("/port", `${HEADER}: localhost:1`)),
  },
  {
    id: "destination-header-no-port",
    title: "a header without a port",
    connections: one(get("/port", `${HEADER}: 127.0.0.1`)),
  },
  {
    id: "destination-header-two",
    title: "two lines of the header: the first counts",
    connections: one(get("/port", `${HEADER}: 127.0.0.1:1`, `${HEADER}: 127.0.0.2:1`)),
  },
  {
    id: "destination-header-list",
    title: "a list in the header is no address",
    connections: one(get("/port", `${HEADER}: 127.0.0.1:1, 127.0.0.2:1`)),
  },
  {
    id: "destination-header-ipv6-bare",
    title: "IPv6 without brackets is no address",
    connections: one(get("/port", `${HEADER}: ::1:1`)),
  },
  {
    id: "destination-header-padded",
    title: "leading zeros in the address",
    connections: one(get("/port", `${HEADER}: 127.0.0.01:1`)),
  },
  {
    id: "destination-header-port-zero",
    title: "port 0",
    connections: one(get("/port", `${HEADER}: 127.0.0.1:0`)),
  },
  {
    id: "destination-header-added",
    title: "a header that the route adds",
    connections: one(get("/added")),
  },
  {
    id: "destination-header-own",
    title: "a header of another name",
    connections: one(get("/own", "X-To: 127.0.0.1:1")),
  },
  {
    id: "destination-authority",
    title: ":authority as the header",
    connections: one(`GET /authority HTTP/1.1\r\nHost: 127.0.0.1:7\r\n\r\n`),
  },
  {
    id: "destination-unused",
    title: "the header where it is not asked for",
    connections: one(get("/none", `${HEADER}: 127.0.0.1:1`)),
  },
  {
    id: "destination-proxy",
    title: "the address of a PROXY header",
    connections: one(TO_US + get("/none"), "proxy"),
  },
  {
    id: "destination-proxy-header",
    title: "a header of the client before a PROXY header",
    connections: one(
      `PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n${get("/port", `${HEADER}: 127.0.0.1:1`)}`,
      "proxy",
    ),
  },
  {
    id: "destination-proxy-bad-header",
    title: "a header that is no address, and a PROXY header",
    connections: one(TO_US + get("/port", `${HEADER}: nowhere`), "proxy"),
  },
  {
    id: "destination-metadata",
    title: "metadata that a TLV has set",
    connections: one(v2("127.0.0.1:1") + get("/metadata"), "proxy"),
  },
  {
    id: "destination-tcp-proxy",
    title: "a TCP proxy behind a PROXY header",
    connections: raw("tcpproxy", `${TO_US}ping`, { awaitText: "pong" }, { fin: true }),
    streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
  },
  {
    id: "destination-tcp",
    title: "a TCP proxy whose connections say nothing: closed, UH",
    connections: raw("tcp", { awaitEnd: true }),
    streams: [],
  },
];

function destination(name: string, options: JsonObject): JsonObject {
  const base = { name, type: "ORIGINAL_DST", lb_policy: "CLUSTER_PROVIDED", connect_timeout: "1s" };
  return { ...base, original_dst_lb_config: { upstream_port_override: "$up:up", ...options } };
}

const listenerFilters: readonly JsonObject[] = [
  {
    name: "proxy",
    typed_config: {
      "@type": PROXY,
      rules: [{ tlv_type: 0xe0, on_tlv_present: { metadata_namespace: "tlv", key: "dst" } }],
    },
  },
];

const USES = { use_http_header: true };
const virtualHosts: readonly JsonObject[] = [
  {
    name: "all",
    domains: ["*"],
    routes: [
      {
        match: { path: "/added" },
        route: { cluster: "port" },
        request_headers_to_add: [{ header: { key: HEADER, value: "127.0.0.1:1" } }],
      },
      ...["port", "own", "authority", "none", "metadata"].map((name) => ({
        match: { path: `/${name}` },
        route: { cluster: name },
      })),
    ],
  },
];

export const originalDestination: Group = {
  id: "original-destination",
  title: "clusters of type ORIGINAL_DST",
  stats: "tcp\\.",
  sites: {
    main: { virtualHosts },
    proxy: { virtualHosts, listenerFilters },
    tcpproxy: { listenerFilters, tcp: { cluster: "none" } },
    tcp: { tcp: { cluster: "none" } },
  },
  clusters: [
    destination("port", USES),
    destination("own", { ...USES, http_header_name: "X-To" }),
    destination("authority", { ...USES, http_header_name: ":authority" }),
    destination("none", {}),
    destination("metadata", { metadata_key: { key: "tlv", path: [{ key: "dst" }] } }),
  ],
  cases,
};
