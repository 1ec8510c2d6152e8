// What the HTTP/1 codec and the HCM refuse, and with which bytes (checks 1, 4, 5, 8-14).
import { type Group, get, one, post, reply, request } from "../case.ts";

const CHUNKED = "Transfer-Encoding: chunked";

export const validation: Group = {
  id: "validation",
  title: "malformed and doubtful requests",
  sites: {
    main: {},
    underscore_reject: {
      hcm: { common_http_protocol_options: { headers_with_underscores_action: "REJECT_REQUEST" } },
    },
    underscore_drop: {
      hcm: { common_http_protocol_options: { headers_with_underscores_action: "DROP_HEADER" } },
    },
    chunked_length: { hcm: { http_protocol_options: { allow_chunked_length: true } } },
    no_absolute: { hcm: { http_protocol_options: { allow_absolute_url: false } } },
    stream_error: {
      hcm: { http_protocol_options: { override_stream_error_on_invalid_http_message: true } },
    },
    http1_only: { hcm: { codec_type: "HTTP1" } },
  },
  cases: [
    {
      id: "host-missing",
      title: "HTTP/1.1 without Host (check 1)",
      connections: one("GET / HTTP/1.1\r\n\r\n"),
    },
    {
      id: "host-empty",
      title: "an empty Host",
      connections: one(get("/", "Host:")),
    },
    {
      id: "host-twice",
      title: "two Host lines",
      connections: one(get("/", "Host: a.local", "Host: b.local")),
    },
    {
      id: "host-twice-equal",
      title: "two equal Host lines",
      connections: one(get("/", "Host: a.local", "Host: a.local")),
    },
    {
      id: "host-userinfo",
      title: "userinfo in Host",
      connections: one(get("/", "Host: user@a.local")),
    },
    {
      id: "host-bad-character",
      title: "a Host that no URI may have",
      connections: one(get("/", "Host: a<b")),
    },
    {
      id: "host-ipv6-port",
      title: "an IPv6 literal with a port in Host",
      connections: one(get("/", "Host: [::1]:8080")),
    },
    {
      id: "no-absolute-form",
      title: "absolute form where it is not allowed (check 4)",
      connections: one(get("http://other.local/x"), "no_absolute"),
    },
    {
      id: "absolute-form-bad-scheme",
      title: "absolute form with a scheme that is not http",
      connections: one(get("ftp://other.local/x")),
    },
    {
      id: "absolute-form-empty-host",
      title: "absolute form without a host",
      connections: one(get("http:///x")),
    },
    {
      id: "authority-form",
      title: "GET with an authority form",
      connections: one(get("test.local:80")),
    },
    {
      id: "relative-path",
      title: "a target without a slash",
      connections: one(get("abc")),
    },
    {
      id: "path-fragment",
      title: "a fragment in the target (check 5)",
      connections: one(get("/a#b")),
    },
    {
      id: "path-high-bytes",
      title: "bytes above 127 in the target",
      connections: one(get("/\xe9")),
    },
    {
      id: "path-odd-characters",
      title: "characters that RFC 3986 does not allow in a path",
      connections: one(get('/a"<>^`{|}\\')),
    },
    {
      id: "path-space",
      title: "a blank in the target",
      connections: one(get("/a b")),
    },
    {
      id: "connect-method",
      title: "CONNECT without a route for it",
      connections: one(request("CONNECT test.local:80 HTTP/1.1")),
    },
    {
      id: "length-and-chunked",
      title: "content-length beside transfer-encoding (check 8)",
      connections: one(
        `${request("POST / HTTP/1.1", CHUNKED, "Content-Length: 3")}3\r\nabc\r\n0\r\n\r\n`,
      ),
    },
    {
      id: "length-and-chunked-allowed",
      title: "the same with allow_chunked_length: the length goes (check 8)",
      connections: one(
        `${request("POST / HTTP/1.1", CHUNKED, "Content-Length: 3")}3\r\nabc\r\n0\r\n\r\n`,
        "chunked_length",
      ),
    },
    {
      id: "transfer-encoding-unknown",
      title: "an unknown transfer-encoding (check 9)",
      connections: one(request("POST / HTTP/1.1", "Transfer-Encoding: foo")),
    },
    {
      id: "transfer-encoding-gzip-chunked",
      title: "transfer-encoding: gzip, chunked",
      connections: one(
        `${request("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked")}0\r\n\r\n`,
      ),
    },
    {
      id: "transfer-encoding-twice",
      title: "two transfer-encoding lines",
      connections: one(`${request("POST / HTTP/1.1", CHUNKED, CHUNKED)}1\r\na\r\n0\r\n\r\n`),
    },
    {
      id: "transfer-encoding-identity",
      title: "transfer-encoding: identity",
      connections: one(request("POST / HTTP/1.1", "Transfer-Encoding: identity")),
    },
    {
      id: "transfer-encoding-empty",
      title: "an empty transfer-encoding",
      connections: one(request("GET / HTTP/1.1", "Transfer-Encoding:")),
    },
    {
      id: "get-chunked",
      title: "a chunked body on GET",
      connections: one(`${request("GET / HTTP/1.1", CHUNKED)}1\r\na\r\n0\r\n\r\n`),
    },
    {
      id: "get-length",
      title: "a body by length on GET",
      connections: one(`${request("GET / HTTP/1.1", "Content-Length: 2")}ab`),
    },
    {
      id: "length-twice-different",
      title: "two content-lengths that differ (check 14)",
      connections: one(
        `${request("POST / HTTP/1.1", "Content-Length: 3", "Content-Length: 4")}abcd`,
      ),
    },
    {
      id: "length-twice-equal",
      title: "two content-lengths that are equal",
      connections: one(
        `${request("POST / HTTP/1.1", "Content-Length: 3", "Content-Length: 3")}abc`,
      ),
    },
    {
      id: "length-list",
      title: "content-length: 3, 3",
      connections: one(`${request("POST / HTTP/1.1", "Content-Length: 3, 3")}abc`),
    },
    ...["-1", "+3", "0x3", "3a", "", "99999999999999999999", "03"].map((value, at) => ({
      id: `length-odd-${at + 1}`,
      title: `content-length: ${value === "" ? "(empty)" : value}`,
      connections: one(`${request("POST / HTTP/1.1", `Content-Length: ${value}`)}abc`),
    })),
    {
      id: "method-unknown",
      title: "an unknown method (check 10)",
      connections: one(request("GEX / HTTP/1.1")),
    },
    {
      id: "method-lower-case",
      title: "a method in lower case (check 10)",
      connections: one(request("get / HTTP/1.1")),
    },
    {
      id: "method-nul",
      title: "a NUL in the request line (check 10)",
      connections: one(request("GE\0 / HTTP/1.1")),
    },
    {
      id: "method-webdav",
      title: "PROPFIND",
      connections: one(request("PROPFIND / HTTP/1.1")),
    },
    {
      id: "request-line-garbage",
      title: "a line that is no request line",
      connections: one("hello\r\n\r\n"),
    },
    {
      id: "request-line-no-version",
      title: "a request line without a version",
      connections: one("GET /\r\nHost: a\r\n\r\n"),
    },
    {
      id: "request-line-tabs",
      title: "tabs instead of blanks in the request line",
      connections: one("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    },
    {
      id: "request-line-two-blanks",
      title: "two blanks in the request line",
      connections: one("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    },
    {
      id: "request-line-empty-before",
      title: "empty lines before the request line",
      connections: one(`\r\n\r\n${get("/")}`),
    },
    {
      id: "version-1-2",
      title: "HTTP/1.2 (check 2)",
      connections: one(request("GET / HTTP/1.2")),
    },
    {
      id: "version-2-0",
      title: "HTTP/2.0 in a request line (check 2)",
      connections: one(request("GET / HTTP/2.0")),
    },
    {
      id: "version-0-9",
      title: "HTTP/0.9 in a request line (check 2)",
      connections: one(request("GET / HTTP/0.9")),
    },
    {
      id: "version-odd",
      title: "HTTX/1.1",
      connections: one(request("GET / HTTX/1.1")),
    },
    {
      id: "tls-hello",
      title: "the first bytes of a TLS handshake",
      connections: one("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n"),
    },
    {
      id: "header-nul",
      title: "a NUL in a value (check 11)",
      connections: one(get("/", "X-A: a\0b")),
    },
    {
      id: "header-bare-lf",
      title: "bare LF line ends in a head (check 11)",
      connections: one("GET / HTTP/1.1\nHost: a.local\nX-A: 1\n\n"),
    },
    {
      id: "header-lone-cr",
      title: "a lone CR in a value (check 11)",
      connections: one(get("/", "X-A: a\rb")),
    },
    {
      id: "header-obs-fold",
      title: "a folded value (check 11)",
      connections: one(get("/", "X-A: a\r\n  b")),
    },
    {
      id: "header-fold-first",
      title: "white space before the first header",
      connections: one("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    },
    {
      id: "header-space-before-colon",
      title: "white space between name and colon",
      connections: one(get("/", "X-A : 1")),
    },
    {
      id: "header-no-colon",
      title: "a header line without a colon",
      connections: one(get("/", "X-A")),
    },
    {
      id: "header-empty-name",
      title: "a header without a name",
      connections: one(get("/", ": 1")),
    },
    {
      id: "header-bad-name",
      title: "a character that no name may have",
      connections: one(get("/", "X(A: 1")),
    },
    {
      id: "header-control-value",
      title: "control characters in a value",
      connections: one(get("/", "X-A: a\x01\x7fb")),
    },
    {
      id: "underscore-allow",
      title: "foo_bar passes by default (check 12)",
      connections: one(get("/", "foo_bar: 1")),
    },
    {
      id: "underscore-reject",
      title: "REJECT_REQUEST (check 12)",
      connections: one(get("/", "foo_bar: 1"), "underscore_reject"),
    },
    {
      id: "underscore-drop",
      title: "DROP_HEADER (check 12)",
      connections: one(get("/", "foo_bar: 1", "foo-bar: 2"), "underscore_drop"),
    },
    {
      id: "expect-continue",
      title: "Expect: 100-continue is answered by the proxy (check 13)",
      connections: [
        {
          send: [
            request("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 3"),
            { awaitText: "100 Continue" },
            "abc",
          ],
        },
      ],
    },
    {
      id: "expect-other",
      title: "an expectation that nobody knows",
      connections: one(post("/", "abc", "Expect: pizza")),
    },
    {
      id: "chunk-cr-in-extension",
      title: "a CR in a chunk extension (check 14)",
      connections: one(`${request("POST / HTTP/1.1", CHUNKED)}3;a\rb\r\nabc\r\n0\r\n\r\n`),
    },
    {
      id: "chunk-bare-lf",
      title: "a bare LF behind a chunk size (check 14)",
      connections: one(`${request("POST / HTTP/1.1", CHUNKED)}3\nabc\r\n0\r\n\r\n`),
    },
    {
      id: "chunk-surplus",
      title: "more bytes than the chunk size says (check 14)",
      connections: one(`${request("POST / HTTP/1.1", CHUNKED)}3\r\nabcXX\r\n0\r\n\r\n`),
    },
    {
      id: "chunk-size-odd",
      title: "a chunk size that is no number",
      connections: one(`${request("POST / HTTP/1.1", CHUNKED)}zz\r\nabc\r\n0\r\n\r\n`),
    },
    {
      id: "chunk-size-huge",
      title: "a chunk size above 64 bits",
      connections: one(`${request("POST / HTTP/1.1", CHUNKED)}fffffffffffffffff\r\nabc\r\n`),
    },
    {
      id: "chunk-size-prefix",
      title: "a chunk size with 0x",
      connections: one(`${request("POST / HTTP/1.1", CHUNKED)}0x3\r\nabc\r\n0\r\n\r\n`),
    },
    {
      id: "bad-second-request",
      title: "a good request, then a bad one on the same connection",
      connections: [{ send: [get("/1"), { awaitText: "ok" }, "BAD\r\n\r\n"], responses: 2 }],
    },
    {
      id: "bad-pipelined-behind-good",
      title: "a bad request pipelined behind a good one",
      connections: [{ send: [`${get("/1")}BAD\r\n\r\n`], responses: 2 }],
      replies: [{ steps: [{ pauseMs: 60 }, ...reply("200 OK", "x").steps] }],
    },
    {
      id: "stream-error-keeps-connection",
      title: "override_stream_error_on_invalid_http_message and a missing Host",
      connections: [
        { site: "stream_error", send: ["GET / HTTP/1.1\r\n\r\n", get("/2")], responses: 2 },
      ],
    },
    {
      id: "stream-error-underscore",
      title: "override_stream_error_on_invalid_http_message and a bad length",
      connections: one(request("POST / HTTP/1.1", "Transfer-Encoding: foo"), "stream_error"),
    },
    {
      id: "http1-preface",
      title: "an HTTP/2 preface on an HTTP1 listener",
      connections: one("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http1_only"),
    },
    {
      id: "upgrade-ignored",
      title: "Upgrade without upgrade_configs",
      connections: one(get("/", "Connection: Upgrade", "Upgrade: websocket")),
    },
    {
      id: "upgrade-h2c",
      title: "Upgrade: h2c",
      connections: one(
        get("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
      ),
    },
  ],
};
