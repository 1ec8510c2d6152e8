import { describe, expect, test } from "vitest";
import type { OriginalDestinationConfig } from "../config/snapshot.ts";
import { ConnectionInfo } from "../core/connection-info.ts";
import { HeaderMap } from "../core/header-map.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import { destinationsMax, parseDestination } from "./original-destination.ts";
import { clusterConfig, FakeThread } from "./upstream-for-test.ts";

const NAME = "x-envoy-original-dst-host";

class World extends FakeThread {
  readonly cluster: Cluster;

  constructor(config: Partial<OriginalDestinationConfig> = {}) {
    super({ owns: false });
    this.cluster = new Cluster(
      clusterConfig({
        discovery: "original_dst",
        originalDestination: {
          metadataPath: null,
          headerName: NAME,
          port: -1,
          cleanupIntervalMs: 5000,
          ...config,
        },
      }),
      this.context,
    );
  }

  choose(value: string, info: StreamInfo | null = null): Host | null {
    const headers = new HeaderMap();
    if (value !== "") headers.set(NAME, value);
    return this.cluster.chooseHost(headers, info);
  }

  count(name: string): number {
    return this.context.stats.counter(`cluster.up.${name}`).value;
  }
}

/** Of a client at 192.0.2.7 that came to 127.0.0.1:10000; its PROXY header may say otherwise. */
function infoOf(local = ""): StreamInfo {
  const own = { ip: "127.0.0.1", port: 10_000 };
  const connection = new ConnectionInfo(1, { ip: "192.0.2.7", port: 1 }, own, 0);
  const [ip = "", port = ""] = local.split(":");
  if (local !== "") {
    connection.localIp = ip;
    connection.localPort = Number(port);
  }
  const info = new StreamInfo();
  info.connection = connection;
  return info;
}

test.each<[string, string | null]>([
  ["10.0.0.1:80", "10.0.0.1 80 ipv4"],
  ["[2001:DB8::1]:443", "2001:db8::1 443 ipv6"],
  ["10.0.0.1:0", "10.0.0.1 0 ipv4"],
  ["10.0.0.1", null],
  ["10.0.0.1:65536", null],
  ["10.0.0.1:", null],
  ["10.0.0.1:80:80", null],
  ["[10.0.0.1]:80", null],
  ["2001:db8::1:443", null],
  ["localhost:80", null],
  ["/tmp/socket", null],
  ["10.0.0.01:80", null],
])("%s", (text, expected) => {
  const address = parseDestination(text);
  expect(address && `${address.address} ${address.port} ${address.family}`).toBe(expected);
});

describe("who says where to", () => {
  test("the header, its first value", () => {
    const world = new World();
    expect(world.choose("10.0.0.1:80")?.addressText).toBe("10.0.0.1:80");
    expect(world.choose("10.0.0.1:80")).toBe(world.choose("10.0.0.1:80"));
  });

  test("a header that is no address is counted, and the PROXY header's address taken", () => {
    const world = new World();
    expect(world.choose("nowhere")).toBeNull();
    expect(world.choose("nowhere", infoOf("10.0.0.9:90"))?.addressText).toBe("10.0.0.9:90");
    expect(world.count("original_dst_host_invalid")).toBe(2);
    expect(world.count("upstream_cx_none_healthy")).toBe(1);
  });

  test("not the socket's own address", () => {
    const world = new World();
    expect(world.choose("", infoOf())).toBeNull();
    expect(world.count("original_dst_host_invalid")).toBe(0);
  });

  test("metadata of the request before that of its connection, both before the header", () => {
    const world = new World({ metadataPath: ["ns", "dst"] });
    const info = infoOf("10.0.0.9:90");
    const connection = info.connection as ConnectionInfo;
    connection.dynamicMetadata = new Map([["ns", new Map([["dst", "10.0.0.2:2"]])]]);
    expect(world.choose("10.0.0.1:1", info)?.addressText).toBe("10.0.0.2:2");
    info.dynamicMetadata = new Map([["ns", new Map([["dst", "10.0.0.3:3"]])]]);
    expect(world.choose("10.0.0.1:1", info)?.addressText).toBe("10.0.0.3:3");
  });

  test("metadata within structures; what is no text says nothing", () => {
    const world = new World({ metadataPath: ["ns", "a", "b"] });
    const info = infoOf();
    info.dynamicMetadata = new Map([["ns", new Map([["a", { b: "10.0.0.4:4" }]])]]);
    expect(world.choose("", info)?.addressText).toBe("10.0.0.4:4");
    info.dynamicMetadata = new Map([["ns", new Map([["a", { b: 4 }]])]]);
    expect(world.choose("", info)).toBeNull();
  });

  test("the configured port in place of the named one", () => {
    const world = new World({ port: 9 });
    expect(world.choose("10.0.0.1:80")?.addressText).toBe("10.0.0.1:9");
  });
});

test("a host that nobody has wanted for an interval is forgotten", () => {
  const world = new World();
  const [first, second] = [world.choose("10.0.0.1:1"), world.choose("10.0.0.2:2")];
  world.pass(5200);
  // Both were wanted before this look: they are still there.
  expect(world.choose("10.0.0.1:1")).toBe(first);
  world.pass(5200);
  expect(world.choose("10.0.0.1:1")).toBe(first);
  expect(world.choose("10.0.0.2:2")).not.toBe(second);
});

test("clients cannot make hosts without end", () => {
  const world = new World();
  for (let i = 0; i < destinationsMax; i += 1) {
    expect(world.choose(`10.0.${i >> 8}.${i & 255}:80`)).not.toBeNull();
  }
  expect(world.choose("10.9.9.9:80")).toBeNull();
  expect(world.choose("10.0.0.0:80")).not.toBeNull();
  expect(world.count("original_dst_host_overflow")).toBe(1);
  world.pass(5200);
  world.pass(5200);
  expect(world.choose("10.9.9.9:80")).not.toBeNull();
});
