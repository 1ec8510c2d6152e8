// Upstreams that are absent, refuse, close, stall or talk nonsense (checks 72-81, 84, 86, 87, 90).
import { cluster } from "../bootstrap.ts";
import {
  type Group,
  get,
  type JsonObject,
  one,
  post,
  reply,
  type Reply,
  request,
} from "../case.ts";

function route(path: string, clusterName: string, action: JsonObject = {}): JsonObject {
  return { name: path.slice(1), match: { path }, route: { cluster: clusterName, ...action } };
}

function retry(path: string, retryOn: string, more: JsonObject = {}): JsonObject {
  return route(path, "up", { retry_policy: { retry_on: retryOn, num_retries: 1, ...more } });
}

function limited(name: string, limits: JsonObject): JsonObject {
  return cluster(name, ["$up:up"], { circuit_breakers: { thresholds: [limits] } });
}

function raw(text: string, after: Reply["after"] = "keep"): readonly Reply[] {
  return [{ steps: text === "" ? [] : [text], after }];
}

const ERROR_503 = reply("503 Service Unavailable", "up says no");
const SLOW_OK: Reply = { steps: [{ pauseMs: 200 }, ...reply("200 OK", "x").steps] };
const LONG_HEAD = `HTTP/1.1 200 OK\r\nx-long: ${"a".repeat(90_000)}\r\ncontent-length: 0\r\n\r\n`;
const MANY = Array.from({ length: 101 }, (_, at) => `x-${at}: 1\r\n`).join("");

const GARBAGE: readonly (readonly [string, string])[] = [
  ["text", "this is not http\r\n\r\n"],
  ["version", "HTTP/3.7 200 OK\r\ncontent-length: 0\r\n\r\n"],
  ["status-text", "HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n"],
  ["status-99", "HTTP/1.1 99 Low\r\ncontent-length: 0\r\n\r\n"],
  ["status-600", "HTTP/1.1 600 High\r\ncontent-length: 0\r\n\r\n"],
  ["length-twice", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
  ["length-odd", "HTTP/1.1 200 OK\r\ncontent-length: 1x\r\n\r\na"],
  [
    "length-chunked",
    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
  ],
  ["encoding", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n"],
  ["header-nul", "HTTP/1.1 200 OK\r\nx-a: a\0b\r\ncontent-length: 0\r\n\r\n"],
  ["header-no-colon", "HTTP/1.1 200 OK\r\nx-a\r\ncontent-length: 0\r\n\r\n"],
  ["header-space", "HTTP/1.1 200 OK\r\nx-a : 1\r\ncontent-length: 0\r\n\r\n"],
  ["bare-lf", "HTTP/1.1 200 OK\nx-a: 1\ncontent-length: 1\n\nz"],
  ["obs-fold", "HTTP/1.1 200 OK\r\nx-a: 1\r\n 2\r\ncontent-length: 1\r\n\r\nz"],
  ["chunk-size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"],
  ["status-101", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
];

export const failures: Group = {
  id: "failures",
  title: "upstream failures, retries, circuit breakers",
  clusters: [
    limited("no_pending", { max_pending_requests: 0, max_connections: 1 }),
    limited("one_connection", { max_connections: 1 }),
    limited("no_retries", { max_retries: 0 }),
    cluster("one_request", ["$up:up"], {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          explicit_http_config: { http_protocol_options: {} },
          common_http_protocol_options: { max_requests_per_connection: 1 },
        },
      },
    }),
  ],
  sites: {
    main: {
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            route("/empty", "empty"),
            route("/dead", "dead"),
            route("/no-pending", "no_pending"),
            route("/one-connection", "one_connection"),
            route("/one-request", "one_request"),
            retry("/retry", "5xx"),
            retry("/retry-gateway", "gateway-error"),
            retry("/retry-4xx", "retriable-4xx"),
            retry("/retry-connect", "connect-failure"),
            retry("/retry-reset", "reset"),
            retry("/retry-codes", "retriable-status-codes", { retriable_status_codes: [418] }),
            retry("/retry-headers", "retriable-headers", {
              retriable_headers: [{ name: "x-again", present_match: true }],
            }),
            route("/retry-dead", "dead", {
              retry_policy: { retry_on: "connect-failure", num_retries: 2 },
            }),
            route("/retry-none", "no_retries", {
              retry_policy: { retry_on: "5xx", num_retries: 1 },
            }),
            { match: { prefix: "/" }, name: "rest", route: { cluster: "up" } },
          ],
        },
      ],
    },
  },
  cases: [
    {
      id: "no-healthy-upstream",
      title: "a cluster without endpoints (check 90)",
      connections: [{ send: [get("/empty"), get("/")], responses: 2 }],
    },
    {
      id: "no-healthy-upstream-grpc",
      title: "the same for gRPC (check 27)",
      connections: one(get("/empty", "Content-Type: application/grpc")),
    },
    {
      id: "no-healthy-upstream-head",
      title: "the same for HEAD",
      connections: [{ send: [request("HEAD /empty HTTP/1.1")], head: true }],
    },
    {
      id: "connection-refused",
      title: "nobody listens (check 74)",
      connections: [{ send: [get("/dead"), get("/")], responses: 2 }],
    },
    {
      id: "connection-refused-post",
      title: "nobody listens and the body is not complete",
      connections: one(`${request("POST /dead HTTP/1.1", "Content-Length: 9")}abc`),
    },
    {
      id: "upstream-closes-at-once",
      title: "the upstream closes instead of an answer (check 75)",
      connections: one(get("/")),
      replies: raw("", "close"),
    },
    {
      id: "upstream-resets-at-once",
      title: "the upstream resets instead of an answer",
      connections: one(get("/")),
      replies: raw("", "reset"),
    },
    {
      id: "upstream-closes-post",
      title: "the upstream closes instead of an answer to POST",
      connections: one(post("/", "abc")),
      replies: raw("", "close"),
    },
    {
      id: "upstream-closes-in-head",
      title: "the upstream closes in the middle of its head",
      connections: one(get("/")),
      replies: raw("HTTP/1.1 200 OK\r\nx-a: 1\r\n", "close"),
    },
    {
      id: "upstream-closes-in-body",
      title: "the upstream closes in the middle of a body by length (check 76)",
      connections: one(get("/")),
      replies: raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "close"),
    },
    {
      id: "upstream-resets-in-body",
      title: "the upstream resets in the middle of a body by length (check 76)",
      connections: one(get("/")),
      replies: [
        {
          steps: ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", { pauseMs: 60 }],
          after: "reset",
        },
      ],
    },
    {
      id: "upstream-closes-in-chunked-body",
      title: "the upstream closes in the middle of a chunked body (check 76)",
      connections: one(get("/")),
      replies: raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", "close"),
    },
    {
      id: "upstream-surplus-bytes",
      title: "bytes behind a complete response",
      connections: [{ send: [get("/1"), { awaitText: "ab" }, get("/2")], responses: 2 }],
      replies: raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabSURPLUS"),
    },
    {
      id: "upstream-closes-after-response",
      title: "the upstream closes behind a response without having said so",
      connections: [{ send: [get("/1"), { pauseMs: 80 }, get("/2")], responses: 2 }],
      replies: [{ ...reply("200 OK", "x"), after: "close" }],
    },
    {
      id: "upstream-long-head",
      title: "response headers above the limit (check 79)",
      connections: one(get("/")),
      replies: raw(LONG_HEAD),
    },
    {
      id: "upstream-many-headers",
      title: "more than 100 response headers (check 79)",
      connections: one(get("/")),
      replies: raw(`HTTP/1.1 200 OK\r\n${MANY}content-length: 0\r\n\r\n`),
    },
    ...GARBAGE.map(([name, text]) => ({
      id: `upstream-garbage-${name}`,
      title: `an odd answer of the upstream: ${name} (check 78)`,
      connections: one(get("/")),
      replies: raw(text, "close"),
    })),
    {
      id: "overflow-pending",
      title: "max_pending_requests: 0 (check 84)",
      connections: one(get("/no-pending")),
    },
    {
      id: "overflow-connections-queue",
      title: "max_connections: 1, two requests at once: the second waits (check 86)",
      parallel: true,
      connections: [{ send: [get("/one-connection")] }, { send: [get("/one-connection")] }],
      replies: [SLOW_OK],
    },
    {
      id: "one-request-per-connection",
      title: "max_requests_per_connection of a cluster",
      connections: [
        { send: [get("/one-request"), { awaitText: "ok" }, get("/one-request")], responses: 2 },
      ],
    },
    {
      id: "retry-good",
      title: "503, then 200 (check 72)",
      connections: one(get("/retry")),
      replies: [ERROR_503],
    },
    {
      id: "retry-limit",
      title: "503 twice (check 73)",
      connections: one(get("/retry")),
      replies: [ERROR_503, ERROR_503],
    },
    {
      id: "retry-post",
      title: "a body is sent again",
      connections: one(post("/retry", "abc")),
      replies: [ERROR_503],
    },
    {
      id: "retry-closed",
      title: "5xx covers a connection that was closed",
      connections: one(get("/retry")),
      replies: raw("", "close"),
    },
    {
      id: "retry-gateway-500",
      title: "gateway-error does not cover 500 (check 81)",
      connections: one(get("/retry-gateway")),
      replies: [reply("500 Internal Server Error", "no")],
    },
    {
      id: "retry-gateway-502",
      title: "gateway-error covers 502 (check 81)",
      connections: one(get("/retry-gateway")),
      replies: [reply("502 Bad Gateway", "no")],
    },
    {
      id: "retry-4xx-409",
      title: "retriable-4xx covers 409 (check 81)",
      connections: one(get("/retry-4xx")),
      replies: [reply("409 Conflict", "no")],
    },
    {
      id: "retry-4xx-404",
      title: "retriable-4xx does not cover 404 (check 81)",
      connections: one(get("/retry-4xx")),
      replies: [reply("404 Not Found", "no")],
    },
    {
      id: "retry-connect-503",
      title: "connect-failure does not cover a 503 of the upstream",
      connections: one(get("/retry-connect")),
      replies: [ERROR_503],
    },
    {
      id: "retry-dead",
      title: "connect-failure twice again, all refused",
      connections: one(get("/retry-dead")),
    },
    {
      id: "retry-reset-closed",
      title: "reset covers a connection that was closed",
      connections: one(get("/retry-reset")),
      replies: raw("", "close"),
    },
    {
      id: "retry-codes-418",
      title: "retriable_status_codes (check 80)",
      connections: one(get("/retry-codes")),
      replies: [reply("418 Teapot", "no")],
    },
    {
      id: "retry-headers",
      title: "retriable_headers",
      connections: one(get("/retry-headers")),
      replies: [reply("200 OK", "no", "X-Again: 1")],
    },
    {
      id: "retry-overflow",
      title: "max_retries: 0 (check 87)",
      connections: one(get("/retry-none")),
      replies: [ERROR_503],
    },
    {
      id: "retry-after-response-started",
      title: "no retry once a response has started",
      connections: one(get("/retry")),
      replies: raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "close"),
    },
    {
      id: "status-503-relayed",
      title: "a 503 of the upstream is its own",
      connections: one(get("/")),
      replies: [ERROR_503],
    },
  ],
};
