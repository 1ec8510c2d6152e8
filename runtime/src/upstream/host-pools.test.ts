import { expect, test } from "vitest";
import { ConnectionInfo } from "../core/connection-info.ts";
import { HeaderMap } from "../core/header-map.ts";
import { Cluster } from "./cluster.ts";
import { keyedPoolsMax } from "./host-pools.ts";
import type { Host } from "./host.ts";
import type { PoolCallbacks, PoolFailureReason, RequestEncoder } from "./pool/conn-pool.ts";
import type { TransportOptions } from "./transport-options.ts";
import { clusterConfig, FakeThread, hostConfig, membership } from "./upstream-for-test.ts";

/** One request a stream; nobody looks at its answer. */
class Asker implements PoolCallbacks {
  readonly failures: string[] = [];
  encoder: RequestEncoder | null = null;
  readonly decoder: PoolCallbacks["decoder"] = {
    responseHeaders: () => new HeaderMap(),
    decodeInformational() {},
    decodeHeaders() {},
    decodeData() {},
    decodeTrailers() {},
    onResetStream() {},
    onEncodeWritable() {},
  };

  onPoolReady(encoder: RequestEncoder): void {
    const headers = new HeaderMap();
    headers.method = "GET";
    headers.path = "/";
    headers.authority = "a";
    this.encoder = encoder;
    encoder.encodeHeaders(headers, true);
  }
  onPoolFailure(reason: PoolFailureReason): void {
    this.failures.push(String(reason));
  }
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

class World extends FakeThread {
  readonly cluster: Cluster;
  readonly host: Host;

  constructor() {
    super();
    const socket = {
      kind: "proxy_protocol",
      version: "v1",
      inner: { kind: "raw_buffer" },
      passThroughTlvs: "none",
      areTlvsKey: false,
      addedTlvs: [],
    } as const;
    const breaker = { ...clusterConfig().circuitBreakers[0], maxConnections: 1e6 };
    this.cluster = new Cluster(
      clusterConfig({
        transportSockets: [{ name: "", match: {}, socket }],
        circuitBreakers: [{ ...breaker, maxPendingRequests: 1e6 }, breaker],
      }),
      this.context,
    );
    this.cluster.setMembership(membership("up", [hostConfig(80)]));
    this.host = this.cluster.hostSet.hosts[0] as Host;
  }

  options(clientPort: number): TransportOptions | null {
    const address = (port: number): { text: string; ip: string; port: number } => ({
      text: `10.0.0.1:${port}`,
      ip: "10.0.0.1",
      port,
    });
    const info = new ConnectionInfo(clientPort, address(clientPort), address(443), 0);
    return this.cluster.transportOptions(new HeaderMap(), info);
  }

  ask(clientPort: number): Asker {
    const asker = new Asker();
    this.cluster.newStream(this.host, this.options(clientPort), asker, false, false);
    return asker;
  }
}

test("each downstream connection has upstream connections of its own, named in their header", () => {
  const world = new World();
  for (const port of [1, 2, 1]) {
    world.ask(port);
    const io = world.engine.ios.at(-1);
    if (io?.sent === "") io.connect();
    io?.receive(OK);
  }
  world.engine.io(0).receive(OK);
  expect(world.engine.ios.map(({ sent }) => sent.split("\r\n")[0])).toEqual([
    "PROXY TCP4 10.0.0.1 10.0.0.1 1 443",
    "PROXY TCP4 10.0.0.1 10.0.0.1 2 443",
  ]);
  expect(world.engine.io(0).sent.match(/GET/g)?.length).toBe(2);
});

test("a pool without connections is forgotten", () => {
  const world = new World();
  world.ask(1);
  expect(world.host.pools.keyedCount).toBe(1);
  world.engine.io(0).connect();
  world.engine.io(0).receive(OK);
  expect(world.host.pools.keyedCount).toBe(1);
  world.engine.io(0).die("");
  expect(world.host.pools.keyedCount).toBe(0);
  const failing = world.ask(2);
  world.engine.io(1).refuse();
  expect(failing.failures.length).toBe(1);
  expect(world.host.pools.keyedCount).toBe(0);
});

test("pools are limited: an idle one makes room, and without one the request overflows", () => {
  const world = new World();
  world.ask(1);
  world.engine.io(0).connect();
  world.engine.io(0).receive(OK);
  for (let port = 2; port <= keyedPoolsMax; port += 1) world.ask(port);
  expect(world.host.pools.keyedCount).toBe(keyedPoolsMax);
  expect(world.ask(5000).failures).toEqual([]);
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.host.pools.keyedCount).toBe(keyedPoolsMax);
  expect(world.ask(5001).failures).toEqual(["0"]);
  expect(world.counter("cluster.up.upstream_cx_pool_overflow")).toBe(1);
  world.cluster.close();
  expect(world.host.pools.keyedCount).toBe(0);
  expect(world.openGauges()).toEqual([]);
});

test("a host whose metadata asks for another transport is another host", () => {
  const thread = new FakeThread({ owns: true });
  const raw = { kind: "raw_buffer" } as const;
  const proxied = {
    kind: "proxy_protocol",
    version: "v1",
    inner: raw,
    passThroughTlvs: "none",
    areTlvsKey: false,
    addedTlvs: [],
  } as const;
  const cluster = new Cluster(
    clusterConfig({
      transportSockets: [
        { name: "proxied", match: { proxied: "true" }, socket: proxied },
        { name: "", match: {}, socket: raw },
      ],
    }),
    thread.context,
  );
  const hosts = (match: Record<string, string>): void =>
    cluster.setMembership(membership("up", [hostConfig(80, { transportSocketMatch: match })]));
  hosts({ other: "1" });
  const first = cluster.hostSet.hosts[0] as Host;
  expect(first.transport.proxyHeaders).toEqual([]);
  hosts({ other: "2" });
  expect(cluster.hostSet.hosts[0]).toBe(first);
  hosts({ proxied: "true", other: "2" });
  expect(cluster.hostSet.hosts[0]).not.toBe(first);
  expect(cluster.hostSet.hosts[0]?.transport.proxyHeaders).toEqual([proxied]);
  expect(thread.counter("cluster.up.default.total_match_count")).toBe(1);
  expect(thread.counter("cluster.up.proxied.total_match_count")).toBe(1);
});
