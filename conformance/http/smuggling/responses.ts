// Responses that can be read in two ways: the client, or the next client, would see what nobody sent.
import { dropped, head, relayed, type ResponseCase } from "./case.ts";

const CHUNKED = "Transfer-Encoding: chunked";
/** A response that waits behind another one for the next request. */
const FORGED = `${head("HTTP/1.1 200 OK", "Content-Length: 6")}forged`;

function ok(...lines: readonly string[]): string {
  return head("HTTP/1.1 200 OK", ...lines);
}

/** Heads that are refused: 502, and the connection is not used again. */
const badHeads: readonly (readonly [id: string, why: string, reply: string])[] = [
  ["re-cl-te", "both", `${ok("Content-Length: 5", CHUNKED)}0\r\n\r\n`],
  ["re-te-cl", "both, the other way round", `${ok(CHUNKED, "Content-Length: 3")}0\r\n\r\n`],
  ["re-cl-twice", "two lengths", `${ok("Content-Length: 2", "Content-Length: 5")}hello`],
  [
    "re-cl-twice-equal",
    "two equal lengths",
    `${ok("Content-Length: 5", "Content-Length: 5")}hello`,
  ],
  ["re-cl-list", "a list of lengths", `${ok("Content-Length: 5, 5")}hello`],
  ["re-cl-plus", "a sign", `${ok("Content-Length: +5")}hello`],
  ["re-cl-minus", "a negative length", ok("Content-Length: -1")],
  ["re-cl-hex", "hexadecimal", `${ok("Content-Length: 0x5")}hello`],
  ["re-cl-empty", "an empty length", ok("Content-Length:")],
  ["re-cl-huge", "2^64 + 5", `${ok("Content-Length: 18446744073709551621")}hello`],
  ["re-cl-name-blank", "a blank before the colon", `${ok("Content-Length : 5")}hello`],
  ["re-te-gzip", "a coding that we cannot undo", `${ok("Transfer-Encoding: gzip")}x`],
  ["re-te-gzip-chunked", "gzip in chunks", `${ok("Transfer-Encoding: gzip, chunked")}0\r\n\r\n`],
  ["re-te-twice", "chunked twice", `${ok(CHUNKED, CHUNKED)}0\r\n\r\n`],
  ["re-te-identity", "identity", `${ok("Transfer-Encoding: identity", "Content-Length: 5")}hello`],
  ["re-te-vt", "a vertical tab", `${ok("Transfer-Encoding: \x0bchunked")}0\r\n\r\n`],
  ["re-te-name-blank", "a blank before the colon", `${ok("Transfer-Encoding : chunked")}0\r\n\r\n`],
  ["re-fold", "a folded line", `${ok("X: a\r\n b", "Content-Length: 5")}hello`],
  ["re-bare-lf", "bare LFs", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"],
  ["re-bare-cr", "a bare CR in a value", `${ok("X: a\rb", "Content-Length: 5")}hello`],
  ["re-nul", "NUL in a value", `${ok("X: a\0b", "Content-Length: 5")}hello`],
  ["re-no-colon", "a line without a colon", `${ok("abc", "Content-Length: 5")}hello`],
  ["re-crlf-first", "an empty line before the status line", `\r\n${ok("Content-Length: 5")}hello`],
  ["re-version-0-9", "no status line at all", "hello, world\r\n\r\n"],
  ["re-version-2", "another major version", `${head("HTTP/2.0 200 OK", "Content-Length: 5")}hello`],
  ["re-version-lower", "the version has a case", `${head("http/1.1 200 OK", "Content-Length: 0")}`],
  ["re-status-99", "no status", head("HTTP/1.1 99 Odd", "Content-Length: 0")],
  ["re-status-1000", "four digits", head("HTTP/1.1 2000 OK", "Content-Length: 0")],
  ["re-status-letters", "letters", head("HTTP/1.1 abc OK", "Content-Length: 0")],
  ["re-status-two-blanks", "two blanks", head("HTTP/1.1  200 OK", "Content-Length: 0")],
  ["re-status-000", "three zeros", head("HTTP/1.1 000 OK", "Content-Length: 0")],
  ["re-reason-nul", "NUL in the reason", head("HTTP/1.1 200 O\0K", "Content-Length: 0")],
  [
    "re-101",
    "a switch that nobody asked for",
    head("HTTP/1.1 101 Switching Protocols", "Upgrade: x") + FORGED,
  ],
  [
    "re-204-cl",
    "a 204 with a body (RFC 9110, 15.3.5)",
    `${head("HTTP/1.1 204 No Content", "Content-Length: 5")}hello`,
  ],
  [
    "re-204-te",
    "a 204 with chunks",
    `${head("HTTP/1.1 204 No Content", CHUNKED)}5\r\nhello\r\n0\r\n\r\n`,
  ],
  [
    "re-100-cl",
    "a 100 with a body",
    `${head("HTTP/1.1 100 Continue", "Content-Length: 5")}hello${ok("Content-Length: 0")}`,
  ],
  [
    "re-103-te",
    "a 103 with chunks",
    `${head("HTTP/1.1 103 Early Hints", CHUNKED)}0\r\n\r\n${ok("Content-Length: 0")}`,
  ],
  [
    "re-1xx-flood",
    "a thousand interim responses",
    head("HTTP/1.1 100 Continue").repeat(1000) + ok("Content-Length: 0"),
  ],
  ["re-fields-101", "101 lines", ok(...Array.from({ length: 101 }, () => "a: b"))],
  ["re-large", "a head of 90 KB", ok(`X: ${"a".repeat(90_000)}`)],
];

/** Bodies that break off: the client sees that they do, never an end that was not there. */
const badBodies: readonly (readonly [id: string, why: string, chunks: string])[] = [
  ["re-chunk-lf", "a bare LF in chunk framing", "5\nhello\r\n0\r\n\r\n"],
  ["re-chunk-surplus", "more data than the size says", "5\r\nhello!\r\n0\r\n\r\n"],
  ["re-chunk-0x", "a prefix", "0x5\r\nhello\r\n0\r\n\r\n"],
  ["re-chunk-empty", "no size", "\r\nhello\r\n0\r\n\r\n"],
  ["re-chunk-minus", "a negative size", "-5\r\nhello\r\n0\r\n\r\n"],
  ["re-chunk-huge", "2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"],
  ["re-chunk-ext-lf", "a bare LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"],
  ["re-trailer-bad", "a trailer that is no field", "5\r\nhello\r\n0\r\nabc\r\n\r\n"],
];

export const responses: readonly ResponseCase[] = [
  ...badHeads.map(([id, why, reply]) => dropped(id, why, reply)),
  ...badBodies.map(([id, why, chunks]) =>
    relayed(id, why, ok(CHUNKED) + chunks, 200, null, { isWhole: false }),
  ),
  relayed("re-right", "the plain case", `${ok("Content-Length: 5")}hello`, 200, "hello"),
  relayed("re-chunked", "chunks", `${ok(CHUNKED)}5\r\nhello\r\n0\r\n\r\n`, 200, "hello"),
  relayed(
    "re-chunk-ext",
    "extensions go no further",
    `${ok(CHUNKED)}5;a="b"\r\nhello\r\n0;c\r\n\r\n`,
    200,
    "hello",
  ),
  relayed(
    "re-trailers",
    "trailers that frame go no further",
    `${ok(CHUNKED)}5\r\nhello\r\n0\r\nContent-Length: 9\r\nSet-Cookie: a\r\n\r\n`,
    200,
    "hello",
  ),
  relayed(
    "re-cl-zeros",
    "leading zeros",
    `${ok("Content-Length: 010")}0123456789`,
    200,
    "0123456789",
  ),
  relayed(
    "re-surplus",
    "a second response behind the first",
    `${ok("Content-Length: 5")}hello${FORGED}`,
    200,
    "hello",
  ),
  relayed("re-surplus-empty", "behind an empty one", ok("Content-Length: 0") + FORGED, 200, ""),
  relayed("re-surplus-chunks", "behind chunks", `${ok(CHUNKED)}0\r\n\r\n${FORGED}`, 200, ""),
  relayed(
    "re-surplus-crlf",
    "an empty line behind a response",
    `${ok("Content-Length: 5")}hello\r\n`,
    200,
    "hello",
  ),
  relayed(
    "re-head-body",
    "the answer to a HEAD, with a body",
    `${ok("Content-Length: 6")}${FORGED}`,
    200,
    "",
    {
      method: "HEAD",
    },
  ),
  relayed(
    "re-head-chunks",
    "the answer to a HEAD, in chunks",
    `${ok(CHUNKED)}5\r\nhello\r\n0\r\n\r\n`,
    200,
    "",
    {
      method: "HEAD",
    },
  ),
  dropped("re-head-cl-te", "the answer to a HEAD, with both", ok("Content-Length: 5", CHUNKED), {
    method: "HEAD",
  }),
  relayed("re-204", "a 204", head("HTTP/1.1 204 No Content"), 204, ""),
  relayed(
    "re-204-cl-0",
    "a 204 with a length of 0",
    head("HTTP/1.1 204 No Content", "Content-Length: 0"),
    204,
    "",
  ),
  relayed(
    "re-204-forged",
    "a response behind a 204",
    head("HTTP/1.1 204 No Content") + FORGED,
    204,
    "",
  ),
  relayed(
    "re-304-cl",
    "a 304 tells a length and has no body",
    head("HTTP/1.1 304 Not Modified", "Content-Length: 6") + FORGED,
    304,
    "",
  ),
  relayed(
    "re-304-te",
    "a 304 with chunks",
    head("HTTP/1.1 304 Not Modified", CHUNKED) + FORGED,
    304,
    "",
  ),
  relayed(
    "re-1xx",
    "interim responses are left out",
    head("HTTP/1.1 100 Continue") +
      head("HTTP/1.1 103 Early Hints", "Link: x") +
      `${ok("Content-Length: 5")}hello`,
    200,
    "hello",
  ),
  relayed("re-close", "until the connection closes", `${ok()}hello`, 200, "hello", {
    closes: true,
  }),
  relayed("re-close-forged", "a response inside is body", `${ok()}${FORGED}`, 200, FORGED, {
    closes: true,
  }),
  relayed(
    "re-http10",
    "HTTP/1.0, until it closes",
    `${head("HTTP/1.0 200 OK")}hello`,
    200,
    "hello",
    { closes: true },
  ),
  relayed(
    "re-cut-length",
    "closed in the middle of a body",
    `${ok("Content-Length: 50")}hello`,
    200,
    null,
    {
      closes: true,
      isWhole: false,
    },
  ),
  relayed(
    "re-cut-chunks",
    "closed before the last chunk",
    `${ok(CHUNKED)}5\r\nhello\r\n`,
    200,
    null,
    {
      closes: true,
      isWhole: false,
    },
  ),
  relayed(
    "re-cut-last",
    "closed before the empty line",
    `${ok(CHUNKED)}5\r\nhello\r\n0\r\n`,
    200,
    null,
    {
      closes: true,
      isWhole: false,
    },
  ),
  dropped("re-cut-head", "closed in the middle of a head", "HTTP/1.1 200 OK\r\nContent-Le", {
    closes: true,
  }),
  relayed(
    "re-nothing",
    "closed without a word on a connection that was used before: tried again",
    "",
    200,
    "GET /reply",
    { closes: true },
  ),
  relayed(
    "re-reason-none",
    "no reason, and no blank before it",
    `${head("HTTP/1.1 200", "Content-Length: 5")}hello`,
    200,
    "hello",
  ),
  relayed(
    "re-reason-forged",
    "a reason that looks like more; ours is written",
    `${head("HTTP/1.1 200 OK Content-Length: 0", "Content-Length: 5")}hello`,
    200,
    "hello",
  ),
  relayed(
    "re-connection-cl",
    "Connection cannot take the length away",
    `${ok("Connection: content-length", "Content-Length: 5")}hello`,
    200,
    "hello",
  ),
  relayed(
    "re-upgrade",
    "an offer to upgrade goes no further",
    `${ok("Connection: upgrade", "Upgrade: h2c", "Content-Length: 5")}hello`,
    200,
    "hello",
  ),
  relayed(
    "re-minor-9",
    "a later minor version is 1.1",
    `${head("HTTP/1.9 200 OK", "Content-Length: 5")}hello`,
    200,
    "hello",
  ),
];
