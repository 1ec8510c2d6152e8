// PROXY protocol to upstreams: the header's bytes, whose addresses it tells, and its TLVs.
import { cluster } from "../bootstrap.ts";
import type { Case, Connection, Group, JsonObject, Site } from "../case.ts";
import { get } from "../case.ts";

const SOCKETS = "type.googleapis.com/envoy.extensions.transport_sockets";
const UPSTREAM = `${SOCKETS}.proxy_protocol.v3.ProxyProtocolUpstreamTransport`;
const RAW = `${SOCKETS}.raw_buffer.v3.RawBuffer`;
const FILTER =
  "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";

function proxied(name: string, config: JsonObject): JsonObject {
  return cluster(name, ["$up:up"], {
    transport_socket: {
      name: "proxy",
      typed_config: {
        "@type": UPSTREAM,
        config,
        transport_socket: { name: "raw", typed_config: { "@type": RAW } },
      },
    },
  });
}

const added: JsonObject = { added_tlvs: [{ type: 224, value: "YWRkZWQ=" }] };
const clusters: readonly JsonObject[] = [
  proxied("v1", { version: "V1" }),
  proxied("v2", { version: "V2" }),
  proxied("v2_added", { version: "V2", ...added }),
  proxied("v1_added", { version: "V1", ...added }),
  proxied("v2_all", { version: "V2", pass_through_tlvs: { match_type: "INCLUDE_ALL" } }),
  proxied("v2_some", {
    version: "V2",
    pass_through_tlvs: { match_type: "INCLUDE", tlv_type: [5, 224] },
    ...added,
  }),
  proxied("v2_none", { version: "V2" }),
];

function u16(value: number): string {
  return String.fromCharCode(value >> 8, value & 255);
}

function tlv(type: number, value: string): string {
  return String.fromCharCode(type) + u16(value.length) + value;
}

/** Version 2 of 192.0.2.7:4660 to 198.51.100.9:443, with TLVs. */
function v2Header(tlvs: string): string {
  const addresses = `\xc0\x00\x02\x07\xc6\x33\x64\x09${u16(4660)}${u16(443)}`;
  const length = u16(addresses.length + tlvs.length);
  return `\r\n\r\n\0\r\nQUIT\n\x21\x11${length}${addresses}${tlvs}`;
}

const IPV4 = "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n";
const IPV6 = "PROXY TCP6 2001:db8::7 2001:db8::9 4660 443\r\n";
const TLVS = v2Header(tlv(2, "name") + tlv(5, "id") + tlv(224, "theirs") + tlv(5, "more"));
const ANSWER = { steps: [{ awaitText: "GET " }, "HTTP/1.1 204 No Content\r\n\r\n"] } as const;

/** One request whose upstream connection is compared byte for byte. */
function http(id: string, title: string, header: string, name: string): Case {
  return { id, title, connections: [{ send: [header + get(`/${name}`)] }], streams: [ANSWER] };
}

function tcp(site: string, header: string): readonly Connection[] {
  const send = [`${header}ping`, { awaitText: "pong" }, { fin: true }] as const;
  return [{ site, raw: true, send }];
}

const OWN: readonly JsonObject[] = [
  { type: 224, value: "b3Vycw==" },
  {
    type: 225,
    format_string: { text_format_source: { inline_string: "<%DOWNSTREAM_REMOTE_ADDRESS%>" } },
  },
];

/** A TCP proxy that adds TLVs of its own. */
function adding(policy: string, name = "v2_all"): Site {
  const own = { proxy_protocol_tlvs: OWN, proxy_protocol_tlv_merge_policy: policy };
  return { listenerFilters, tcp: { cluster: name, ...own } };
}

function added224(site: string, title: string, header = TLVS): Case {
  return {
    id: `upproxy-tlvs-${site.replaceAll("_", "-")}${header === TLVS ? "" : "-v1"}`,
    title: `proxy_protocol_tlvs: ${title}`,
    connections: tcp(site, header),
    streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
  };
}

const listenerFilters: readonly JsonObject[] = [
  {
    name: "envoy.filters.listener.proxy_protocol",
    typed_config: { "@type": FILTER, pass_through_tlvs: { match_type: "INCLUDE_ALL" } },
  },
];

const names = clusters.map((entry) => entry["name"] as string);
const routes = names.map((name) => ({ match: { path: `/${name}` }, route: { cluster: name } }));

export const upstreamProxy: Group = {
  id: "upstream-proxy",
  title: "PROXY protocol to upstreams",
  sites: {
    main: { listenerFilters, virtualHosts: [{ name: "all", domains: ["*"], routes }] },
    tcp_v1: { listenerFilters, tcp: { cluster: "v1" } },
    tcp_v2: { listenerFilters, tcp: { cluster: "v2_all" } },
    absent: adding("ADD_IF_ABSENT"),
    overwrite: adding("OVERWRITE_BY_TYPE_IF_EXISTS_OR_ADD"),
    append: adding("APPEND_IF_EXISTS_OR_ADD"),
    append_some: adding("APPEND_IF_EXISTS_OR_ADD", "v2_some"),
    append_none: adding("APPEND_IF_EXISTS_OR_ADD", "v2_none"),
  },
  clusters,
  cases: [
    http("upproxy-v1", "version 1, IPv4", IPV4, "v1"),
    http("upproxy-v1-tcp6", "version 1, IPv6", IPV6, "v1"),
    http("upproxy-v2", "version 2, IPv4", IPV4, "v2"),
    http("upproxy-v2-tcp6", "version 2, IPv6", IPV6, "v2"),
    http("upproxy-v2-added", "version 2 with a TLV of our own", IPV4, "v2_added"),
    http("upproxy-v1-added", "version 1 has no TLVs", IPV4, "v1_added"),
    http("upproxy-v2-all", "all TLVs of the client's header", TLVS, "v2_all"),
    http("upproxy-v2-some", "some TLVs, and one of our own instead", TLVS, "v2_some"),
    http("upproxy-v2-none", "no TLVs of the client's header", TLVS, "v2_none"),
    {
      id: "upproxy-tcp-v1",
      title: "a TCP proxy, version 1",
      connections: tcp("tcp_v1", IPV4),
      streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
    },
    {
      id: "upproxy-tcp-v2",
      title: "a TCP proxy, version 2 with TLVs",
      connections: tcp("tcp_v2", TLVS),
      streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
    },
    added224("absent", "not beside the client's"),
    added224("absent", "not beside a header of version 1, either", IPV4),
    added224("overwrite", "in place of the client's of the same type"),
    added224("append", "behind the client's"),
    added224("append", "behind a header of version 1", IPV4),
    added224("append_some", "only what the transport passes on"),
    added224("append_none", "nothing where the transport passes nothing on"),
  ],
};
