// Upgrades and TCP proxies at their edges: odd requests and answers, times, and clients that leave
// while something is under way.
import type { Case, Connection, Group, JsonObject, Piece, Reply } from "../case.ts";
import { get, one, reply, request } from "../case.ts";

const ASK = ["Connection: Upgrade", "Upgrade: websocket"];
const HEAD_END = { awaitText: "\r\n\r\n" } as const;
const SWITCHED =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const PONG: readonly Reply[] = [
  { tunnel: true, when: "head", steps: [SWITCHED, { awaitText: "ping" }, "pong"], after: "close" },
];

function at(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, send }];
}

function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

/** An upgrade that works, asked for in an odd way. */
function odd(id: string, title: string, head: string): Case {
  return {
    id: `edge-${id}`,
    title,
    connections: at("main", head, HEAD_END, "ping", { awaitText: "pong" }),
    replies: PONG,
  };
}

const requests: readonly Case[] = [
  odd("options", "OPTIONS that upgrades", request("OPTIONS /chat HTTP/1.1", ...ASK)),
  odd("expect", "an upgrade that expects 100", get("/chat", ...ASK, "Expect: 100-continue")),
  odd("connection-lines", "two Connection lines", get("/chat", "Connection: keep-alive", ...ASK)),
  odd("query", "a query", get("/chat?a=b", ...ASK)),
  {
    id: "edge-after-request",
    title: "an upgrade behind a request",
    connections: [
      {
        site: "main",
        responses: 2,
        send: [
          get("/first") + get("/chat", ...ASK),
          { awaitText: "101" },
          "ping",
          { awaitText: "pong" },
        ],
      },
    ],
    replies: [reply("200 OK", "first"), ...PONG],
  },
  {
    id: "edge-twice",
    title: "two Upgrade lines are a list, which is no type",
    connections: one(get("/chat", ...ASK, "Upgrade: websocket"), "main"),
  },
  {
    id: "edge-h2c-beside",
    title: "h2c and another type in lines of their own",
    connections: one(
      get("/chat", "Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"),
      "main",
    ),
  },
  {
    id: "edge-h2c-twice",
    title: "h2c in two lines",
    connections: one(get("/chat", "Connection: Upgrade", "Upgrade: h2c", "Upgrade: h2c"), "main"),
  },
  {
    id: "edge-head",
    title: "HEAD that upgrades",
    connections: at("main", request("HEAD /chat HTTP/1.1", ...ASK), HEAD_END, { pauseMs: 100 }),
    replies: PONG,
  },
  {
    id: "edge-http10",
    title: "HTTP/1.0 that upgrades",
    connections: at("main", request("GET /chat HTTP/1.0", ...ASK)),
    replies: PONG,
  },
  {
    id: "edge-list",
    title: "a list in Upgrade",
    connections: one(get("/chat", "Connection: Upgrade", "Upgrade: websocket, own/1"), "main"),
  },
  {
    id: "edge-empty",
    title: "an empty Upgrade",
    connections: one(get("/chat", "Connection: Upgrade", "Upgrade:"), "main"),
  },
  {
    id: "edge-chunked",
    title: "an upgrade with a chunked body",
    connections: at(
      "main",
      `${request("POST /chat HTTP/1.1", ...ASK, "Transfer-Encoding: chunked")}4\r\nbody\r\n0\r\n\r\n`,
      HEAD_END,
      { pauseMs: 150 },
    ),
    replies: [
      { tunnel: true, when: "head", steps: [SWITCHED, { pauseMs: 50 }, "pong"], after: "close" },
    ],
  },
  {
    id: "edge-refused-then",
    title: "a request behind an upgrade that is refused",
    connections: [{ site: "bare", responses: 2, send: [get("/chat", ...ASK), get("/next")] }],
  },
];

const answers: readonly Case[] = [
  {
    id: "edge-101-length",
    title: "101 with a content-length",
    connections: at("main", get("/chat", ...ASK), HEAD_END, "ping", { awaitText: "pong" }),
    replies: [
      {
        tunnel: true,
        when: "head",
        steps: [
          SWITCHED.replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n"),
          { awaitText: "ping" },
          "pong",
        ],
        after: "close",
      },
    ],
  },
  {
    id: "edge-101-other",
    title: "101 to another protocol",
    connections: at("main", get("/chat", ...ASK), HEAD_END, "ping", { awaitText: "pong" }),
    replies: [
      {
        tunnel: true,
        when: "head",
        steps: [SWITCHED.replace("websocket", "own/1"), { awaitText: "ping" }, "pong"],
        after: "close",
      },
    ],
  },
  {
    id: "edge-interim-101",
    title: "an interim response before the 101",
    connections: at("main", get("/chat", ...ASK), HEAD_END, "ping", { awaitText: "pong" }),
    replies: [
      {
        tunnel: true,
        when: "head",
        steps: [
          `HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n${SWITCHED}`,
          { awaitText: "ping" },
          "pong",
        ],
        after: "close",
      },
    ],
  },
  {
    id: "edge-direct",
    title: "an upgrade that a direct response answers",
    connections: at("main", get("/direct", ...ASK)),
  },
  {
    id: "edge-redirect",
    title: "an upgrade that is redirected",
    connections: at("main", get("/moved", ...ASK)),
  },
  {
    id: "edge-no-host",
    title: "an upgrade to a cluster without hosts",
    connections: at("main", get("/empty", ...ASK)),
  },
  {
    id: "edge-500",
    title: "an upgrade that the upstream answers with 500",
    connections: at("main", get("/chat", ...ASK)),
    replies: [reply("500 Internal Server Error", "broken")],
  },
  {
    id: "edge-upstream-closes",
    title: "an upstream that closes instead of answering an upgrade",
    connections: at("main", get("/chat", ...ASK)),
    replies: [{ tunnel: true, when: "head", steps: [], after: "close" }],
  },
];

const times: readonly Case[] = [
  {
    id: "edge-route-idle",
    title: "the route's idle_timeout ends a tunnel",
    connections: at("main", get("/idle", ...ASK), HEAD_END, "ping", { awaitEnd: true }),
    replies: [{ tunnel: true, when: "head", steps: [SWITCHED, { awaitText: "ping" }, "pong"] }],
  },
  {
    id: "edge-max-duration",
    title: "the route's max_stream_duration ends a tunnel",
    connections: at("main", get("/duration", ...ASK), HEAD_END, "ping", { awaitEnd: true }),
    replies: [{ tunnel: true, when: "head", steps: [SWITCHED, { awaitText: "ping" }, "pong"] }],
  },
  {
    id: "edge-request-timeout",
    title: "request_timeout does not end a tunnel",
    connections: at("timed", get("/chat", ...ASK), HEAD_END, { pauseMs: 450 }, "ping", {
      awaitText: "pong",
    }),
    replies: PONG,
  },
  {
    id: "edge-idle-connection",
    title: "the connection's idle_timeout does not end a tunnel",
    connections: at("idlecx", get("/chat", ...ASK), HEAD_END, { pauseMs: 450 }, "ping", {
      awaitText: "pong",
    }),
    replies: PONG,
  },
  {
    id: "edge-client-leaves-early",
    title: "a client that leaves before the 101",
    connections: [{ site: "main", send: [get("/chat", ...ASK), { pauseMs: 60 }, { reset: true }] }],
    replies: [{ tunnel: true, when: "head", steps: [{ pauseMs: 200 }, SWITCHED] }],
  },
];

const tcp: readonly Case[] = [
  {
    id: "edge-tcp-duration-connecting",
    title: "max_downstream_connection_duration while connecting",
    connections: raw("slowduration", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "edge-tcp-use-proxy-proto",
    title: "use_proxy_proto, the deprecated field",
    connections: raw(
      "deprecatedproxy",
      "PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\nping",
      { awaitText: "pong" },
      { fin: true },
    ),
    streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
  },
  {
    id: "edge-tcp-many-small",
    title: "a byte at a time both ways",
    connections: raw(
      "plain",
      ..."abcdefgh".split("").flatMap((letter): Piece[] => [letter, { awaitText: letter }]),
      { fin: true },
    ),
    streams: [
      {
        steps: "abcdefgh".split("").flatMap((letter) => [{ awaitText: letter }, letter] as const),
      },
    ],
  },
];

const UP = { cluster: "up" };
const upgrade_configs = [{ upgrade_type: "websocket" }];

function route(prefix: string, more: JsonObject): JsonObject {
  return { match: { prefix }, route: { ...UP, ...more } };
}

export const upgradeEdges: Group = {
  id: "upgrade-edges",
  title: "upgrades and TCP proxies at their edges",
  stats: "tcp\\.",
  sites: {
    main: {
      hcm: { upgrade_configs },
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            { match: { prefix: "/direct" }, direct_response: { status: 418 } },
            { match: { prefix: "/moved" }, redirect: { path_redirect: "/there" } },
            route("/empty", { cluster: "empty" }),
            route("/idle", { idle_timeout: "0.3s" }),
            route("/duration", { max_stream_duration: { max_stream_duration: "0.3s" } }),
            route("/", {}),
          ],
        },
      ],
    },
    bare: {},
    timed: { hcm: { upgrade_configs, request_timeout: "0.3s" } },
    idlecx: { hcm: { upgrade_configs, common_http_protocol_options: { idle_timeout: "0.3s" } } },
    slowduration: {
      tcp: {
        cluster: "dead",
        max_downstream_connection_duration: "0.3s",
        max_connect_attempts: 2,
        backoff_options: { base_interval: "600s", max_interval: "600s" },
      },
    },
    deprecatedproxy: { tcp: {}, chain: { use_proxy_proto: true } },
    plain: { tcp: {} },
  },
  cases: [...requests, ...answers, ...times, ...tcp],
};
