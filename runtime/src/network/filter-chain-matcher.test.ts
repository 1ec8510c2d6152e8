import { expect, test } from "vitest";
import type { FilterChainMatchConfig } from "../config/snapshot.ts";
import { ConnectionInfo } from "../core/connection-info.ts";
import { FilterChainMatcher, matchAll } from "./filter-chain-matcher.ts";

type Match = Partial<FilterChainMatchConfig>;

function match(more: Match): FilterChainMatchConfig {
  return { ...matchAll, ...more };
}

interface Peer {
  readonly from?: string;
  readonly direct?: string;
  readonly to?: string;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly sni?: string;
  readonly transport?: string;
  readonly alpn?: readonly string[];
}

function infoOf(peer: Peer): ConnectionInfo {
  const { from = "192.0.2.9", to = "192.0.2.1", sourcePort = 40_000, port = 443 } = peer;
  const place = (ip: string, at: number) => ({ text: ip, ip, port: at });
  const direct = place(peer.direct ?? from, sourcePort);
  const info = new ConnectionInfo(1, direct, place(to, port), 0);
  info.remoteIp = from;
  info.requestedServerName = peer.sni ?? "";
  info.transportProtocol = peer.transport ?? "raw_buffer";
  info.applicationProtocols = peer.alpn ?? [];
  return info;
}

/** Each row: chains in their order, the connection, the chain that takes it (-1 = none). */
test.each<[string, Match[], Peer, number]>([
  ["everything", [{}], {}, 0],
  ["a port", [{}, { destinationPort: 443 }], {}, 1],
  ["no port", [{}, { destinationPort: 80 }], {}, 0],
  ["no way back from a port", [{}, { destinationPort: 443, serverNames: ["a"] }], {}, -1],
  ["the longest prefix", [ranges("0.0.0.0/0"), ranges("192.0.2.0/24", "10.0.0.0/8")], {}, 1],
  ["one address", [ranges("192.0.2.0/24"), ranges("192.0.2.1/32")], {}, 1],
  ["no prefix", [ranges("10.0.0.0/8")], {}, -1],
  ["an IPv6 prefix", [ranges("2001:db8::/32"), ranges("2001:db8::/33")], { to: "2001:db8::1" }, 1],
  ["IPv4 ranges hold no IPv6", [ranges("0.0.0.0/0")], { to: "2001:db8::1" }, -1],
  ["a unix socket is no address", [ranges("10.0.0.0/8"), {}], { to: "/run/a" }, 1],
  ["the port of a unix socket is none", [{ destinationPort: 443 }, {}], { to: "/run/a" }, 1],
  ["the port before the address", [ranges("192.0.2.1/32"), { destinationPort: 443 }], {}, 1],
  ["an exact name", [names(".a.b"), names("x.a.b"), names(".b")], { sni: "x.a.b" }, 1],
  ["the longest suffix", [names(".b"), names(".a.b")], { sni: "y.x.a.b" }, 1],
  ["a shorter suffix", [names(".b"), names(".a.b")], { sni: "x.c.b" }, 0],
  ["a suffix is not the name itself", [names(".a.b")], { sni: "a.b" }, -1],
  ["no name", [names("a"), {}], {}, 1],
  ["another name", [names("a"), {}], { sni: "b" }, 1],
  ["the address before the name", [names("a"), ranges("192.0.2.1/32")], { sni: "a" }, 1],
  ["a transport", [{ transportProtocol: "tls" }, {}], { transport: "tls" }, 0],
  ["raw bytes", [{ transportProtocol: "tls" }, { transportProtocol: "raw_buffer" }], {}, 1],
  [
    "the name before the transport",
    [{ transportProtocol: "tls" }, names("a")],
    { sni: "a", transport: "tls" },
    1,
  ],
  ["the client's order of protocols", [alpn("h2"), alpn("x", "y")], { alpn: ["y", "h2"] }, 1],
  ["no protocol", [alpn("h2"), {}], { alpn: ["z"] }, 1],
  [
    "the transport before the protocol",
    [alpn("h2"), { transportProtocol: "tls" }],
    { alpn: ["h2"], transport: "tls" },
    1,
  ],
  [
    "the socket's peer",
    [{ directSourcePrefixRanges: ["10.0.0.0/8"] }, { directSourcePrefixRanges: ["192.0.2.0/24"] }],
    { direct: "10.1.1.1" },
    0,
  ],
  [
    "the protocol before the peer",
    [{ directSourcePrefixRanges: ["10.1.1.1/32"] }, alpn("h2")],
    { direct: "10.1.1.1", alpn: ["h2"] },
    1,
  ],
  ["an external peer", [{ sourceType: "same_ip_or_loopback" }, { sourceType: "external" }], {}, 1],
  ["a loopback peer", [{ sourceType: "external" }, {}], { from: "127.0.0.1" }, 1],
  ["only 127.0.0.1 is loopback", [{ sourceType: "external" }, {}], { from: "127.0.0.2" }, 0],
  ["the same address", [{ sourceType: "same_ip_or_loopback" }], { from: "192.0.2.1" }, 0],
  ["a unix peer is local", [{ sourceType: "same_ip_or_loopback" }], { from: "/run/a" }, 0],
  ["no way back from a source type", [{}, { sourceType: "external", sourcePorts: [1] }], {}, -1],
  [
    "a source range",
    [{ sourcePrefixRanges: ["192.0.0.0/8"] }, { sourcePrefixRanges: ["192.0.2.9/32"] }],
    {},
    1,
  ],
  [
    "the source, not the socket's peer",
    [{ sourcePrefixRanges: ["10.0.0.0/8"] }, {}],
    { direct: "10.0.0.1" },
    1,
  ],
  ["a source port", [{ sourcePorts: [40_000] }, {}], {}, 0],
  ["another source port", [{ sourcePorts: [1, 2] }, {}], {}, 1],
  [
    "the range before the port",
    [{ sourcePorts: [40_000] }, { sourcePrefixRanges: ["192.0.2.9/32"] }],
    {},
    1,
  ],
])("finds %s", (_, matches, peer, expected) => {
  const chains = matches.map(match);
  expect(new FilterChainMatcher(chains, -1).find(infoOf(peer))).toBe(expected);
  const withDefault = new FilterChainMatcher(chains, chains.length);
  expect(withDefault.find(infoOf(peer))).toBe(expected < 0 ? chains.length : expected);
});

function ranges(...prefixRanges: readonly string[]): Match {
  return { prefixRanges };
}

function names(...serverNames: readonly string[]): Match {
  return { serverNames };
}

function alpn(...applicationProtocols: readonly string[]): Match {
  return { applicationProtocols };
}

test("has no chain for anything when there is none", () => {
  expect(new FilterChainMatcher([], -1).find(infoOf({}))).toBe(-1);
  expect(new FilterChainMatcher([], 0).find(infoOf({}))).toBe(0);
  expect(new FilterChainMatcher([null], -1).find(infoOf({}))).toBe(0);
  expect(new FilterChainMatcher([match({ sourcePorts: [1] }), null], -1).find(infoOf({}))).toBe(1);
});
