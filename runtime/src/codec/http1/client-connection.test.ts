// The client connection against a fake sink: what it writes for a request, how it reads a response,
// and when it may be used again.
import { describe, expect, test } from "vitest";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import { type RequestEncoder, StreamResetReason } from "../codec.ts";
import { Http1ClientConnection } from "./client-connection.ts";
import { Http1Shared } from "./shared.ts";
import {
  defaultOptions,
  FakeSink,
  RecordingPool,
  RecordingResponse,
  requestMap,
  responseMap,
} from "./recorders-for-test.ts";

class Upstream {
  readonly sink: FakeSink = new FakeSink();
  readonly log: string[] = [];
  readonly pool: RecordingPool = new RecordingPool(this.log);
  readonly connection: Http1ClientConnection;
  encoder: RequestEncoder | null = null;

  constructor(options: Partial<Http1CodecOptions> = {}) {
    const all = { ...defaultOptions, ...options };
    this.connection = new Http1ClientConnection(this.sink, this.pool, all, new Http1Shared());
  }

  /** Starts a stream and writes a request without a body. */
  request(start = "GET /x", ...lines: string[]): this {
    this.open();
    this.encoder?.encodeHeaders(requestMap(start, "host: h", ...lines), true);
    return this;
  }

  open(): this {
    this.encoder = this.connection.newStream(new RecordingResponse(this.log));
    return this;
  }

  answer(text: string): this {
    const bytes = Buffer.from(text, "latin1");
    this.connection.dispatch(bytes, bytes.length);
    return this;
  }

  body(text: string, endStream: boolean): void {
    const bytes = Buffer.from(text, "latin1");
    this.encoder?.encodeData(bytes, 0, bytes.length, endStream);
  }
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const OK_LOG = ["headers", "  :status: 200", "  content-length: 2", 'data "ok"', "end"];
const PROTOCOL_ERROR = `reset ${StreamResetReason.ProtocolError}`;
const TERMINATION = `reset ${StreamResetReason.ConnectionTermination}`;

describe("requests", () => {
  test.each(["GET", "HEAD", "DELETE", "TRACE"])("%s without a body has no length", (method) => {
    expect(new Upstream().request(`${method} /x`).sink.written).toBe(
      `${method} /x HTTP/1.1\r\nhost: h\r\n\r\n`,
    );
  });

  test.each(["POST", "PUT", "PATCH", "OPTIONS", "PROPFIND", "LINK"])(
    "%s without a body has content-length: 0",
    (method) => {
      expect(new Upstream().request(`${method} /x`, "a: 1").sink.written).toBe(
        `${method} /x HTTP/1.1\r\nhost: h\r\na: 1\r\ncontent-length: 0\r\n\r\n`,
      );
    },
  );

  test("a body by length", () => {
    const up = new Upstream().open();
    up.encoder?.encodeHeaders(requestMap("POST /", "host: h", "content-length: 4"), false);
    up.body("ab", false);
    up.body("cd", true);
    expect(up.sink.written).toBe("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nabcd");
    expect(up.answer(OK).log).toEqual([...OK_LOG, "reusable"]);
  });

  test("a body without length is chunked, with trailers when enabled", () => {
    for (const enableTrailers of [true, false]) {
      const up = new Upstream({ enableTrailers }).open();
      up.encoder?.encodeHeaders(requestMap("GET /", "host: h", "transfer-encoding: x"), false);
      up.body("ab", false);
      up.encoder?.encodeTrailers(responseMap(0, "x-t: 1"));
      expect(up.sink.written).toBe(
        "GET / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n" +
          (enableTrailers ? "0\r\nx-t: 1\r\n\r\n" : "0\r\n\r\n"),
      );
    }
  });

  test("a body shorter than its length makes the connection useless", () => {
    const up = new Upstream().open();
    up.encoder?.encodeHeaders(requestMap("POST /", "host: h", "content-length: 4"), false);
    up.body("ab", true);
    expect(up.answer(OK).log.at(-1)).toBe("used up");
  });

  test("CONNECT names the authority, an upgrade is not framed", () => {
    const up = new Upstream().open();
    up.encoder?.encodeHeaders(requestMap("CONNECT", "host: h:80"), false);
    expect(up.sink.takeWritten()).toBe("CONNECT h:80 HTTP/1.1\r\nhost: h:80\r\n\r\n");
    const ws = new Upstream().open();
    const head = requestMap("GET /", "host: h", "connection: Upgrade", "upgrade: websocket");
    ws.encoder?.encodeHeaders(head, false);
    expect(ws.sink.written).toBe(
      "GET / HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
    );
  });

  test("proper case", () => {
    const up = new Upstream({ headerCase: "proper" }).request("POST /", "x-a: 1");
    expect(up.sink.written).toBe(
      "POST / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n",
    );
  });
});

/** The log of a response that is read whole, which must be that of one read byte by byte. */
function logOf(
  request: string,
  response: string,
  options: Partial<Http1CodecOptions> = {},
): string[] {
  const whole = new Upstream(options).request(request).answer(response);
  const split = new Upstream(options).request(request);
  for (const char of response) split.answer(char);
  expect(split.log).toEqual(whole.log);
  return whole.log;
}

describe("responses", () => {
  test("by length", () => {
    expect(logOf("GET /", OK)).toEqual([...OK_LOG, "reusable"]);
  });

  test("chunked, with extensions, trailers dropped or handed on", () => {
    const text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX-T: 1\r\n\r\n";
    const head = ["headers", "  :status: 200", "  transfer-encoding: chunked", 'data "abc"'];
    expect(logOf("GET /", text)).toEqual([...head, "end", "reusable"]);
    expect(logOf("GET /", text, { enableTrailers: true })).toEqual([
      ...head,
      "trailers",
      "  x-t: 1",
      "end",
      "reusable",
    ]);
  });

  test("headers of the connection go on: filters behind the router see them, as in Envoy", () => {
    const lines = "Keep-Alive: timeout=5\r\nConnection: keep-alive\r\n";
    const answer = OK.replace("content-length", `${lines}content-length`);
    const [headers, status, ...rest] = OK_LOG;
    const seen = ["  keep-alive: timeout=5", "  connection: keep-alive"];
    const told = [headers, status, ...seen, ...rest, "reusable"];
    expect(logOf("GET /", answer)).toEqual(told);
  });

  test("an empty chunked body", () => {
    const text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    expect(logOf("GET /", text)).toEqual([
      "headers",
      "  :status: 200",
      "  transfer-encoding: chunked",
      "end",
      "reusable",
    ]);
  });

  const bodiless: [string, string, string][] = [
    ["HEAD", "HEAD /", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"],
    ["HEAD, chunked", "HEAD /", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"],
    ["HEAD, no length", "HEAD /", "HTTP/1.1 200 OK\r\n\r\n"],
    ["204", "GET /", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["204 with length 0", "GET /", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"],
    ["304 with a length", "GET /", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"],
    ["304, chunked", "GET /", "HTTP/1.1 304 N\r\ntransfer-encoding: chunked\r\n\r\n"],
    ["length 0", "GET /", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"],
  ];
  test.each(bodiless)("%s has no body", (_name, request, response) => {
    const up = new Upstream().request(request).answer(response);
    expect(up.log.slice(-2)).toEqual(["end", "reusable"]);
    expect(up.log).not.toContain("  content-length: 0\r\n");
    expect(up.request().answer(OK).log.slice(-6)).toEqual([...OK_LOG, "reusable"]);
  });

  test("until the close: complete, not reusable, after a reset too", () => {
    for (const how of ["onEnd", "onClose"] as const) {
      const up = new Upstream().request().answer("HTTP/1.0 200 OK\r\n\r\nabc");
      expect(up.log.at(-1)).toBe('data "abc"');
      if (how === "onEnd") up.connection.onEnd();
      else up.connection.onClose(StreamResetReason.ConnectionTermination, "");
      expect(up.log.slice(-2)).toEqual(["end", "used up"]);
    }
  });

  test("interim responses come first, a 101 nobody asked for is refused", () => {
    expect(logOf("GET /", `HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n${OK}`)).toEqual([
      "informational",
      "  :status: 100",
      "informational",
      "  :status: 103",
      "  link: x",
      ...OK_LOG,
      "reusable",
    ]);
    expect(logOf("GET /", "HTTP/1.1 101 S\r\nupgrade: x\r\n\r\n")).toEqual([
      PROTOCOL_ERROR,
      "used up",
    ]);
  });

  test("interim responses without end are refused", () => {
    const up = new Upstream().request().answer("HTTP/1.1 102 P\r\n\r\n".repeat(101));
    expect(up.log.slice(-2)).toEqual([PROTOCOL_ERROR, "used up"]);
  });

  const reuse: [string, string][] = [
    ["HTTP/1.1 200 OK\r\n", "reusable"],
    ["HTTP/1.1 200 OK\r\nConnection: close\r\n", "used up"],
    ["HTTP/1.1 200 OK\r\nconnection: x, Close\r\n", "used up"],
    ["HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n", "reusable"],
    ["HTTP/1.1 200 OK\r\nProxy-Connection: close\r\n", "used up"],
    ["HTTP/1.0 200 OK\r\n", "used up"],
    ["HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", "reusable"],
    ["HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n", "used up"],
  ];
  test.each(reuse)("%j leaves the connection %s", (head, expected) => {
    const up = new Upstream().request().answer(`${head}content-length: 0\r\n\r\n`);
    expect(up.log.at(-1)).toBe(expected);
  });

  test("chunks from HTTP/1.0 are read, then the connection is given up", () => {
    const up = new Upstream().request();
    up.answer("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n");
    expect(up.answer("1\r\na\r\n0\r\n\r\n").log.slice(-3)).toEqual(['data "a"', "end", "used up"]);
  });

  test.each([
    `${OK}!`,
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n!",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n!",
    "HTTP/1.1 204 No Content\r\n\r\n!",
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n!",
  ])("bytes beyond the response: not reusable (%j)", (text) => {
    const up = new Upstream().request().answer(text);
    expect(up.log).toContain("end");
    expect(up.log).toContain("go away");
    expect(up.log.at(-1)).toBe("used up");
  });

  test("a response before the request's end: complete, not reusable, late body ignored", () => {
    const up = new Upstream().open();
    up.encoder?.encodeHeaders(requestMap("POST /", "host: h", "content-length: 9"), false);
    up.answer(OK);
    expect(up.log.slice(-2)).toEqual(["end", "used up"]);
    up.sink.takeWritten();
    up.body("abc", true);
    up.encoder?.resetStream(StreamResetReason.LocalReset);
    expect(up.sink.written).toBe("");
    expect(up.log.at(-1)).toBe("used up");
  });

  test("the next response may be parsed into the same map", () => {
    const up = new Upstream().request().answer(OK);
    up.request("GET /y");
    expect(up.answer(OK).log).toEqual([...OK_LOG, "reusable", ...OK_LOG, "reusable"]);
  });
});

describe("faults of the upstream", () => {
  const bad: [string, string][] = [
    ["garbage", "garbage\r\n\r\n"],
    ["a TLS record", "\x16\x03\x01\x02\x00"],
    ["HTTP/2", "HTTP/2 200\r\n\r\n"],
    ["folded line", "HTTP/1.1 200 OK\r\na: 1\r\n 2\r\ncontent-length: 2\r\n\r\nok"],
    ["bare LF", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok"],
    [
      "length and chunked",
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok"],
    ["another coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n"],
    ["204 with a length", "HTTP/1.1 204 N\r\ncontent-length: 2\r\n\r\nok"],
    ["204 with chunks", "HTTP/1.1 204 N\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["100 with a length", "HTTP/1.1 100 C\r\ncontent-length: 2\r\n\r\nok"],
    ["too many headers", `HTTP/1.1 200 OK\r\n${"a: 1\r\n".repeat(101)}\r\n`],
    ["too large a head", `HTTP/1.1 200 OK\r\na: ${"x".repeat(62_000)}\r\n\r\n`],
  ];
  test.each(bad)("%s is a protocol error", (_name, text) => {
    const up = new Upstream().request().answer(text);
    expect(up.log).toEqual([PROTOCOL_ERROR, "used up"]);
    expect(up.pool.protocolErrors).toBe(1);
    expect(up.answer(OK).log).toHaveLength(2);
  });

  const badChunks = [
    "2\nok\r\n0\r\n\r\n",
    "2\r\nok\n0\r\n\r\n",
    "2\r\nokX\r\n0\r\n\r\n",
    " 2\r\nok\r\n",
    "0x2\r\nok\r\n",
    "g\r\n",
    "\r\n",
    "-2\r\nok\r\n",
    "ffffffffffffffff\r\n",
    '2"a\r\nok\r\n',
    "2;\r\r\nok\r\n",
    "2;\x01\r\nok\r\n",
    `2;${"x".repeat(17_000)}\r\nok\r\n`,
    "2\r\nok\r\n0\r\nx : 1\r\n\r\n",
    "2\r\nok\r\n0\r\nx\r\n\r\n",
    "2\r\nok\r\n0\r\n\n",
  ];
  test.each(badChunks)("chunks %j are a protocol error", (chunks) => {
    const text = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`;
    const up = new Upstream().request().answer(text);
    expect(up.log.slice(-2)).toEqual([PROTOCOL_ERROR, "used up"]);
    const split = new Upstream().request();
    for (const char of text) split.answer(char);
    expect(split.log).toEqual(up.log);
  });

  test.each([
    "2 \r\nok\r\n0\r\n\r\n",
    "2\t;a\r\nok\r\n00\r\n\r\n",
    "0000000000000002\r\nok\r\n0\r\n\r\n",
  ])("chunks %j are fine", (chunks) => {
    const text = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`;
    const up = new Upstream().request().answer(text);
    expect(up.log.slice(-3)).toEqual(['data "ok"', "end", "reusable"]);
  });

  test("an end before any byte is a termination, later a protocol error (check 76)", () => {
    const pieces: [string, string][] = [
      ["", TERMINATION],
      ["HTTP/1.1 200 OK\r\nfoo", PROTOCOL_ERROR],
      ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok", PROTOCOL_ERROR],
      ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", PROTOCOL_ERROR],
    ];
    for (const [text, expected] of pieces) {
      const byEnd = new Upstream().request().answer(text);
      byEnd.connection.onEnd();
      expect(byEnd.log.slice(-2)).toEqual([expected, "used up"]);
      const byClose = new Upstream().request().answer(text);
      byClose.connection.onClose(StreamResetReason.ConnectionTermination, "");
      expect(byClose.log.slice(-2)).toEqual([expected, "used up"]);
    }
  });

  test("a connection that never came up gives its reason on", () => {
    const up = new Upstream().request();
    up.connection.onClose(StreamResetReason.ConnectionFailure, "delayed connect error: 111");
    expect(up.log).toEqual([
      `reset ${StreamResetReason.ConnectionFailure} delayed connect error: 111`,
      "used up",
    ]);
  });

  test("bytes or a FIN between responses: use no more", () => {
    const up = new Upstream().request().answer(OK);
    expect(up.answer("HTTP/1.1 408 Timeout\r\n\r\n").log.at(-1)).toBe("go away");
    expect(up.pool.protocolErrors).toBe(1);
    const idle = new Upstream().request().answer(OK);
    idle.connection.onEnd();
    expect(idle.log.at(-1)).toBe("go away");
    expect(idle.pool.protocolErrors).toBe(0);
  });
});

describe("the stream's end from our side", () => {
  test("a reset gives the connection up and silences the rest", () => {
    const up = new Upstream().request();
    up.encoder?.resetStream(StreamResetReason.LocalReset);
    expect(up.log).toEqual(["used up"]);
    expect(up.answer(OK).log).toEqual(["used up"]);
  });

  test("readDisable is counted and undone", () => {
    const up = new Upstream().request();
    up.encoder?.readDisable(true);
    up.encoder?.readDisable(true);
    expect(up.sink.readDisables).toBe(2);
    up.answer(OK);
    expect(up.sink.readDisables).toBe(0);
  });

  test("back-pressure", () => {
    const up = new Upstream().open();
    up.encoder?.encodeHeaders(requestMap("POST /", "host: h"), false);
    up.sink.isTaking = false;
    expect(up.encoder?.encodeData(Buffer.from("ab"), 0, 2, false)).toBe(false);
    up.connection.onWritable();
    expect(up.log).toEqual(["writable"]);
  });
});

describe("tunnels", () => {
  function websocket(): Upstream {
    const up = new Upstream().open();
    const head = requestMap("GET /", "host: h", "connection: Upgrade", "upgrade: websocket");
    up.encoder?.encodeHeaders(head, false);
    up.sink.takeWritten();
    return up;
  }

  const SWITCH = "HTTP/1.1 101 S\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";

  test("101 opens it; bytes pass unframed; the peer's FIN breaks it", () => {
    const up = websocket();
    up.answer(`${SWITCH}down`);
    up.encoder?.startTunnel();
    up.body("up", false);
    expect(up.sink.written).toBe("up");
    expect(up.log.at(-1)).toBe('data "down"');
    up.connection.onEnd();
    expect(up.log.slice(-2)).toEqual([TERMINATION, "used up"]);
  });

  test("a 101 that names no upgrade opens none", () => {
    const up = websocket().answer("HTTP/1.1 101 S\r\n\r\n");
    expect(up.log.slice(-2)).toEqual(["reset 8", "used up"]);
  });

  test("lengths say nothing about what goes up", () => {
    const up = new Upstream().open();
    const lines = ["host: h", "connection: Upgrade", "upgrade: x", "content-length: 3"];
    up.encoder?.encodeHeaders(requestMap("GET /", ...lines), false);
    up.answer(SWITCH);
    up.sink.takeWritten();
    up.body("abcdef", false);
    expect(up.sink.written).toBe("abcdef");
  });

  test("a refused upgrade is a response like any other, but ends the connection", () => {
    const up = websocket().answer(OK);
    expect(up.log).toEqual([...OK_LOG, "used up"]);
  });

  test("a tunnel that breaks is reset with its reason", () => {
    const up = websocket().answer(SWITCH);
    up.connection.onClose(StreamResetReason.ConnectionTermination, "x");
    expect(up.log.slice(-2)).toEqual([`${TERMINATION} x`, "used up"]);
  });

  test("CONNECT: a 2xx opens it whatever its lengths say, others are responses", () => {
    const up = new Upstream().open();
    up.encoder?.encodeHeaders(requestMap("CONNECT", "host: h:1"), false);
    up.answer("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef");
    expect(up.log).toEqual(["headers", "  :status: 200", 'data "abcdef"']);
    const refused = new Upstream().open();
    refused.encoder?.encodeHeaders(requestMap("CONNECT", "host: h:1"), false);
    expect(refused.answer("HTTP/1.1 403 F\r\ncontent-length: 1\r\n\r\nx").log.slice(-3)).toEqual([
      'data "x"',
      "end",
      "used up",
    ]);
  });
});
