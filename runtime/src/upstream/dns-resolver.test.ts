import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ClusterConfig, ClusterMembership } from "../config/snapshot.ts";
import { SeededRandom } from "../core/random.ts";
import { StatsStore } from "../stats/store.ts";
import { addressesInHosts, type DnsAnswer, type DnsLookup, SystemDnsLookup } from "./dns-lookup.ts";
import { type DelayTimers, DnsResolver, staticMembership } from "./dns-resolver.ts";
import { clusterConfig } from "./upstream-for-test.ts";

const none: DnsAnswer = { outcome: "empty", addresses: [], ttlSeconds: -1 };
const broken: DnsAnswer = { outcome: "failure", addresses: [], ttlSeconds: -1 };

function found(addresses: readonly string[], ttlSeconds = -1): DnsAnswer {
  return { outcome: "success", addresses, ttlSeconds };
}

class World implements DnsLookup, DelayTimers {
  readonly answers: Map<string, DnsAnswer> = new Map();
  readonly asked: string[] = [];
  readonly delays: { ms: number; callback: () => void; isCancelled: boolean }[] = [];
  readonly memberships: ClusterMembership[] = [];
  readonly stats = new StatsStore({ slotsMax: 10_000 });
  readonly resolver: DnsResolver;
  isClosed = false;

  constructor() {
    this.resolver = new DnsResolver({
      lookup: this,
      delays: this,
      random: new SeededRandom(7),
      stats: this.stats,
      onMembership: (membership) => this.memberships.push(membership),
    });
  }
  async resolve(name: string, family: 4 | 6): Promise<DnsAnswer> {
    this.asked.push(`${name} ${family}`);
    return await Promise.resolve(this.answers.get(`${name} ${family}`) ?? none);
  }
  close(): void {
    this.isClosed = true;
  }
  after(ms: number, callback: () => void): () => void {
    const entry = { ms, callback, isCancelled: false };
    this.delays.push(entry);
    return () => {
      entry.isCancelled = true;
    };
  }
  /** Runs the last delay and waits for what it does. */
  async elapse(): Promise<void> {
    this.delays.at(-1)?.callback();
    for (let i = 0; i < 10; i += 1) await Promise.resolve();
  }
  addresses(): string[] {
    const hosts = this.memberships.at(-1)?.hosts ?? [];
    return hosts.map((host) => `${host.address.address}:${host.address.port}`);
  }
  update(name: string): number {
    return this.stats.counter(`cluster.up.update_${name}`).value;
  }
}

function dnsCluster(
  names: readonly string[],
  overrides: Partial<ClusterConfig> = {},
): ClusterConfig {
  return clusterConfig({
    discovery: "strict_dns",
    localities: [
      {
        region: "r",
        zone: "z",
        subZone: "s",
        metadata: null,
        priority: 1,
        weight: 1,
        endpoints: names.map((name) => ({
          address: { kind: "ip", address: name, port: 80, ipv4Compat: false, pipeMode: 0 },
          hostname: "",
          weight: 3,
          health: "healthy",
          transportSocketMatch: {},
          metadata: null,
          additionalAddresses: [],
        })),
      },
    ],
    ...overrides,
  });
}

const dns = clusterConfig().dns;

test("each address of a STRICT_DNS name is a host that is called by the name", async () => {
  const world = new World();
  world.answers.set("a.example 4", found(["10.0.0.1", "10.0.0.2"]));
  world.answers.set("b.example 4", found(["10.0.0.2", "10.0.0.3"]));
  await world.resolver.setClusters([dnsCluster(["a.example", "b.example"])]);
  expect(world.addresses()).toEqual(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
  expect(world.memberships.at(-1)?.hosts[0]).toEqual({
    address: { kind: "ip", address: "10.0.0.1", port: 80, ipv4Compat: false, pipeMode: 0 },
    hostname: "a.example",
    transportSocketMatch: {},
    additionalAddresses: [],
    weight: 3,
    priority: 1,
    health: "healthy",
    region: "r",
    zone: "z",
    subZone: "s",
    metadata: null,
    localityMetadata: null,
  });
  expect(world.resolver.membershipOf("up")).toBe(world.memberships.at(-1));
  expect(world.update("attempt")).toBe(2);
  expect(world.update("success")).toBe(2);
  expect(world.delays.map((delay) => delay.ms)).toEqual([5000, 5000]);
});

test("families: which are asked, and which answer is taken", async () => {
  const both = [found(["10.0.0.1"]), found(["::2"])] as const;
  const cases: [ClusterConfig["dns"]["family"], DnsAnswer, DnsAnswer, string[], string[]][] = [
    ["v4_only", ...both, ["10.0.0.1:80"], ["n 4"]],
    ["v6_only", ...both, ["::2:80"], ["n 6"]],
    ["auto", ...both, ["::2:80"], ["n 6"]],
    ["auto", found(["10.0.0.1"]), none, ["10.0.0.1:80"], ["n 6", "n 4"]],
    ["auto", found(["10.0.0.1"]), broken, ["10.0.0.1:80"], ["n 6", "n 4"]],
    ["v4_preferred", ...both, ["10.0.0.1:80"], ["n 4"]],
    ["v4_preferred", none, found(["::2"]), ["::2:80"], ["n 4", "n 6"]],
    ["all", ...both, ["10.0.0.1:80", "::2:80"], ["n 4", "n 6"]],
    ["all", found(["10.0.0.1"]), broken, ["10.0.0.1:80"], ["n 4", "n 6"]],
  ];
  for (const [family, v4, v6, hosts, asked] of cases) {
    const world = new World();
    world.answers.set("n 4", v4);
    world.answers.set("n 6", v6);
    await world.resolver.setClusters([dnsCluster(["n"], { dns: { ...dns, family } })]);
    expect(world.addresses()).toEqual(hosts);
    expect(world.asked).toEqual(asked);
  }
});

test("a refresh tells changes only", async () => {
  const world = new World();
  world.answers.set("n 4", found(["10.0.0.1"]));
  await world.resolver.setClusters([dnsCluster(["n"])]);
  await world.elapse();
  expect(world.memberships.length).toBe(1);
  expect(world.update("no_rebuild")).toBe(1);
  world.answers.set("n 4", found(["10.0.0.9"]));
  await world.elapse();
  expect(world.addresses()).toEqual(["10.0.0.9:80"]);
});

test("the same addresses in another order are no change", async () => {
  const w = new World();
  const answer = (...addresses: string[]): unknown => w.answers.set("n 4", found(addresses));
  answer("10.0.0.1", "10.0.0.2", "10.0.0.3");
  await w.resolver.setClusters([dnsCluster(["n"], { dns: { ...dns, family: "v4_only" } })]);
  answer("10.0.0.3", "10.0.0.1", "10.0.0.2");
  await w.elapse();
  expect([w.memberships.length, w.update("no_rebuild")]).toEqual([1, 1]);
  answer("10.0.0.3", "10.0.0.2");
  await w.elapse();
  expect(w.addresses()).toEqual(["10.0.0.3:80", "10.0.0.2:80"]);
});

test("a name that nobody answers for is not fatal and keeps the hosts that were", async () => {
  const world = new World();
  world.answers.set("n 4", broken);
  world.answers.set("n 6", broken);
  await world.resolver.setClusters([dnsCluster(["n"])]);
  expect(world.memberships).toEqual([{ cluster: "up", hosts: [] }]);
  expect(world.update("failure")).toBe(1);
  world.answers.set("n 4", found(["10.0.0.1"]));
  await world.elapse();
  expect(world.addresses()).toEqual(["10.0.0.1:80"]);
  world.answers.set("n 4", broken);
  await world.elapse();
  expect(world.memberships.length).toBe(2);
  expect(world.update("failure")).toBe(2);
});

test("an empty answer removes strict hosts", async () => {
  const world = new World();
  world.answers.set("n 4", found(["10.0.0.1", "10.0.0.2"]));
  await world.resolver.setClusters([dnsCluster(["n"])]);
  expect(world.addresses()).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
  world.answers.set("n 4", none);
  await world.elapse();
  expect(world.addresses()).toEqual([]);
  expect(world.update("empty")).toBe(1);
});

test("LOGICAL_DNS has one host of all addresses, and keeps it over an empty answer", async () => {
  const world = new World();
  world.answers.set("n 4", found(["10.0.0.1", "10.0.0.2"]));
  await world.resolver.setClusters([dnsCluster(["n", "ignored"], { discovery: "logical_dns" })]);
  expect(world.addresses()).toEqual(["10.0.0.1:80"]);
  const others = world.memberships.at(-1)?.hosts[0]?.additionalAddresses;
  expect(others?.map(({ address }) => address)).toEqual(["10.0.0.2"]);
  expect(world.asked).toEqual(["n 6", "n 4"]);
  world.answers.set("n 4", none);
  await world.elapse();
  expect(world.addresses()).toEqual(["10.0.0.1:80"]);
  expect(world.update("empty")).toBe(1);
});

test("failures back off to the maximum, and a time to live is heeded if asked for", async () => {
  const world = new World();
  world.answers.set("n 4", broken);
  const backOff = { ...dns, failureRefreshBaseMs: 100, failureRefreshMaxMs: 400 };
  await world.resolver.setClusters([
    dnsCluster(["n"], { dns: { ...backOff, family: "v4_only", respectTtl: true } }),
  ]);
  for (let i = 0; i < 20; i += 1) await world.elapse();
  const waits = world.delays.map((delay) => delay.ms);
  expect(waits.length).toBe(21);
  expect(waits[0]).toBeLessThan(100);
  expect(Math.max(...waits)).toBeLessThan(400);
  expect(Math.max(...waits)).toBeGreaterThan(200);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(1);
  world.answers.set("n 4", found(["10.0.0.1"], 30));
  await world.elapse();
  expect(world.delays.at(-1)?.ms).toBe(30_000);
  world.answers.set("n 4", found(["10.0.0.1"], 0));
  await world.elapse();
  expect(world.delays.at(-1)?.ms).toBe(5000);
});

test("without a failure rate of its own the delay is the refresh rate", async () => {
  const world = new World();
  world.answers.set("n 6", broken);
  world.answers.set("n 4", broken);
  await world.resolver.setClusters([dnsCluster(["n"])]);
  await world.elapse();
  expect(world.delays.map((delay) => delay.ms)).toEqual([5000, 5000]);
});

test("clusters that leave or change are stopped; the same ones go on", async () => {
  const world = new World();
  world.answers.set("n 4", found(["10.0.0.1"]));
  world.answers.set("m 4", found(["10.0.0.2"]));
  await world.resolver.setClusters([dnsCluster(["n"])]);
  await world.resolver.setClusters([dnsCluster(["n"]), clusterConfig({ name: "static" })]);
  expect(world.asked.length).toBe(2);
  expect(world.delays[0]?.isCancelled).toBe(false);
  await world.resolver.setClusters([dnsCluster(["m"])]);
  expect(world.delays[0]?.isCancelled).toBe(true);
  expect(world.addresses()).toEqual(["10.0.0.2:80"]);
  world.resolver.stop();
  expect(world.delays.at(-1)?.isCancelled).toBe(true);
  expect(world.isClosed).toBe(true);
});

test("an answer that comes after the stop is dropped", async () => {
  const world = new World();
  world.answers.set("n 4", found(["10.0.0.1"]));
  const start = world.resolver.setClusters([dnsCluster(["n"])]);
  world.resolver.stop();
  await start;
  expect(world.memberships).toEqual([]);
  expect(world.delays).toEqual([]);
});

test("static endpoints keep their literal address and hostname", () => {
  const hosts = staticMembership(dnsCluster(["127.0.0.1"])).hosts;
  expect(hosts.map((host) => [host.address.address, host.hostname])).toEqual([["127.0.0.1", ""]]);
});

test("reads hosts files: comments, aliases, case, both families", () => {
  const text =
    "# x\n127.0.0.1\tlocalhost  Alias # no\n::1 localhost\n10.0.0.1 other\nbad localhost\n";
  expect(addressesInHosts(text, "alias", 4)).toEqual(["127.0.0.1"]);
  expect(addressesInHosts(text, "LOCALHOST", 6)).toEqual(["::1"]);
  expect(addressesInHosts(text, "no", 4)).toEqual([]);
  expect(addressesInHosts(text, "other", 6)).toEqual([]);
});

test("literal addresses, hosts files and localhost need no server", async () => {
  const folder = mkdtempSync(join(tmpdir(), "hosts-"));
  const file = join(folder, "hosts");
  writeFileSync(file, "10.1.2.3 in-file.example\n");
  const lookup = new SystemDnsLookup(file);
  expect(await lookup.resolve("192.0.2.1", 4, dns.servers)).toEqual(found(["192.0.2.1"]));
  expect(await lookup.resolve("192.0.2.1", 6, dns.servers)).toEqual(none);
  expect(await lookup.resolve("2001:db8::1", 6, dns.servers)).toEqual(found(["2001:db8::1"]));
  expect(await lookup.resolve("in-file.example", 4, dns.servers)).toEqual(found(["10.1.2.3"]));
  expect(await lookup.resolve("localhost", 4, dns.servers)).toEqual(found(["127.0.0.1"]));
  expect(await lookup.resolve("x.localhost", 6, dns.servers)).toEqual(found(["::1"]));
  lookup.close();
  rmSync(folder, { recursive: true });
});
