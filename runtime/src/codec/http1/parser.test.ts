// Valid and invalid heads, each parsed whole and split at every byte, and 100,000 damaged ones.
import { describe, expect, test } from "vitest";
import { HeaderMap } from "../../core/header-map.ts";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import { codecErrorOf, ParseResult } from "./codec-errors.ts";
import { HeadParser, NO_LENGTH } from "./parser.ts";
import { defaultOptions, headerLines } from "./recorders-for-test.ts";

const parser = new HeadParser();

/** The outcome of parsing as text: the lines and framing, or the error's details. */
function outcome(
  kind: "request" | "response" | "trailers",
  text: string,
  options: Http1CodecOptions = defaultOptions,
): string {
  const map = new HeaderMap();
  const bytes = Buffer.from(text, "latin1");
  const result = parser[kind](bytes, 0, bytes.length, map, options);
  if (result === ParseResult.More) return "more";
  if (result < 0) return codecErrorOf(result).details;
  const framing = parser.isChunked
    ? "chunked"
    : parser.contentLength === NO_LENGTH
      ? "none"
      : `length ${parser.contentLength}`;
  return [...headerLines(map), framing, `used ${result}`].join("\n");
}

/** Every prefix must be "more" or the final error; nothing else. */
function expectSameWhenSplit(
  kind: "request" | "response" | "trailers",
  text: string,
  options: Http1CodecOptions = defaultOptions,
): void {
  const whole = outcome(kind, text, options);
  for (let length = 0; length < text.length; length += 1) {
    const part = outcome(kind, text.slice(0, length), options);
    if (part !== "more" && part !== whole) {
      throw new Error(`prefix of ${length} bytes gives ${part}, whole gives ${whole}`);
    }
  }
}

const HOST = "Host: h\r\n";

function head(line: string, ...lines: string[]): string {
  return `${line}\r\n${lines.map((text) => `${text}\r\n`).join("")}\r\n`;
}

describe("valid requests", () => {
  const cases: [string, string, string][] = [
    [
      "origin form",
      head("GET /a?b=c HTTP/1.1", "Host: h.example:80", "X-A: 1"),
      ":authority: h.example:80\n:path: /a?b=c\n:method: GET\nx-a: 1\nnone",
    ],
    ["empty lines before it", `\r\n\r\n${head("GET / HTTP/1.1")}`, ":path: /\n:method: GET\nnone"],
    [
      "absolute form",
      head("GET http://a.b:81/x?y HTTP/1.1", "Host: h"),
      ":authority: a.b:81\n:path: /x?y\n:method: GET\n:scheme: http\nnone",
    ],
    [
      "absolute form without path, upper-case scheme, no Host",
      head("GET HTTPS://[::1]:80 HTTP/1.1"),
      ":authority: [::1]:80\n:path: /\n:method: GET\n:scheme: https\nnone",
    ],
    [
      "absolute form with a query only",
      head("GET http://a?q HTTP/1.1"),
      ":authority: a\n:path: ?q\n:method: GET\n:scheme: http\nnone",
    ],
    [
      "authority form",
      head("CONNECT a.b:443 HTTP/1.1", "Host: other"),
      ":authority: a.b:443\n:method: CONNECT\nnone",
    ],
    [
      "asterisk form",
      head("OPTIONS * HTTP/1.1", "Host: h"),
      ":authority: h\n:path: *\n:method: OPTIONS\nnone",
    ],
    [
      "quotes and braces in the target",
      head('GET /a"<>\\^`{|}b HTTP/1.1', "Host: h"),
      ':authority: h\n:path: /a"<>\\^`{|}b\n:method: GET\nnone',
    ],
    [
      "a fragment is the manager's business",
      head("GET /a#b HTTP/1.1", "Host: h"),
      ":authority: h\n:path: /a#b\n:method: GET\nnone",
    ],
    [
      "obs-text, tabs and spaces in and around values",
      head("GET / HTTP/1.1", "Host: h", "A:\t1\t ", "B:\xe9\xff x", "C:", "D:   ", "E: b: c"),
      ":authority: h\n:path: /\n:method: GET\na: 1\nb: \xe9\xff x\nc: \nd: \ne: b: c\nnone",
    ],
    [
      "every token byte in a name",
      head("GET / HTTP/1.1", "!#$%&'*+-.^_`|~09AZaz: 1"),
      ":path: /\n:method: GET\n!#$%&'*+-.^_`|~09azaz: 1\nnone",
    ],
    [
      "an empty Host",
      head("GET / HTTP/1.1", "Host:"),
      ":authority: \n:path: /\n:method: GET\nnone",
    ],
    [
      "content-length",
      head("POST / HTTP/1.1", "Content-Length: 002"),
      ":path: /\n:method: POST\ncontent-length: 2\nlength 2",
    ],
    [
      "the largest content-length",
      head("POST / HTTP/1.1", "Content-Length: 9007199254740991"),
      ":path: /\n:method: POST\ncontent-length: 9007199254740991\nlength 9007199254740991",
    ],
    [
      "chunked in any case",
      head("POST / HTTP/1.1", "Transfer-Encoding: ChunKed"),
      ":path: /\n:method: POST\ntransfer-encoding: ChunKed\nchunked",
    ],
    [
      "same header twice",
      head("GET / HTTP/1.1", "Cookie: a", "Cookie: b"),
      ":path: /\n:method: GET\ncookie: a\ncookie: b\nnone",
    ],
  ];
  test.each(cases)("%s", (_name, text, expected) => {
    expect(outcome("request", text)).toBe(`${expected}\nused ${text.length}`);
    expectSameWhenSplit("request", text);
    expect(outcome("request", `${text}GET`)).toBe(`${expected}\nused ${text.length}`);
  });

  const methods =
    "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE " +
    "MSEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH " +
    "SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE";
  test.each(methods.split(" "))("method %s as Envoy", (method) => {
    const target = method === "CONNECT" ? "h:1" : "/";
    expect(outcome("request", head(`${method} ${target} HTTP/1.1`))).toContain(
      `:method: ${method}`,
    );
  });
});

const badRequests: [string, string, string][] = [
  ["lower-case method", "get / HTTP/1.1", "http1.codec_error"],
  ["unknown method", "FOO / HTTP/1.1", "http1.codec_error"],
  ["method with a dash", "M-SEARCH / HTTP/1.1", "http1.codec_error"],
  ["long method", "PROPFINDXXXXXXXXX / HTTP/1.1", "http1.codec_error"],
  ["the HTTP/2 preface", "PRI * HTTP/2.0", "http1.codec_error"],
  ["NUL in the method", "GE\0 / HTTP/1.1", "http1.invalid_characters"],
  ["space before the method", " GET / HTTP/1.1", "http1.codec_error"],
  ["tab after the method", "GET\t/ HTTP/1.1", "http1.codec_error"],
  ["two spaces before the target", "GET  / HTTP/1.1", "http1.codec_error"],
  ["two spaces after the target", "GET /  HTTP/1.1", "http1.codec_error"],
  ["space in the target", "GET /a b HTTP/1.1", "http1.codec_error"],
  ["space after the version", "GET / HTTP/1.1 ", "http1.codec_error"],
  ["control byte in the target", "GET /a\x01 HTTP/1.1", "http1.invalid_characters"],
  ["DEL in the target", "GET /a\x7f HTTP/1.1", "http1.invalid_characters"],
  ["obs-text in the target", "GET /a\xe9 HTTP/1.1", "http1.codec_error"],
  ["CR in the target", "GET /a\rb HTTP/1.1", "http1.codec_error"],
  ["relative target", "GET p HTTP/1.1", "http1.codec_error"],
  ["asterisk for another method", "GET * HTTP/1.1", "http1.invalid_url"],
  ["CONNECT with a path", "CONNECT /x HTTP/1.1", "http1.invalid_url"],
  ["CONNECT without a port", "CONNECT h HTTP/1.1", "http1.invalid_url"],
  ["CONNECT with an empty port", "CONNECT h: HTTP/1.1", "http1.invalid_url"],
  ["CONNECT with a port too large", "CONNECT h:65536 HTTP/1.1", "http1.invalid_url"],
  ["CONNECT with userinfo", "CONNECT u@h:1 HTTP/1.1", "http1.invalid_url"],
  ["absolute form, other scheme", "GET ftp://a/x HTTP/1.1", "http1.invalid_scheme"],
  ["absolute form, no host", "GET http:///x HTTP/1.1", "http1.invalid_url"],
  ["absolute form, port only", "GET http://:80/ HTTP/1.1", "http1.invalid_url"],
  ["absolute form, bad port", "GET http://a:x/ HTTP/1.1", "http1.invalid_url"],
  ["absolute form, large port", "GET http://a:99999/ HTTP/1.1", "http1.invalid_url"],
  ["absolute form, userinfo", "GET http://u@a/ HTTP/1.1", "http1.invalid_url"],
  ["absolute form, open bracket", "GET http://[::1/ HTTP/1.1", "http1.invalid_url"],
  ["HTTP/1.0", "GET / HTTP/1.0", "low_version"],
  ["HTTP/1.2", "GET / HTTP/1.2", "low_version"],
  ["HTTP/2.0", "GET / HTTP/2.0", "low_version"],
  ["HTTP/0.9", "GET / HTTP/0.9", "low_version"],
  ["no version after a space", "GET / ", "http1.codec_error"],
  ["no version", "GET /", "low_version"],
  ["lower-case version", "GET / http/1.1", "http1.codec_error"],
  ["two minor digits", "GET / HTTP/1.10", "http1.codec_error"],
  ["no minor digit", "GET / HTTP/1.", "http1.codec_error"],
  ["bytes after the version", "GET / HTTP/1.1x", "http1.codec_error"],
];

const badLines: [string, string, string][] = [
  ["space in a name", "a b: 1", "http1.codec_error"],
  ["space before the colon", "a : 1", "http1.codec_error"],
  ["tab before the colon", "a\t: 1", "http1.codec_error"],
  ["empty name", ": 1", "http1.codec_error"],
  ["pseudo header", ":path: /x", "http1.codec_error"],
  ["no colon", "noColon", "http1.codec_error"],
  ["NUL in a name", "a\0: 1", "http1.invalid_characters"],
  ["NUL in a value", "a: 1\x002", "http1.invalid_characters"],
  ["control byte in a value", "a: 1\x012", "http1.invalid_characters"],
  ["DEL in a value", "a: 1\x7f2", "http1.invalid_characters"],
  ["vertical tab in a value", "a: \x0b1", "http1.invalid_characters"],
  ["obs-text in a name", "\xe9: 1", "http1.codec_error"],
  ["separator in a name", "a@: 1", "http1.codec_error"],
  ["lone CR in a value", "a: 1\r2", "http1.codec_error"],
  ["bare LF", "a: 1\nb: 2", "http1.codec_error"],
  ["bare LF before the end", "a: 1\n", "http1.codec_error"],
  ["folded line", "a: 1\r\n 2", "http1.codec_error"],
  ["folded line by a tab", "a: 1\r\n\t2", "http1.codec_error"],
  ["first line folded", " a: 1", "http1.codec_error"],
  ["second Host", "host: h2", "http1.codec_error"],
  ["same Host twice", "host: h", "http1.codec_error"],
  ["signed length", "Content-Length: +2", "http1.codec_error"],
  ["negative length", "Content-Length: -2", "http1.codec_error"],
  ["list of lengths", "Content-Length: 2, 2", "http1.codec_error"],
  ["two numbers", "Content-Length: 2 2", "http1.codec_error"],
  ["hexadecimal length", "Content-Length: 0x2", "http1.codec_error"],
  ["empty length", "Content-Length:", "http1.codec_error"],
  ["fraction", "Content-Length: 2.0", "http1.codec_error"],
  ["length above 2^53-1", "Content-Length: 9007199254740992", "http1.codec_error"],
  ["length above 2^64", "Content-Length: 18446744073709551617", "http1.codec_error"],
  ["equal lengths", "Content-Length: 2\r\nContent-Length: 2", "http1.codec_error"],
  ["differing lengths", "Content-Length: 2\r\nContent-Length: 3", "http1.codec_error"],
  ["good length after bad", "Content-Length: x\r\nContent-Length: 3", "http1.codec_error"],
  [
    "length and chunked",
    "Content-Length: 2\r\nTransfer-Encoding: chunked",
    "http1.content_length_and_chunked_not_allowed",
  ],
  [
    "chunked and length",
    "Transfer-Encoding: chunked\r\nContent-Length: 2",
    "http1.content_length_and_chunked_not_allowed",
  ],
  [
    "length and another coding",
    "Content-Length: 2\r\nTransfer-Encoding: gzip",
    "http1.content_length_and_chunked_not_allowed",
  ],
  ["unknown coding", "Transfer-Encoding: foo", "http1.invalid_transfer_encoding"],
  ["list of codings", "Transfer-Encoding: gzip, chunked", "http1.invalid_transfer_encoding"],
  ["chunked twice", "Transfer-Encoding: chunked, chunked", "http1.invalid_transfer_encoding"],
  [
    "chunked in two lines",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "http1.invalid_transfer_encoding",
  ],
  [
    "chunked behind another",
    "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "http1.invalid_transfer_encoding",
  ],
  ["empty coding", "Transfer-Encoding:", "http1.invalid_transfer_encoding"],
  ["identity", "Transfer-Encoding: identity", "http1.invalid_transfer_encoding"],
  ["coding with a parameter", "Transfer-Encoding: chunked;a=b", "http1.invalid_transfer_encoding"],
  ["quoted coding", 'Transfer-Encoding: "chunked"', "http1.invalid_transfer_encoding"],
  ["coding with a byte that folds", "Transfer-Encoding: \x03hunked", "http1.invalid_characters"],
];

const badHosts: string[] = [
  "u@h",
  "a b",
  "a/b",
  'a"b',
  "a<b",
  "a\xe9",
  "a?b",
  "a#b",
  "a\\b",
  "{a}",
];

describe("refused requests", () => {
  test.each(badRequests)("%s", (_name, line, expected) => {
    const text = `${line}\r\n${HOST}\r\n`;
    expect(outcome("request", text)).toBe(expected);
    expectSameWhenSplit("request", text);
  });

  test.each(badLines)("%s", (_name, line, expected) => {
    const text = `POST / HTTP/1.1\r\n${HOST}${line}\r\n\r\n`;
    expect(outcome("request", text)).toBe(expected);
    expectSameWhenSplit("request", text);
  });

  test.each(badHosts)("Host: %s", (host) => {
    expect(outcome("request", head("GET / HTTP/1.1", `Host: ${host}`))).toBe(
      "http.invalid_authority",
    );
  });

  test("empty lines before a request must be CRLF", () => {
    expect(outcome("request", `\n${head("GET / HTTP/1.1")}`)).toBe("http1.codec_error");
    expect(outcome("request", `\r${head("GET / HTTP/1.1")}`)).toBe("http1.codec_error");
  });

  test("a head ended by bare LFs is refused at the first of them", () => {
    expect(outcome("request", "GET / HTTP/1.1\nHost: h\n\n")).toBe("http1.codec_error");
  });
});

describe("limits", () => {
  const small: Http1CodecOptions = { ...defaultOptions, headBytesMax: 64, headersMax: 3 };

  test("a head of exactly the limit passes, one byte more is 431", () => {
    const base = head("GET / HTTP/1.1", "A: ");
    const fits = head("GET / HTTP/1.1", `A: ${"x".repeat(64 - base.length)}`);
    expect(fits.length).toBe(64);
    expect(outcome("request", fits, small)).toContain("used 64");
    expect(outcome("request", `${fits}more`, small)).toContain("used 64");
    const tooLong = fits.replace("A: ", "A: y");
    expect(outcome("request", tooLong, small)).toBe("http1.headers_too_large");
    expectSameWhenSplit("request", tooLong, small);
  });

  test("a head without end is 431 as soon as the limit is passed", () => {
    expect(outcome("request", `GET /${"x".repeat(59)}`, small)).toBe("more");
    expect(outcome("request", `GET /${"x".repeat(60)}`, small)).toBe("http1.headers_too_large");
    expect(outcome("request", "\r\n".repeat(33), small)).toBe("http1.headers_too_large");
  });

  test("the header count includes Host", () => {
    expect(outcome("request", head("GET / HTTP/1.1", "Host: h", "a: 1", "b: 2"), small)).toContain(
      "used",
    );
    const four = head("GET / HTTP/1.1", "Host: h", "a: 1", "b: 2", "c: 3");
    expect(outcome("request", four, small)).toBe("http1.too_many_headers");
    expectSameWhenSplit("request", four, small);
  });

  test("a fault before the limit is found first", () => {
    const text = `GET / HTTP/1.1\r\na b: ${"x".repeat(100)}`;
    expect(outcome("request", text, small)).toBe("http1.codec_error");
  });
});

describe("options", () => {
  test("HTTP/1.0 when accepted, with the default host", () => {
    const options = { ...defaultOptions, acceptHttp10: true, defaultHostForHttp10: "d" };
    const text = head("GET /x HTTP/1.0");
    expect(outcome("request", text, options)).toContain(":authority: d\n:path: /x");
    expect(parser.minorVersion).toBe(0);
    expect(outcome("request", head("GET /x HTTP/1.0", "Host: h"), options)).toContain(
      ":authority: h",
    );
    expect(outcome("request", head("GET /x HTTP/1.1"), options)).not.toContain(":authority");
    expect(outcome("request", head("GET /x HTTP/0.9"), options)).toBe("low_version");
  });

  test("an HTTP/1.0 request line is not written back", () => {
    const map = new HeaderMap();
    const bytes = Buffer.from(head("GET /x HTTP/1.0", "Host: h"));
    parser.request(bytes, 0, bytes.length, map, { ...defaultOptions, acceptHttp10: true });
    expect(map.serializeRequest()).toBe("GET /x HTTP/1.1\r\nhost: h\r\n");
  });

  test("absolute form stays the path when it is not allowed", () => {
    const options = { ...defaultOptions, allowAbsoluteUrl: false };
    expect(outcome("request", head("GET http://a/x HTTP/1.1", "Host: h"), options)).toContain(
      ":authority: h\n:path: http://a/x",
    );
  });

  test("length and chunked: the length goes when that is allowed", () => {
    const options = { ...defaultOptions, allowChunkedLength: true };
    const text = head("POST / HTTP/1.1", "Content-Length: 2", "Transfer-Encoding: chunked");
    const result = outcome("request", text, options);
    expect(result).toContain("chunked");
    expect(result).not.toContain("content-length");
    const gzip = head("POST / HTTP/1.1", "Content-Length: 2", "Transfer-Encoding: gzip");
    expect(outcome("request", gzip, options)).toBe("http1.content_length_and_chunked_not_allowed");
  });

  test("names with underscores: allowed, refused, dropped", () => {
    const text = head("GET / HTTP/1.1", "a_b: 1", "c: 2", "d_: 3", "D_E: 4");
    expect(outcome("request", text)).toContain("a_b: 1\nc: 2\nd_: 3\nd_e: 4");
    expect(outcome("request", text, { ...defaultOptions, underscores: "reject" })).toBe(
      "http1.unexpected_underscore",
    );
    const dropped = outcome("request", text, { ...defaultOptions, underscores: "drop" });
    expect(dropped).toContain(":method: GET\nc: 2\nnone");
    expect(parser.droppedUnderscores).toBe(3);
  });

  test.each(["Content_Length: 5", "tRANSFER_eNCODING: chunked"])(
    "%s is refused unless it is dropped: some servers take it for a framing header",
    (line) => {
      const text = head("POST / HTTP/1.1", line, "Content-Length: 2");
      expect(outcome("request", text)).toBe("http1.unexpected_underscore");
      const dropped = outcome("request", text, { ...defaultOptions, underscores: "drop" });
      expect(dropped).toContain(":method: POST\ncontent-length: 2\nlength 2");
      expect(outcome("request", head("POST / HTTP/1.1", `x-${line}`))).toContain(":method: POST");
    },
  );
});

describe("responses", () => {
  const good: [string, string][] = [
    ["HTTP/1.1 200 OK", ":status: 200\nnone"],
    ["HTTP/1.1 200", ":status: 200\nnone"],
    ["HTTP/1.1 200 ", ":status: 200\nnone"],
    ["HTTP/1.1 100 x", ":status: 100\nnone"],
    ["HTTP/1.1 999 a b\t\xe9", ":status: 999\nnone"],
    ["HTTP/1.0 404 Not Found", ":status: 404\nnone"],
    ["HTTP/1.7 200 OK", ":status: 200\nnone"],
  ];
  test.each(good)("%j", (line, expected) => {
    const text = head(line);
    expect(outcome("response", text)).toBe(`${expected}\nused ${text.length}`);
    expectSameWhenSplit("response", text);
  });

  const bad: string[] = [
    "HTTP/2.0 200 OK",
    "HTTP/2 200 OK",
    "HTTP/0.9 200 OK",
    "http/1.1 200 OK",
    "ICY 200 OK",
    " HTTP/1.1 200 OK",
    "\r\nHTTP/1.1 200 OK",
    "HTTP/1.1  200 OK",
    "HTTP/1.1 +200 OK",
    "HTTP/1.1 99 x",
    "HTTP/1.1 099 x",
    "HTTP/1.1 1000 x",
    "HTTP/1.1 2x0 x",
    "HTTP/1.1 200OK",
    "HTTP/1.1 200\tOK",
    "HTTP/1.1 200 O\0K",
    "HTTP/1.1 200 O\x01K",
    "HTTP/1.1 200 O\rK",
    "HTTP/1.1 200 OK\nA: b",
    "\x16\x03\x01\x02",
  ];
  test.each(bad)("%j is refused", (line) => {
    const result = outcome("response", head(line));
    expect(["http1.codec_error", "http1.invalid_characters"]).toContain(result);
    expectSameWhenSplit("response", head(line));
  });

  test("a Host line is a header like any other in a response", () => {
    expect(outcome("response", head("HTTP/1.1 200 OK", "Host: a b", "Host: c"))).toContain(
      "host: a b\nhost: c",
    );
  });

  test("framing rules hold for responses too", () => {
    for (const [, line, expected] of badLines) {
      if (/host/i.test(line)) continue;
      expect(outcome("response", head("HTTP/1.1 200 OK", line))).toBe(expected);
    }
  });
});

describe("trailers", () => {
  test("the empty line alone, and lines", () => {
    expect(outcome("trailers", "\r\n")).toBe("none\nused 2");
    expect(outcome("trailers", "X-T: 1\r\nb: 2\r\n\r\n")).toBe("x-t: 1\nb: 2\nnone\nused 16");
    expectSameWhenSplit("trailers", "X-T: 1\r\nb: 2\r\n\r\n");
  });

  test.each([" x: 1\r\n\r\n", "x : 1\r\n\r\n", "x\r\n\r\n", "x: 1\n\r\n"])(
    "%j is refused",
    (text) => {
      expect(outcome("trailers", text)).toBe("http1.codec_error");
    },
  );
});

describe("damaged heads", () => {
  const seeds = [
    head("GET /a/b?c=d HTTP/1.1", "Host: h.example", "User-Agent: x y", "Accept: */*"),
    head("POST http://a.b:80/x HTTP/1.1", "Host: h", "Content-Length: 12", "X-Y:  z "),
    head("PUT /p HTTP/1.1", "Host: h", "Transfer-Encoding: chunked", "Expect: 100-continue"),
    head("CONNECT a:443 HTTP/1.1", "Host: a:443", "Proxy-Connection: keep-alive"),
  ];
  const inserts = ["\r", "\n", "\r\n", " ", "\t", ":", "\0", "\x7f", "\xff", "_", ",", "a", "@"];

  /** mulberry32: the seed alone decides the run. */
  function makeRandom(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function damage(text: string, random: () => number): string {
    let out = text;
    const times = 1 + Math.floor(random() * 3);
    for (let i = 0; i < times; i += 1) {
      const at = Math.floor(random() * out.length);
      const what = inserts[Math.floor(random() * inserts.length)] as string;
      const kind = Math.floor(random() * 4);
      if (kind === 0) out = out.slice(0, at) + what + out.slice(at);
      else if (kind === 1) out = out.slice(0, at) + what + out.slice(at + 1);
      else if (kind === 2) out = out.slice(0, at) + out.slice(at + 1 + Math.floor(random() * 4));
      else out = out.slice(0, at) + String.fromCharCode(random() * 256) + out.slice(at + 1);
    }
    return out;
  }

  test("100,000 of them: never throws, reads only its range, a split changes nothing", () => {
    const random = makeRandom(20260731);
    const seen = new Set<string>();
    for (let run = 0; run < 100_000; run += 1) {
      const seed = seeds[run % seeds.length] as string;
      const text = damage(seed, random);
      const whole = outcome("request", text);
      seen.add(whole.includes("\n") ? "parsed" : whole);
      // A prefix tells the same or nothing.
      const cut = Math.floor(random() * text.length);
      const part = outcome("request", text.slice(0, cut));
      if (part !== "more" && part !== whole) {
        throw new Error(`${JSON.stringify(text)} cut at ${cut}: ${part}, whole: ${whole}`);
      }
      // In the middle of other bytes the outcome is the same, but for the offset.
      const map = new HeaderMap();
      const framed = Buffer.from(
        `\r\n\r\n:${text}${text.length % 2 === 0 ? "\r\n\r\n" : "x"}`,
        "latin1",
      );
      const result = parser.request(framed, 5, 5 + text.length, map, defaultOptions);
      const expected =
        whole === "more" ? ParseResult.More : Number(/used (\d+)/.exec(whole)?.[1]) + 5;
      if (Number.isNaN(expected) ? result >= 0 : result !== expected) {
        throw new Error(`${JSON.stringify(text)} inside other bytes: ${result}, alone: ${whole}`);
      }
    }
    // The damage reached most of what can be wrong.
    expect(seen.has("parsed")).toBe(true);
    expect(seen.size).toBeGreaterThan(6);
  });
});
