// Grammar-based generators: messages that are right, by parts, and hostile changes to their bytes.
import fc from "fast-check";

const CRLF = "\r\n";
const token = "!#$%&'*+-.^_`|~09azAZ";
const valueChars = '\t !"#%,/09:;=?AZ\\az~\x80\xff';

function textOf(chars: string, minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...chars.split("")), minLength, maxLength });
}

const blanks = fc.constantFrom("", " ", " ", " ", "\t", "  \t");

const fieldNames = fc.oneof(
  textOf(token, 1, 8),
  fc.constantFrom("Accept", "cookie", "X-Forwarded-For", "user-agent", "X-Thing", "Trailer", "Via"),
);

/** Fields that say nothing about framing, host or connection. */
const plainField: fc.Arbitrary<string> = fc
  .tuple(fieldNames, blanks, textOf(valueChars, 0, 12), blanks)
  .map(([name, before, value, behind]) => `${name}:${before}${value}${behind}`);

const oddFields = fc.constantFrom(
  "Connection: close",
  "Connection: keep-alive",
  "Connection: x-thing, te",
  "Connection: upgrade",
  "Connection: X-Forwarded-For",
  "Proxy-Connection: close",
  "Upgrade: websocket",
  "Upgrade: h2c",
  "TE: trailers",
  "Expect: 100-continue",
  "Content_Length: 3",
  "Transfer_Encoding: chunked",
  "Keep-Alive: 5",
);

const hostFields = fc.constantFrom(
  "Host: h",
  "host:a.b:80",
  "HOST: [::1]",
  "Host:",
  "Host: h\r\nHost: h",
  "Host: a b",
  "Host: u@h",
  "X: y",
);

const targets = fc.oneof(
  textOf('/a.%?=&;\\"{}[]', 0, 12).map((path) => `/${path}`),
  fc.constantFrom(
    "*",
    "http://h/a",
    "http://h",
    "HTTPS://h:443?x",
    "http://[::1]:80/",
    "http://h:99999/",
    "http://u@h/",
    "http:///",
    "ftp://h/",
    "h:80",
    "[::1]:80",
    "a",
  ),
);

const requestMethods = fc.constantFrom("GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "CONNECT");

interface FramedBody {
  readonly fields: readonly string[];
  readonly bytes: string;
}

const bodyText = textOf("ab\r\n0: ", 0, 24);
const extensions = fc.constantFrom("", "", "", ";a=b", " ;x", ';q="1;2"');

function chunksOf(
  pieces: readonly (readonly [string, string])[],
  trailers: readonly string[],
): string {
  const chunks = pieces
    .filter(([data]) => data !== "")
    .map(([data, extension]) => `${data.length.toString(16)}${extension}${CRLF}${data}${CRLF}`);
  return `${chunks.join("")}0${CRLF}${trailers.map((line) => line + CRLF).join("")}${CRLF}`;
}

/** Bodies whose framing is right. */
const bodies: fc.Arbitrary<FramedBody> = fc.oneof(
  fc.constant({ fields: [], bytes: "" }),
  bodyText.map((bytes) => ({ fields: [`Content-Length: ${bytes.length}`], bytes })),
  fc
    .tuple(
      fc.array(fc.tuple(bodyText, extensions), { maxLength: 4 }),
      fc.array(plainField, { maxLength: 2 }),
      fc.constantFrom("Transfer-Encoding: chunked", "transfer-encoding:\tCHUNKED "),
    )
    .map(([pieces, trailers, field]) => ({ fields: [field], bytes: chunksOf(pieces, trailers) })),
);

/** Framing fields that contradict each other or the body. */
const wrongFraming = fc.constantFrom(
  "Content-Length: 3",
  "Content-Length: 00002",
  "Content-Length: +3",
  "Content-Length: 3, 3",
  "Content-Length: 99999999999999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: identity",
);

/** Sometimes a field is put among the others. */
function withField(lines: readonly string[], extra: string | null): readonly string[] {
  return extra === null ? lines : [...lines.slice(0, 1), extra, ...lines.slice(1)];
}

/** A request that most often is right. */
const request: fc.Arbitrary<string> = fc
  .record({
    method: requestMethods,
    target: fc.oneof(
      { weight: 3, arbitrary: fc.constant("/a") },
      { weight: 1, arbitrary: targets },
    ),
    host: fc.oneof(
      { weight: 4, arbitrary: fc.constant("Host: h") },
      { weight: 1, arbitrary: hostFields },
    ),
    fields: fc.array(plainField, { maxLength: 4 }),
    odd: fc.option(oddFields, { nil: null, freq: 5 }),
    wrong: fc.option(wrongFraming, { nil: null, freq: 8 }),
    body: bodies,
    before: fc.constantFrom("", "", "", CRLF),
  })
  .map(({ method, target, host, fields, odd, wrong, body, before }) => {
    const lines = withField(withField([host, ...fields, ...body.fields], odd), wrong);
    return `${before}${[`${method} ${target} HTTP/1.1`, ...lines].join(CRLF)}${CRLF}${CRLF}${body.bytes}`;
  });

/** One to four requests, one behind the other. */
export const requests: fc.Arbitrary<string> = fc
  .array(request, { minLength: 1, maxLength: 4 })
  .map((all) => all.join(""));

const statuses = fc.constantFrom(
  "200",
  "200",
  "200",
  "204",
  "304",
  "100",
  "103",
  "101",
  "404",
  "599",
);

export const responses: fc.Arbitrary<string> = fc
  .array(
    fc
      .record({
        version: fc.constantFrom("1.1", "1.1", "1.1", "1.0", "1.7"),
        status: statuses,
        reason: fc.constantFrom(" OK", " ", "", " Not \x80 found"),
        fields: fc.array(fc.oneof(plainField, oddFields), { maxLength: 4 }),
        wrong: fc.option(wrongFraming, { nil: null, freq: 8 }),
        body: bodies,
      })
      .map(({ version, status, reason, fields, wrong, body }) => {
        const lines = withField([...fields, ...body.fields], wrong);
        const first = `HTTP/${version} ${status}${reason}`;
        return `${[first, ...lines].join(CRLF)}${CRLF}${CRLF}${status < "200" ? "" : body.bytes}`;
      }),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) => all.join(""));

/** Bytes that have a meaning somewhere, alone and in company. */
const hostileBytes = fc.constantFrom(
  "\r",
  "\n",
  "\r\n",
  "\n\r",
  "\r\r\n",
  "\r\n\r\n",
  "\r\n ",
  "\0",
  "\x0b",
  "\x0c",
  "\x7f",
  "\xa0",
  "\xff",
  " ",
  "\t",
  ":",
  ";",
  ",",
  '"',
  "0",
  "0\r\n\r\n",
  "-",
  "+",
  "0x",
  "GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
  "Content-Length: 1\r\n",
  "Transfer-Encoding: chunked\r\n",
);

interface Change {
  readonly kind: "insert" | "remove" | "replace" | "repeat";
  /** Part of the text's length, 0..1. */
  readonly where: number;
  readonly length: number;
  readonly bytes: string;
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom("insert", "insert", "remove", "replace", "repeat"),
  where: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 8 }),
  bytes: hostileBytes,
});

function applyChange(text: string, { kind, where, length, bytes }: Change): string {
  const at = Math.floor(where * text.length);
  const before = text.slice(0, at);
  const behind = text.slice(at);
  switch (kind) {
    case "insert":
      return before + bytes + behind;
    case "remove":
      return before + behind.slice(length);
    case "replace":
      return before + bytes + behind.slice(bytes.length);
    default:
      return before + behind.slice(0, length) + behind;
  }
}

/** `texts` with up to four hostile changes, and as they are. */
export function changed(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(texts, fc.array(change, { maxLength: 4 }))
    .map(([text, changes]) => changes.reduce(applyChange, text));
}

/** Where to cut a text: parts of its length. */
export const cuts: fc.Arbitrary<readonly number[]> = fc.array(
  fc.double({ min: 0, max: 1, noNaN: true }),
  { maxLength: 6 },
);

export function piecesOf(text: string, where: readonly number[]): string[] {
  const points = [...new Set(where.map((part) => Math.floor(part * text.length)))].sort(
    (a, b) => a - b,
  );
  const pieces: string[] = [];
  let from = 0;
  for (const point of [...points, text.length]) {
    if (point > from) pieces.push(text.slice(from, point));
    from = point;
  }
  return pieces;
}

/** Anything, in bytes that occur in HTTP. */
export const noise: fc.Arbitrary<string> = fc
  .array(fc.oneof(hostileBytes, textOf(token + valueChars, 1, 4)), { maxLength: 60 })
  .map((parts) => parts.join(""));
