// Plain proxying: framing, header order, hop-by-hop rules, persistence on both sides.
import { type Group, get, one, post, reply, request } from "../case.ts";

const CHUNKED_OK = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

const REQUEST_LISTS = [
  "access-control-request-headers",
  "access-control-request-method",
  "access-control-request-private-network",
  "authentication",
  "authorization",
  "grpc-accept-encoding",
  "if-match",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
];
const RESPONSE_LISTS = [
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-allow-private-network",
  "access-control-expose-headers",
  "access-control-max-age",
  "vary",
  "www-authenticate",
];

/** A line with each of two values. */
function twice(names: readonly string[]): string[] {
  return names.flatMap((name) => [`${name}: 1`, `${name}: 2`]);
}

export const forwarding: Group = {
  id: "forwarding",
  title: "plain proxying with the defaults of the HCM (checks 4, 23, 28, 35, 37, 38, 45)",
  sites: { main: {} },
  cases: [
    {
      id: "get-plain",
      title: "headers that a GET gains on the way up and its response on the way down",
      connections: one(get("/a/b?c=d", "User-Agent: probe", "X-One: 1")),
      replies: [reply("200 OK", "hello", "x-up: 1", "content-type: text/plain")],
    },
    {
      id: "get-no-upstream-headers",
      title: "a response with nothing but a length",
      connections: one(get("/")),
    },
    {
      id: "post-length",
      title: "a body by content-length",
      connections: one(post("/p", "abcdef", "Content-Type: text/plain")),
    },
    {
      id: "post-empty",
      title: "content-length: 0 on both sides",
      connections: one(post("/p", "")),
      replies: [reply("200 OK", "")],
    },
    {
      id: "post-no-length",
      title: "a POST without any framing has no body",
      connections: one(request("POST /p HTTP/1.1")),
    },
    {
      id: "post-in-pieces",
      title: "a body that comes in three writes",
      connections: [
        {
          send: [
            request("POST /p HTTP/1.1", "Content-Length: 9"),
            "abc",
            { pauseMs: 30 },
            "def",
            { pauseMs: 30 },
            "ghi",
          ],
        },
      ],
    },
    {
      id: "head-split-bytewise",
      title: "a request head in single bytes",
      connections: [{ send: [...get("/s").match(/[\s\S]{1,9}/g)!] }],
    },
    {
      id: "chunked-request",
      title: "a chunked request body stays chunked",
      connections: one(
        `${request("POST /c HTTP/1.1", "Transfer-Encoding: chunked")}3\r\nabc\r\n` +
          "2\r\nde\r\n0\r\n\r\n",
      ),
    },
    {
      id: "chunked-request-extension",
      title: "chunk extensions are dropped",
      connections: one(
        `${request("POST /c HTTP/1.1", "Transfer-Encoding: chunked")}3;a=b\r\nabc\r\n0\r\n\r\n`,
      ),
    },
    {
      id: "chunked-request-trailers-dropped",
      title: "request trailers are dropped without enable_trailers",
      connections: one(
        `${request("POST /c HTTP/1.1", "Transfer-Encoding: chunked", "Trailer: X-T")}` +
          "3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
      ),
    },
    {
      id: "chunked-mixed-case",
      title: "Transfer-Encoding: Chunked in another case",
      connections: one(
        `${request("POST /c HTTP/1.1", "Transfer-Encoding: Chunked")}1\r\nz\r\n0\r\n\r\n`,
      ),
    },
    {
      id: "chunked-response",
      title: "a chunked response stays chunked",
      connections: one(get("/")),
      replies: [{ steps: [`${CHUNKED_OK}5\r\nhello\r\n0\r\n\r\n`] }],
    },
    {
      id: "chunked-response-trailers-dropped",
      title: "response trailers are dropped without enable_trailers",
      connections: one(get("/", "TE: trailers")),
      replies: [{ steps: [`${CHUNKED_OK}2\r\nhi\r\n0\r\nx-t: 1\r\n\r\n`] }],
    },
    {
      id: "chunked-response-slow",
      title: "chunks that come one by one",
      connections: one(get("/")),
      replies: [{ steps: [CHUNKED_OK, "1\r\na\r\n", { pauseMs: 40 }, "1\r\nb\r\n", "0\r\n\r\n"] }],
    },
    {
      id: "close-delimited-response",
      title: "an HTTP/1.0 upstream that ends the body by closing",
      connections: one(get("/")),
      replies: [
        {
          steps: ["HTTP/1.0 200 OK\r\nserver: old\r\ncontent-type: text/html\r\n\r\n<p>"],
          after: "close",
        },
      ],
    },
    {
      id: "close-delimited-response-11",
      title: "an HTTP/1.1 upstream that ends the body by closing",
      connections: one(get("/")),
      replies: [{ steps: ["HTTP/1.1 200 OK\r\n\r\nabc"], after: "close" }],
    },
    {
      id: "upstream-connection-close",
      title: "connection: close from the upstream stays between it and the proxy",
      connections: [{ send: [get("/1"), get("/2")], responses: 2 }],
      replies: [{ ...reply("200 OK", "one", "Connection: close"), after: "close" }],
    },
    {
      id: "upstream-keep-alive-header",
      title: "keep-alive headers of an upstream are not forwarded",
      connections: one(get("/")),
      replies: [reply("200 OK", "x", "Connection: keep-alive", "Keep-Alive: timeout=5")],
    },
    {
      id: "upstream-http10-keep-alive",
      title: "an HTTP/1.0 upstream with keep-alive is used again",
      connections: [{ send: [get("/1"), get("/2")], responses: 2 }],
      replies: [
        { steps: ["HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na"] },
      ],
    },
    {
      id: "client-connection-close",
      title: "connection: close from the client closes after the response",
      connections: one(get("/", "Connection: close")),
    },
    {
      id: "client-connection-close-mixed-case",
      title: "Connection: Close in another case, among other options",
      connections: one(get("/", "Connection: X-Foo, Close", "X-Foo: 1")),
    },
    {
      id: "keep-alive-reuse",
      title: "two requests on one connection use one upstream connection",
      connections: [{ send: [get("/1"), { awaitText: "\r\n\r\nok" }, get("/2")], responses: 2 }],
    },
    {
      id: "two-connections",
      title: "two clients one after the other share the upstream connection",
      connections: [...one(get("/1")), ...one(get("/2"))],
    },
    {
      id: "pipelined",
      title: "three pipelined requests in one write are answered in order",
      connections: [{ send: [get("/1") + post("/2", "xy") + get("/3")], responses: 3 }],
      replies: [
        { steps: [{ pauseMs: 40 }, ...reply("200 OK", "first").steps] },
        reply("201 Created", "second"),
        reply("200 OK", "third"),
      ],
    },
    {
      id: "pipelined-after-close",
      title: "what comes behind a request with connection: close is not answered",
      connections: [{ send: [get("/1", "Connection: close") + get("/2")] }],
    },
    {
      id: "head-length",
      title: "HEAD keeps the content-length and has no body",
      connections: [{ send: [request("HEAD / HTTP/1.1")], head: true }],
      replies: [{ steps: ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"] }],
    },
    {
      id: "head-chunked",
      title: "HEAD answered with transfer-encoding",
      connections: [{ send: [request("HEAD / HTTP/1.1")], head: true }],
      replies: [{ steps: [CHUNKED_OK] }],
    },
    {
      id: "head-no-framing",
      title: "HEAD answered without any framing",
      connections: [{ send: [request("HEAD / HTTP/1.1")], head: true }],
      replies: [{ steps: ["HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\n"] }],
    },
    {
      id: "status-204",
      title: "204 has no framing",
      connections: [{ send: [get("/1"), get("/2")], responses: 2 }],
      replies: [{ steps: ["HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n"] }],
    },
    {
      id: "status-204-with-length",
      title: "204 with content-length: 0 from the upstream",
      connections: one(get("/")),
      replies: [{ steps: ["HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"] }],
    },
    {
      id: "status-304",
      title: "304 keeps the content-length of the body it does not have",
      connections: [{ send: [get("/1"), get("/2")], responses: 2 }],
      replies: [
        { steps: ['HTTP/1.1 304 Not Modified\r\netag: "x"\r\ncontent-length: 10\r\n\r\n'] },
      ],
    },
    {
      id: "status-304-no-length",
      title: "304 without content-length",
      connections: one(get("/")),
      replies: [{ steps: ['HTTP/1.1 304 Not Modified\r\netag: "x"\r\n\r\n'] }],
    },
    {
      id: "status-unknown-reason",
      title: "an unknown status and an odd reason phrase",
      connections: one(get("/")),
      replies: [reply("299 Fine By Me", "x")],
    },
    {
      id: "status-no-reason",
      title: "a status line without a reason phrase",
      connections: one(get("/")),
      replies: [{ steps: ["HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx"] }],
    },
    {
      id: "interim-103",
      title: "103 Early Hints before the response",
      connections: one(get("/")),
      replies: [
        {
          steps: [
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n",
            { pauseMs: 30 },
            ...reply("200 OK", "x").steps,
          ],
        },
      ],
    },
    {
      id: "interim-100-from-upstream",
      title: "an unasked 100 Continue of the upstream is not forwarded",
      connections: one(get("/")),
      replies: [{ steps: ["HTTP/1.1 100 Continue\r\n\r\n", ...reply("200 OK", "x").steps] }],
    },
    {
      id: "interim-102",
      title: "102 Processing before the response",
      connections: one(get("/")),
      replies: [{ steps: ["HTTP/1.1 102 Processing\r\n\r\n", ...reply("200 OK", "x").steps] }],
    },
    {
      id: "duplicate-headers",
      title: "repeated header lines keep their order and stay apart",
      connections: one(get("/", "X-A: 1", "X-B: b", "x-a: 2", "Cookie: a=1", "Cookie: b=2")),
      replies: [reply("200 OK", "x", "Set-Cookie: a=1", "X-Z: 1", "Set-Cookie: b=2", "X-Z: 2")],
    },
    {
      id: "header-order",
      title: "where the proxy's own headers stand among others",
      connections: one(
        [
          "GET / HTTP/1.1",
          "Zebra: 1",
          "Accept: */*",
          "Host: test.local",
          "Via: 1.0 x",
          "Apple: 2",
          "",
          "",
        ].join("\r\n"),
      ),
      replies: [
        reply("200 OK", "x", "zz: 1", "Date: Mon, 01 Jan 2024 00:00:00 GMT", "server: s", "aa: 2"),
      ],
    },
    {
      id: "header-values",
      title: "empty values, white space around values, bytes above 127, long names",
      connections: one(
        get(
          "/",
          "X-Empty:",
          "X-Space:   a  b \t",
          "X-Latin: \xe9\xff",
          "X-Tab:\tq",
          "x-1!#$%&'*+-.^_`|~: t",
        ),
      ),
      replies: [reply("200 OK", "x", "X-Empty:", "X-Space:   a  b \t", "X-Latin: \xe9\xff")],
    },
    {
      id: "hop-by-hop-request",
      title: "headers that belong to one hop only are removed (check 35)",
      connections: one(
        get(
          "/",
          "Connection: keep-alive, foo",
          "Foo: 1",
          "Keep-Alive: timeout=3",
          "Proxy-Connection: keep-alive",
          "TE: gzip",
        ),
      ),
    },
    {
      id: "hop-by-hop-te-trailers",
      title: "te: trailers is kept (check 35)",
      connections: one(get("/", "TE: trailers", "Connection: TE")),
    },
    {
      id: "hop-by-hop-response",
      title: "hop-by-hop headers of a response",
      connections: one(get("/")),
      replies: [
        reply(
          "200 OK",
          "x",
          "Connection: foo",
          "Foo: 1",
          "Proxy-Connection: x",
          "Trailer: x",
          "Upgrade: h2c",
        ),
      ],
    },
    {
      id: "connection-names-forwarded-header",
      title: "Connection may not remove headers that the proxy depends on",
      connections: one(get("/", "Connection: x-forwarded-proto, host, cookie", "Cookie: a")),
    },
    {
      id: "absolute-form",
      title: "an absolute-form target sets path and host (check 4)",
      connections: one(get("http://other.local:81/x?y", "Host: test.local")),
    },
    {
      id: "absolute-form-no-path",
      title: "an absolute-form target without a path",
      connections: one(get("http://other.local", "Host: test.local")),
    },
    {
      id: "absolute-form-https",
      title: "an absolute-form target with another scheme",
      connections: one(get("https://other.local/x", "Host: test.local")),
    },
    {
      id: "options-star",
      title: "OPTIONS * finds no route with a prefix",
      connections: one(request("OPTIONS * HTTP/1.1")),
    },
    {
      id: "options-path",
      title: "OPTIONS with a path",
      connections: one(request("OPTIONS /x HTTP/1.1")),
    },
    {
      id: "methods",
      title: "all methods that RFC 9110 and 5789 name",
      connections: [
        {
          send: ["PUT", "DELETE", "TRACE", "PATCH"].map((name) => request(`${name} /m HTTP/1.1`)),
          responses: 4,
        },
      ],
    },
    {
      id: "request-id-kept",
      title: "a client's x-request-id is kept without use_remote_address (check 32)",
      connections: one(get("/", "X-Request-Id: 0e0e0e0e-1111-4222-8333-444444444444")),
    },
    {
      id: "request-id-odd",
      title: "an x-request-id that is no uuid is kept",
      connections: one(get("/", "X-Request-Id: abc")),
    },
    {
      id: "request-id-empty",
      title: "an empty x-request-id is replaced (check 32)",
      connections: one(get("/", "X-Request-Id:")),
    },
    {
      id: "forwarded-proto-kept",
      title: "x-forwarded-proto and -for of a client are kept without use_remote_address",
      connections: one(get("/", "X-Forwarded-Proto: https", "X-Forwarded-For: 1.2.3.4")),
    },
    {
      id: "early-response",
      title: "a response before the end of the request",
      connections: [
        {
          send: [
            request("POST /e HTTP/1.1", "Content-Length: 6"),
            { awaitText: "early" },
            "abc",
            "def",
          ],
        },
      ],
      replies: [{ when: "head", steps: [...reply("200 OK", "early").steps] }],
    },
    {
      id: "client-fin-before-response",
      title: "a client's FIN before the response ends the stream",
      connections: [{ send: [get("/"), { pauseMs: 300 }], fin: true }],
      replies: [{ steps: [{ pauseMs: 1500 }, ...reply("200 OK", "x").steps] }],
    },
    {
      id: "lines-of-lists",
      title: "which headers become one line: what filters know of requests, of responses, neither",
      connections: one(get("/", ...twice(REQUEST_LISTS), ...twice(RESPONSE_LISTS))),
      replies: [reply("200 OK", "ok", ...twice(RESPONSE_LISTS), ...twice(REQUEST_LISTS))],
    },
    {
      id: "large-body-both-ways",
      title: "200,000 bytes up and down",
      connections: one(post("/big", "abcdefghij".repeat(20_000))),
      replies: [reply("200 OK", "0123456789".repeat(20_000))],
    },
  ],
};
