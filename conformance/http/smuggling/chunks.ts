// Chunk framing: sizes, extensions, line ends, trailers, what stands behind the end.
import { becomes, get, post, type RequestCase, refused, SECOND, served } from "./case.ts";

const CHUNKED = "Transfer-Encoding: chunked";

function chunked(body: string, ...lines: readonly string[]): string {
  return post("/", CHUNKED, ...lines) + body;
}

/** Size lines that are refused, each before five bytes and a right end. */
const badSizes: readonly (readonly [id: string, why: string, line: string])[] = [
  ["chunk-empty", "no size at all", "\r\n"],
  ["chunk-blank-size", "blanks for a size", "  \r\n"],
  ["chunk-0x", "a prefix", "0x5\r\n"],
  ["chunk-plus", "a sign", "+5\r\n"],
  ["chunk-minus", "a negative size", "-5\r\n"],
  ["chunk-blank-before", "a blank before the size", " 5\r\n"],
  ["chunk-words", "two sizes", "5 5\r\n"],
  ["chunk-separators", "digits in groups", "0_5\r\n"],
  ["chunk-g", "no hexadecimal digit", "5g\r\n"],
  ["chunk-h", "another language's suffix", "5h\r\n"],
  ["chunk-quoted", "in quotes", '"5"\r\n'],
  ["chunk-comma", "a list", "5,5\r\n"],
  ["chunk-dot", "a fraction", "5.0\r\n"],
  ["chunk-nul", "NUL behind the size", "5\0\r\n"],
  ["chunk-vt", "a vertical tab behind the size", "5\x0b\r\n"],
  ["chunk-2-64", "2^64 + 5 becomes 5 in a careless sum", "10000000000000005\r\n"],
  ["chunk-2-32", "a size above 2^53", "ffffffffffffffff\r\n"],
  ["chunk-2-53", "2^53", "20000000000000\r\n"],
  ["chunk-lf", "a bare LF behind the size", "5\n"],
  ["chunk-cr", "a bare CR behind the size", "5\r"],
  ["chunk-cr-cr", "CR CR LF behind the size", "5\r\r\n"],
  ["chunk-ext-lf", "a bare LF in an extension", "5;a\nb\r\n"],
  ["chunk-ext-lf-end", "an extension ended by a bare LF", "5;a=b\n"],
  ["chunk-ext-cr", "a CR in an extension", "5;a\rb\r\n"],
  ["chunk-ext-cr-end", "an extension ended by a bare CR", "5;a\r"],
  ["chunk-ext-quoted-lf", "a LF in a quoted extension", '5;a="\n"\r\n'],
  [
    "chunk-ext-quoted-crlf",
    "CR LF in a quoted extension: who minds quotes reads on",
    '5;a="\r\n"\r\n',
  ],
  ["chunk-ext-nul", "NUL in an extension", "5;a=\0\r\n"],
  ["chunk-ext-esc", "a control character in an extension", "5;a=\x1b\r\n"],
  ["chunk-ext-del", "a DEL in an extension", "5;a=\x7f\r\n"],
  ["chunk-ext-comma", "an extension behind a comma", "5,a=b\r\n"],
  ["chunk-ext-long", "an extension of 20 KB", `5;${"a".repeat(20_000)}\r\n`],
  ["chunk-zeros-long", "20,000 zeros before the size", `${"0".repeat(20_000)}5\r\n`],
];

const sizes: readonly RequestCase[] = badSizes.map(([id, why, line]) =>
  refused(id, why, `${chunked(`${line}hello\r\n0\r\n\r\n`)}${SECOND}`),
);

/** Bodies whose framing breaks off behind a chunk's data. */
const badEnds: readonly (readonly [id: string, why: string, body: string])[] = [
  ["chunk-surplus", "more data than the size says", "5\r\nhello!\r\n0\r\n\r\n"],
  ["chunk-short", "less data than the size says", "5\r\nhell\r\n0\r\n\r\n"],
  ["chunk-data-lf", "a bare LF behind the data", "5\r\nhello\n0\r\n\r\n"],
  ["chunk-data-cr", "a bare CR behind the data", "5\r\nhello\r0\r\n\r\n"],
  ["chunk-data-none", "no line end behind the data", "5\r\nhello0\r\n\r\n"],
  ["chunk-data-lfcr", "LF CR behind the data", "5\r\nhello\n\r0\r\n\r\n"],
  ["chunk-end-lf", "a bare LF behind the last chunk", "0\n\r\n"],
  ["chunk-end-lf-lf", "bare LFs at the end", "0\n\n"],
  ["chunk-end-cr", "a bare CR at the end", "0\r\n\rX"],
  ["chunk-end-crlf-lf", "a bare LF for the empty line", "0\r\n\n"],
  ["trailer-lf", "a trailer ended by a bare LF", "0\r\nX: y\n\r\n"],
  ["trailer-cr", "a bare CR in a trailer", "0\r\nX: y\rZ: a\r\n\r\n"],
  ["trailer-fold", "a folded trailer", "0\r\nX: y\r\n z\r\n\r\n"],
  ["trailer-blank-name", "a blank before a trailer's colon", "0\r\nX : y\r\n\r\n"],
  [
    "trailer-no-colon",
    "a trailer without a colon: a hidden request line",
    "0\r\nGET /hidden HTTP/1.1\r\n\r\n",
  ],
  ["trailer-nul", "NUL in a trailer", "0\r\nX: \0\r\n\r\n"],
];

const ends: readonly RequestCase[] = badEnds.map(([id, why, body]) =>
  refused(id, why, chunked(body) + SECOND),
);

const rightSizes: readonly RequestCase[] = [
  ["chunk-right", "the plain case", "5\r\nhello\r\n0\r\n\r\n"],
  ["chunk-zeros", "leading zeros", "0005\r\nhello\r\n000\r\n\r\n"],
  [
    "chunk-blank-behind",
    "blanks behind the size (bad white space, RFC 9110, 5.6.3)",
    "5 \t\r\nhello\r\n0 \r\n\r\n",
  ],
  ["chunk-ext", "an extension is left out", "5;a=b\r\nhello\r\n0;c\r\n\r\n"],
  ["chunk-ext-blank", "blanks around it", "5 ; a = b\r\nhello\r\n0\r\n\r\n"],
  ["chunk-ext-quoted", "quotes, semicolons, escapes", '5;a="b;\\"c"\r\nhello\r\n0\r\n\r\n'],
  ["chunk-ext-open-quote", "a quote that is never closed", '5;a="\r\nhello\r\n0\r\n\r\n'],
  ["chunk-ext-empty", "empty extensions", "5;;\r\nhello\r\n0;\r\n\r\n"],
  ["chunk-ext-size", "a size in an extension", "5;0\r\nhello\r\n0;5\r\n\r\n"],
  ["chunk-pieces", "one byte a chunk", "1\r\nh\r\n1\r\ne\r\n3\r\nllo\r\n0\r\n\r\n"],
].map(([id, why, body]) =>
  served(id as string, why as string, chunked(body as string) + SECOND, [
    'POST / "hello"',
    "GET /second",
  ]),
);

const hex: readonly RequestCase[] = [
  served(
    "chunk-hex",
    "hexadecimal in both cases",
    `${chunked("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n")}${SECOND}`,
    ['POST / "01234567890123456789"', "GET /second"],
  ),
  served(
    "chunk-data-looks-like-end",
    "data that looks like the end of the body",
    `${chunked("7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n")}${SECOND}`,
    ['POST / "\\r\\n0\\r\\n\\r\\n"', "GET /second"],
  ),
  served(
    "chunk-data-looks-like-request",
    "data that looks like a request",
    `${chunked(`${SECOND.length.toString(16)}\r\n${SECOND}\r\n0\r\n\r\n`)}${SECOND}`,
    [`POST / ${JSON.stringify(SECOND)}`, "GET /second"],
  ),
  served(
    "chunk-behind-crlf",
    "an empty line behind the end",
    `${chunked("0\r\n\r\n")}\r\n${SECOND}`,
    ["POST /", "GET /second"],
  ),
  becomes(
    "chunk-behind-garbage",
    "bytes behind the end are the next request, and no request",
    `${chunked("0\r\n\r\n")}x${SECOND}`,
    { upstream: ["POST /"], statuses: [200, 400], fate: "closed" },
  ),
  becomes(
    "chunk-end-missing",
    "the empty line behind the last chunk is missing: the next request line is a bad trailer",
    `${chunked("0\r\n")}${SECOND}`,
    { upstream: [], statuses: [400], fate: "closed" },
  ),
  becomes(
    "chunk-cut-in-size",
    "the client leaves in the middle of a size",
    chunked("5"),
    { upstream: [], statuses: [], fate: "closed" },
    { fin: true },
  ),
  becomes(
    "chunk-cut-behind-last",
    "the client leaves between the last chunk and the empty line",
    chunked("0\r\n"),
    { upstream: [], statuses: [], fate: "closed" },
    { fin: true },
  ),
];

/** Fields that would frame or route, as trailers. Whoever merges trailers into headers is misled. */
const forbidden: readonly string[] = [
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: identity",
  "Host: other",
  "Connection: close",
  "TE: trailers",
  "Trailer: X",
  "Content-Length : 5",
];

const trailers: readonly RequestCase[] = [
  ...forbidden.slice(0, -1).flatMap((line) => {
    const id = line.toLowerCase().replace(/[^a-z]+/g, "-");
    const send = chunked(`5\r\nhello\r\n0\r\n${line}\r\n\r\n`) + SECOND;
    const upstream = ['POST / "hello"', "GET /second"];
    return [
      served(`trailer-dropped-${id}`, "trailers are left out by default", send, upstream),
      served(`trailer-${id}`, "where trailers pass, this one does not", send, upstream, {
        site: "trailers",
      }),
    ];
  }),
  served(
    "trailer-passed",
    "a harmless trailer passes, in chunks",
    `${chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")}${SECOND}`,
    ['POST / "hello"', "GET /second"],
    { site: "trailers" },
  ),
  refused("trailers-many", "101 trailers", chunked(`0\r\n${"a: b\r\n".repeat(101)}\r\n`), 431, {
    site: "trailers",
  }),
  refused(
    "trailers-large",
    "a trailer of 70 KB",
    chunked(`0\r\nx: ${"a".repeat(70_000)}\r\n\r\n`),
    431,
  ),
  served(
    "te-header",
    "TE asks for trailers; other codings are not asked for",
    get("/", "TE: trailers, chunked;q=0.5") + SECOND,
    ["GET /", "GET /second"],
  ),
];

export const chunks: readonly RequestCase[] = [
  ...sizes,
  ...ends,
  ...rightSizes,
  ...hex,
  ...trailers,
];
