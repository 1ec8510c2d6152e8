// The HTTP/2 client against node's own server, over real sockets.
import { once } from "node:events";
import { createServer } from "node:http2";
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream, Settings } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { getDefaultHighWaterMark } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { HeaderMap } from "../../core/header-map.ts";
import { defaultHttp2Options } from "../../core/http2-options.ts";
import type { Http2ClientOptions } from "../../core/http2-options.ts";
import { type ResponseDecoder, StreamResetReason } from "../codec.ts";
import type { Http2ClientStream } from "./client-stream.ts";
import { Http2ClientSession, type Http2SessionCallbacks } from "./client-session.ts";

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** What comes for one response, as text; `done` when it has ended. */
class Response implements ResponseDecoder {
  readonly events: string[] = [];
  readonly done: Promise<void>;
  #resolve: () => void = () => {};
  bytes = 0;
  onWritable: () => void = () => {};

  constructor() {
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
  responseHeaders(): HeaderMap {
    return new HeaderMap();
  }
  decodeInformational(headers: HeaderMap): void {
    this.events.push(`informational ${headers.status}`);
  }
  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    const names: string[] = [];
    headers.visit({
      onHeader: (name, value) => {
        if (name !== "date") names.push(`${name}=${value}`);
      },
    });
    this.events.push(`headers ${names.join(" ")}`);
    if (endStream) this.#end();
  }
  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    this.bytes += to - from;
    if (to > from && to - from < 100) this.events.push(`data ${buffer.toString("utf8", from, to)}`);
    if (endStream) this.#end();
  }
  decodeTrailers(trailers: HeaderMap): void {
    this.events.push(`trailers ${trailers.get("x-t")}`);
    this.#end();
  }
  onResetStream(reason: StreamResetReason): void {
    this.events.push(`reset ${reason}`);
    this.#resolve();
  }
  onEncodeWritable(): void {
    this.onWritable();
  }
  #end(): void {
    this.events.push("end");
    this.#resolve();
  }
}

class Client implements Http2SessionCallbacks {
  readonly server: Http2Server;
  readonly session: Http2ClientSession;
  readonly events: string[] = [];
  readonly flow: string[] = [];
  readonly closed: Promise<void>;
  readonly settled: Promise<void>;
  readonly streamEnded: Promise<void>;
  #onClosed: () => void = () => {};
  #onSettled: () => void = () => {};
  #onStreamEnded: () => void = () => {};
  #turns = 0;

  constructor(server: Http2Server, options: Http2ClientOptions) {
    this.server = server;
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.settled = new Promise((resolve) => {
      this.#onSettled = resolve;
    });
    this.streamEnded = new Promise((resolve) => {
      this.#onStreamEnded = resolve;
    });
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const turn = (callback: () => void): void => {
      this.#turns += 1;
      callback();
    };
    this.session = new Http2ClientSession(socket, options, turn, this);
  }
  get turns(): number {
    return this.#turns;
  }
  onStreamEnd(): void {
    this.events.push("stream end");
    this.#onStreamEnded();
  }
  onReadDisabled(disabled: boolean): void {
    this.flow.push(disabled ? "paused" : "resumed");
  }
  onBackedUp(isBackedUp: boolean): void {
    this.flow.push(isBackedUp ? "backed up" : "drained");
  }
  onSettings(): void {
    this.#onSettled();
  }
  onGoAway(): void {
    this.events.push("go away");
  }
  onSessionClose(isProtocolError: boolean, hadStreams: boolean): void {
    this.events.push(`close ${isProtocolError} ${hadStreams}`);
    this.#onClosed();
  }
}

const clients: Client[] = [];

async function start(
  onStream: OnStream,
  settings: Settings = {},
  options: Partial<Http2ClientOptions> = {},
): Promise<Client> {
  const server = createServer({ settings });
  server.on("stream", onStream);
  server.on("session", (session) => session.on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new Client(server, { ...defaultHttp2Options, ...options });
  clients.push(client);
  await client.settled;
  return client;
}

afterEach(() => {
  for (const { session, server } of clients.splice(0)) {
    session.destroy();
    server.close();
  }
});

function get(path: string, extra: Readonly<Record<string, string>> = {}): HeaderMap {
  const headers = new HeaderMap();
  headers.method = "GET";
  headers.path = path;
  headers.authority = "up";
  for (const [name, value] of Object.entries(extra)) headers.append(name, value);
  return headers;
}

function post(path: string): HeaderMap {
  const headers = get(path);
  headers.method = "POST";
  return headers;
}

/** Sends a request without a body. */
function send(client: Client, headers: HeaderMap): Response {
  const response = new Response();
  client.session.newStream(response).encodeHeaders(headers, true);
  return response;
}

test("a request and its answer: order, repetitions, interim response, body, trailers", async () => {
  const seen: IncomingHttpHeaders[] = [];
  const client = await start((stream, headers) => {
    seen.push(headers);
    stream.on("error", () => {});
    stream.additionalHeaders({ ":status": 103, link: "x" });
    stream.respond({ ":status": 200, "set-cookie": ["a", "b"] }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-t": "1" }));
    stream.end("hello");
  });
  const connection = { connection: "close", te: "trailers", "x-a": "1", upgrade: "h2c" };
  const response = send(client, get("/a?b", connection));
  await response.done;
  expect(response.events).toEqual([
    "informational 103",
    "headers :status=200 set-cookie=a set-cookie=b",
    "data hello",
    "trailers 1",
    "end",
  ]);
  expect(seen[0]).toMatchObject({ ":path": "/a?b", ":scheme": "http", te: "trailers", "x-a": "1" });
  expect(Object.keys(seen[0] ?? {})).not.toContain("connection");
  expect(Object.keys(seen[0] ?? {})).not.toContain("upgrade");
  expect(client.events).toEqual(["stream end"]);
  expect(client.turns).toBeGreaterThan(3);
});

test("a stream given up while its end is told is complete", async () => {
  const client = await start((stream) => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-t": "1" }));
    stream.end();
  });
  const response = new Response();
  const encoder = client.session.newStream(response) as Http2ClientStream;
  response.decodeTrailers = (): void => encoder.resetStream(StreamResetReason.LocalReset);
  encoder.encodeHeaders(get("/"), true);
  await client.streamEnded;
  expect(encoder.end).toBe("complete");
});

test("an answer that is complete before its request: what is left is given up", async () => {
  const client = await start((stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-t": "1" }));
    stream.write("one");
    stream.end("two");
  });
  for (let i = 0; i < 10; i += 1) {
    const response = new Response();
    const encoder = client.session.newStream(response) as Http2ClientStream;
    const told = new Promise<void>((resolve) => {
      response.decodeTrailers = (): void => {
        encoder.resetStream(StreamResetReason.LocalReset);
        resolve();
      };
    });
    encoder.encodeHeaders(post("/"), false);
    encoder.encodeData(Buffer.from("hello"), 0, 5, false);
    await told;
    expect(encoder.end).toBe("local");
  }
  const after = send(client, get("/"));
  await after.done;
  expect(after.events.at(-1)).toBe("end");
});

test("a body and trailers go up; large ones wait for the peer", async () => {
  const client = await start((stream) => {
    let size = 0;
    let trailer = "";
    stream.on("trailers", (trailers) => {
      trailer = String(trailers["x-t"]);
    });
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
    });
    stream.on("end", () => {
      stream.respond({ ":status": 200 });
      stream.end(`${size} ${trailer}`);
    });
  });
  const response = new Response();
  const encoder = client.session.newStream(response);
  encoder.encodeHeaders(post("/"), false);
  const piece = Buffer.alloc(100_000, "x");
  let sent = 0;
  let waits = 0;
  await new Promise<void>((resolve) => {
    const more = (): void => {
      while (sent < 50) {
        sent += 1;
        if (!encoder.encodeData(piece, 0, piece.length, false)) {
          waits += 1;
          response.onWritable = more;
          return;
        }
      }
      response.onWritable = (): void => {};
      resolve();
    };
    more();
  });
  const trailers = new HeaderMap();
  trailers.append("x-t", "7");
  encoder.encodeTrailers(trailers);
  await response.done;
  expect(response.events).toEqual(["headers :status=200", "data 5000000 7", "end"]);
  expect(waits).toBeGreaterThan(0);
});

test("what waits for a peer that does not read is bounded", async () => {
  const client = await start((stream, headers) => {
    stream.on("error", () => {});
    if (headers[":path"] === "/small") stream.respond({ ":status": 200 }, { endStream: true });
  });
  const response = new Response();
  const encoder = client.session.newStream(response);
  encoder.encodeHeaders(post("/"), false);
  const read = Buffer.alloc(68 * 1024);
  let sent = 0;
  // As a source that stops on false and goes on when it is asked to.
  const more = (): void => {
    for (let isFlowing = true; isFlowing && sent < 50_000_000; sent += read.length) {
      isFlowing = encoder.encodeData(read, 0, read.length, false);
    }
  };
  response.onWritable = more;
  more();
  for (let i = 0; i < 5; i += 1) await send(client, get("/small")).done;
  // The peer's window of the stream, what Node.js queues before it says so, and one read.
  expect(sent).toBeLessThanOrEqual(65_535 + getDefaultHighWaterMark(false) + read.length);
  expect(client.flow.at(-1)).toBe("backed up");
  const changes = client.flow.length;
  encoder.encodeData(read, 0, read.length, false);
  expect(client.flow.length).toBe(changes);
  encoder.resetStream(StreamResetReason.LocalReset);
});

test("a stream that is not read does not hold up the others", async () => {
  const client = await start((stream, headers) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200 });
    stream.end(headers[":path"] === "/large" ? Buffer.alloc(8_000_000) : "small");
  });
  const large = new Response();
  const encoder = client.session.newStream(large);
  encoder.encodeHeaders(get("/large"), true);
  encoder.readDisable(true);
  encoder.readDisable(true);
  encoder.readDisable(false);
  const small = send(client, get("/small"));
  await small.done;
  expect(small.events).toEqual(["headers :status=200", "data small", "end"]);
  expect(large.bytes).toBeLessThan(2_000_000);
  expect(client.flow).toEqual(["paused"]);
  encoder.readDisable(false);
  expect(client.flow).toEqual(["paused", "resumed"]);
  await large.done;
  expect(large.bytes).toBe(8_000_000);
});

test("resets of the peer, of its server, and of ours", async () => {
  let aborted = 0;
  const client = await start((stream, headers) => {
    stream.on("error", () => {});
    stream.on("aborted", () => {
      if (headers[":path"] === "/never") aborted += 1;
    });
    if (headers[":path"] === "/refuse") stream.close(7);
    else if (headers[":path"] === "/cancel") stream.close(8);
    else if (headers[":path"] === "/half") {
      stream.respond({ ":status": 200 });
      stream.write("part", () => stream.destroy(new Error("broken")));
    }
  });
  const refused = send(client, get("/refuse"));
  const cancelled = send(client, get("/cancel"));
  const half = send(client, get("/half"));
  await Promise.all([refused.done, cancelled.done, half.done]);
  expect(refused.events).toEqual([`reset ${StreamResetReason.RemoteRefusedStreamReset}`]);
  expect(cancelled.events).toEqual([`reset ${StreamResetReason.RemoteReset}`]);
  expect(half.events).toEqual([
    "headers :status=200",
    "data part",
    `reset ${StreamResetReason.RemoteReset}`,
  ]);
  const response = new Response();
  const encoder = client.session.newStream(response);
  encoder.encodeHeaders(get("/never"), true);
  expect(client.session.activeStreams).toBe(1);
  encoder.resetStream(StreamResetReason.LocalReset);
  expect(client.session.activeStreams).toBe(0);
  // The next one on the same connection is untouched.
  const after = send(client, get("/cancel"));
  await after.done;
  expect(response.events).toEqual([]);
  await expect.poll(() => aborted).toBe(1);
});

test("the peer's limit of streams is known, GOAWAY ends new ones, the end of the socket all", async () => {
  const streams: ServerHttp2Stream[] = [];
  const client = await start((stream) => void streams.push(stream), { maxConcurrentStreams: 2 });
  expect(client.session.streamsMax).toBe(2);
  const one = send(client, get("/"));
  expect(client.session.canOpen).toBe(true);
  const two = send(client, get("/"));
  expect(client.session.canOpen).toBe(false);
  await expect.poll(() => streams.length).toBe(2);
  streams[0]?.session?.goaway(0);
  streams[0]?.respond({ ":status": 204 }, { endStream: true });
  await one.done;
  expect(one.events).toEqual(["headers :status=204", "end"]);
  await expect.poll(() => client.events).toContain("go away");
  expect(client.session.isUsable).toBe(false);
  streams[1]?.session?.socket.destroy();
  await two.done;
  await client.closed;
  expect(two.events).toEqual([`reset ${StreamResetReason.ConnectionTermination}`]);
  expect(client.events.at(-1)).toMatch(/^close false/);
});

test("a connection that breaks takes its streams with it; bad headers only their own", async () => {
  const client = await start((stream) => stream.session?.destroy());
  const response = send(client, get("/"));
  await response.done;
  expect(response.events).toEqual([`reset ${StreamResetReason.ConnectionTermination}`]);
  const bad = get("/");
  bad.append("bad name", "x");
  const other = await start(() => {});
  const refused = send(other, bad);
  await refused.done;
  expect(refused.events).toEqual([`reset ${StreamResetReason.LocalReset}`]);
});

test("what is no HTTP/2 is a protocol error", async () => {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new Client(server as unknown as Http2Server, defaultHttp2Options);
  clients.push(client);
  const response = send(client, get("/"));
  await response.done;
  expect(response.events).toEqual([`reset ${StreamResetReason.ProtocolError}`]);
  await client.closed;
  expect(client.events.at(-1)).toMatch(/^close true/);
});
