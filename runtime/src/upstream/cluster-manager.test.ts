import { expect, test } from "vitest";
import type { ClusterConfig, ClusterMembership } from "../config/snapshot.ts";
import { HeaderMap } from "../core/header-map.ts";
import type { Cluster } from "./cluster.ts";
import { ClusterManager } from "./cluster-manager.ts";
import type { Host } from "./host.ts";
import type { PoolCallbacks, ResponseDecoder } from "./pool/conn-pool.ts";
import { clusterConfig, FakeThread, hostConfig, membership } from "./upstream-for-test.ts";

class World extends FakeThread {
  readonly manager: ClusterManager;
  constructor(owns = false) {
    super({ owns });
    this.manager = new ClusterManager(this.context);
  }
  apply(configs: readonly ClusterConfig[], memberships: readonly ClusterMembership[] = []): void {
    this.manager.commit(this.manager.prepare(configs, memberships));
  }
  cluster(name = "up"): Cluster {
    return this.manager.getCluster(name) as Cluster;
  }
  ports(name = "up"): number[] {
    return this.cluster(name).hostSet.hosts.map((host) => host.addresses[0]?.port ?? 0);
  }
}

/** Takes a stream and keeps it. */
function occupy(cluster: Cluster, host: Host): void {
  const decoder: ResponseDecoder = {
    responseHeaders: () => new HeaderMap(),
    decodeInformational: () => {},
    decodeHeaders: () => {},
    decodeData: () => {},
    decodeTrailers: () => {},
    onResetStream: () => {},
    onEncodeWritable: () => {},
  };
  const get = new HeaderMap();
  get.method = "GET";
  const callbacks: PoolCallbacks = {
    decoder,
    onPoolReady: (encoder) => encoder.encodeHeaders(get, true),
    onPoolFailure: () => {},
  };
  cluster.newStream(host, null, callbacks, false, false);
}

test("prepare touches nothing; commit puts clusters and hosts in force", () => {
  const world = new World();
  const prepared = world.manager.prepare(
    [clusterConfig()],
    [membership("up", [hostConfig(1), hostConfig(2)])],
  );
  expect(world.manager.getCluster("up")).toBeUndefined();
  world.manager.commit(prepared);
  expect(world.ports()).toEqual([1, 2]);
  expect(world.manager.getCluster("other")).toBeUndefined();
});

test("a cluster that did not change keeps its object, hosts and pools", () => {
  const world = new World();
  world.apply([clusterConfig()], [membership("up", [hostConfig(1)])]);
  const cluster = world.cluster();
  const host = cluster.hostSet.hosts[0] as Host;
  occupy(cluster, host);
  const copy = structuredClone(clusterConfig({ where: "elsewhere.yaml:9:9" }));
  world.apply([copy, clusterConfig({ name: "new", sharedIndex: 1 })]);
  expect(world.cluster()).toBe(cluster);
  expect(cluster.hostSet.hosts[0]).toBe(host);
  expect(host.pools.connectionCount).toBe(1);
});

test("a changed cluster is a new one; the old one drains", () => {
  const world = new World();
  world.apply([clusterConfig()], [membership("up", [hostConfig(1)])]);
  const old = world.cluster();
  const host = old.hostSet.hosts[0] as Host;
  occupy(old, host);
  world.engine.io(0).connect();
  const changed = clusterConfig({ connectTimeoutMs: 1 });
  world.apply([changed], [membership("up", [hostConfig(1)])]);
  expect(world.cluster()).not.toBe(old);
  expect(old.isDraining).toBe(true);
  expect(world.engine.io(0).end).toBe("open");
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  expect(world.engine.io(0).end).toBe("closed");
});

test("a removed cluster drains and is not found", () => {
  const world = new World();
  world.apply([clusterConfig()], [membership("up", [hostConfig(1)])]);
  const old = world.cluster();
  world.apply([]);
  expect(world.manager.getCluster("up")).toBeUndefined();
  expect(old.isDraining).toBe(true);
  expect(old.hostSet.hosts).toEqual([]);
});

test("a membership keeps hosts that stay, updates them, and drains the others", () => {
  const world = new World();
  world.apply([clusterConfig()], [membership("up", [hostConfig(1), hostConfig(2)])]);
  const [first, second] = world.cluster().hostSet.hosts as [Host, Host];
  occupy(world.cluster(), first);
  occupy(world.cluster(), second);
  world.engine.io(0).connect();
  world.engine.io(1).connect();
  world.engine.io(1).receive("HTTP/1.1 204 No Content\r\n\r\n");
  world.manager.setMembership(
    membership("up", [hostConfig(3), hostConfig(1, { weight: 7, health: "degraded" })]),
  );
  expect(world.ports()).toEqual([3, 1]);
  expect(world.cluster().hostSet.hosts[1]).toBe(first);
  expect([first.weight, first.isHealthy, first.isDegraded]).toEqual([7, false, true]);
  expect(first.pools.connectionCount).toBe(1);
  expect(second.pools.connectionCount).toBe(0);
  world.manager.setMembership(membership("gone", []));
});

test("the same address twice is one host", () => {
  const world = new World();
  world.apply([clusterConfig()], [membership("up", [hostConfig(1), hostConfig(1)])]);
  expect(world.ports()).toEqual([1]);
});

test("LOGICAL_DNS moves its one host: old connections stay", () => {
  const world = new World();
  const config = clusterConfig({ discovery: "logical_dns" });
  world.apply([config], [membership("up", [hostConfig(1)])]);
  const host = world.cluster().hostSet.hosts[0] as Host;
  occupy(world.cluster(), host);
  world.engine.io(0).connect();
  world.manager.setMembership(membership("up", [hostConfig(2)]));
  expect(world.cluster().hostSet.hosts).toEqual([host]);
  expect(world.engine.io(0).end).toBe("open");
  occupy(world.cluster(), host);
  expect(world.engine.io(1).remoteAddress.port).toBe(2);
});

test("counts missing hosts", () => {
  const world = new World();
  world.apply([clusterConfig()]);
  expect(world.cluster().chooseHost(null, null)).toBeNull();
  expect(world.counter("cluster.up.upstream_cx_none_healthy")).toBe(1);
  expect(world.counter("cluster.up.lb_healthy_panic")).toBe(1);
});

test("the owning thread sets membership gauges and makes Envoy's names", () => {
  const world = new World(true);
  const leaving = hostConfig(4, { health: "draining" });
  const hosts = [hostConfig(1), hostConfig(2, { health: "degraded" }), hostConfig(3), leaving];
  world.apply([clusterConfig()], [membership("up", hosts)]);
  expect(world.gauge("cluster.up.membership_total")).toBe(4);
  expect(world.gauge("cluster.up.membership_healthy")).toBe(2);
  expect(world.gauge("cluster.up.membership_excluded")).toBe(1);
  expect(world.gauge("cluster.up.membership_degraded")).toBe(1);
  expect(world.counter("cluster.up.membership_change")).toBe(1);
  expect(world.counter("cluster_manager.cluster_added")).toBe(1);
  expect(world.gauge("cluster_manager.active_clusters")).toBe(1);
  const names = world.stats.definitions.map((definition) => definition.name);
  for (const name of [
    "upstream_cx_total",
    "upstream_rq_retry",
    "update_success",
    "circuit_breakers.high.rq_retry_open",
    "lb_zone_routing_sampled",
    "upstream_cx_connect_ms",
  ]) {
    expect(names).toContain(`cluster.up.${name}`);
  }
  world.apply([clusterConfig({ connectTimeoutMs: 1 })], [membership("up", hosts)]);
  expect(world.counter("cluster_manager.cluster_modified")).toBe(1);
  world.apply([]);
  expect(world.counter("cluster_manager.cluster_removed")).toBe(1);
  expect(world.gauge("cluster.up.membership_total")).toBe(0);
});

test("a worker makes no cluster stats before the cluster is used", () => {
  const world = new World();
  world.apply([clusterConfig()]);
  expect(world.stats.definitions).toEqual([]);
});

test("close ends all connections", () => {
  const world = new World();
  world.apply([clusterConfig()], [membership("up", [hostConfig(1)])]);
  occupy(world.cluster(), world.cluster().hostSet.hosts[0] as Host);
  world.manager.close();
  world.manager.close();
  expect(world.engine.io(0).end).toBe("reset");
  expect(world.openGauges()).toEqual([]);
});
