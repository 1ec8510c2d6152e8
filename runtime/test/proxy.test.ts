import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Http1ClientConnection } from "../src/codec/http1/client-connection.ts";
import { Http1Shared } from "../src/codec/http1/shared.ts";
import type { RouteConfig, RouteTableConfig } from "../src/config/snapshot.ts";
import { Clock } from "../src/core/clock.ts";
import { silentLogger } from "../src/core/logger.ts";
import { OverloadState } from "../src/core/overload-state.ts";
import { SystemRandom } from "../src/core/random.ts";
import { Runtime } from "../src/core/runtime.ts";
import { openSharedCounts, sharedCountsMemory } from "../src/core/shared-counts.ts";
import { TimerWheel } from "../src/core/timer-wheel.ts";
import { createNodeEngine } from "../src/engine-node/node-engine.ts";
import { HcmFactory } from "../src/hcm/connection-manager.ts";
import { defaultConfig } from "../src/hcm/hcm-for-test.ts";
import { HcmStats } from "../src/hcm/hcm-stats.ts";
import { LocalReplyWriter } from "../src/hcm/local-reply.ts";
import { RequestNormalizer } from "../src/hcm/request-normalizer.ts";
import { RequestSanitizer } from "../src/hcm/request-sanitizer.ts";
import { ResponseFinisher } from "../src/hcm/response-finisher.ts";
import { UpgradePolicy } from "../src/hcm/upgrade-policy.ts";
import { Listener } from "../src/network/listener.ts";
import { RouteTable } from "../src/router/route-table.ts";
import { RouterStats } from "../src/router/router-stats.ts";
import { StatsStore } from "../src/stats/store.ts";
import { breakerMemory, openBreakerMemory } from "../src/upstream/circuit-breaker.ts";
import { ClusterManager } from "../src/upstream/cluster-manager.ts";
import { clusterConfig, hostConfig, membership } from "../src/upstream/upstream-for-test.ts";
import { LocalServer } from "./upstreams.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const noMutations = defaultConfig.routes.headers;

function toUp(): RouteConfig {
  return {
    name: "rest",
    where: "",
    match: {
      path: { kind: "prefix", value: "/" },
      caseSensitive: true,
      headers: [],
      queryParameters: [],
      runtimeFractionPpm: 1_000_000,
      runtimeKey: "",
      grpc: false,
      tlsContext: null,
    },
    action: {
      kind: "route",
      cluster: { kind: "cluster", name: "up" },
      clusterNotFoundStatus: 503,
      pathRewrite: { kind: "none" },
      hostRewrite: { kind: "none" },
      appendXForwardedHost: false,
      upgrades: [],
      timeoutMs: 15_000,
      idleTimeoutMs: -1,
      maxStreamDurationMs: -1,
      priority: "default",
    },
    headers: noMutations,
    perFilter: [],
  };
}

const routes: RouteTableConfig = {
  ...defaultConfig.routes,
  virtualHosts: [
    {
      name: "all",
      domains: ["*"],
      routes: [toUp()],
      requireTls: "none",
      headers: noMutations,
      includeRequestAttemptCount: false,
      includeAttemptCountInResponse: false,
      perFilter: [],
    },
  ],
};

/** A proxy of real parts in this thread, in front of the upstream on `upstreamPort`. */
async function startProxy(upstreamPort: number): Promise<{ port: number; stats: StatsStore }> {
  const clock = new Clock();
  const engine = createNodeEngine({ clock });
  const timers = new TimerWheel(clock, (callback) => engine.runTurn(callback));
  const random = new SystemRandom();
  const stats = new StatsStore({ slotsMax: 40_000 });
  const http1 = new Http1Shared();
  let id = 0;
  const nextId = (): number => {
    id += 1;
    return id;
  };
  const clusterManager = new ClusterManager({
    engine,
    clock,
    timers,
    random,
    runtime: new Runtime(),
    stats,
    breakers: openBreakerMemory(breakerMemory(1, 1), 1, 0),
    createCodec: (sink, callbacks, options) =>
      new Http1ClientConnection(sink, callbacks, options, http1),
    nextConnectionId: nextId,
    openKeyLog: null,
    warn: () => {},
    ownsClusterStats: false,
  });
  const hosts = [membership("up", [hostConfig(upstreamPort)])];
  clusterManager.commit(clusterManager.prepare([clusterConfig({ name: "up" })], hosts));
  const overload = new OverloadState(random);
  const config = { ...defaultConfig, routes };
  const identity = { id: "", cluster: "", hostIp: "10.0.0.1" };
  const factory = new HcmFactory({
    config,
    clock,
    timers,
    random,
    http1,
    http1Stats: null,
    stats: new HcmStats(stats, "main", "here"),
    routes: new RouteTable(routes, { clock, hostname: "h", runtime: new Runtime() }),
    filters: { createFilters: () => [] },
    accessLoggers: [],
    router: {
      clusterManager,
      clock,
      timers,
      random,
      config: config.router,
      stats: new RouterStats(stats, "main"),
      upstreamFilters: null,
      bufferBytesMax: 0,
    },
    upgrades: new UpgradePolicy(config.upgrades),
    normalizer: new RequestNormalizer(config),
    sanitizer: new RequestSanitizer(config, identity, random),
    finisher: new ResponseFinisher(config, clock),
    localReplies: new LocalReplyWriter(null, {
      clock,
      random,
      runtime: new Runtime(),
      hostname: "h",
    }),
    drain: { drainClose: () => false },
    overload,
    bufferBytesMax: 1024 * 1024,
    nextStreamId: nextId,
  });
  const ip = { kind: "ip", address: "127.0.0.1", port: 0, ipv4Compat: false, pipeMode: 0 } as const;
  const listener = new Listener(
    {
      name: "l",
      where: "",
      address: ip,
      additionalAddresses: [],
      statPrefix: "here",
      reusePort: false,
      backlog: 0,
      bindToPort: true,
      perConnectionBufferBytesMax: 1024 * 1024,
      filterChains: [],
      defaultFilterChain: null,
      filterChainMatcher: null,
      listenerFilters: [],
      listenerFiltersTimeoutMs: 15_000,
      continuesOnListenerFiltersTimeout: false,
      trafficDirection: "unspecified",
      drainType: "default",
      accessLogs: [],
      keepAlive: null,
      additionalKeepAlives: [],
      ignoresGlobalConnectionLimit: false,
      bypassesOverloadManager: false,
      sharedIndex: 0,
    },
    {
      engine,
      clock,
      timers,
      stats,
      workerIndex: 0,
      nextConnectionId: nextId,
      logger: silentLogger,
      overload,
      runtime: new Runtime(),
      connectionCounts: openSharedCounts(sharedCountsMemory(1, 2), 2, 0),
    },
  );
  listener.setChains([{ name: "", match: null, isDefault: false, factory }]);
  listener.open();
  expect(await new Promise((resolve) => listener.listen([], resolve))).toBe("");
  cleanups.push(() => {
    listener.stopListening();
    listener.closeConnections();
    timers.stop();
  });
  return { port: listener.addresses[0]?.port ?? 0, stats };
}

function startUpstream(onSocket: (socket: Socket) => void): Promise<number> {
  const server = new LocalServer(createServer(onSocket));
  cleanups.push(() => server.close());
  return server.listen();
}

/** Sends, and reads until `enough` says so or the proxy closes. */
function exchange(port: number, text: string, enough: (got: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    let got = "";
    const done = (): void => resolve(got);
    socket.on("data", (data) => {
      got += data.toString("latin1");
      if (enough(got)) done();
    });
    socket.on("close", done);
    socket.on("error", done);
    socket.write(text, "latin1");
  });
}

const GET = "GET /x HTTP/1.1\r\nHost: test.local\r\n\r\n";

test("carries a request to the upstream and its answer back", async () => {
  let seen = "";
  const upstream = await startUpstream((socket) => {
    socket.on("data", (data) => {
      seen += data.toString("latin1");
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
  });
  const { port, stats } = await startProxy(upstream);
  const got = await exchange(port, GET, (text) => text.endsWith("ok"));
  expect(got).toMatch(
    /^HTTP\/1.1 200 OK\r\ncontent-length: 2\r\nx-envoy-upstream-service-time: \d+\r\ndate: .*\r\nserver: envoy\r\n\r\nok$/,
  );
  expect(seen).toMatch(
    /^GET \/x HTTP\/1.1\r\nhost: test.local\r\nx-forwarded-proto: http\r\nx-request-id: [0-9a-f-]{36}\r\nx-envoy-expected-rq-timeout-ms: 15000\r\n\r\n$/i,
  );
  expect(stats.counter("http.main.downstream_rq_2xx").value).toBe(1);
});

test("answers pipelined requests in order over one upstream connection", async () => {
  let connections = 0;
  const upstream = await startUpstream((socket) => {
    connections += 1;
    let count = 0;
    socket.on("data", () => {
      count += 1;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nr-${count}`);
    });
  });
  const { port } = await startProxy(upstream);
  const got = await exchange(port, GET + GET + GET, (text) => text.endsWith("r-3"));
  expect(got.match(/r-\d/g)).toEqual(["r-1", "r-2", "r-3"]);
  expect(connections).toBe(1);
});

test("carries long bodies both ways unchanged", async () => {
  const size = 3 * 1024 * 1024;
  const body = Buffer.alloc(size);
  for (let i = 0; i < size; i += 1) body[i] = 97 + ((i * 7 + (i >> 10)) % 26);
  const upstream = await startUpstream((socket) => {
    let text = "";
    socket.on("data", (data) => {
      text += data.toString("latin1");
      const start = text.indexOf("\r\n\r\n") + 4;
      if (text.length - start < size) return;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
      socket.write(text.slice(start), "latin1");
    });
  });
  const { port } = await startProxy(upstream);
  const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`;
  const got = await exchange(
    port,
    head + body.toString("latin1"),
    (text) => text.length - text.indexOf("\r\n\r\n") - 4 >= size,
  );
  const back = Buffer.from(got.slice(got.indexOf("\r\n\r\n") + 4), "latin1");
  expect(back.equals(body)).toBe(true);
});

test("answers for an upstream that closes, and goes on", async () => {
  let count = 0;
  const upstream = await startUpstream((socket) => {
    socket.on("data", () => {
      count += 1;
      if (count === 1) socket.destroy();
      else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
  });
  const { port } = await startProxy(upstream);
  const got = await exchange(port, GET + GET, (text) => text.endsWith("ok"));
  expect(got).toContain("503 Service Unavailable");
  expect(got).toContain("reset reason: connection termination");
  expect(got.endsWith("ok")).toBe(true);
});

test("resets the upstream when the client leaves", async () => {
  const clients: Socket[] = [];
  let onLeft: () => void = () => {};
  const left = new Promise<string>((resolve) => {
    onLeft = (): void => resolve("left");
  });
  const upstream = await startUpstream((socket) => {
    socket.on("data", () => clients[0]?.destroy());
    socket.on("close", onLeft);
  });
  const { port, stats } = await startProxy(upstream);
  const client = connect(port, "127.0.0.1");
  client.on("error", () => {});
  clients.push(client);
  client.write(GET);
  expect(await left).toBe("left");
  expect(stats.counter("http.main.downstream_cx_destroy_remote_active_rq").value).toBe(1);
});
