// Deadlines of connections, requests and routes, all short (checks 16-21, 64-68).
import { cluster } from "../bootstrap.ts";
import { type Group, get, type JsonObject, one, post, reply, request } from "../case.ts";

const SLOW = { steps: [{ pauseMs: 900 }, ...reply("200 OK", "late").steps] } as const;
const HALF_POST = request("POST / HTTP/1.1", "Content-Length: 10");

function route(path: string, action: JsonObject): JsonObject {
  return { name: path.slice(1), match: { path }, route: { cluster: "up", ...action } };
}

export const timeouts: Group = {
  id: "timeouts",
  title: "deadlines",
  sites: {
    main: {
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            route("/short", { timeout: "0.2s" }),
            route("/off", { timeout: "0s" }),
            route("/idle", { idle_timeout: "0.2s" }),
            route("/try", {
              timeout: "5s",
              retry_policy: { num_retries: 0, per_try_timeout: "0.2s" },
            }),
            route("/try-retry", {
              timeout: "5s",
              retry_policy: { retry_on: "5xx", num_retries: 1, per_try_timeout: "0.2s" },
            }),
            route("/try-idle", {
              timeout: "5s",
              retry_policy: { num_retries: 0, per_try_idle_timeout: "0.2s" },
            }),
            route("/max", { max_stream_duration: { max_stream_duration: "0.2s" } }),
            { name: "capped", match: { path: "/capped" }, route: { cluster: "capped" } },
            route("/rest", {}),
          ],
        },
      ],
    },
    stream_idle: { hcm: { stream_idle_timeout: "0.2s" } },
    request: { hcm: { request_timeout: "0.2s" } },
    headers: { hcm: { request_headers_timeout: "0.2s" } },
    cx_idle: { hcm: { common_http_protocol_options: { idle_timeout: "0.2s" } } },
    cx_max: {
      hcm: {
        common_http_protocol_options: { max_connection_duration: "0.3s" },
        drain_timeout: "10s",
      },
    },
    cx_requests: { hcm: { common_http_protocol_options: { max_requests_per_connection: 1 } } },
    cx_requests_two: { hcm: { common_http_protocol_options: { max_requests_per_connection: 2 } } },
    stream_max: { hcm: { common_http_protocol_options: { max_stream_duration: "0.2s" } } },
    internal: {
      hcm: {
        internal_address_config: { cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }] },
      },
    },
    no_delayed_close: { hcm: { delayed_close_timeout: "0s" } },
    drain_short: {
      hcm: {
        common_http_protocol_options: { idle_timeout: "0.1s" },
        drain_timeout: "0.1s",
      },
    },
  },
  clusters: [
    cluster("capped", ["$up:up"], {
      common_http_protocol_options: { max_stream_duration: "0.2s" },
    }),
  ],
  cases: [
    {
      id: "cluster-max-duration-silent",
      title: "a cluster's max_stream_duration and a silent upstream",
      connections: one(get("/capped")),
      replies: [SLOW],
    },
    {
      id: "cluster-max-duration-half-request",
      title: "a cluster's max_stream_duration while the request comes",
      connections: one(`${request("POST /capped HTTP/1.1", "Content-Length: 10")}abc`),
      replies: [{ when: "complete", steps: [] }],
    },
    {
      id: "cluster-max-duration-half-response",
      title: "a cluster's max_stream_duration in the middle of a response",
      connections: one(get("/capped")),
      replies: [{ steps: ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", { pauseMs: 900 }] }],
    },
    {
      id: "stream-idle-half-body",
      title: "half a body, then nothing (check 16)",
      connections: one(`${HALF_POST}abc`, "stream_idle"),
    },
    {
      id: "stream-idle-silent-upstream",
      title: "a complete request and a silent upstream under stream_idle_timeout",
      connections: one(get("/"), "stream_idle"),
      replies: [SLOW],
    },
    {
      id: "stream-idle-half-response",
      title: "half a response, then nothing",
      connections: one(get("/"), "stream_idle"),
      replies: [{ steps: ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", { pauseMs: 900 }] }],
    },
    {
      id: "request-timeout",
      title: "request_timeout while the body comes (check 17)",
      connections: one(`${HALF_POST}abc`, "request"),
    },
    {
      id: "request-headers-timeout",
      title: "request_headers_timeout in the middle of a head (check 18)",
      connections: one("GET / HTTP/1.1\r\nHost: a", "headers"),
    },
    {
      id: "request-headers-timeout-fine",
      title: "a complete head disarms request_headers_timeout",
      connections: one(get("/"), "headers"),
      replies: [{ steps: [{ pauseMs: 350 }, ...reply("200 OK", "x").steps] }],
    },
    {
      id: "connection-idle-unused",
      title: "idle_timeout of a connection without a request (check 19)",
      connections: [{ site: "cx_idle", send: [], responses: 0 }],
    },
    {
      id: "connection-idle-after-request",
      title: "idle_timeout after a request drains first (check 19)",
      connections: one(get("/"), "drain_short"),
    },
    {
      id: "connection-max-duration",
      title: "max_connection_duration (check 20)",
      connections: [
        { site: "cx_max", send: [get("/1"), { pauseMs: 1000 }, get("/2")], responses: 2 },
      ],
    },
    {
      id: "connection-max-requests-1",
      title: "max_requests_per_connection: 1 (check 21)",
      connections: one(get("/"), "cx_requests"),
    },
    {
      id: "connection-max-requests-2",
      title: "max_requests_per_connection: 2",
      connections: [
        {
          site: "cx_requests_two",
          send: [get("/1"), { awaitText: "ok" }, get("/2")],
          responses: 2,
        },
      ],
    },
    {
      id: "no-delayed-close",
      title: "delayed_close_timeout: 0s",
      connections: one("BAD\r\n\r\n", "no_delayed_close"),
    },
    {
      id: "route-timeout",
      title: "a silent upstream and the route's timeout (check 64)",
      connections: one(get("/short")),
      replies: [SLOW],
    },
    {
      id: "route-timeout-half-response",
      title: "the route's timeout in the middle of a response",
      connections: one(get("/short")),
      replies: [{ steps: ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", { pauseMs: 900 }] }],
    },
    {
      id: "route-timeout-head-only",
      title: "the route's timeout behind a chunked head without a body",
      connections: one(get("/short")),
      replies: [
        { steps: ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", { pauseMs: 900 }] },
      ],
    },
    {
      id: "route-timeout-keeps-connection",
      title: "the next request on the same client connection after a timeout",
      connections: [{ send: [get("/short"), { awaitText: "504" }, get("/rest")], responses: 2 }],
      replies: [SLOW],
    },
    {
      id: "route-timeout-slow-upload",
      title: "the timer starts at the end of the request (check 67)",
      connections: [
        {
          send: [
            request("POST /short HTTP/1.1", "Content-Length: 6"),
            "abc",
            { pauseMs: 350 },
            "def",
          ],
        },
      ],
    },
    {
      id: "route-timeout-off",
      title: "timeout: 0s sends no expected time upstream",
      connections: one(get("/off")),
    },
    {
      id: "route-timeout-alt-response",
      title: "x-envoy-upstream-rq-timeout-alt-response (check 68)",
      connections: one(get("/short", "x-envoy-upstream-rq-timeout-alt-response: 1")),
      replies: [SLOW],
    },
    {
      id: "route-idle",
      title: "idle_timeout of a route",
      connections: one(get("/idle")),
      replies: [SLOW],
    },
    {
      id: "per-try-timeout",
      title: "per_try_timeout without retries (check 65)",
      connections: one(get("/try")),
      replies: [SLOW],
    },
    {
      id: "per-try-timeout-retried",
      title: "per_try_timeout, then a good answer",
      connections: one(get("/try-retry")),
      replies: [SLOW],
    },
    {
      id: "per-try-idle-timeout",
      title: "per_try_idle_timeout without retries",
      connections: one(get("/try-idle")),
      replies: [SLOW],
    },
    {
      id: "route-max-stream-duration",
      title: "max_stream_duration of a route (check 66)",
      connections: one(get("/max")),
      replies: [SLOW],
    },
    {
      id: "route-max-stream-duration-upload",
      title: "max_stream_duration while the request comes (check 66)",
      connections: one(`${request("POST /max HTTP/1.1", "Content-Length: 9")}abc`),
    },
    {
      id: "hcm-max-stream-duration",
      title: "max_stream_duration of the HCM (check 66)",
      connections: one(get("/"), "stream_max"),
      replies: [SLOW],
    },
    {
      id: "hcm-max-stream-duration-upload",
      title: "max_stream_duration of the HCM while the request comes (check 66)",
      connections: one(`${HALF_POST}abc`, "stream_max"),
    },
    {
      id: "timeout-header-honoured",
      title: "x-envoy-upstream-rq-timeout-ms of a client (check 38)",
      connections: one(get("/rest", "x-envoy-upstream-rq-timeout-ms: 200")),
      replies: [SLOW],
    },
    {
      id: "timeout-header-internal",
      title: "x-envoy-upstream-rq-timeout-ms of an internal client ends the request (check 38)",
      connections: one(
        get("/", "X-Forwarded-For: 127.0.0.5", "x-envoy-upstream-rq-timeout-ms: 250"),
        "internal",
      ),
      replies: [SLOW],
    },
    {
      id: "timeout-header-per-try",
      title: "x-envoy-upstream-rq-per-try-timeout-ms of a client",
      connections: one(get("/rest", "x-envoy-upstream-rq-per-try-timeout-ms: 200")),
      replies: [SLOW],
    },
    {
      id: "client-half-body-gone",
      title: "a client that goes away in the middle of its body",
      connections: [
        {
          send: [`${HALF_POST}abc`.replace("POST /", "POST /rest"), { pauseMs: 300 }],
          abort: true,
        },
      ],
    },
    {
      id: "client-gone-in-response",
      title: "a client that goes away in the middle of a response",
      connections: [{ send: [get("/rest"), { awaitText: "abc" }], abort: true }],
      replies: [
        {
          steps: ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", { pauseMs: 300 }, "defghij"],
        },
      ],
    },
    {
      id: "post-rest",
      title: "a body within all deadlines",
      connections: one(post("/rest", "abc")),
    },
  ],
};
