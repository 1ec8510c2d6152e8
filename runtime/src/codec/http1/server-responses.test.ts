// What the server connection writes: framing, keep-alive, early answers, the case of names.
import { describe, expect, test } from "vitest";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import { responseMap } from "./recorders-for-test.ts";
import { answer, encodeBody, GET, ServerPeer } from "./server-peer-for-test.ts";

describe("responses", () => {
  /** The answer to `request` with a response head and body pieces; the last one ends it. */
  function respond(
    request: string,
    head: ReturnType<typeof responseMap>,
    body: string[],
    options: Partial<Http1CodecOptions> = {},
  ): { written: string; closes: boolean } {
    const peer = new ServerPeer(options);
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
    const peer = new ServerPeer();
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
      const peer = new ServerPeer({ enableTrailers });
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
    const peer = new ServerPeer();
    peer.send(GET);
    peer.stream.encoder.encodeInformational(responseMap(100));
    peer.stream.encoder.encodeInformational(responseMap(103, "link: x"));
    expect(peer.sink.takeWritten()).toBe(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Unknown\r\nlink: x\r\n\r\n",
    );
    const old = new ServerPeer(OLD);
    old.send(GET10);
    old.stream.encoder.encodeInformational(responseMap(100));
    old.stream.encoder.encodeInformational(responseMap(103, "link: x"));
    expect(old.sink.written).toBe("HTTP/1.0 100 Continue\r\n\r\n");
  });

  test("an unknown status has Envoy's reason phrase", () => {
    expect(respond(GET, responseMap(299), []).written).toContain("HTTP/1.1 299 Unknown\r\n");
  });

  test("an answer before the request's end closes, and the rest is ignored", () => {
    const peer = new ServerPeer();
    peer.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    answer(peer.stream, "early");
    expect(peer.sink.written).toContain("connection: close\r\n");
    expect(peer.manager.log.at(-1)).toBe("close");
    const events = peer.manager.log.length;
    peer.send("def");
    expect(peer.manager.log).toHaveLength(events);
  });

  test("draining: the next answer says close", () => {
    const peer = new ServerPeer();
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
      const peer = new ServerPeer({ headerCase: "preserve" });
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
