import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Http1ClientConnection } from "../codec/http1/client-connection.ts";
import { Http1Shared } from "../codec/http1/shared.ts";
import { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import { SystemRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { createNodeEngine } from "../engine-node/node-engine.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import { StatKind, StatsStore } from "../stats/store.ts";
import { breakerMemory, openBreakerMemory } from "../upstream/circuit-breaker.ts";
import { ClusterManager } from "../upstream/cluster-manager.ts";
import { clusterConfig, hostConfig, membership } from "../upstream/upstream-for-test.ts";
import { FakeRoute } from "./router-for-test.ts";
import type { Route, RouterCallbacks } from "./route.ts";
import { RouterStats } from "./router-stats.ts";
import { Router } from "./router.ts";

/** An upstream of this process: answers each head by `answer`. */
class Upstream {
  readonly server: Server;
  readonly sockets: Set<Socket> = new Set();
  connections = 0;

  constructor(answer: (socket: Socket, head: string) => void) {
    this.server = createServer((socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      let text = "";
      socket.on("data", (bytes) => {
        text += bytes.toString("latin1");
        for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
          const head = text.slice(0, end);
          text = text.slice(end + 4);
          answer(socket, head);
        }
      });
      socket.on("error", () => {});
    });
  }
  async listen(): Promise<number> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done));
    return (this.server.address() as AddressInfo).port;
  }
  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((done) => this.server.close(() => done()));
  }
}

/** One stream; resolves when it is answered. */
class Stream implements RouterCallbacks {
  readonly streamInfo = new StreamInfo();
  readonly route: Route = new FakeRoute();
  readonly isHeadRequest = false;
  readonly isRequestComplete = true;
  readonly upgradeType = "";
  body = "";
  status = 0;
  details = "";
  #done: () => void = () => {};
  readonly finished = new Promise<void>((done) => {
    this.#done = done;
  });

  onUpstreamInformational(): void {}
  onUpstreamHeaders(headers: HeaderMap, end: boolean): void {
    this.status = headers.status;
    if (end) this.#done();
  }
  onUpstreamData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.body += buffer.toString("latin1", from, to);
    if (end) this.#done();
  }
  onUpstreamTrailers(): void {
    this.#done();
  }
  sendLocalReply(reply: LocalReply): void {
    this.status = reply.status;
    this.details = reply.details;
    this.#done();
  }
  onFilterReset(details: string): void {
    this.details = details;
    this.#done();
  }
  requestReadDisable(): void {}
}

class Worker {
  readonly stats = new StatsStore({ slotsMax: 40_000 });
  readonly clock = new Clock();
  readonly engine = createNodeEngine({ clock: this.clock });
  readonly timers = new TimerWheel(this.clock, (callback) => this.engine.runTurn(callback));
  readonly manager: ClusterManager;
  readonly #random = new SystemRandom();

  constructor(port: number) {
    const shared = new Http1Shared();
    let id = 0;
    this.manager = new ClusterManager({
      engine: this.engine,
      clock: this.clock,
      timers: this.timers,
      random: this.#random,
      runtime: new Runtime(),
      stats: this.stats,
      breakers: openBreakerMemory(breakerMemory(1, 1), 1, 0),
      createCodec: (sink, callbacks, options) =>
        new Http1ClientConnection(sink, callbacks, options, shared),
      nextConnectionId: () => (id += 1),
      openKeyLog: null,
      warn: () => {},
      ownsClusterStats: false,
    });
    const hosts = [membership("up", [hostConfig(port)])];
    this.manager.commit(this.manager.prepare([clusterConfig()], hosts));
  }
  async get(path: string): Promise<Stream> {
    const stream = new Stream();
    const config = {
      dynamicStats: true,
      suppressEnvoyHeaders: false,
      respectExpectedRqTimeout: false,
    };
    const router = new Router(stream, {
      clusterManager: this.manager,
      clock: this.clock,
      timers: this.timers,
      random: this.#random,
      stats: new RouterStats(this.stats, "in"),
      config,
      upstreamFilters: null,
      bufferBytesMax: 0,
    });
    const headers = new HeaderMap();
    headers.method = "GET";
    headers.path = path;
    headers.authority = "a";
    this.engine.runTurn(() => router.onRequestHeaders(headers, true));
    await stream.finished;
    router.destroy();
    return stream;
  }
  close(): void {
    this.engine.runTurn(() => this.manager.close());
    this.timers.stop();
  }
  openGauges(): string[] {
    return this.stats.definitions
      .filter((d) => d.kind === StatKind.Gauge && this.stats.gauge(d.name).value !== 0)
      .map((d) => d.name);
  }
}

let upstream: Upstream | null = null;
let worker: Worker | null = null;

afterEach(async () => {
  worker?.close();
  const left = worker?.openGauges() ?? [];
  worker = null;
  await upstream?.close();
  upstream = null;
  if (left.length > 0) throw new Error(`gauges are not 0: ${left.join(", ")}`);
});

async function start(answer: (socket: Socket, head: string) => void): Promise<Worker> {
  upstream = new Upstream(answer);
  worker = new Worker(await upstream.listen());
  return worker;
}

test("forwards over real sockets and keeps the connection", async () => {
  const big = "x".repeat(200_000);
  const proxy = await start((socket, head) => {
    const body = head.startsWith("GET /big ") ? big : head.slice(0, 5);
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  });
  const first = await proxy.get("/a");
  expect([first.status, first.body]).toEqual([200, "GET /"]);
  const second = await proxy.get("/big");
  expect(second.body).toBe(big);
  expect(upstream?.connections).toBe(1);
  expect(first.streamInfo.upstreamLocalAddress).toMatch(/^127\.0\.0\.1:\d+$/);
});

test("a connection that the peer closed while idle is replaced without an error", async () => {
  const proxy = await start((socket) => {
    const isFirst = upstream?.connections === 1;
    const hasAnswered = socket.bytesWritten > 0;
    // The second request on the first connection meets a close instead of an answer.
    if (isFirst && hasAnswered) socket.destroy();
    else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  });
  expect((await proxy.get("/")).body).toBe("ok");
  const second = await proxy.get("/");
  expect([second.status, second.body]).toEqual([200, "ok"]);
  expect(upstream?.connections).toBe(2);
  expect(proxy.stats.counter("cluster.up.upstream_rq_stale_connection_retry").value).toBe(1);
});

test("a dead port is answered with the system's reason", async () => {
  const proxy = await start(() => {});
  await upstream?.close();
  const stream = await proxy.get("/");
  expect(stream.status).toBe(503);
  expect(stream.details).toBe(
    "upstream_reset_before_response_started" +
      "{remote_connection_failure|delayed_connect_error:_Connection_refused}",
  );
});

test("an HTTP/1.0 upstream whose close ends the body", async () => {
  const proxy = await start((socket) => socket.end("HTTP/1.0 200 OK\r\n\r\nuntil the end"));
  const stream = await proxy.get("/");
  expect([stream.status, stream.body]).toEqual([200, "until the end"]);
});
