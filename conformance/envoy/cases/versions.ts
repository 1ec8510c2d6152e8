// HTTP/1.0 clients, limits of heads, codec options (checks 2, 6, 7, 13, 45, and trailers).
import { httpCluster } from "../bootstrap.ts";
import { type Group, get, one, post, reply, request } from "../case.ts";

const OLD = "GET / HTTP/1.0\r\n\r\n";
const CHUNKED_OK = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

function lines(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `X-${at}: ${at}`);
}

export const versions: Group = {
  id: "versions",
  title: "HTTP/1.0, limits, codec options",
  clusters: [
    httpCluster("up_trailers", ["$up:up"], { http_protocol_options: { enable_trailers: true } }),
  ],
  sites: {
    main: {},
    accept: { hcm: { http_protocol_options: { accept_http_10: true } } },
    default_host: {
      hcm: {
        http_protocol_options: { accept_http_10: true, default_host_for_http_10: "old.local" },
      },
    },
    trailers: {
      hcm: { http_protocol_options: { enable_trailers: true } },
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            { match: { prefix: "/t" }, route: { cluster: "up_trailers" } },
            { match: { prefix: "/" }, route: { cluster: "up" } },
          ],
        },
      ],
    },
    proper_case: {
      hcm: { http_protocol_options: { header_key_format: { proper_case_words: {} } } },
    },
    pass_continue: { hcm: { proxy_100_continue: true } },
    small_head: { hcm: { max_request_headers_kb: 1 } },
    few_headers: { hcm: { common_http_protocol_options: { max_headers_count: 5 } } },
  },
  cases: [
    {
      id: "http10-refused",
      title: "HTTP/1.0 is 426 (check 2)",
      connections: one(request("GET / HTTP/1.0")),
    },
    {
      id: "http10-refused-keep-alive",
      title: "HTTP/1.0 with keep-alive is 426 and closed (check 2)",
      connections: one(request("GET / HTTP/1.0", "Connection: keep-alive")),
    },
    {
      id: "http10-no-host",
      title: "accepted HTTP/1.0 without Host (check 2)",
      connections: one(OLD, "accept"),
    },
    {
      id: "http10-accepted",
      title: "accepted HTTP/1.0 closes after the reply (check 2)",
      connections: one(request("GET / HTTP/1.0"), "accept"),
    },
    {
      id: "http10-keep-alive",
      title: "accepted HTTP/1.0 with keep-alive stays open (check 2)",
      connections: [
        {
          site: "accept",
          send: [
            request("GET /1 HTTP/1.0", "Connection: Keep-Alive"),
            { awaitText: "ok" },
            request("GET /2 HTTP/1.0", "Connection: Keep-Alive"),
          ],
          responses: 2,
        },
      ],
    },
    {
      id: "http10-chunked-response",
      title: "a chunked upstream answer to an HTTP/1.0 client is delimited by close",
      connections: one(request("GET / HTTP/1.0"), "accept"),
      replies: [{ steps: [`${CHUNKED_OK}3\r\nabc\r\n0\r\n\r\n`] }],
    },
    {
      id: "http10-keep-alive-chunked-response",
      title: "the same with keep-alive",
      connections: one(request("GET / HTTP/1.0", "Connection: keep-alive"), "accept"),
      replies: [{ steps: [`${CHUNKED_OK}3\r\nabc\r\n0\r\n\r\n`] }],
    },
    {
      id: "http10-post",
      title: "POST from HTTP/1.0",
      connections: one(`${request("POST /p HTTP/1.0", "Content-Length: 3")}abc`, "accept"),
    },
    {
      id: "http10-default-host",
      title: "default_host_for_http_10 fills a missing Host (check 2)",
      connections: one(OLD, "default_host"),
    },
    {
      id: "http10-head",
      title: "HEAD from HTTP/1.0",
      connections: [{ site: "accept", send: [request("HEAD / HTTP/1.0")], head: true }],
    },
    {
      id: "head-60k",
      title: "a head of more than 60 KiB (check 6)",
      connections: one(get("/", `X-Long: ${"a".repeat(61_500)}`)),
    },
    {
      id: "head-59k",
      title: "a head a little below 60 KiB passes",
      connections: one(get("/", `X-Long: ${"a".repeat(61_000)}`)),
    },
    {
      id: "head-1k",
      title: "max_request_headers_kb: 1",
      connections: one(get("/", `X-Long: ${"a".repeat(1_100)}`), "small_head"),
    },
    {
      id: "url-long",
      title: "a target of more than 60 KiB",
      connections: one(get(`/${"a".repeat(62_000)}`)),
    },
    {
      id: "headers-100",
      title: "100 headers, Host among them, pass (check 7)",
      connections: one(get("/", ...lines(99))),
    },
    {
      id: "headers-101",
      title: "101 headers (check 7)",
      connections: one(get("/", ...lines(100))),
    },
    {
      id: "headers-few",
      title: "max_headers_count: 5",
      connections: one(get("/", ...lines(5)), "few_headers"),
    },
    {
      id: "trailers-request",
      title: "enable_trailers forwards a client's trailers as far as the upstream's codec does",
      connections: one(
        `${request("POST / HTTP/1.1", "Transfer-Encoding: chunked")}1\r\na\r\n0\r\nX-T: 1\r\n\r\n`,
        "trailers",
      ),
    },
    {
      id: "trailers-response",
      title: "trailers of an upstream whose codec does not enable them",
      connections: one(get("/", "TE: trailers"), "trailers"),
      replies: [{ steps: [`${CHUNKED_OK}2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n`] }],
    },
    {
      id: "trailers-both-enabled",
      title: "trailers both ways with enable_trailers on both sides",
      connections: one(
        `${request("POST /t HTTP/1.1", "Transfer-Encoding: chunked", "TE: trailers")}` +
          "1\r\na\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n",
        "trailers",
      ),
      replies: [{ steps: [`${CHUNKED_OK}2\r\nhi\r\n0\r\nX-R: 1\r\n\r\n`] }],
    },
    {
      id: "proper-case",
      title: "proper_case_words on the downstream side (check 45)",
      connections: one(get("/", "x-foo-BAR: 1"), "proper_case"),
      replies: [reply("200 OK", "x", "x-foo: 1", "ETag: a", "www-authenticate: b")],
    },
    {
      id: "continue-proxied",
      title: "proxy_100_continue forwards the upstream's own 100 (check 13)",
      connections: [
        {
          site: "pass_continue",
          send: [
            request("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 3"),
            { awaitText: "100 Continue" },
            "abc",
          ],
        },
      ],
      replies: [
        {
          when: "head",
          steps: [
            "HTTP/1.1 100 Continue\r\n\r\n",
            { awaitRequestEnd: true },
            ...reply("200 OK", "x").steps,
          ],
        },
      ],
    },
    {
      id: "continue-proxied-103",
      title: "proxy_100_continue and 103 Early Hints",
      connections: one(get("/"), "pass_continue"),
      replies: [
        {
          steps: [
            "HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n",
            { pauseMs: 30 },
            ...reply("200 OK", "x").steps,
          ],
        },
      ],
    },
    {
      id: "continue-then-error",
      title: "a final answer instead of 100 with proxy_100_continue",
      connections: [
        {
          site: "pass_continue",
          send: [request("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 3")],
        },
      ],
      replies: [{ when: "head", steps: [...reply("417 Expectation Failed", "no").steps] }],
    },
    {
      id: "post-accept-site",
      title: "HTTP/1.1 on a listener that takes HTTP/1.0, too",
      connections: one(post("/", "abc"), "accept"),
    },
  ],
};
