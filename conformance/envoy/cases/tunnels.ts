// Tunnels whose other end is no HTTP: a TCP proxy that asks an HTTP proxy for one
// (tunneling_config), and CONNECT that ends here (connect_config).
import type { Case, Connection, Group, JsonObject, Piece, Reply, Stream } from "../case.ts";
import { request } from "../case.ts";

const HEAD_END = { awaitText: "\r\n\r\n" } as const;
const CONNECTED = "HTTP/1.1 200 OK\r\n\r\n";
const PING: readonly Stream[] = [{ steps: [{ awaitText: "ping" }, "pong"] }];

function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

function tunnel(answer: string, ...steps: Reply["steps"]): readonly Reply[] {
  return [{ tunnel: true, when: "head", steps: [answer, ...steps] }];
}

const asking: readonly Case[] = [
  {
    id: "tunneling-connect",
    title: "CONNECT, bytes both ways, then the client's FIN",
    connections: raw("main", "ping", { awaitText: "pong" }, { fin: true }, { awaitEnd: true }),
    replies: tunnel(CONNECTED, { awaitText: "ping" }, "pong"),
  },
  {
    id: "tunneling-upstream-ends",
    title: "CONNECT, then the upstream's FIN",
    connections: raw("main", "ping", { awaitText: "pong" }, { awaitEnd: true }),
    replies: [
      {
        tunnel: true,
        when: "head",
        steps: [CONNECTED, { awaitText: "ping" }, "pong"],
        after: "close",
      },
    ],
  },
  {
    id: "tunneling-upstream-resets",
    title: "CONNECT, then the upstream's RST",
    connections: raw("main", "ping", { awaitText: "pong" }, "more", { awaitEnd: true }),
    replies: [
      {
        tunnel: true,
        when: "head",
        steps: [CONNECTED, { awaitText: "ping" }, "pong", { awaitText: "more" }],
        after: "reset",
      },
    ],
  },
  {
    id: "tunneling-client-resets",
    title: "CONNECT, then the client's RST",
    connections: raw("main", "ping", { awaitText: "pong" }, { reset: true }),
    replies: tunnel(CONNECTED, { awaitText: "ping" }, "pong"),
  },
  {
    id: "tunneling-bytes-behind-200",
    title: "an upstream that speaks in the packet of its answer",
    connections: raw("main", { awaitText: "220 hello" }, "quit", { awaitEnd: true }),
    replies: [
      {
        tunnel: true,
        when: "head",
        steps: [`${CONNECTED}220 hello`, { awaitText: "quit" }],
        after: "close",
      },
    ],
  },
  {
    id: "tunneling-interim",
    title: "an interim response before the 200",
    connections: raw("main", "ping", { awaitText: "pong" }, { fin: true }, { awaitEnd: true }),
    replies: tunnel(`HTTP/1.1 103 Early Hints\r\n\r\n${CONNECTED}`, { awaitText: "ping" }, "pong"),
  },
  {
    id: "tunneling-refused",
    title: "a proxy that answers 403: closed",
    connections: raw("main", "ping", { awaitEnd: true }),
    replies: tunnel("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"),
  },
  {
    id: "tunneling-refused-tries",
    title: "403 to each of two tries",
    connections: raw("tries", "ping", { awaitEnd: true }),
    replies: [
      ...tunnel("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
      ...tunnel("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"),
    ],
  },
  {
    id: "tunneling-second-try",
    title: "403, then 200",
    connections: raw("tries", "ping", { awaitText: "pong" }, { fin: true }, { awaitEnd: true }),
    replies: [
      ...tunnel("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
      ...tunnel(CONNECTED, { awaitText: "ping" }, "pong"),
    ],
  },
  {
    id: "tunneling-garbage",
    title: "a proxy that answers no HTTP",
    connections: raw("main", "ping", { awaitEnd: true }),
    replies: tunnel("220 smtp ready\r\n\r\n"),
  },
  {
    id: "tunneling-dead",
    title: "a proxy that refuses connections",
    connections: raw("dead", { awaitEnd: true }),
  },
  {
    id: "tunneling-closes",
    title: "a proxy that closes instead of answering",
    connections: raw("main", "ping", { awaitEnd: true }),
    replies: [{ tunnel: true, when: "head", steps: [], after: "close" }],
  },
  {
    id: "tunneling-headers",
    title: "a host name and headers by commands",
    connections: raw("headers", "ping", { awaitText: "pong" }, { fin: true }, { awaitEnd: true }),
    replies: tunnel(CONNECTED, { awaitText: "ping" }, "pong"),
  },
  {
    id: "tunneling-post",
    title: "POST: chunks both ways, then the client's FIN",
    connections: raw("post", "ping", { awaitText: "pong" }, { fin: true }, { awaitEnd: true }),
    replies: [
      {
        when: "head",
        steps: [
          "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npong\r\n",
          { awaitRequestEnd: true },
          "0\r\n\r\n",
        ],
      },
    ],
  },
  {
    id: "tunneling-idle",
    title: "idle_timeout ends the tunnel",
    connections: raw("idle", "ping", { awaitText: "pong" }, { awaitEnd: true }),
    replies: tunnel(CONNECTED, { awaitText: "ping" }, "pong"),
  },
  {
    id: "tunneling-no-answer",
    title: "idle_timeout ends the wait for the proxy's answer",
    connections: raw("idle", "ping", { awaitEnd: true }),
    replies: tunnel("", { pauseMs: 800 }),
  },
  {
    id: "tunneling-duration",
    title: "max_downstream_connection_duration ends the tunnel",
    connections: raw("duration", "ping", { awaitText: "pong" }, { awaitEnd: true }),
    replies: tunnel(CONNECTED, { awaitText: "ping" }, "pong"),
  },
];

const FROM = "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n";

function connect(...lines: readonly string[]): string {
  return request("CONNECT host.test:443 HTTP/1.1", "Host: host.test:443", ...lines);
}

function at(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, send }];
}

const ended: readonly Case[] = [
  {
    id: "terminated",
    title: "CONNECT that ends here: bytes both ways, then the client's FIN",
    connections: at("ends", connect(), HEAD_END, "ping", { awaitText: "pong" }, { fin: true }),
    streams: PING,
  },
  {
    id: "terminated-upstream-ends",
    title: "CONNECT that ends here, then the upstream's FIN",
    connections: at("ends", connect(), { awaitText: "bye" }, { awaitEnd: true }),
    streams: [{ steps: ["bye"], after: "close" }],
  },
  {
    id: "terminated-client-half-closes",
    title: "after the client's FIN the upstream still speaks",
    connections: at("ends", connect(), HEAD_END, "ask", { fin: true }, { awaitEnd: true }),
    streams: [{ steps: [{ awaitText: "ask" }, { awaitEnd: true }, "late"] }],
  },
  {
    id: "terminated-upstream-resets",
    title: "CONNECT that ends here, then the upstream's RST",
    connections: at("ends", connect(), HEAD_END, "ping", { awaitEnd: true }),
    streams: [{ steps: [{ awaitText: "ping" }], after: "reset" }],
  },
  {
    id: "terminated-client-resets",
    title: "CONNECT that ends here, then the client's RST",
    connections: at("ends", connect(), HEAD_END, "ping", { awaitText: "pong" }, { reset: true }),
    streams: PING,
  },
  {
    id: "terminated-early-bytes",
    title: "bytes in the packet of the CONNECT",
    connections: at("ends", `${connect()}ping`, { awaitText: "pong" }, { fin: true }),
    streams: PING,
  },
  {
    id: "terminated-length",
    title: "CONNECT with a content-length and a body",
    connections: at("ends", `${connect("Content-Length: 4")}ping`, HEAD_END, { pauseMs: 100 }),
    streams: PING,
  },
  {
    id: "terminated-length-zero",
    title: "CONNECT with content-length: 0",
    connections: at("ends", connect("Content-Length: 0"), HEAD_END, "ping", { pauseMs: 100 }),
    streams: PING,
  },
  {
    id: "terminated-dead",
    title: "CONNECT that ends here, and nobody listens: 503",
    connections: at("endsdead", connect()),
  },
  {
    id: "terminated-empty",
    title: "CONNECT that ends here, to a cluster without hosts: 503",
    connections: at("endsempty", connect()),
  },
  {
    id: "terminated-idle",
    title: "stream_idle_timeout ends it",
    connections: at(
      "endsidle",
      connect(),
      HEAD_END,
      "ping",
      { awaitText: "pong" },
      { awaitEnd: true },
    ),
    streams: PING,
  },
  {
    id: "terminated-route-idle",
    title: "the route's idle_timeout ends it",
    connections: at(
      "endsrouteidle",
      connect(),
      HEAD_END,
      "ping",
      { awaitText: "pong" },
      { awaitEnd: true },
    ),
    streams: PING,
  },
  {
    id: "terminated-duration",
    title: "max_stream_duration ends it",
    connections: at(
      "endsduration",
      connect(),
      HEAD_END,
      "ping",
      { awaitText: "pong" },
      { awaitEnd: true },
    ),
    streams: PING,
  },
  {
    id: "terminated-route-timeout",
    title: "a route's timeout does not",
    connections: at(
      "endstimeout",
      connect(),
      HEAD_END,
      { pauseMs: 500 },
      "ping",
      { awaitText: "pong" },
      { fin: true },
    ),
    streams: PING,
  },
  {
    id: "terminated-proxy-v1",
    title: "a PROXY header in front, version 1",
    connections: at(
      "endsv1",
      FROM + connect(),
      HEAD_END,
      "ping",
      { awaitText: "pong" },
      { fin: true },
    ),
    streams: PING,
  },
  {
    id: "terminated-proxy-v2",
    title: "a PROXY header in front, version 2",
    connections: at(
      "endsv2",
      FROM + connect(),
      HEAD_END,
      "ping",
      { awaitText: "pong" },
      { fin: true },
    ),
    streams: PING,
  },
  {
    id: "terminated-post",
    title: "allow_post: a POST whose body goes to TCP",
    connections: at(
      "endspost",
      request("POST /p HTTP/1.1", "Transfer-Encoding: chunked"),
      "4\r\nping\r\n",
      { awaitText: "pong" },
      "0\r\n\r\n",
    ),
    streams: [{ steps: [{ awaitText: "ping" }, "pong", { awaitEnd: true }], after: "close" }],
  },
  {
    id: "terminated-post-refused",
    title: "a POST where only CONNECT is meant",
    connections: at("ends", request("POST /p HTTP/1.1", "Content-Length: 0")),
  },
];

function host(route: JsonObject, match: JsonObject = { connect_matcher: {} }): JsonObject {
  return { name: "all", domains: ["*"], routes: [{ match, route }] };
}

function ends(config: JsonObject = {}, name = "up"): JsonObject {
  return {
    cluster: name,
    upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: config }],
  };
}

function header(key: string, value: string): JsonObject {
  return { header: { key, value } };
}

const PROXY_FILTER =
  "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
const listenerFilters: readonly JsonObject[] = [
  { name: "proxy", typed_config: { "@type": PROXY_FILTER } },
];

const TO = { hostname: "far.test:443" };

export const tunnels: Group = {
  id: "tunnels",
  title: "tunnels whose other end is no HTTP",
  stats: "tcp\\.",
  sites: {
    main: { tcp: { tunneling_config: TO } },
    tries: { tcp: { tunneling_config: TO, max_connect_attempts: 2 } },
    dead: { tcp: { cluster: "dead", tunneling_config: TO } },
    headers: {
      tcp: {
        tunneling_config: {
          hostname: "%DOWNSTREAM_LOCAL_ADDRESS%",
          headers_to_add: [
            header("X-Peer", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
            header("x-two", "1"),
            header("x-two", "2"),
            header("x-empty", "%REQUESTED_SERVER_NAME%"),
          ],
        },
      },
    },
    post: { tcp: { tunneling_config: { ...TO, use_post: true, post_path: "/tunnel" } } },
    idle: { tcp: { tunneling_config: TO, idle_timeout: "0.3s" } },
    duration: { tcp: { tunneling_config: TO, max_downstream_connection_duration: "0.3s" } },
    ends: { virtualHosts: [host(ends())] },
    endsdead: { virtualHosts: [host(ends({}, "dead"))] },
    endsempty: { virtualHosts: [host(ends({}, "empty"))] },
    endsidle: { virtualHosts: [host(ends())], hcm: { stream_idle_timeout: "0.3s" } },
    endsrouteidle: { virtualHosts: [host({ ...ends(), idle_timeout: "0.3s" })] },
    endsduration: {
      virtualHosts: [host({ ...ends(), max_stream_duration: { max_stream_duration: "0.3s" } })],
    },
    endstimeout: { virtualHosts: [host({ ...ends(), timeout: "0.3s" })] },
    endsv1: {
      listenerFilters,
      virtualHosts: [host(ends({ proxy_protocol_config: { version: "V1" } }))],
    },
    endsv2: {
      listenerFilters,
      virtualHosts: [host(ends({ proxy_protocol_config: { version: "V2" } }))],
    },
    endspost: { virtualHosts: [host(ends({ allow_post: true }), { prefix: "/" })] },
  },
  cases: [...asking, ...ended],
};
