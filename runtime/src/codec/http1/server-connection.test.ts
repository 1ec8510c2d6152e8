// The server connection against a fake sink: framing of both directions, keep-alive, pipelining,
// errors, early answers, tunnels.
import { describe, expect, test } from "vitest";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import { StatsStore } from "../../stats/store.ts";
import { StreamResetReason } from "../codec.ts";
import { Http1ServerConnection } from "./server-connection.ts";
import { Http1Shared } from "./shared.ts";
import {
  defaultOptions,
  FakeSink,
  RecordingManager,
  type RecordingRequest,
  responseMap,
} from "./recorders-for-test.ts";

class Peer {
  readonly sink: FakeSink = new FakeSink();
  readonly manager: RecordingManager = new RecordingManager();
  readonly connection: Http1ServerConnection;

  constructor(options: Partial<Http1CodecOptions> = {}) {
    this.connection = new Http1ServerConnection(
      this.sink,
      this.manager,
      { ...defaultOptions, ...options },
      new Http1Shared(),
      null,
    );
  }

  /** Sends bytes, then what the codec put back, as an engine would. */
  send(text: string): void {
    let bytes: Buffer = Buffer.from(text, "latin1");
    while (bytes.length > 0) {
      this.connection.dispatch(bytes, bytes.length);
      bytes = this.sink.takeUnread();
    }
  }

  /** Delivers what was put back and may be read by now. */
  deliverUnread(): void {
    this.send(this.sink.takeUnread().toString("latin1"));
  }

  get stream(): RecordingRequest {
    return this.manager.streams.at(-1) as RecordingRequest;
  }
}

function encodeBody(stream: RecordingRequest, text: string, endStream: boolean): boolean {
  const bytes = Buffer.from(text, "latin1");
  return stream.encoder.encodeData(bytes, 0, bytes.length, endStream);
}

function answer(stream: RecordingRequest, body: string): void {
  stream.encoder.encodeHeaders(responseMap(200, `content-length: ${body.length}`), body === "");
  if (body !== "") encodeBody(stream, body, true);
}

const GET = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
const GET_LOG = ["headers", "  :authority: h", "  :path: /x", "  :method: GET", "end"];

describe("requests", () => {
  test("a request without a body ends with its head", () => {
    const peer = new Peer();
    peer.send(GET);
    expect(peer.manager.log).toEqual(GET_LOG);
    expect(peer.connection.hasActiveStream).toBe(true);
  });

  test("a body by length, in any pieces", () => {
    for (const size of [1, 2, 3, 100]) {
      const peer = new Peer();
      const text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde";
      for (let at = 0; at < text.length; at += size) peer.send(text.slice(at, at + size));
      expect(peer.manager.log.slice(-2)).toEqual(['data "abcde"', "end"]);
    }
  });

  test("content-length 0 has no body", () => {
    const peer = new Peer();
    peer.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    expect(peer.manager.log.at(-1)).toBe("end");
  });

  test("trailers are handed on only when enabled, without framing fields", () => {
    const text =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "1\r\na\r\n0\r\nX-T: 1\r\nContent-Length: 3\r\nHost: evil\r\n\r\n";
    const off = new Peer();
    off.send(text);
    expect(off.manager.log.slice(-2)).toEqual(['data "a"', "end"]);
    const on = new Peer({ enableTrailers: true });
    on.send(text);
    expect(on.manager.log.slice(-4)).toEqual(['data "a"', "trailers", "  x-t: 1", "end"]);
  });

  test("a head that comes in pieces longer than its limit is 431", () => {
    const peer = new Peer({ headBytesMax: 100 });
    peer.send(`GET / HTTP/1.1\r\nA: ${"x".repeat(60)}`);
    expect(peer.connection.isReadingHead).toBe(true);
    peer.send("y".repeat(60));
    expect(peer.manager.log).toEqual(["error 431 http1.headers_too_large"]);
  });

  test("a pipelined request waits for the answer before it", () => {
    const peer = new Peer();
    peer.send(GET + GET.replace("/x", "/y"));
    expect(peer.manager.log).toEqual(GET_LOG);
    expect(peer.sink.readDisables).toBe(1);
    answer(peer.stream, "one");
    expect(peer.sink.readDisables).toBe(0);
    peer.deliverUnread();
    expect(peer.manager.streams).toHaveLength(2);
    expect(peer.manager.log).toContain("  :path: /y");
    answer(peer.stream, "two");
    expect(peer.sink.written).toBe(
      "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none" +
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo",
    );
  });

  test("a pipelined request waits until the peer has taken the answer before it", () => {
    const peer = new Peer();
    peer.manager.onRequestEnd = (request) => answer(request, "ok");
    peer.sink.isTaking = false;
    peer.send(GET.repeat(100));
    expect(peer.manager.streams.length).toBe(1);
    expect([peer.connection.isWriteBlocked, peer.sink.readDisables]).toEqual([true, 1]);
    peer.connection.onWritable();
    expect([peer.connection.isWriteBlocked, peer.sink.readDisables]).toEqual([false, 0]);
    peer.deliverUnread();
    expect(peer.manager.streams.length).toBe(2);
    peer.sink.isTaking = true;
    peer.connection.onWritable();
    peer.deliverUnread();
    expect(peer.manager.streams.length).toBe(100);
    expect(peer.sink.readDisables).toBe(0);
  });

  test("a peer that takes its answer late is asked for the next one all the same", () => {
    const peer = new Peer();
    peer.send(GET);
    peer.sink.isTaking = false;
    answer(peer.stream, "ok");
    expect(peer.connection.isWriteBlocked).toBe(true);
    peer.connection.onWritable();
    peer.sink.isTaking = true;
    peer.send(GET);
    answer(peer.stream, "ok");
    expect([peer.manager.streams.length, peer.connection.isWriteBlocked]).toEqual([2, false]);
  });

  test("10,000 pipelined requests that are answered at once do not deepen the stack", () => {
    const peer = new Peer();
    peer.manager.onRequestEnd = (request) => answer(request, "");
    peer.send(GET.repeat(10_000));
    expect(peer.manager.streams).toHaveLength(10_000);
    expect(peer.sink.readDisables).toBe(0);
  });

  test("a request after a body in the same bytes", () => {
    const peer = new Peer();
    peer.manager.onRequestEnd = (request) => answer(request, "");
    peer.send(
      `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n${GET}`,
    );
    expect(peer.manager.streams).toHaveLength(2);
  });

  test("headers that Connection names are removed, te: trailers stays", () => {
    const peer = new Peer();
    peer.send(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Foo, te\r\nFoo: 1\r\nTE: gzip, trailers\r\n\r\n",
    );
    expect(peer.manager.log.slice(4)).toEqual([
      "  connection: keep-alive, Foo, te",
      "  te: trailers",
      "end",
    ]);
  });

  test.each(["x-forwarded-for", "X-Forwarded-Proto", ":path", "a,b,c,d,e,f,g,h,i,j"])(
    "Connection: %s is refused",
    (value) => {
      const peer = new Peer();
      peer.send(`GET / HTTP/1.1\r\nHost: h\r\nConnection: ${value}\r\n\r\n`);
      expect(peer.manager.log).toEqual(["error 400 http1.connection_header_rejected"]);
    },
  );

  test("h2c among other offers is left for the connection manager to refuse", () => {
    const peer = new Peer();
    peer.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c, x\r\n\r\n");
    expect(peer.manager.log).toContain("  upgrade: h2c, x");
  });

  test("an offer of h2c is not taken", () => {
    const peer = new Peer();
    peer.send(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n",
    );
    expect(peer.manager.log.slice(4)).toEqual(["  connection: Upgrade, HTTP2-Settings", "end"]);
  });
});

describe("errors", () => {
  const bad: [string, string, string][] = [
    ["http1.codec_error", "BAD\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"],
    ["low_version", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 426 Upgrade Required\r\n"],
    [
      "http1.invalid_transfer_encoding",
      "GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
      "HTTP/1.1 501 Not Implemented\r\n",
    ],
    [
      "http1.body_disallowed",
      "CONNECT h:1 HTTP/1.1\r\nContent-Length: 3\r\n\r\n",
      "HTTP/1.1 400 Bad Request\r\n",
    ],
  ];
  test.each(bad)("%s becomes a stream that answers and closes", (details, text, line) => {
    const peer = new Peer();
    peer.manager.onRequestError = (request, error) => {
      request.encoder.encodeHeaders(
        responseMap(
          error.status,
          `content-length: ${error.body.length}`,
          "content-type: text/plain",
        ),
        false,
      );
      encodeBody(request, error.body, true);
    };
    peer.send(text + GET);
    const status = /\d+/.exec(line.slice(9))?.[0];
    expect(peer.manager.log).toEqual([`error ${status} ${details}`, "close"]);
    expect(peer.sink.written.startsWith(line)).toBe(true);
    expect(peer.sink.written).toContain("content-type: text/plain\r\nconnection: close\r\n\r\n");
    expect(peer.manager.protocolErrors).toBe(1);
  });

  test("a fault in the second request is answered after the first", () => {
    const peer = new Peer();
    peer.send(`${GET}BAD\r\n\r\n`);
    answer(peer.stream, "ok");
    peer.deliverUnread();
    expect(peer.manager.log.slice(-2)).toEqual(["complete", "error 400 http1.codec_error"]);
    expect(peer.sink.written).not.toContain("close");
  });

  test("a fault in a body reaches the stream that is there", () => {
    const peer = new Peer();
    peer.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nz\r\n");
    expect(peer.manager.streams).toHaveLength(1);
    expect(peer.manager.log.slice(-2)).toEqual(['data "ab"', "error 400 http1.codec_error"]);
    peer.stream.encoder.resetStream(StreamResetReason.LocalReset);
    expect(peer.manager.isClosed).toBe(true);
    peer.send(GET);
    expect(peer.manager.streams).toHaveLength(1);
  });

  test("counts underscores that it drops or refuses", () => {
    const store = new StatsStore();
    const stats = {
      droppedHeadersWithUnderscores: store.counter("dropped"),
      requestsRejectedWithUnderscoresInHeaders: store.counter("rejected"),
    };
    for (const underscores of ["drop", "reject"] as const) {
      const manager = new RecordingManager();
      const options = { ...defaultOptions, underscores };
      const connection = new Http1ServerConnection(
        new FakeSink(),
        manager,
        options,
        new Http1Shared(),
        stats,
      );
      const bytes = Buffer.from("GET / HTTP/1.1\r\nHost: h\r\na_b: 1\r\nc_d: 1\r\n\r\n");
      connection.dispatch(bytes, bytes.length);
    }
    expect(stats.droppedHeadersWithUnderscores.value).toBe(2);
    expect(stats.requestsRejectedWithUnderscoresInHeaders.value).toBe(1);
  });
});

describe("responses", () => {
  /** The answer to `request` with a response head and body pieces; the last one ends it. */
  function respond(
    request: string,
    head: ReturnType<typeof responseMap>,
    body: string[],
    options: Partial<Http1CodecOptions> = {},
  ): { written: string; closes: boolean } {
    const peer = new Peer(options);
    peer.send(request);
    peer.stream.encoder.encodeHeaders(head, body.length === 0);
    for (const [i, text] of body.entries()) encodeBody(peer.stream, text, i === body.length - 1);
    return { written: peer.sink.written, closes: peer.manager.log.at(-1) === "close" };
  }
  const HEAD = GET.replace("GET", "HEAD");
  const OLD = { acceptHttp10: true };
  const GET10 = GET.replace("1.1", "1.0");
  const KEEP10 = GET10.replace("\r\n\r\n", "\r\nConnection: Keep-Alive\r\n\r\n");

  test("by length", () => {
    expect(respond(GET, responseMap(200, "content-length: 2"), ["o", "k"])).toEqual({
      written: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
      closes: false,
    });
  });

  test("without a length: chunked, transfer-encoding last", () => {
    expect(respond(GET, responseMap(200, "a: 1"), ["abcdefghijklmnop", "", "q", ""])).toEqual({
      written:
        "HTTP/1.1 200 OK\r\na: 1\r\ntransfer-encoding: chunked\r\n\r\n" +
        "10\r\nabcdefghijklmnop\r\n1\r\nq\r\n0\r\n\r\n",
      closes: false,
    });
  });

  test("the last bytes leave with the end of their chunk and of all chunks in one call", () => {
    const peer = new Peer();
    peer.send(GET);
    peer.stream.encoder.encodeHeaders(responseMap(200, "a: 1"), false);
    encodeBody(peer.stream, "ab", false);
    expect(peer.sink.lastFramed).toBe("2\r\nab\r\n");
    encodeBody(peer.stream, "c", true);
    expect(peer.sink.lastFramed).toBe("1\r\nc\r\n0\r\n\r\n");
    expect(peer.sink.written).toMatch(/c\r\n0\r\n\r\n$/);
    expect(peer.stream.encoder.bytes.sent).toBe(peer.sink.written.length);
  });

  test("the upstream's transfer-encoding line is replaced by ours", () => {
    const head = responseMap(200, "transfer-encoding: chunked", "a: 1");
    expect(respond(GET, head, ["x"]).written).toBe(
      "HTTP/1.1 200 OK\r\na: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    );
  });

  test("a head alone gets content-length: 0, behind connection: close", () => {
    expect(respond(GET, responseMap(404), []).written).toBe(
      "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    );
    const close = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    expect(respond(close, responseMap(404), [])).toEqual({
      written: "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
      closes: true,
    });
  });

  test("204 has neither length nor body, 304 keeps its length", () => {
    expect(respond(GET, responseMap(204, "content-length: 0"), []).written).toBe(
      "HTTP/1.1 204 No Content\r\n\r\n",
    );
    expect(respond(GET, responseMap(204), ["x"]).written).toBe("HTTP/1.1 204 No Content\r\n\r\n");
    expect(respond(GET, responseMap(304, "content-length: 9"), [])).toEqual({
      written: "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
      closes: false,
    });
    expect(respond(GET, responseMap(304), []).written).toBe("HTTP/1.1 304 Not Modified\r\n\r\n");
  });

  test("HEAD: head as for GET, no body", () => {
    expect(respond(HEAD, responseMap(200, "content-length: 5"), [])).toEqual({
      written: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
      closes: false,
    });
    expect(respond(HEAD, responseMap(200, "content-length: 5"), ["hello"]).written).toBe(
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
    );
    expect(respond(HEAD, responseMap(200), []).written).toBe(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    );
  });

  test("HTTP/1.0: its own status line, keep-alive only when asked for and framed", () => {
    expect(respond(GET10, responseMap(200, "content-length: 1"), ["x"], OLD)).toEqual({
      written: "HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx",
      closes: true,
    });
    expect(respond(KEEP10, responseMap(200, "content-length: 1"), ["x"], OLD)).toEqual({
      written: "HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx",
      closes: false,
    });
    expect(respond(KEEP10, responseMap(200), ["x", "y"], OLD)).toEqual({
      written: "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nxy",
      closes: true,
    });
    expect(respond(KEEP10.replace("GET", "HEAD"), responseMap(200), [], OLD)).toEqual({
      written: "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n",
      closes: true,
    });
  });

  const closing: [string, boolean][] = [
    ["Connection: close", true],
    ["Connection: Close", true],
    ["Connection: keep-alive, close", true],
    ["Connection: closed", false],
    ["Connection: keep-alive", false],
    ["Proxy-Connection: close", true],
    ["Proxy-Connection: keep-alive", false],
    ["Keep-Alive: timeout=5", false],
    ["Connection: foo\r\nConnection: close", true],
  ];
  test.each(closing)("HTTP/1.1 with %j closes: %j", (line, closes) => {
    const request = GET.replace("\r\n\r\n", `\r\n${line}\r\n\r\n`);
    const result = respond(request, responseMap(200, "content-length: 0"), []);
    expect(result.closes).toBe(closes);
    expect(result.written.includes("connection: close\r\n")).toBe(closes);
  });

  test("a length that the body does not keep closes, and never writes too much", () => {
    const head = (): ReturnType<typeof responseMap> => responseMap(200, "content-length: 3");
    expect(respond(GET, head(), ["a"])).toEqual({
      written: "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na",
      closes: true,
    });
    expect(respond(GET, head(), ["abcd"])).toEqual({
      written: "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
      closes: true,
    });
    expect(respond(GET, head(), []).closes).toBe(true);
  });

  test("a length that is no number is not written", () => {
    expect(respond(GET, responseMap(200, "content-length: x"), ["a"]).written).toBe(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    );
  });

  test("connection: close of the manager is kept in its place and obeyed", () => {
    expect(respond(GET, responseMap(200, "connection: close", "a: 1"), [])).toEqual({
      written: "HTTP/1.1 200 OK\r\nconnection: close\r\na: 1\r\ncontent-length: 0\r\n\r\n",
      closes: true,
    });
    expect(respond(GET, responseMap(200, "connection: foo"), []).written).not.toContain("foo");
  });

  test("trailers go out with chunks when enabled, else they are dropped", () => {
    for (const enableTrailers of [true, false]) {
      const peer = new Peer({ enableTrailers });
      peer.send(GET);
      peer.stream.encoder.encodeHeaders(responseMap(200), false);
      encodeBody(peer.stream, "x", false);
      peer.stream.encoder.encodeTrailers(responseMap(0, "x-t: 1"));
      const end = enableTrailers ? "0\r\nx-t: 1\r\n\r\n" : "0\r\n\r\n";
      expect(peer.sink.written.endsWith(`1\r\nx\r\n${end}`)).toBe(true);
      expect(peer.manager.log.at(-1)).toBe("complete");
    }
  });

  test("informational heads come before; HTTP/1.0 gets only the 100 it asked for", () => {
    const peer = new Peer();
    peer.send(GET);
    peer.stream.encoder.encodeInformational(responseMap(100));
    peer.stream.encoder.encodeInformational(responseMap(103, "link: x"));
    expect(peer.sink.takeWritten()).toBe(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Unknown\r\nlink: x\r\n\r\n",
    );
    const old = new Peer(OLD);
    old.send(GET10);
    old.stream.encoder.encodeInformational(responseMap(100));
    old.stream.encoder.encodeInformational(responseMap(103, "link: x"));
    expect(old.sink.written).toBe("HTTP/1.0 100 Continue\r\n\r\n");
  });

  test("an unknown status has Envoy's reason phrase", () => {
    expect(respond(GET, responseMap(299), []).written).toContain("HTTP/1.1 299 Unknown\r\n");
  });

  test("an answer before the request's end closes, and the rest is ignored", () => {
    const peer = new Peer();
    peer.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    answer(peer.stream, "early");
    expect(peer.sink.written).toContain("connection: close\r\n");
    expect(peer.manager.log.at(-1)).toBe("close");
    const events = peer.manager.log.length;
    peer.send("def");
    expect(peer.manager.log).toHaveLength(events);
  });

  test("draining: the next answer says close", () => {
    const peer = new Peer();
    peer.send(GET);
    peer.connection.startDrain();
    answer(peer.stream, "x");
    expect(peer.sink.written).toContain("connection: close\r\n");
    expect(peer.manager.isClosed).toBe(true);
  });

  test("proper case changes all names, not the status line or values", () => {
    const head = responseMap(200, "x-fOo-bar: a-b:c", "www-x1y!z: 2");
    expect(respond(GET, head, ["x"], { headerCase: "proper" }).written).toBe(
      "HTTP/1.1 200 OK\r\nX-FOo-Bar: a-b:c\r\nWww-X1y!Z: 2\r\nTransfer-Encoding: chunked\r\n\r\n" +
        "1\r\nx\r\n0\r\n\r\n",
    );
  });

  test("preserve: the request's names keep their case, however they were split", () => {
    const text = "GET /x HTTP/1.1\r\nHOST: h\r\nX-fOO: 1\r\nUser-AGENT: u\r\n\r\n";
    for (let cut = 1; cut < text.length; cut += 1) {
      const peer = new Peer({ headerCase: "preserve" });
      peer.send(text.slice(0, cut));
      peer.send(text.slice(cut));
      const headers = peer.stream.headers;
      expect(headers?.get("x-foo")).toBe("1");
      headers?.set("user-agent", "v");
      headers?.set("added", "w");
      expect(headers?.serializeRequest()).toBe(
        "GET /x HTTP/1.1\r\nHOST: h\r\nX-fOO: 1\r\nUser-AGENT: v\r\nadded: w\r\n",
      );
    }
  });
});

describe("the connection's end", () => {
  test("a FIN before the answer resets the stream and closes", () => {
    const peer = new Peer();
    peer.send(GET);
    peer.connection.onEnd();
    expect(peer.manager.log.slice(-2)).toEqual([
      `reset ${StreamResetReason.ConnectionTermination}`,
      "close",
    ]);
    answer(peer.stream, "late");
    expect(peer.sink.written).toBe("");
  });

  test("a FIN in the middle of a head makes no stream", () => {
    const peer = new Peer();
    peer.send("GET / HT");
    peer.connection.onEnd();
    expect(peer.manager.log).toEqual([]);
    expect(peer.connection.hasActiveStream).toBe(false);
  });

  test("a lost connection resets the stream, once", () => {
    const peer = new Peer();
    peer.send(GET);
    peer.connection.onClose();
    peer.connection.onClose();
    expect(peer.manager.log.slice(-1)).toEqual([
      `reset ${StreamResetReason.ConnectionTermination}`,
    ]);
    expect(peer.manager.log.filter((line) => line.startsWith("reset"))).toHaveLength(1);
  });
});

describe("back-pressure", () => {
  test("encodeData answers what the sink answers, and onWritable reaches the stream", () => {
    const peer = new Peer();
    peer.send(GET);
    peer.sink.isTaking = false;
    peer.stream.encoder.encodeHeaders(responseMap(200), false);
    expect(encodeBody(peer.stream, "x", false)).toBe(false);
    peer.connection.onWritable();
    expect(peer.manager.log.at(-1)).toBe("writable");
    peer.sink.isTaking = true;
    expect(encodeBody(peer.stream, "x", false)).toBe(true);
  });

  test("readDisable is counted, and undone when the stream ends", () => {
    const peer = new Peer();
    peer.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n");
    const { encoder } = peer.stream;
    encoder.readDisable(true);
    encoder.readDisable(true);
    encoder.readDisable(false);
    expect(peer.sink.readDisables).toBe(1);
    peer.send("a");
    answer(peer.stream, "");
    expect(peer.sink.readDisables).toBe(0);
    encoder.readDisable(true);
    expect(peer.sink.readDisables).toBe(0);
  });
});

describe("tunnels", () => {
  const UPGRADE = "GET /w HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

  test("an upgrade: bytes wait for the 101, then pass both ways", () => {
    const peer = new Peer();
    peer.send(`${UPGRADE}early`);
    expect(peer.manager.log.at(-1)).toBe("  upgrade: websocket");
    const { encoder } = peer.stream;
    encoder.encodeHeaders(responseMap(101, "upgrade: websocket", "connection: Upgrade"), false);
    encoder.startTunnel();
    peer.deliverUnread();
    peer.send("more");
    expect(peer.manager.log.at(-1)).toBe('data "earlymore"');
    encodeBody(peer.stream, "down", false);
    expect(peer.sink.written).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\ndown",
    );
    peer.connection.onEnd();
    expect(peer.manager.log.slice(-2)).toEqual(["reset 6", "close"]);
  });

  test("a refused upgrade closes, and its early bytes are never read", () => {
    const peer = new Peer();
    peer.send(`${UPGRADE}${GET}`);
    peer.stream.encoder.encodeHeaders(responseMap(403), true);
    peer.deliverUnread();
    expect(peer.sink.written).toBe(
      "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    );
    expect(peer.manager.streams).toHaveLength(1);
  });

  test.each([
    ["Content-Length: 1", "x"],
    ["Transfer-Encoding: chunked", "1\r\nx\r\n0\r\n\r\n"],
  ])("an upgrade with %s: what follows waits for the 101 all the same", (line, body) => {
    const peer = new Peer();
    peer.send(UPGRADE.replace("\r\n\r\n", `\r\n${line}\r\n\r\n${body}${GET}`));
    expect(peer.manager.log).toContain("  upgrade: websocket");
    expect(peer.manager.log.filter((text) => text.startsWith("data"))).toEqual([]);
    peer.stream.encoder.encodeHeaders(responseMap(101, "upgrade: x", "connection: upgrade"), false);
    peer.stream.encoder.startTunnel();
    peer.deliverUnread();
    expect(peer.manager.streams).toHaveLength(1);
    expect(peer.manager.log.at(-1)).toBe(`data ${JSON.stringify(body + GET)}`);
  });

  test("CONNECT: a 200 opens the tunnel without framing", () => {
    const peer = new Peer();
    peer.send("CONNECT h:80 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(peer.manager.log).toEqual(["headers", "  :authority: h:80", "  :method: CONNECT"]);
    peer.stream.encoder.encodeHeaders(responseMap(200, "content-length: 4"), false);
    peer.stream.encoder.startTunnel();
    peer.send("up");
    encodeBody(peer.stream, "down", false);
    expect(peer.sink.written).toBe("HTTP/1.1 200 OK\r\n\r\ndown");
    expect(peer.manager.log.at(-1)).toBe('data "up"');
  });
});
