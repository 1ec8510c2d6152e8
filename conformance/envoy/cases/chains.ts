// filter_chain_match by each of its criteria, tls_inspector with real ClientHellos, http_inspector.
import { cluster } from "../bootstrap.ts";
import type { Case, Chain, Connection, Group, JsonObject, Site, TlsClient } from "../case.ts";
import { get } from "../case.ts";
import { clientHello } from "../client-hello.ts";

const LISTENER_TYPES = "type.googleapis.com/envoy.extensions.filters.listener";

function inspector(kind: "tls" | "http", more: JsonObject = {}): JsonObject {
  const message = kind === "tls" ? "TlsInspector" : "HttpInspector";
  return {
    name: `envoy.filters.listener.${kind}_inspector`,
    typed_config: { "@type": `${LISTENER_TYPES}.${kind}_inspector.v3.${message}`, ...more },
  };
}

const CHAIN_FORMAT: JsonObject = {
  text_format_source: {
    inline_string: "%FILTER_CHAIN_NAME% %REQUESTED_SERVER_NAME% %DOWNSTREAM_LOCAL_ADDRESS%\n",
  },
};

/** An HTTP chain whose answer is its name. */
function says(name: string, match?: JsonObject): Chain {
  const direct = { match: { prefix: "/" }, direct_response: directResponse(name) };
  const host = { name: "all", domains: ["*"], routes: [direct] };
  const chain = { name, logFormat: CHAIN_FORMAT, virtualHosts: [host] };
  return match === undefined ? chain : { ...chain, match };
}

function directResponse(name: string): JsonObject {
  return { status: 200, body: { inline_string: name } };
}

/** A chain that passes TLS on to the upstream that speaks it. */
function passes(name: string, match?: JsonObject): Chain {
  const chain: Chain = { name, tcp: { cluster: "secure" }, logFormat: CHAIN_FORMAT };
  return match === undefined ? chain : { ...chain, match };
}

function range(address: string, length: number): JsonObject {
  return { address_prefix: address, prefix_len: length };
}

function to(site: string, host = "127.0.0.1", from = "127.0.0.1"): readonly Connection[] {
  return [{ site, send: [get("/")], to: { host }, from: { host: from } }];
}

/** A connection that no chain takes. */
function lost(site: string, host = "127.0.0.1"): readonly Connection[] {
  return [{ site, raw: true, send: [{ awaitEnd: true }], to: { host } }];
}

const addresses: readonly Case[] = [
  {
    id: "chain-ip-exact",
    title: "the longest prefix of the destination wins",
    connections: to("ip", "127.0.0.5"),
  },
  {
    id: "chain-ip-range",
    title: "a shorter prefix takes the rest",
    connections: to("ip", "127.0.7.7"),
  },
  {
    id: "chain-ip-default",
    title: "no prefix: the default chain",
    connections: to("ip", "127.8.0.1"),
  },
  {
    id: "chain-port",
    title: "the destination port comes before the address",
    connections: to("port", "127.0.0.5"),
  },
  {
    id: "chain-no-way-back",
    title: "once a port has matched, chains without a port are not looked at",
    connections: lost("deadend"),
  },
  {
    id: "chain-none",
    title: "no chain, no default: closed and counted",
    connections: lost("none"),
  },
  {
    id: "chain-source-prefix",
    title: "source_prefix_ranges: the longest wins",
    connections: to("source", "127.0.0.1", "127.0.0.9"),
  },
  {
    id: "chain-source-prefix-wide",
    title: "source_prefix_ranges: the wider range",
    connections: to("source", "127.0.0.1", "127.0.3.9"),
  },
  {
    id: "chain-source-none",
    title: "source_prefix_ranges: none",
    connections: to("source", "127.0.0.1", "127.8.3.9"),
  },
  {
    id: "chain-direct-source",
    title: "direct_source_prefix_ranges come before source_prefix_ranges",
    connections: to("direct", "127.0.0.1", "127.0.0.9"),
  },
  {
    id: "chain-source-type",
    title: "source_type: a loopback peer is local",
    connections: to("type"),
  },
  {
    id: "chain-source-port",
    title: "source_ports",
    connections: [{ site: "sourceport", send: [get("/")], from: { port: "$port:spare" } }],
  },
  {
    id: "chain-source-port-else",
    title: "source_ports: another port",
    connections: to("sourceport"),
  },
];

/** Handshakes that end at the upstream, which shows what it was asked for. */
function handshake(site: string, client: TlsClient): readonly Connection[] {
  return [{ site, tls: client, send: [get("/")] }];
}

const names: readonly Case[] = [
  {
    id: "chain-sni-exact",
    title: "an exact server name: TLS goes through to the upstream",
    connections: handshake("sni", { servername: "server.test" }),
  },
  {
    id: "chain-sni-case",
    title: "a server name in other letters",
    connections: handshake("sni", { servername: "SERVER.Test" }),
  },
  {
    id: "chain-sni-wildcard",
    title: "a wildcard takes names below it",
    connections: handshake("sni", { servername: "a.wild.test" }),
  },
  {
    id: "chain-sni-wildcard-deep",
    title: "a wildcard takes names two levels below it",
    connections: handshake("sni", { servername: "a.b.wild.test" }),
  },
  {
    id: "chain-sni-wildcard-longest",
    title: "the longer of two wildcards wins",
    connections: handshake("sni", { servername: "a.deep.wild.test" }),
  },
  {
    id: "chain-sni-wildcard-self",
    title: "a wildcard does not take its own suffix",
    connections: handshake("sni", { servername: "wild.test" }),
  },
  {
    id: "chain-sni-none",
    title: "TLS without a server name: transport_protocol tls",
    connections: handshake("sni", {}),
  },
  {
    id: "chain-sni-plain",
    title: "plain HTTP on the same port: raw_buffer",
    connections: to("sni"),
  },
  {
    id: "chain-sni-tls12",
    title: "a ClientHello of TLS 1.2",
    connections: handshake("sni", { servername: "server.test", maxVersion: "TLSv1.2" }),
  },
  {
    id: "chain-alpn-h2",
    title: "application_protocols: the client's first that some chain has",
    connections: handshake("alpn", { servername: "server.test", alpn: ["h3", "h2", "http/1.1"] }),
  },
  {
    id: "chain-alpn-http1",
    title: "application_protocols: http/1.1",
    connections: handshake("alpn", { servername: "server.test", alpn: ["http/1.1"] }),
  },
  {
    id: "chain-alpn-none",
    title: "application_protocols: none offered",
    connections: handshake("alpn", { servername: "server.test" }),
  },
  {
    id: "chain-sni-nobody",
    title: "a name that no chain has, and no default chain: closed",
    connections: handshake("strict", { servername: "else.test" }),
  },
  {
    id: "chain-sni-no-inspector",
    title: "server_names without a tls_inspector: nobody knows the name",
    connections: handshake("uninspected", { servername: "server.test" }),
  },
  {
    id: "inspector-hello-split",
    title: "a ClientHello in pieces of few bytes",
    connections: [
      {
        site: "sni",
        raw: true,
        send: [...pieces(clientHello({ servername: "server.test" }), 40), { pauseMs: 100 }],
      },
    ],
    streams: [{ steps: [{ awaitText: "server.test" }, "seen"], after: "close" }],
  },
  {
    id: "inspector-hello-too-large",
    title: "a ClientHello above max_client_hello_size is closed",
    connections: [
      {
        site: "small",
        raw: true,
        send: [clientHello({ servername: "server.test", padding: 300 }), { awaitEnd: true }],
      },
    ],
    streams: [],
  },
  {
    id: "inspector-garbage",
    title: "bytes that are neither TLS nor HTTP go to the chain for plain text",
    connections: [
      { site: "plain", raw: true, send: ["\x00\x01\x02\x03\x04\x05", { awaitText: "ok" }] },
    ],
    streams: [{ steps: [{ awaitText: "\x05" }, "ok"], after: "close" }],
  },
  {
    id: "inspector-bad-hello",
    title: "a TLS record that holds no ClientHello is plain text",
    connections: [
      {
        site: "plain",
        raw: true,
        send: [`\x16\x03\x01\x00\x05${"\xff".repeat(5)}`, { awaitText: "ok" }],
      },
    ],
    streams: [{ steps: [{ awaitText: "\xff" }, "ok"], after: "close" }],
  },
];

function pieces(text: string, size: number): string[] {
  const count = Math.ceil(text.length / size);
  return Array.from({ length: count }, (_, at) => text.slice(at * size, (at + 1) * size));
}

const http: readonly Case[] = [
  {
    id: "inspector-http11",
    title: "http_inspector: HTTP/1.1",
    connections: to("http"),
  },
  {
    id: "inspector-http10",
    title: "http_inspector: HTTP/1.0",
    connections: [{ site: "http", send: ["GET / HTTP/1.0\r\n\r\n"] }],
  },
  {
    id: "inspector-h2c",
    title: "http_inspector: the preface of HTTP/2",
    connections: [
      { site: "http", raw: true, send: ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", { awaitText: "ok" }] },
    ],
    streams: [{ steps: [{ awaitText: "SM" }, "ok"], after: "close" }],
  },
  {
    id: "inspector-http-split",
    title: "http_inspector: a request line in two pieces",
    connections: [{ site: "http", send: ["GET / HT", "TP/1.1\r\nHost: h\r\n\r\n"] }],
  },
  {
    id: "inspector-http-none",
    title: "http_inspector: no HTTP at all",
    connections: [{ site: "http", raw: true, send: ["\x00hello\n", { awaitText: "ok" }] }],
    streams: [{ steps: [{ awaitText: "hello" }, "ok"], after: "close" }],
  },
];

/** A listener on all addresses of this machine. */
function anywhere(name: string, site: Site): Site {
  const port_value = `$port:${name}`;
  return { ...site, address: { socket_address: { address: "0.0.0.0", port_value } } };
}

const TLS = inspector("tls");
const TLS_CHAINS: readonly Chain[] = [
  passes("exact", { server_names: ["server.test"] }),
  passes("wildcard", { server_names: ["*.wild.test"] }),
  passes("deep", { server_names: ["*.deep.wild.test"] }),
  passes("nameless", { transport_protocol: "tls" }),
  says("plain", { transport_protocol: "raw_buffer" }),
];

export const chains: Group = {
  id: "chains",
  title: "filter chain match and inspectors",
  certificates: true,
  stats: "listener\\.|tls_inspector\\.|http_inspector\\.",
  upstreams: { secure: { certificate: "server", alpn: ["http/1.1", "h2", "h3"] } },
  clusters: [cluster("secure", ["$up:secure"])],
  sites: {
    ip: anywhere("ip", {
      chains: [
        says("five", { prefix_ranges: [range("127.0.0.5", 32)] }),
        says("low", { prefix_ranges: [range("127.0.0.0", 16)] }),
      ],
      defaultChain: says("default"),
    }),
    port: anywhere("port", {
      chains: [
        says("port", { destination_port: "$port:port" }),
        says("five", { prefix_ranges: [range("127.0.0.5", 32)] }),
      ],
    }),
    deadend: {
      chains: [
        says("port", { destination_port: "$port:deadend", source_ports: [1] }),
        says("wide", { prefix_ranges: [range("127.0.0.0", 8)] }),
      ],
    },
    none: { chains: [says("never", { destination_port: 1 })] },
    source: {
      chains: [
        says("nine", { source_prefix_ranges: [range("127.0.0.9", 32)] }),
        says("low", { source_prefix_ranges: [range("127.0.0.0", 16)] }),
        says("else"),
      ],
    },
    direct: {
      chains: [
        says("direct", { direct_source_prefix_ranges: [range("127.0.0.0", 16)] }),
        says("source", { source_prefix_ranges: [range("127.0.0.9", 32)] }),
      ],
    },
    type: {
      chains: [
        says("external", { source_type: "EXTERNAL" }),
        says("local", { source_type: "SAME_IP_OR_LOOPBACK" }),
      ],
    },
    sourceport: { chains: [says("spare", { source_ports: ["$port:spare"] }), says("else")] },
    spare: { filters: [], listener: { bind_to_port: false } },
    sni: { listenerFilters: [TLS], chains: TLS_CHAINS },
    alpn: {
      listenerFilters: [TLS],
      chains: [
        passes("h2", { application_protocols: ["h2"] }),
        passes("http1", { application_protocols: ["http/1.1"] }),
        passes("none"),
      ],
    },
    strict: {
      listenerFilters: [TLS],
      chains: [passes("exact", { server_names: ["server.test"] })],
    },
    uninspected: { chains: TLS_CHAINS },
    small: {
      listenerFilters: [inspector("tls", { max_client_hello_size: 256 })],
      chains: TLS_CHAINS,
    },
    plain: {
      listenerFilters: [TLS],
      chains: [
        passes("tls", { transport_protocol: "tls" }),
        { name: "plain", tcp: {}, match: { transport_protocol: "raw_buffer" } },
      ],
    },
    http: {
      listenerFilters: [inspector("http")],
      chains: [
        says("one-one", { application_protocols: ["http/1.1"] }),
        { ...says("one-nought", { application_protocols: ["http/1.0"] }), hcm: acceptsHttp10() },
        { name: "two", tcp: {}, match: { application_protocols: ["h2c"] } },
        { name: "none", tcp: {} },
      ],
    },
  },
  cases: [...addresses, ...names, ...http],
};

function acceptsHttp10(): JsonObject {
  return { http_protocol_options: { accept_http_10: true, default_host_for_http_10: "h" } };
}
