// Requests whose length can be read in two ways: content-length, transfer-encoding, and both.
import { becomes, get, head, post, type RequestCase, refused, SECOND, served } from "./case.ts";

const HIDDEN = head("GET /hidden HTTP/1.1", "Host: h");
const CHUNKED = "Transfer-Encoding: chunked";
const LAST = "0\r\n\r\n";

/** A chunked body that hides a request from who goes by `Content-Length: 4`. */
const teCl = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;

/** Both headers, in every spelling: refused with 400, or 501 where the coding is not known either. */
const both: readonly RequestCase[] = [
  refused(
    "cl-te",
    "who goes by the length sees a hidden request in the rest (RFC 9112, 6.1)",
    post("/", "Content-Length: 6", CHUNKED) + LAST + HIDDEN,
  ),
  refused(
    "te-cl",
    "who goes by the length ends the body in the middle of a chunk",
    post("/", CHUNKED, "Content-Length: 4") + teCl,
  ),
  refused("cl-0-te", "a length of 0 beside chunks", post("/", "Content-Length: 0", CHUNKED) + teCl),
  refused(
    "cl-te-right",
    "even a length that fits the chunks is refused: one of the two is a lie tomorrow",
    post("/", "Content-Length: 5", CHUNKED) + LAST,
  ),
  refused(
    "cl-te-gzip",
    "a coding that is not known, beside a length",
    post("/", "Content-Length: 5", "Transfer-Encoding: gzip, chunked") + LAST,
  ),
  refused(
    "te-twice-cl",
    "two codings and a length",
    post("/", CHUNKED, CHUNKED, "Content-Length: 5") + LAST,
  ),
  refused(
    "te-connection-cl",
    "Connection asks to take transfer-encoding out, so that the length would count behind us",
    post("/", "Connection: transfer-encoding", CHUNKED, "Content-Length: 5") + LAST,
  ),
  refused(
    "cl-connection-te",
    "Connection asks to take content-length out",
    post("/", "Connection: content-length", CHUNKED, "Content-Length: 5") + LAST,
  ),
  served(
    "cl-te-allowed",
    "with allow_chunked_length the length goes, and the chunks count",
    post("/", "Content-Length: 6", CHUNKED) + LAST + SECOND,
    ["POST /", "GET /second"],
    { site: "length_dropped" },
  ),
  served(
    "te-cl-allowed",
    "the same with a hidden request in the chunk: it stays body",
    post("/", CHUNKED, "Content-Length: 4") + teCl + SECOND,
    [`POST / ${JSON.stringify(HIDDEN)}`, "GET /second"],
    { site: "length_dropped" },
  ),
  refused(
    "cl-twice-te-allowed",
    "two lengths are refused whatever else is there",
    post("/", "Content-Length: 4", "Content-Length: 5", CHUNKED) + LAST,
    400,
    { site: "length_dropped" },
  ),
  refused(
    "cl-te-unknown-allowed",
    "allow_chunked_length is about chunked, not about other codings",
    post("/", "Content-Length: 5", "Transfer-Encoding: xchunked") + LAST,
    400,
    { site: "length_dropped" },
  ),
];

/** Transfer-Encoding in disguise. Each hides the header from one of two recipients. */
const disguises: readonly (readonly [id: string, why: string, line: string, status: number])[] = [
  ["te-xchunked", "ends in chunked, and is another coding", "Transfer-Encoding: xchunked", 501],
  ["te-chunkedx", "begins with chunked", "Transfer-Encoding: chunkedx", 501],
  ["te-identity", "identity is no coding any more", "Transfer-Encoding: identity", 501],
  ["te-empty", "an empty value names no coding", "Transfer-Encoding:", 501],
  ["te-blank", "blanks only", "Transfer-Encoding: \t ", 501],
  ["te-comma", "an empty list", "Transfer-Encoding: ,", 501],
  ["te-comma-before", "an empty element first", "Transfer-Encoding: ,chunked", 501],
  ["te-comma-behind", "an empty element last", "Transfer-Encoding: chunked,", 501],
  ["te-chunked-identity", "chunked is not the last", "Transfer-Encoding: chunked, identity", 501],
  ["te-identity-chunked", "identity before it", "Transfer-Encoding: identity, chunked", 501],
  ["te-gzip-chunked", "a coding that we cannot undo", "Transfer-Encoding: gzip, chunked", 501],
  ["te-chunked-gzip", "chunked is not the last", "Transfer-Encoding: chunked, gzip", 501],
  ["te-chunked-twice", "chunks of chunks", "Transfer-Encoding: chunked, chunked", 501],
  ["te-parameter", "a parameter behind it", "Transfer-Encoding: chunked;q=1", 501],
  ["te-quoted", "in quotes", 'Transfer-Encoding: "chunked"', 501],
  ["te-single-quoted", "in single quotes", "Transfer-Encoding: 'chunked'", 501],
  ["te-obs-text", "with a byte above ASCII", "Transfer-Encoding: chunked\xff", 501],
  ["te-nbsp", "with a no-break space", "Transfer-Encoding: \xa0chunked", 501],
  ["te-long-s", "k as U+212A in UTF-8", "Transfer-Encoding: chun\xe2\x84\xaaed", 501],
  ["te-words", "two words", "Transfer-Encoding: chunked chunked", 501],
  ["te-colon", "a second colon", "Transfer-Encoding: : chunked", 501],
  ["te-vt", "a vertical tab is no blank", "Transfer-Encoding: \x0bchunked", 400],
  ["te-vt-behind", "a vertical tab behind it", "Transfer-Encoding: chunked\x0b", 400],
  ["te-ff", "a form feed is no blank", "Transfer-Encoding: \x0cchunked", 400],
  ["te-nul", "NUL ends a C string", "Transfer-Encoding: chunked\0", 400],
  ["te-nul-before", "NUL before it", "Transfer-Encoding: \0chunked", 400],
  ["te-bs", "a backspace", "Transfer-Encoding: \bchunked", 400],
  ["te-esc", "an escape", "Transfer-Encoding: \x1bchunked", 400],
  ["te-del", "a DEL", "Transfer-Encoding: chunked\x7f", 400],
  ["te-name-blank", "a blank before the colon", "Transfer-Encoding : chunked", 400],
  ["te-name-tab", "a tab before the colon", "Transfer-Encoding\t: chunked", 400],
  ["te-name-vt", "a vertical tab before the colon", "Transfer-Encoding\x0b: chunked", 400],
  ["te-name-nul", "NUL in the name", "Transfer-Encoding\0: chunked", 400],
  ["te-name-cr", "CR in the name", "Transfer-Encoding\r: chunked", 400],
  ["te-name-inner-blank", "a blank in the name", "Transfer Encoding: chunked", 400],
  ["te-name-colon", "a colon first", ":Transfer-Encoding: chunked", 400],
  ["te-name-obs", "a byte above ASCII in the name", "Transfer-Encoding\xff: chunked", 400],
  ["te-name-quoted", "the name in quotes", '"Transfer-Encoding": chunked', 400],
  ["te-name-bracket", "a bracket in the name", "Transfer-Encoding[0]: chunked", 400],
  ["te-fold", "folded before the value", "Transfer-Encoding:\r\n chunked", 400],
  ["te-fold-behind", "folded behind the value", "Transfer-Encoding: chunked\r\n , identity", 400],
  ["te-fold-empty", "a folded empty line", "Transfer-Encoding: chunked\r\n \r\nX: y", 400],
  ["te-in-fold", "hidden in a fold of another line", "X: y\r\n Transfer-Encoding: chunked", 400],
  ["te-bare-lf-before", "behind a bare LF", "X: y\nTransfer-Encoding: chunked", 400],
  ["te-bare-lf", "ended by a bare LF", "Transfer-Encoding: chunked\nX: y", 400],
  ["te-bare-cr-before", "behind a bare CR", "X: y\rTransfer-Encoding: chunked", 400],
  ["te-bare-cr", "ended by a bare CR", "Transfer-Encoding: chunked\rX: y", 400],
  ["te-cr-lf-lf", "CR CR LF as a line end", "Transfer-Encoding: chunked\r\r\nX: y", 400],
];

const disguised: readonly RequestCase[] = disguises.map(([id, why, line, status]) =>
  refused(id, why, post("/", line) + LAST + HIDDEN, status),
);

/** Disguises that are right, or that hide nothing. */
const plain: readonly RequestCase[] = [
  served(
    "te-case",
    "names and codings have no case",
    post("/", "tRANSFER-eNCODING: cHuNkEd") + LAST + SECOND,
    ["POST /", "GET /second"],
  ),
  served(
    "te-tabs",
    "blanks around a value",
    post("/", "Transfer-Encoding:\t chunked \t") + LAST + SECOND,
    ["POST /", "GET /second"],
  ),
  served(
    "te-no-blank",
    "no blank behind the colon",
    post("/", "Transfer-Encoding:chunked") + LAST + SECOND,
    ["POST /", "GET /second"],
  ),
  refused("te-twice", "two lines are chunked twice", post("/", CHUNKED, CHUNKED) + LAST, 501),
  refused(
    "te-chunked-then-identity",
    "the last line takes the first one back",
    post("/", CHUNKED, "Transfer-Encoding: identity") + LAST + HIDDEN,
    501,
  ),
  refused(
    "te-identity-then-chunked",
    "the other way round",
    post("/", "Transfer-Encoding: identity", CHUNKED) + LAST + HIDDEN,
    501,
  ),
  refused(
    "te-empty-then-chunked",
    "an empty line first",
    post("/", "Transfer-Encoding:", CHUNKED) + LAST,
    501,
  ),
  refused(
    "te-underscore",
    "some servers take _ for -: to them this is the header that counts",
    post("/", "Content-Length: 2", "Transfer_Encoding: chunked") + "ok" + SECOND,
  ),
  served(
    "te-get",
    "a GET may have a body; it must not become the next request",
    get("/", CHUNKED) + teCl + SECOND,
    [`GET / ${JSON.stringify(HIDDEN)}`, "GET /second"],
  ),
  refused(
    "te-http10",
    "chunks in HTTP/1.0 are refused with the version",
    head("POST / HTTP/1.0", "Host: h", CHUNKED) + LAST + HIDDEN,
    426,
  ),
  served(
    "te-http10-accepted",
    "where HTTP/1.0 is served, its chunks end the connection (RFC 9112, 6.1)",
    head("POST / HTTP/1.0", "Host: h", "Connection: keep-alive", CHUNKED) + LAST + HIDDEN,
    ["POST /"],
    { site: "http10", fate: "closed" },
  ),
];

/** Content-Length that is no number, or more than one. */
const lengths: readonly (readonly [id: string, why: string, ...lines: string[]])[] = [
  ["cl-empty", "an empty value", "Content-Length:"],
  ["cl-blank", "blanks only", "Content-Length: \t"],
  ["cl-plus", "a sign", "Content-Length: +5"],
  ["cl-minus", "a negative number", "Content-Length: -5"],
  ["cl-minus-0", "a negative zero", "Content-Length: -0"],
  ["cl-hex", "hexadecimal", "Content-Length: 0x5"],
  ["cl-hex-digits", "hexadecimal digits", "Content-Length: a"],
  ["cl-octal", "another language's octal", "Content-Length: 0o5"],
  ["cl-fraction", "a fraction", "Content-Length: 5.0"],
  ["cl-exponent", "an exponent", "Content-Length: 5e0"],
  ["cl-separators", "digits in groups", "Content-Length: 1_0"],
  ["cl-thousands", "digits in groups of three", "Content-Length: 1,000"],
  ["cl-list", "a list of two lengths", "Content-Length: 5, 6"],
  ["cl-list-equal", "a list of equal lengths", "Content-Length: 5, 5"],
  ["cl-list-empty", "a list with an empty element", "Content-Length: 5,"],
  ["cl-words", "two numbers", "Content-Length: 5 5"],
  ["cl-semicolon", "a parameter", "Content-Length: 5;x"],
  ["cl-quoted", "in quotes", 'Content-Length: "5"'],
  ["cl-nul", "NUL behind it", "Content-Length: 5\0"],
  ["cl-vt", "a vertical tab before it", "Content-Length: \x0b5"],
  ["cl-nbsp", "a no-break space before it", "Content-Length: \xa05"],
  ["cl-fullwidth", "full-width digits in UTF-8", "Content-Length: \xef\xbc\x95"],
  ["cl-2-63", "2^63", "Content-Length: 9223372036854775808"],
  ["cl-2-64", "2^64 becomes 0 in a careless sum", "Content-Length: 18446744073709551616"],
  ["cl-2-64-5", "2^64 + 5 becomes 5", "Content-Length: 18446744073709551621"],
  ["cl-2-32-huge", "40 digits", `Content-Length: ${"9".repeat(40)}`],
  ["cl-2-53", "2^53, which a double cannot tell from 2^53 + 1", "Content-Length: 9007199254740992"],
  ["cl-twice", "two lines that differ", "Content-Length: 5", "Content-Length: 6"],
  ["cl-twice-equal", "two equal lines", "Content-Length: 5", "Content-Length: 5"],
  ["cl-twice-case", "two lines in two cases", "Content-Length: 5", "content-length: 0"],
  ["cl-twice-bad", "the second is no number", "Content-Length: 5", "Content-Length: x"],
  ["cl-twice-empty", "the second is empty", "Content-Length: 5", "Content-Length:"],
  ["cl-name-blank", "a blank before the colon", "Content-Length : 5"],
  ["cl-name-tab", "a tab before the colon", "Content-Length\t: 5"],
  ["cl-name-nul", "NUL in the name", "Content-Length\0: 5"],
  ["cl-name-inner", "a blank in the name", "Content Length: 5"],
  ["cl-name-empty", "no name at all", ": 5"],
  ["cl-fold", "folded", "Content-Length:\r\n 5"],
  ["cl-fold-digits", "folded between digits", "Content-Length: 1\r\n 0"],
  ["cl-bare-lf", "behind a bare LF", "X: y\nContent-Length: 5"],
  ["cl-bare-cr", "behind a bare CR", "X: y\rContent-Length: 5"],
  ["cl-no-colon", "a line without a colon", "Content-Length 5"],
];

const badLengths: readonly RequestCase[] = lengths.map(([id, why, ...lines]) =>
  refused(id, why, `${post("/", ...lines)}helloGET /hidden HTTP/1.1\r\nHost: h\r\n\r\n`),
);

const goodLengths: readonly RequestCase[] = [
  served("cl-right", "the plain case", `${post("/", "Content-Length: 5")}hello${SECOND}`, [
    'POST / "hello"',
    "GET /second",
  ]),
  served(
    "cl-zeros",
    "leading zeros are digits; they are not passed on, since some take them for octal",
    `${post("/", "Content-Length: 010")}0123456789${SECOND}`,
    ['POST / "0123456789"', "GET /second"],
  ),
  served(
    "cl-many-zeros",
    "more digits than a number has room for, all of them zeros",
    `${post("/", `Content-Length: ${"0".repeat(30)}5`)}hello${SECOND}`,
    ['POST / "hello"', "GET /second"],
  ),
  served("cl-zero-zero", "00 is 0", post("/", "Content-Length: 00") + SECOND, [
    "POST /",
    "GET /second",
  ]),
  served(
    "cl-get",
    "the body of a GET must not become the next request",
    get("/", `Content-Length: ${HIDDEN.length}`) + HIDDEN + SECOND,
    [`GET / ${JSON.stringify(HIDDEN)}`, "GET /second"],
  ),
  served(
    "cl-head",
    "nor that of a HEAD",
    head("HEAD / HTTP/1.1", "Host: h", `Content-Length: ${HIDDEN.length}`) + HIDDEN + SECOND,
    [`HEAD / ${JSON.stringify(HIDDEN)}`, "GET /second"],
  ),
  served("cl-none", "a POST without a length has no body", post("/") + SECOND, [
    "POST /",
    "GET /second",
  ]),
  refused(
    "cl-underscore",
    "the same with a length",
    `${post("/", "Content-Length: 5", "Content_Length: 0")}hello${SECOND}`,
  ),
  served(
    "cl-connection",
    "Connection cannot take the length away: the body would stand alone",
    `${post("/", "Connection: content-length", "Content-Length: 5")}hello${SECOND}`,
    ['POST / "hello"', "GET /second"],
  ),
  served(
    "te-connection",
    "nor the chunks",
    post("/", "Connection: transfer-encoding", CHUNKED) + LAST + SECOND,
    ["POST /", "GET /second"],
  ),
  becomes(
    "cl-too-long",
    "the client leaves in the middle of its body: nothing whole reaches the upstream",
    post("/", "Content-Length: 500") + HIDDEN,
    { upstream: [], statuses: [], fate: "closed" },
    { fin: true },
  ),
  becomes(
    "te-too-short",
    "the client leaves before the last chunk",
    `${post("/", CHUNKED)}5\r\nhello\r\n`,
    { upstream: [], statuses: [], fate: "closed" },
    { fin: true },
  ),
];

export const framing: readonly RequestCase[] = [
  ...both,
  ...disguised,
  ...plain,
  ...badLengths,
  ...goodLengths,
];
