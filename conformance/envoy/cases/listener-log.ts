// Access logs of listeners: a line for each connection, also for those that never had a stream:
// failed handshakes, refused certificates, first bytes that nobody takes.
import { certificateFiles } from "../bootstrap.ts";
import type { Case, Chain, Connection, Group, JsonObject, Piece, Site } from "../case.ts";
import { get } from "../case.ts";

const TYPES = "type.googleapis.com/envoy.extensions";

const FORMAT: string = [
  "%RESPONSE_CODE%",
  "%RESPONSE_FLAGS%",
  "%RESPONSE_CODE_DETAILS%",
  "%CONNECTION_TERMINATION_DETAILS%",
  "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
  "%BYTES_RECEIVED%",
  "%BYTES_SENT%",
  "%FILTER_CHAIN_NAME%",
  "%REQUESTED_SERVER_NAME%",
  "%PROTOCOL%",
  "%ACCESS_LOG_TYPE%",
  "%DOWNSTREAM_PEER_SUBJECT%",
  "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
  "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
  "%UPSTREAM_CLUSTER%",
  "%UPSTREAM_HOST%",
  "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  "%REQ(:METHOD)%\n",
].join("|");

/** The site's lines are its listener's, and no chain's. */
function logging(name: string, site: Site): Site {
  const log: JsonObject = {
    name: "l",
    typed_config: {
      "@type": `${TYPES}.access_loggers.file.v3.FileAccessLog`,
      path: `$DIR/${name}.log`,
      log_format: { text_format_source: { inline_string: FORMAT } },
    },
  };
  return { ...site, listener: { access_log: [log], ...site.listener } };
}

const answers: Chain = {
  hcm: { access_log: [] },
  virtualHosts: [
    {
      name: "all",
      domains: ["*"],
      routes: [
        { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "hi" } } },
      ],
    },
  ],
};

function filter(name: string, more: JsonObject = {}): JsonObject {
  return { name, typed_config: { "@type": `${TYPES}.filters.${name}`, ...more } };
}

const TLS_INSPECTOR = filter("listener.tls_inspector.v3.TlsInspector");
const PROXY = filter("listener.proxy_protocol.v3.ProxyProtocol");

function presenting(more: JsonObject = {}, own: JsonObject = {}): JsonObject {
  return {
    common_tls_context: { tls_certificates: [certificateFiles("server")], ...more },
    ...own,
  };
}

const trusting: JsonObject = {
  validation_context: { trusted_ca: { filename: "$DIR/authority.pem" } },
};

const sites: Readonly<Record<string, Site>> = {
  main: answers,
  tls: {
    ...answers,
    name: "c",
    tls: presenting(),
    chain: { transport_socket_connect_timeout: "2s" },
  },
  only13: {
    ...answers,
    tls: presenting({ tls_params: { tls_minimum_protocol_version: "TLSv1_3" } }),
  },
  mutual: { ...answers, tls: presenting(trusting, { require_client_certificate: true }) },
  inspected: {
    chains: [{ ...answers, match: { server_names: ["server.test"] }, tls: presenting() }],
    listenerFilters: [TLS_INSPECTOR],
    listener: { listener_filters_timeout: "0.3s" },
  },
  either: { ...answers, listenerFilters: [TLS_INSPECTOR] },
  proxied: {
    ...answers,
    listenerFilters: [PROXY],
    listener: { listener_filters_timeout: "0.3s" },
  },
  tcp: { tcp: { access_log: [] } },
  dead: { name: "d", tcp: { access_log: [], cluster: "dead" } },
  echo: { filters: [filter("network.echo.v3.Echo")] },
  words: {
    filters: [
      filter("network.direct_response.v3.Config", { response: { inline_string: "hello" } }),
    ],
  },
  none: { name: "n", filters: [] },
};

const end: Piece = { awaitEnd: true };

/** Bytes that are no HTTP, or not answered by it. */
function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

function secured(
  site: string,
  tls: NonNullable<Connection["tls"]>,
  text: string = get("/"),
): readonly Connection[] {
  return [{ site, tls, send: [text] }];
}

function one(id: string, title: string, connections: readonly Connection[]): Case {
  return { id: `llog-${id}`, title, connections };
}

const server = { servername: "server.test" };

const cases: readonly Case[] = [
  one("http", "a request: the connection's bytes, not the request's", [{ send: [get("/")] }]),
  one("http-two", "two requests are one line", [{ send: [get("/1"), get("/2")], responses: 2 }]),
  one("http-bad", "no request", raw("main", "foo bar baz\r\n\r\n", end)),
  one("http-silent", "a client that leaves without a word", raw("main", { fin: true }, end)),
  one("tls", "a request over TLS", secured("tls", server)),
  one("tls-version", "no common version", secured("only13", { ...server, maxVersion: "TLSv1.2" })),
  one("tls-garbage", "no TLS", raw("tls", "no TLS at all, and never will be", end)),
  one("tls-http", "HTTP where TLS is spoken", raw("tls", get("/"), end)),
  one("tls-fin", "a client that leaves before the handshake", raw("tls", { fin: true }, end)),
  one("tls-half", "half a ClientHello", raw("tls", "\x16\x03\x01\x02\x00\x01", { fin: true }, end)),
  one("tls-reset", "a client that breaks the connection in the handshake", [
    { site: "tls", raw: true, send: ["\x16\x03\x01", { pauseMs: 30 }, { reset: true }] },
  ]),
  one("tls-slow", "transport_socket_connect_timeout", raw("tls", "\x16\x03\x01", end)),
  one("mutual", "a client certificate", secured("mutual", { ...server, certificate: "client" })),
  one("mutual-none", "no client certificate", secured("mutual", server)),
  one(
    "mutual-none-12",
    "no client certificate, TLS 1.2",
    secured("mutual", { ...server, maxVersion: "TLSv1.2" }),
  ),
  one(
    "mutual-stranger",
    "a client certificate of another authority",
    secured("mutual", { ...server, certificate: "client_stranger" }),
  ),
  one("inspected", "a chain by SNI", secured("inspected", server)),
  one(
    "inspected-other",
    "no chain for the SNI",
    secured("inspected", { servername: "other.test" }),
  ),
  one("inspected-http", "no chain, and no TLS", raw("inspected", get("/"), end)),
  one(
    "inspected-connect",
    "no chain for CONNECT",
    raw("inspected", "CONNECT a:1 HTTP/1.1\r\n", end),
  ),
  one("inspected-garbage", "no chain for garbage", raw("inspected", "garbage in here", end)),
  one("inspected-slow", "the first bytes do not come in time", raw("inspected", "\x16\x03", end)),
  one("inspected-fin", "a client that leaves before", raw("inspected", { fin: true }, end)),
  one("either", "a chain that takes what is no TLS", [{ site: "either", send: [get("/")] }]),
  one("proxied", "a PROXY header", [
    { site: "proxied", send: [`PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n${get("/")}`] },
  ]),
  one("proxied-none", "no PROXY header", raw("proxied", get("/"), end)),
  one("proxied-slow", "half a PROXY header", raw("proxied", "PROXY TCP4 ", end)),
  one("tcp", "a TCP proxy", raw("tcp", "ping", { awaitText: "pong" }, { fin: true }, end)),
  one("tcp-dead", "a TCP proxy without upstream", raw("dead", end)),
  one("echo", "echo", raw("echo", "ping", { awaitText: "ping" }, { fin: true }, end)),
  one("words", "direct_response", raw("words", { awaitText: "hello" }, end)),
  one("none", "a chain without filters", raw("none", end)),
];

const streams: Case["streams"] = [{ steps: [{ awaitText: "ping" }, "pong"] }];

export const listenerLog: Group = {
  id: "listener-log",
  title: "Access logs of listeners",
  certificates: true,
  sites: Object.fromEntries(
    Object.entries(sites).map(([name, site]) => [name, logging(name, site)]),
  ),
  stats: "listener\\.",
  cases: cases.map((one) => (one.id === "llog-tcp" ? { ...one, streams } : one)),
};
