// tcp_proxy: bytes both ways, ends of each side, upstreams that are not there, times and limits.
import { cluster } from "../bootstrap.ts";
import type { Case, Connection, Group, Piece } from "../case.ts";

function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

const LARGE = "0123456789abcdef".repeat(40_000);

const ALL_BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("");

const ends: readonly Case[] = [
  {
    id: "tcp-both-ways",
    title: "bytes of both sides, then the client's FIN",
    connections: raw("main", "ping", { awaitText: "pong" }, "more", { fin: true }),
    streams: [{ steps: [{ awaitText: "ping" }, "pong", { awaitText: "more" }] }],
  },
  {
    id: "tcp-upstream-first",
    title: "an upstream that speaks first",
    connections: raw("main", { awaitText: "220 hello" }, "quit", { awaitEnd: true }),
    streams: [{ steps: ["220 hello", { awaitText: "quit" }], after: "close" }],
  },
  {
    id: "tcp-client-half-close",
    title: "after the client's FIN the upstream still answers",
    connections: raw("main", "ask", { fin: true }, { awaitEnd: true }),
    streams: [{ steps: [{ awaitEnd: true }, "late answer"] }],
  },
  {
    id: "tcp-upstream-half-close",
    title: "after the upstream's FIN the client still speaks",
    // Apart, also on a busy machine: words and end in one read are a flush at the end (see stats).
    connections: raw(
      "main",
      "ask",
      { awaitEnd: true },
      "late words",
      { pauseMs: 400 },
      { fin: true },
    ),
    streams: [{ steps: [{ awaitText: "ask" }, "bye", { fin: true }, { awaitText: "late words" }] }],
  },
  {
    id: "tcp-client-fin-only",
    title: "a client that says nothing and ends",
    connections: raw("main", { fin: true }, { awaitEnd: true }),
    streams: [{ steps: [] }],
  },
  {
    id: "tcp-client-reset",
    title: "a client that resets its connection",
    connections: raw("main", "ping", { awaitText: "pong" }, { reset: true }),
    streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
  },
  {
    id: "tcp-upstream-reset",
    title: "an upstream that resets its connection",
    connections: raw("main", "ping", { awaitText: "pong" }, "die", { awaitEnd: true }),
    streams: [{ steps: [{ awaitText: "ping" }, "pong", { awaitText: "die" }], after: "reset" }],
  },
  {
    id: "tcp-large",
    title: "640 KB each way",
    connections: raw("main", LARGE, "end", { awaitText: "END" }, { fin: true }),
    streams: [{ steps: [{ awaitText: "end" }, LARGE, "END"] }],
  },
  {
    id: "tcp-all-bytes",
    title: "all values of a byte pass in both directions",
    connections: raw("main", ALL_BYTES, { awaitText: "\xff" }, { fin: true }),
    streams: [{ steps: [{ awaitText: "\xff" }, ALL_BYTES] }],
  },
];

const failures: readonly Case[] = [
  {
    id: "tcp-no-healthy-upstream",
    title: "a cluster without hosts: closed, UH",
    connections: raw("empty", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "tcp-connect-refused",
    title: "an upstream that refuses: closed, UF",
    connections: raw("dead", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "tcp-connect-attempts",
    title: "max_connect_attempts: 3 tries as often",
    connections: raw("tries", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "tcp-unknown-cluster",
    title: "a cluster that does not exist: closed",
    connections: raw("unknown", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "tcp-breaker",
    title: "the second connection above max_connections is closed: UO",
    connections: [
      { site: "narrow", raw: true, send: ["one", { awaitText: "1" }, { pauseMs: 150 }] },
      { site: "narrow", raw: true, send: [{ awaitEnd: true }] },
    ],
    parallel: true,
    streams: [{ steps: [{ awaitText: "one" }, "1"] }],
  },
  {
    id: "tcp-weighted",
    title: "weighted_clusters of one",
    connections: raw("weighted", "ping", { awaitText: "pong" }, { fin: true }),
    streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
  },
];

const times: readonly Case[] = [
  {
    id: "tcp-idle",
    title: "idle_timeout closes both sides",
    connections: raw("idle", "ping", { awaitText: "pong" }, { awaitEnd: true }),
    streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
  },
  {
    id: "tcp-idle-half-closed",
    title: "idle_timeout ends a connection whose upstream never answers the client's FIN",
    connections: raw("idle", "ping", { fin: true }, { awaitEnd: true }),
    streams: [{ steps: [{ awaitText: "ping" }, { pauseMs: 1000 }] }],
  },
  {
    id: "tcp-duration",
    title: "max_downstream_connection_duration closes both sides",
    connections: raw("duration", "ping", { awaitText: "pong" }, { awaitEnd: true }),
    streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
  },
  {
    id: "tcp-no-filters",
    title: "a chain without filters closes its connections",
    connections: raw("bare", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "tcp-connection-limit",
    title: "connections above the listener's limit are closed",
    connections: raw("limited", { awaitEnd: true }),
    streams: [],
  },
];

const ONE_CONNECTION = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };

export const tcp: Group = {
  id: "tcp",
  title: "TCP proxy",
  stats: "tcp\\.|listener\\.",
  sites: {
    main: { tcp: {} },
    empty: { tcp: { cluster: "empty" } },
    dead: { tcp: { cluster: "dead" } },
    tries: { tcp: { cluster: "dead", max_connect_attempts: 3 } },
    unknown: { tcp: { cluster: "nowhere" } },
    narrow: { tcp: { cluster: "narrow" } },
    weighted: {
      tcp: { weighted_clusters: { clusters: [{ name: "other", weight: 1 }] } },
    },
    idle: { tcp: { idle_timeout: "0.3s" } },
    duration: { tcp: { max_downstream_connection_duration: "0.3s" } },
    bare: { filters: [] },
    limited: { tcp: {} },
  },
  clusters: [cluster("narrow", ["$up:up"], ONE_CONNECTION)],
  bootstrap: {
    layered_runtime: {
      layers: [
        {
          name: "static",
          static_layer: { "envoy.resource_limits.listener.limited.connection_limit": 0 },
        },
      ],
    },
  },
  cases: [...ends, ...failures, ...times],
};
