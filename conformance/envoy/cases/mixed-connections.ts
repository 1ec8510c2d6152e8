// Kinds of connections on top of one another: tunnels over TLS, TLS behind PROXY headers, and
// handshakes that never end.
import { certificateFiles, cluster, upstreamTls } from "../bootstrap.ts";
import type { Case, Connection, Group, JsonObject, Piece, Reply, Stream } from "../case.ts";
import { get, one, request } from "../case.ts";

const HEAD_END = { awaitText: "\r\n\r\n" } as const;
const TLS = { servername: "server.test" } as const;
const PING: readonly Stream[] = [{ steps: [{ awaitText: "ping" }, "pong"] }];
const SILENT: readonly Stream[] = [{ steps: [{ pauseMs: 1500 }] }];
const PROXY = "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n";
const ASK = get("/chat", "Connection: Upgrade", "Upgrade: websocket");
const CONNECT = request("CONNECT host.test:443 HTTP/1.1", "Host: host.test:443");
const SWITCHED =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

function tunnel(answer: string): readonly Reply[] {
  return [{ tunnel: true, when: "head", steps: [answer, { awaitText: "ping" }, "pong"] }];
}

const cases: readonly Case[] = [
  {
    id: "mixed-websocket-tls",
    title: "a WebSocket over the client's TLS",
    connections: [
      {
        site: "tls",
        tls: TLS,
        send: [ASK, HEAD_END, "ping", { awaitText: "pong" }, { fin: true }],
      },
    ],
    replies: tunnel(SWITCHED),
  },
  {
    id: "mixed-connect-tls",
    title: "CONNECT over the client's TLS, ended here",
    connections: [
      {
        site: "tlsconnect",
        tls: TLS,
        send: [CONNECT, HEAD_END, "ping", { awaitText: "pong" }, { fin: true }],
      },
    ],
    streams: PING,
  },
  {
    id: "mixed-connect-to-tls",
    title: "CONNECT ended here, to an upstream that speaks TLS",
    connections: [
      {
        site: "connecttls",
        send: [CONNECT, HEAD_END, "ping", { awaitText: "pong" }, { fin: true }],
      },
    ],
    streams: PING,
  },
  {
    id: "mixed-connect-to-stranger",
    title: "CONNECT ended here, to an upstream that nobody vouches for",
    connections: one(CONNECT, "connectstranger"),
  },
  {
    id: "mixed-tunneling-tls",
    title: "tunneling_config through a proxy that speaks TLS",
    connections: raw("tunneltls", "ping", { awaitText: "pong" }, { fin: true }, { awaitEnd: true }),
    replies: tunnel("HTTP/1.1 200 OK\r\n\r\n"),
  },
  {
    id: "mixed-tunneling-stranger",
    title: "tunneling_config through a proxy that nobody vouches for",
    connections: raw("tunnelstranger", { awaitEnd: true }),
  },
  {
    id: "mixed-handshake-silent",
    title: "an upstream that never answers the ClientHello: connect_timeout",
    connections: one(get("/"), "silent"),
    streams: SILENT,
  },
  {
    id: "mixed-handshake-silent-tcp",
    title: "the same for a TCP proxy",
    connections: raw("silenttcp", { awaitEnd: true }),
    streams: SILENT,
  },
  {
    id: "mixed-handshake-silent-connect",
    title: "the same for CONNECT that ends here",
    connections: one(CONNECT, "silentconnect"),
    streams: SILENT,
  },
  {
    id: "mixed-handshake-silent-tunneling",
    title: "the same for a tunnel",
    connections: raw("silenttunnel", { awaitEnd: true }),
    streams: SILENT,
  },
  {
    id: "mixed-handshake-garbage",
    title: "an upstream that answers the ClientHello with a greeting",
    connections: raw("silenttcp", { awaitEnd: true }),
    streams: [{ steps: ["220 hello\r\n", { pauseMs: 600 }] }],
  },
  {
    id: "mixed-handshake-closed",
    title: "an upstream that closes instead of answering the ClientHello",
    connections: raw("silenttcp", { awaitEnd: true }),
    streams: [{ steps: [{ pauseMs: 30 }], after: "close" }],
  },
  {
    id: "mixed-handshake-reset",
    title: "an upstream that resets instead of answering the ClientHello",
    connections: raw("silenttcp", { awaitEnd: true }),
    streams: [{ steps: [{ pauseMs: 30 }], after: "reset" }],
  },
  {
    id: "mixed-proxy-tls-tcp",
    title: "a PROXY header, TLS, a TCP proxy",
    connections: [
      {
        site: "proxytls",
        raw: true,
        before: PROXY,
        tls: TLS,
        send: ["ping", { awaitText: "pong" }, { fin: true }],
      },
    ],
    streams: PING,
  },
  {
    id: "mixed-proxy-tls-garbled",
    title: "a garbled PROXY header in front of TLS",
    connections: raw("proxytls", "PROXY TCP4 192.0.2.7 nonsense\r\n", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "mixed-proxy-then-silence",
    title: "a PROXY header and then nothing: the inspector's time is over",
    connections: raw("proxytls", PROXY, { awaitEnd: true }),
    streams: [],
  },
  {
    id: "mixed-bound-port",
    title: "a source port that is in use: the connection cannot be made",
    connections: raw("boundport", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "mixed-bound-elsewhere",
    title: "a source address that is not ours",
    connections: raw("boundelsewhere", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "mixed-bound-elsewhere-twice",
    title: "a source address that is not ours, two attempts",
    connections: raw("boundtwice", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "mixed-no-pending",
    title: "max_pending_requests: 0 for a TCP proxy",
    connections: raw("nopending", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "mixed-no-pending-connect",
    title: "max_pending_requests: 0 for CONNECT that ends here",
    connections: one(CONNECT, "nopendingconnect"),
    streams: [],
  },
  {
    id: "mixed-no-pending-tunneling",
    title: "max_pending_requests: 0 for a tunnel",
    connections: raw("nopendingtunnel", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "mixed-half-close-tls",
    title: "after the TLS client's end the upstream still answers",
    connections: [
      { site: "tlstcp", raw: true, tls: TLS, send: ["ask", { fin: true }, { awaitEnd: true }] },
    ],
    streams: [{ steps: [{ awaitEnd: true }, "late answer"] }],
  },
  {
    id: "mixed-both-tls",
    title: "TLS on both sides of a TCP proxy",
    connections: [
      {
        site: "bothtls",
        raw: true,
        tls: TLS,
        send: ["ping", { awaitText: "pong" }, { fin: true }, { awaitEnd: true }],
      },
    ],
    streams: PING,
  },
];

function host(route: JsonObject, match: JsonObject = { connect_matcher: {} }): JsonObject {
  return { name: "all", domains: ["*"], routes: [{ match, route }] };
}

function ends(name: string): readonly JsonObject[] {
  const upgrade_configs = [{ upgrade_type: "CONNECT", connect_config: {} }];
  return [host({ cluster: name, upgrade_configs })];
}

const tls = { common_tls_context: { tls_certificates: [certificateFiles("server")] } };
const LISTENER_FILTERS = "type.googleapis.com/envoy.extensions.filters.listener";
const listenerFilters: readonly JsonObject[] = [
  {
    name: "proxy",
    typed_config: { "@type": `${LISTENER_FILTERS}.proxy_protocol.v3.ProxyProtocol` },
  },
  { name: "tls", typed_config: { "@type": `${LISTENER_FILTERS}.tls_inspector.v3.TlsInspector` } },
];

function trusting(authority: string): JsonObject {
  const validation_context = { trusted_ca: { filename: `$DIR/${authority}.pem` } };
  return {
    transport_socket: upstreamTls({
      sni: "server.test",
      common_tls_context: { validation_context },
    }),
  };
}

const TO = { hostname: "far.test:443" };

export const mixedConnections: Group = {
  id: "mixed-connections",
  title: "kinds of connections on top of one another",
  certificates: true,
  stats: "tcp\\.|listener\\.",
  upstreams: { secure: { certificate: "server" } },
  sites: {
    tls: { tls, hcm: { upgrade_configs: [{ upgrade_type: "websocket" }] } },
    tlsconnect: { tls, virtualHosts: ends("up") },
    connecttls: { virtualHosts: ends("secure") },
    connectstranger: { virtualHosts: ends("stranger") },
    tunneltls: { tcp: { cluster: "secure", tunneling_config: TO } },
    tunnelstranger: { tcp: { cluster: "stranger", tunneling_config: TO } },
    silent: { virtualHosts: [host({ cluster: "silent" }, { prefix: "/" })] },
    silenttcp: { tcp: { cluster: "silent" } },
    silentconnect: { virtualHosts: ends("silent") },
    silenttunnel: { tcp: { cluster: "silent", tunneling_config: TO } },
    proxytls: { tls, listenerFilters, tcp: {}, listener: { listener_filters_timeout: "0.4s" } },
    boundport: { tcp: { cluster: "boundport" } },
    boundelsewhere: { tcp: { cluster: "elsewhere" } },
    boundtwice: { tcp: { cluster: "elsewhere", max_connect_attempts: 2 } },
    nopending: { tcp: { cluster: "nopending" } },
    nopendingconnect: { virtualHosts: ends("nopending") },
    nopendingtunnel: { tcp: { cluster: "nopending", tunneling_config: TO } },
    tlstcp: { tls, tcp: {} },
    bothtls: { tls, tcp: { cluster: "secure" } },
  },
  clusters: [
    cluster("secure", ["$up:secure"], trusting("authority")),
    cluster("stranger", ["$up:secure"], trusting("stranger")),
    cluster("silent", ["$up:up"], { ...trusting("authority"), connect_timeout: "0.3s" }),
    // Nobody listens there: Envoy connects without the address, too, and closes.
    cluster("elsewhere", ["$up:dead"], {
      upstream_bind_config: { source_address: { address: "203.0.113.9", port_value: 0 } },
    }),
    cluster("nopending", ["$up:up"], {
      circuit_breakers: { thresholds: [{ max_pending_requests: 0 }] },
    }),
    cluster("boundport", ["$up:dead"], {
      upstream_bind_config: { source_address: { address: "127.0.0.1", port_value: "$up:other" } },
    }),
  ],
  cases,
};
