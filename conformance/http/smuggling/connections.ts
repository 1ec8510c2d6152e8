// What concerns the connection: Connection, Upgrade, Expect, CONNECT, pipelines, early answers.
import { becomes, get, head, post, type RequestCase, refused, SECOND, served } from "./case.ts";

const HELLO = `${post("/a", "Content-Length: 5")}hello`;

/** Names in Connection. What they name goes, but for what frames, routes or says where from. */
const connection: readonly RequestCase[] = [
  served(
    "connection-close",
    "nothing behind a close is read",
    get("/", "Connection: close") + SECOND,
    ["GET /"],
    {
      fate: "closed",
    },
  ),
  served(
    "connection-close-list",
    "a close among other names",
    get("/", "Connection: keep-alive, CLOSE ,x") + SECOND,
    ["GET /"],
    { fate: "closed" },
  ),
  served(
    "connection-close-second-line",
    "a close in a second line",
    get("/", "Connection: keep-alive", "Connection: close") + SECOND,
    ["GET /"],
    { fate: "closed" },
  ),
  served(
    "connection-proxy-close",
    "the old name of it",
    get("/", "Proxy-Connection: close") + SECOND,
    ["GET /"],
    {
      fate: "closed",
    },
  ),
  served("connection-closed", "not the word", get("/", "Connection: closed") + SECOND, [
    "GET /",
    "GET /second",
  ]),
  served("connection-empty", "an empty value", get("/", "Connection:") + SECOND, [
    "GET /",
    "GET /second",
  ]),
  served(
    "connection-commas",
    "a thousand empty names",
    get("/", `Connection: ${",".repeat(1000)}`) + SECOND,
    ["GET /", "GET /second"],
  ),
  refused(
    "connection-many",
    "ten names or more, as Envoy",
    get("/", `Connection: ${Array.from({ length: 10 }, (_, i) => `x${i}`).join(",")}`),
  ),
  refused(
    "connection-xff",
    "where it came from cannot be taken out",
    get("/", "Connection: X-Forwarded-For"),
  ),
  refused("connection-xfh", "nor for whom", get("/", "Connection: x-forwarded-host")),
  refused("connection-xfp", "nor how", get("/", "Connection: x-forwarded-proto")),
  refused("connection-pseudo", "nor the target", get("/", "Connection: :path")),
  refused("connection-pseudo-host", "nor the host", get("/", "Connection: :authority")),
  served(
    "connection-itself",
    "Connection may name itself",
    get("/", "Connection: connection, keep-alive, content-length, transfer-encoding") + SECOND,
    ["GET /", "GET /second"],
  ),
  served(
    "connection-names-cookie",
    "what is not needed goes",
    get("/", "Connection: cookie", "Cookie: a=b") + SECOND,
    ["GET /", "GET /second"],
  ),
];

/** Upgrades are refused where none is configured; what follows them is never read as a request. */
const upgrades: readonly RequestCase[] = [
  refused(
    "upgrade-websocket",
    "bytes behind an upgrade are not requests",
    get("/", "Connection: Upgrade", "Upgrade: websocket") + SECOND,
    403,
  ),
  refused(
    "upgrade-unknown",
    "whatever it asks for",
    get("/", "Connection: Upgrade", "Upgrade: foo") + SECOND,
    403,
  ),
  served(
    "upgrade-h2c",
    "an offer of h2c is never taken, and goes no further",
    get(
      "/",
      "Connection: Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
    ) + SECOND,
    ["GET /", "GET /second"],
  ),
  refused(
    "upgrade-h2c-list",
    "h2c among others",
    get("/", "Connection: Upgrade", "Upgrade: h2c, websocket") + SECOND,
    403,
  ),
  served(
    "upgrade-without-connection",
    "Upgrade alone asks for nothing, and goes no further",
    get("/", "Upgrade: websocket") + SECOND,
    ["GET /", "GET /second"],
  ),
  served(
    "upgrade-h2c-body",
    "h2c with a body: the body stays body",
    `${post("/", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 5")}hello${SECOND}`,
    ['POST / "hello"', "GET /second"],
  ),
  refused(
    "upgrade-body",
    "an upgrade with a body",
    `${post("/", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 5")}hello${SECOND}`,
    403,
  ),
  becomes(
    "upgrade-allowed-websocket",
    "an upstream that does not upgrade: what the client sent for the tunnel is no request",
    get("/", "Connection: Upgrade", "Upgrade: websocket") + SECOND,
    { upstream: ["GET /"], statuses: [200], fate: "closed" },
    { site: "upgrades" },
  ),
  becomes(
    "upgrade-allowed-other",
    "nor with other protocols",
    get("/", "Connection: Upgrade", "Upgrade: other") + SECOND,
    { upstream: ["GET /"], statuses: [200], fate: "closed" },
    { site: "upgrades" },
  ),
  refused(
    "upgrade-allowed-list",
    "a list of protocols is none that is allowed",
    get("/", "Connection: Upgrade", "Upgrade: websocket, other") + SECOND,
    403,
    { site: "upgrades" },
  ),
  refused(
    "connect",
    "no route takes CONNECT",
    head("CONNECT h:80 HTTP/1.1", "Host: h:80") + SECOND,
    404,
  ),
  refused("connect-no-port", "a CONNECT without a port", head("CONNECT h HTTP/1.1", "Host: h")),
  refused("connect-path", "a CONNECT with a path", head("CONNECT /a HTTP/1.1", "Host: h")),
  refused("connect-url", "a CONNECT with an URL", head("CONNECT http://h:80/ HTTP/1.1", "Host: h")),
  refused(
    "connect-length",
    "a CONNECT with a body (RFC 9110, 9.3.6)",
    `${head("CONNECT h:80 HTTP/1.1", "Host: h:80", "Content-Length: 5")}hello`,
  ),
  refused(
    "connect-chunked",
    "a CONNECT with chunks",
    `${head("CONNECT h:80 HTTP/1.1", "Host: h:80", "Transfer-Encoding: chunked")}0\r\n\r\n`,
  ),
];

const expectations: readonly RequestCase[] = [
  served(
    "expect-continue",
    "the 100 is ours, Expect goes no further",
    `${post("/", "Expect: 100-continue", "Content-Length: 5")}hello${SECOND}`,
    ['POST / "hello"', "GET /second"],
  ),
  served("expect-no-body", "Expect without a body", get("/", "Expect: 100-continue") + SECOND, [
    "GET /",
    "GET /second",
  ]),
  served(
    "expect-unknown",
    "another expectation is passed on, as Envoy",
    `${post("/", "Expect: x", "Content-Length: 5")}hello${SECOND}`,
    ['POST / "hello"', "GET /second"],
  ),
  served(
    "expect-twice",
    "two of them",
    `${post("/", "Expect: 100-continue", "Expect: 100-continue", "Content-Length: 5")}hello${SECOND}`,
    ['POST / "hello"', "GET /second"],
  ),
];

const pipelines: readonly RequestCase[] = [
  served("pipeline", "bodies and requests in one write", HELLO + SECOND + HELLO + SECOND, [
    'POST /a "hello"',
    "GET /second",
    'POST /a "hello"',
    "GET /second",
  ]),
  served(
    "pipeline-chunks",
    "chunked bodies in between",
    `${post("/a", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n\r\n${HELLO}${SECOND}`,
    ['POST /a "hello"', 'POST /a "hello"', "GET /second"],
  ),
  becomes(
    "pipeline-bad-second",
    "the first is answered, the second refused, the third never read",
    `${HELLO}${post("/b", "Content-Length: x")}${SECOND}`,
    { upstream: ['POST /a "hello"'], statuses: [200, 400], fate: "closed" },
  ),
  becomes(
    "pipeline-no-host",
    "a refusal of the manager ends the connection, too",
    head("GET / HTTP/1.1") + SECOND,
    { upstream: [], statuses: [400], fate: "closed" },
  ),
  becomes(
    "pipeline-asterisk",
    "what has no route is answered, and the next request is served",
    head("OPTIONS * HTTP/1.1", "Host: h") + SECOND,
    { upstream: ["GET /second"], statuses: [404, 200], fate: "open" },
  ),
  becomes(
    "early-answer-length",
    "an answer before the body: the rest of it is never taken for a request",
    `${head("POST * HTTP/1.1", "Host: h", `Content-Length: ${SECOND.length}`)}${SECOND}${SECOND}`,
    { upstream: [], statuses: [400], fate: "closed" },
  ),
  becomes(
    "early-answer-options",
    "the same with an answer that does not refuse the request itself",
    `${head("OPTIONS * HTTP/1.1", "Host: h", `Content-Length: ${SECOND.length}`)}${SECOND}${SECOND}`,
    { upstream: [], statuses: [404], fate: "closed" },
  ),
  becomes(
    "early-answer-chunks",
    "the same with chunks",
    `${head("OPTIONS * HTTP/1.1", "Host: h", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n\r\n${SECOND}`,
    { upstream: [], statuses: [404], fate: "closed" },
  ),
  served(
    "http10-keep-alive",
    "HTTP/1.0 that wants to stay",
    head("GET / HTTP/1.0", "Host: h", "Connection: keep-alive") + SECOND,
    ["GET /", "GET /second"],
    { site: "http10" },
  ),
  served(
    "http10-close",
    "HTTP/1.0 that does not",
    head("GET / HTTP/1.0", "Host: h") + SECOND,
    ["GET /"],
    {
      site: "http10",
      fate: "closed",
    },
  ),
  becomes(
    "http10-no-host",
    "HTTP/1.0 without a host",
    head("GET / HTTP/1.0"),
    { upstream: [], statuses: [400], fate: "closed" },
    { site: "http10" },
  ),
];

export const connections: readonly RequestCase[] = [
  ...connection,
  ...upgrades,
  ...expectations,
  ...pipelines,
];
