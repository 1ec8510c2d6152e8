// Upgrades and CONNECT: who may ask, what goes up and down, and the bytes behind the answer.
import type { Case, Connection, Group, JsonObject, Piece, Reply } from "../case.ts";
import { get, reply, request } from "../case.ts";

const ASK = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
const HEAD_END = { awaitText: "\r\n\r\n" } as const;
const SWITCHED =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const CONNECTED = "HTTP/1.1 200 OK\r\n\r\n";

function at(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, send }];
}

function ask(path = "/chat"): string {
  return get(path, ...ASK);
}

function tunnel(answer: string, ...steps: Reply["steps"]): readonly Reply[] {
  return [{ tunnel: true, steps: [answer, ...steps] }];
}

const allowed: readonly Case[] = [
  {
    id: "upgrade-websocket",
    title: "101 and bytes both ways, then the client's FIN",
    connections: at("main", ask(), HEAD_END, "ping", { awaitText: "pong" }, { fin: true }),
    replies: tunnel(SWITCHED, { awaitText: "ping" }, "pong"),
  },
  {
    id: "upgrade-upstream-ends",
    title: "101, then the upstream's FIN",
    connections: at("main", ask(), HEAD_END, { awaitText: "bye" }, { awaitEnd: true }),
    replies: [{ tunnel: true, steps: [SWITCHED, "bye"], after: "close" }],
  },
  {
    id: "upgrade-upstream-resets",
    title: "101, then the upstream's RST",
    connections: at("main", ask(), HEAD_END, "ping", { awaitEnd: true }),
    replies: [{ tunnel: true, steps: [SWITCHED, { awaitText: "ping" }], after: "reset" }],
  },
  {
    id: "upgrade-client-resets",
    title: "101, then the client's RST",
    connections: at("main", ask(), HEAD_END, { awaitText: "hello" }, { reset: true }),
    replies: tunnel(SWITCHED, "hello"),
  },
  {
    id: "upgrade-bytes-behind-101",
    title: "bytes in the packet of the 101",
    connections: at("main", ask(), { awaitText: "first" }, "then", { awaitText: "last" }),
    replies: [
      { tunnel: true, steps: [`${SWITCHED}first`, { awaitText: "then" }, "last"], after: "close" },
    ],
  },
  {
    id: "upgrade-half-close-client",
    title: "after the client's FIN the upstream still speaks",
    connections: at("main", ask(), HEAD_END, "ping", { fin: true }, { awaitEnd: true }),
    replies: tunnel(SWITCHED, { awaitText: "ping" }, { awaitEnd: true }, "late"),
  },
  {
    id: "upgrade-letters",
    title: "the protocol in other letters",
    connections: at("main", get("/chat", "Connection: upgrade", "Upgrade: WebSocket"), HEAD_END, {
      awaitText: "pong",
    }),
    replies: [{ tunnel: true, steps: [SWITCHED, "pong"], after: "close" }],
  },
  {
    id: "upgrade-keep-alive-list",
    title: "connection: keep-alive, Upgrade",
    connections: at(
      "main",
      get("/chat", "Connection: keep-alive, Upgrade", "Upgrade: websocket"),
      HEAD_END,
      { awaitText: "pong" },
    ),
    replies: [{ tunnel: true, steps: [SWITCHED, "pong"], after: "close" }],
  },
  {
    id: "upgrade-refused-by-upstream",
    title: "an upstream that answers 403",
    connections: at("main", ask()),
    replies: [reply("403 Forbidden", "no")],
  },
  {
    id: "upgrade-ignored-by-upstream",
    title: "an upstream that answers 200",
    connections: at("main", ask()),
    replies: [reply("200 OK", "plain")],
  },
  {
    id: "upgrade-other-protocol",
    title: "a protocol of upgrade_configs that is no WebSocket",
    connections: at("main", get("/", "Connection: Upgrade", "Upgrade: own/1"), HEAD_END, "ping", {
      awaitText: "pong",
    }),
    replies: [
      {
        tunnel: true,
        steps: [SWITCHED.replace("websocket", "own/1"), { awaitText: "ping" }, "pong"],
        after: "close",
      },
    ],
  },
  {
    id: "upgrade-post-body",
    title: "an upgrade with a body, which is the tunnel's first bytes",
    connections: at(
      "main",
      `${request("POST /chat HTTP/1.1", ...ASK, "Content-Length: 4")}body`,
      HEAD_END,
      { awaitText: "pong" },
    ),
    replies: [
      {
        tunnel: true,
        when: "head",
        steps: [SWITCHED, { awaitText: "body" }, "pong"],
        after: "close",
      },
    ],
  },
  {
    id: "upgrade-idle",
    title: "stream_idle_timeout ends a quiet tunnel",
    connections: at("idle", ask(), HEAD_END, { awaitEnd: true }),
    replies: tunnel(SWITCHED),
  },
  {
    id: "upgrade-route-timeout",
    title: "a route's timeout ends with the 101",
    connections: at("timeout", ask(), HEAD_END, { pauseMs: 500 }, "ping", { awaitText: "pong" }),
    replies: [{ tunnel: true, steps: [SWITCHED, { awaitText: "ping" }, "pong"], after: "close" }],
  },
  {
    id: "upgrade-no-answer",
    title: "a route's timeout before the 101",
    connections: at("timeout", ask()),
    replies: tunnel("", { pauseMs: 600 }),
  },
  {
    id: "upgrade-dead",
    title: "an upgrade to an upstream that refuses",
    connections: at("dead", ask()),
  },
];

const refused: readonly Case[] = [
  {
    id: "upgrade-not-configured",
    title: "without upgrade_configs: 403, closed",
    connections: at("bare", ask()),
  },
  {
    id: "upgrade-unknown-protocol",
    title: "a protocol that no upgrade_configs names: 403",
    connections: at("main", get("/", "Connection: Upgrade", "Upgrade: gopher")),
  },
  {
    id: "upgrade-disabled",
    title: "enabled: false: 403",
    connections: at("disabled", ask()),
  },
  {
    id: "upgrade-route-disabled",
    title: "a route that switches it off: 403",
    connections: at("main", ask("/off")),
  },
  {
    id: "upgrade-route-enabled",
    title: "a route that switches it on",
    connections: at("disabled", ask("/on"), HEAD_END, { awaitText: "pong" }),
    replies: [{ tunnel: true, steps: [SWITCHED, "pong"], after: "close" }],
  },
  {
    id: "upgrade-no-connection-header",
    title: "Upgrade without Connection: an ordinary request",
    connections: at("main", get("/", "Upgrade: websocket")),
  },
  {
    id: "upgrade-h2c-configured",
    title: "Upgrade: h2c is taken out beside configured ones",
    connections: at(
      "main",
      get("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
    ),
  },
  {
    id: "upgrade-no-route",
    title: "an upgrade without a route: 404",
    connections: at("routeless", ask()),
  },
];

const connect: readonly Case[] = [
  {
    id: "connect-forwarded",
    title: "CONNECT goes up, bytes both ways",
    connections: at(
      "connect",
      request("CONNECT host.test:443 HTTP/1.1", "Host: host.test:443"),
      HEAD_END,
      "ping",
      { awaitText: "pong" },
      { fin: true },
    ),
    replies: tunnel(CONNECTED, { awaitText: "ping" }, "pong"),
  },
  {
    id: "connect-upstream-ends",
    title: "CONNECT, then the upstream's FIN",
    connections: at(
      "connect",
      request("CONNECT host.test:443 HTTP/1.1", "Host: host.test:443"),
      { awaitText: "bye" },
      { awaitEnd: true },
    ),
    replies: [{ tunnel: true, steps: [CONNECTED, "bye"], after: "close" }],
  },
  {
    id: "connect-refused-by-upstream",
    title: "CONNECT that the upstream refuses",
    connections: at("connect", request("CONNECT host.test:443 HTTP/1.1", "Host: host.test:443")),
    replies: [reply("403 Forbidden", "no")],
  },
  {
    id: "connect-no-port",
    title: "CONNECT without a port",
    connections: at("connect", request("CONNECT host.test HTTP/1.1", "Host: host.test")),
    replies: tunnel(CONNECTED),
  },
  {
    id: "connect-no-matcher",
    title: "CONNECT where only path routes are: 404",
    connections: at("main", request("CONNECT host.test:443 HTTP/1.1", "Host: host.test:443")),
  },
  {
    id: "connect-not-configured",
    title: "CONNECT with a route but no upgrade_configs: 403",
    connections: at("unconnected", request("CONNECT a.test:1 HTTP/1.1", "Host: a.test:1")),
  },
  {
    id: "connect-plain-get",
    title: "a connect_matcher takes no GET",
    connections: at("unconnected", get("/")),
  },
  {
    id: "connect-dead",
    title: "CONNECT to an upstream that refuses",
    connections: at("deadconnect", request("CONNECT a.test:1 HTTP/1.1", "Host: a.test:1")),
  },
];

function host(...routes: readonly JsonObject[]): readonly JsonObject[] {
  return [{ name: "all", domains: ["*"], routes }];
}

const UP = { cluster: "up" };
const WEBSOCKET = { upgrade_type: "websocket" };
const CONNECT = { upgrade_type: "CONNECT" };
const REST = { match: { prefix: "/" }, route: UP };

function connectRoute(cluster: string): JsonObject {
  return { match: { connect_matcher: {} }, route: { cluster } };
}

export const upgrades: Group = {
  id: "upgrades",
  title: "upgrades and CONNECT",
  sites: {
    main: {
      hcm: { upgrade_configs: [WEBSOCKET, { upgrade_type: "own/1" }] },
      virtualHosts: host(
        {
          match: { prefix: "/off" },
          route: { ...UP, upgrade_configs: [{ ...WEBSOCKET, enabled: false }] },
        },
        REST,
      ),
    },
    bare: {},
    disabled: {
      hcm: { upgrade_configs: [{ ...WEBSOCKET, enabled: false }] },
      virtualHosts: host(
        { match: { prefix: "/on" }, route: { ...UP, upgrade_configs: [WEBSOCKET] } },
        REST,
      ),
    },
    idle: { hcm: { upgrade_configs: [WEBSOCKET], stream_idle_timeout: "0.3s" } },
    timeout: {
      hcm: { upgrade_configs: [WEBSOCKET] },
      virtualHosts: host({ match: { prefix: "/" }, route: { ...UP, timeout: "0.3s" } }),
    },
    dead: {
      hcm: { upgrade_configs: [WEBSOCKET] },
      virtualHosts: host({ match: { prefix: "/" }, route: { cluster: "dead" } }),
    },
    routeless: { hcm: { upgrade_configs: [WEBSOCKET] }, virtualHosts: host() },
    connect: { hcm: { upgrade_configs: [CONNECT] }, virtualHosts: host(connectRoute("up"), REST) },
    unconnected: { virtualHosts: host(connectRoute("up")) },
    deadconnect: { hcm: { upgrade_configs: [CONNECT] }, virtualHosts: host(connectRoute("dead")) },
  },
  cases: [...allowed, ...refused, ...connect],
};
