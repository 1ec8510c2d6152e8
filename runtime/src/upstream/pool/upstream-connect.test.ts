import { expect, test } from "vitest";
import type { AddressConfig } from "../../config/snapshot.ts";
import { CloseReason, type IoHandle } from "../../engine/network-engine.ts";
import { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import { clusterConfig, FakeThread, hostConfig, membership } from "../upstream-for-test.ts";
import { PoolFailureReason } from "./conn-pool.ts";
import { type ConnectEvents, UpstreamConnect } from "./upstream-connect.ts";

const ip = (address: string, port = 0): AddressConfig => ({
  kind: "ip",
  address,
  port,
  ipv4Compat: false,
  pipeMode: 0,
});

const wish = { options: null, protocols: [] };

class World extends FakeThread implements ConnectEvents {
  readonly log: string[] = [];
  readonly cluster: Cluster;
  readonly host: Host;
  readonly connect: UpstreamConnect;

  constructor(
    additional: readonly AddressConfig[],
    overrides: Parameters<typeof clusterConfig>[0] = {},
  ) {
    super();
    this.cluster = new Cluster(clusterConfig(overrides), this.context);
    const host = hostConfig(80, { additionalAddresses: additional });
    this.cluster.setMembership(membership("up", [host]));
    this.host = this.cluster.hostSet.hosts[0] as Host;
    this.connect = new UpstreamConnect(this.cluster, this.host, wish, this);
  }

  onTransportReady(io: IoHandle): void {
    this.log.push(`ready ${io.remoteAddress.address}`);
  }
  onTransportFailed(reason: PoolFailureReason, text: string): void {
    this.log.push(`failed ${reason} ${text}`);
  }
  onConnect(): void {
    this.log.push("connect");
  }
  onRead(_buffer: Buffer, length: number): void {
    this.log.push(`read ${length}`);
  }
  onWritable(): void {}
  onEnd(): void {}
  onClose(): void {
    this.log.push("close");
  }

  /** Where it has tried to connect, and what became of it. */
  get tries(): string[] {
    return this.engine.ios.map((io) => `${io.remoteAddress.address} ${io.end}`);
  }
}

test("hands the connection over, and its events with it", () => {
  const world = new World([]);
  world.engine.io(0).connect();
  world.engine.io(0).receive("abc");
  world.engine.io(0).die("ECONNRESET");
  expect(world.log).toEqual(["ready 127.0.0.1", "read 3", "close"]);
  expect(world.timers.size).toBe(0);
});

test("a dead first address costs 300 ms, and is given up for the second", () => {
  const world = new World([ip("::1", 81)]);
  world.pass(250);
  expect(world.tries).toEqual(["127.0.0.1 open"]);
  world.pass(150);
  expect(world.tries).toEqual(["127.0.0.1 open", "::1 open"]);
  world.engine.io(1).connect();
  expect(world.log).toEqual(["ready ::1"]);
  expect(world.tries).toEqual(["127.0.0.1 reset", "::1 open"]);
  // As Envoy counts them.
  expect(world.counter("cluster.up.upstream_cx_total")).toBe(1);
  expect(world.timers.size).toBe(0);
});

test("an address that refuses is followed by the next at once", () => {
  const world = new World([ip("::1", 81)]);
  world.engine.io(0).refuse();
  expect(world.tries).toEqual(["127.0.0.1 gone", "::1 open"]);
  world.engine.io(1).connect();
  expect(world.log).toEqual(["ready ::1"]);
});

test("the first may still win while the second tries", () => {
  const world = new World([ip("::1", 81), ip("127.0.0.3", 82)]);
  world.pass(350);
  world.engine.io(0).connect();
  expect(world.log).toEqual(["ready 127.0.0.1"]);
  expect(world.tries).toEqual(["127.0.0.1 open", "::1 reset"]);
});

test("it has failed when all have, with the last reason", () => {
  const world = new World([ip("::1", 81), ip("127.0.0.3", 82)]);
  world.pass(700);
  expect(world.tries.length).toBe(3);
  world.engine.io(2).refuse();
  world.engine.io(0).refuse();
  expect(world.log).toEqual([]);
  world.engine.io(1).refuse("EHOSTUNREACH");
  const text = "delayed connect error: No route to host";
  expect(world.log).toEqual([`failed ${PoolFailureReason.RemoteConnectionFailure} ${text}`]);
  expect(world.timers.size).toBe(0);
});

test("connect_timeout is for all addresses together", () => {
  const world = new World([ip("::1", 81), ip("127.0.0.3", 82)], { connectTimeoutMs: 500 });
  world.pass(600);
  expect(world.log).toEqual([`failed ${PoolFailureReason.Timeout} `]);
  expect(world.tries).toEqual(["127.0.0.1 reset", "::1 reset"]);
  expect(world.counter("cluster.up.upstream_cx_connect_timeout")).toBe(1);
  expect(world.timers.size).toBe(0);
});

test("one that is abandoned lets go of everything", () => {
  const world = new World([ip("::1", 81)]);
  world.pass(350);
  world.connect.abandon();
  world.pass(10_000);
  expect(world.log).toEqual([]);
  expect(world.tries).toEqual(["127.0.0.1 reset", "::1 reset"]);
});

test("binds an address of the family it connects to", () => {
  const world = new World([ip("::1", 81)], { bindAddresses: [ip("127.0.0.2"), ip("::2")] });
  world.pass(350);
  const sources = world.engine.ios.map((io) => io.options.bindAddress?.address);
  expect(sources).toEqual(["127.0.0.2", "::2"]);
});

test("a source address that cannot be bound is our fault, and counted", () => {
  const world = new World([], { bindAddresses: [ip("203.0.113.7")] });
  world.engine.io(0).die("EADDRNOTAVAIL", CloseReason.BindFailed);
  const text = "failed to bind to 203.0.113.7:0: Cannot assign requested address";
  expect(world.log).toEqual([`failed ${PoolFailureReason.LocalConnectionFailure} ${text}`]);
  expect(world.counter("cluster.up.bind_errors")).toBe(1);
});

test("a read brings no more than the cluster's buffer limit", () => {
  const world = new World([], { perConnectionBufferBytesMax: 32_768 });
  expect(world.engine.io(0).readBytesMax).toBe(32_768);
});
