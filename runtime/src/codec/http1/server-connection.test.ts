// The server connection against a fake sink: requests and their framing, pipelining, errors, ends, tunnels.
import { describe, expect, test } from "vitest";
import { StatsStore } from "../../stats/store.ts";
import { StreamResetReason } from "../codec.ts";
import { Http1ServerConnection } from "./server-connection.ts";
import { Http1Shared } from "./shared.ts";
import { defaultOptions, FakeSink, RecordingManager, responseMap } from "./recorders-for-test.ts";
import { answer, encodeBody, GET, ServerPeer } from "./server-peer-for-test.ts";

const GET_LOG = ["headers", "  :authority: h", "  :path: /x", "  :method: GET", "end"];

describe("requests", () => {
  test("a request without a body ends with its head", () => {
    const peer = new ServerPeer();
    peer.send(GET);
    expect(peer.manager.log).toEqual(GET_LOG);
    expect(peer.connection.hasActiveStream).toBe(true);
  });

  test("a body by length, in any pieces", () => {
    for (const size of [1, 2, 3, 100]) {
      const peer = new ServerPeer();
      const text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde";
      for (let at = 0; at < text.length; at += size) peer.send(text.slice(at, at + size));
      expect(peer.manager.log.slice(-2)).toEqual(['data "abcde"', "end"]);
    }
  });

  test("content-length 0 has no body", () => {
    const peer = new ServerPeer();
    peer.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    expect(peer.manager.log.at(-1)).toBe("end");
  });

  test("trailers are handed on only when enabled, without framing fields", () => {
    const text =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "1\r\na\r\n0\r\nX-T: 1\r\nContent-Length: 3\r\nHost: evil\r\n\r\n";
    const off = new ServerPeer();
    off.send(text);
    expect(off.manager.log.slice(-2)).toEqual(['data "a"', "end"]);
    const on = new ServerPeer({ enableTrailers: true });
    on.send(text);
    expect(on.manager.log.slice(-4)).toEqual(['data "a"', "trailers", "  x-t: 1", "end"]);
  });

  test("a head that comes in pieces longer than its limit is 431", () => {
    const peer = new ServerPeer({ headBytesMax: 100 });
    peer.send(`GET / HTTP/1.1\r\nA: ${"x".repeat(60)}`);
    expect(peer.connection.isReadingHead).toBe(true);
    peer.send("y".repeat(60));
    expect(peer.manager.log).toEqual(["error 431 http1.headers_too_large"]);
  });

  test("a pipelined request waits for the answer before it", () => {
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
    peer.manager.onRequestEnd = (request) => answer(request, "");
    peer.send(GET.repeat(10_000));
    expect(peer.manager.streams).toHaveLength(10_000);
    expect(peer.sink.readDisables).toBe(0);
  });

  test("a request after a body in the same bytes", () => {
    const peer = new ServerPeer();
    peer.manager.onRequestEnd = (request) => answer(request, "");
    peer.send(
      `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n${GET}`,
    );
    expect(peer.manager.streams).toHaveLength(2);
  });

  test("headers that Connection names are removed, te: trailers stays", () => {
    const peer = new ServerPeer();
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
      const peer = new ServerPeer();
      peer.send(`GET / HTTP/1.1\r\nHost: h\r\nConnection: ${value}\r\n\r\n`);
      expect(peer.manager.log).toEqual(["error 400 http1.connection_header_rejected"]);
    },
  );

  test("h2c among other offers is left for the connection manager to refuse", () => {
    const peer = new ServerPeer();
    peer.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c, x\r\n\r\n");
    expect(peer.manager.log).toContain("  upgrade: h2c, x");
  });

  test("an offer of h2c is not taken", () => {
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
    peer.send(`${GET}BAD\r\n\r\n`);
    answer(peer.stream, "ok");
    peer.deliverUnread();
    expect(peer.manager.log.slice(-2)).toEqual(["complete", "error 400 http1.codec_error"]);
    expect(peer.sink.written).not.toContain("close");
  });

  test("a fault in a body reaches the stream that is there", () => {
    const peer = new ServerPeer();
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

describe("the connection's end", () => {
  test("a FIN before the answer resets the stream and closes", () => {
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
    peer.send("GET / HT");
    peer.connection.onEnd();
    expect(peer.manager.log).toEqual([]);
    expect(peer.connection.hasActiveStream).toBe(false);
  });

  test("a lost connection resets the stream, once", () => {
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
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
    const peer = new ServerPeer();
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
