import { expect, test } from "vitest";
import type { ClusterConfig, ClusterMembership, EndpointConfig } from "../config/snapshot.ts";
import { silentLogger } from "../core/logger.ts";
import { StatsStore } from "../stats/store.ts";
import type { DnsAnswer, DnsLookup } from "../upstream/dns-lookup.ts";
import { membershipOf } from "../upstream/dns-resolver.ts";
import type { DelayTimers } from "../upstream/dns-resolver.ts";
import { clusterConfig } from "../upstream/upstream-for-test.ts";
import { Membership } from "./memberships.ts";

/** Names and time that are played by hand. */
class World implements DnsLookup, DelayTimers {
  readonly answers = new Map<string, string>();
  readonly delays: (() => void)[] = [];
  readonly told: string[] = [];
  readonly membership: Membership;

  constructor() {
    this.membership = new Membership({
      stats: new StatsStore(),
      logger: silentLogger,
      onChange: (membership) => this.told.push(textOf(membership)),
      lookup: this,
      delays: this,
    });
  }
  resolve(name: string, family: number): Promise<DnsAnswer> {
    const ip = family === 4 ? this.answers.get(name) : undefined;
    const addresses = ip === undefined ? [] : [ip];
    const outcome = ip === undefined ? "failure" : "success";
    return Promise.resolve({ outcome, addresses, ttlSeconds: -1 });
  }
  close(): void {}
  after(_ms: number, callback: () => void): () => void {
    this.delays.push(callback);
    return () => {
      this.delays.splice(this.delays.indexOf(callback), 1);
    };
  }
  /** All names are asked for again. */
  async refresh(): Promise<void> {
    for (const callback of this.delays.splice(0)) callback();
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
  }
  async apply(...clusters: readonly ClusterConfig[]): Promise<void> {
    this.membership.commit(await this.membership.prepare(clusters, new Map()));
  }
  get now(): string[] {
    return this.membership.current().map(textOf);
  }
}

function textOf({ cluster, hosts }: ClusterMembership): string {
  return `${cluster}: ${hosts.map((host) => host.address.address).join(" ")}`;
}

function localities(address: string): ClusterConfig["localities"] {
  const ip = { kind: "ip", address, port: 80, ipv4Compat: false, pipeMode: 0 } as const;
  const endpoint: EndpointConfig = {
    address: ip,
    hostname: "",
    weight: 1,
    health: "healthy",
    transportSocketMatch: {},
    metadata: null,
    additionalAddresses: [],
  };
  const place = { region: "", zone: "", subZone: "", priority: 0, weight: 1, metadata: null };
  return [{ ...place, endpoints: [endpoint] }];
}

function named(name: string, host: string, more: Partial<ClusterConfig> = {}): ClusterConfig {
  const config = { name, statName: name, discovery: "strict_dns" } as const;
  return clusterConfig({ ...config, localities: localities(host), ...more });
}

test("an answer that comes while an update is prepared is not lost by its commit", async () => {
  const w = new World();
  w.answers.set("a.test", "10.0.0.1").set("b.test", "10.0.0.2");
  await w.apply(named("a", "a.test"));
  const prepared = await w.membership.prepare(
    [named("a", "a.test"), named("b", "b.test")],
    new Map(),
  );
  expect(prepared.memberships.map(textOf)).toEqual(["a: 10.0.0.1", "b: 10.0.0.2"]);
  w.answers.set("a.test", "10.0.0.9").set("b.test", "10.0.0.8");
  await w.refresh();
  // Of the cluster that is in force workers hear at once, of the other one with the commit.
  expect(w.told).toEqual(["a: 10.0.0.9"]);
  w.membership.commit(prepared);
  expect(w.now).toEqual(["a: 10.0.0.9", "b: 10.0.0.8"]);
  expect(w.told).toEqual(["a: 10.0.0.9"]);
  w.answers.set("b.test", "10.0.0.7");
  await w.refresh();
  expect(w.told.at(-1)).toBe("b: 10.0.0.7");
});

test("an update that is given up leaves the names of before, and asks for no others", async () => {
  const w = new World();
  w.answers.set("a.test", "10.0.0.1").set("c.test", "10.0.0.3");
  await w.apply(named("a", "a.test"));
  const prepared = await w.membership.prepare([named("a", "c.test")], new Map());
  expect(prepared.memberships.map(textOf)).toEqual(["a: 10.0.0.3"]);
  w.membership.abort(prepared);
  expect(w.now).toEqual(["a: 10.0.0.1"]);
  w.answers.set("a.test", "10.0.0.4").set("c.test", "10.0.0.5");
  await w.refresh();
  expect(w.now).toEqual(["a: 10.0.0.4"]);
  expect(w.told).toEqual(["a: 10.0.0.4"]);
  expect(w.delays).toHaveLength(1);
});

test("names that are gone are asked for no more; unknown clusters have no hosts", async () => {
  const w = new World();
  w.answers.set("a.test", "10.0.0.1");
  await w.apply(named("a", "a.test"), named("s", "10.1.1.1", { discovery: "static" }));
  expect(w.now).toEqual(["a: 10.0.0.1", "s: 10.1.1.1"]);
  await w.apply(named("s", "10.1.1.2", { discovery: "static" }));
  expect(w.now).toEqual(["s: 10.1.1.2"]);
  expect(w.delays).toHaveLength(0);
  w.membership.set(membershipOf("a", localities("10.0.0.2")));
  expect(w.now).toEqual(["s: 10.1.1.2"]);
  expect(w.told).toEqual([]);
});

test("EDS clusters have the hosts of their assignment, or none yet", async () => {
  const w = new World();
  const source = { path: "/x", watchedDirectory: "" };
  const eds = { serviceName: "e", configuredServiceName: "", source };
  const clusters = ["e", "f"].map((name) => named(name, "", { discovery: "eds", eds }));
  const hosts = membershipOf("e", localities("10.2.2.2"));
  w.membership.commit(await w.membership.prepare(clusters, new Map([["e", hosts]])));
  expect(w.now).toEqual(["e: 10.2.2.2", "f: "]);
  w.membership.set(membershipOf("f", localities("10.3.3.3")));
  expect(w.now).toEqual(["e: 10.2.2.2", "f: 10.3.3.3"]);
  expect(w.told).toEqual(["f: 10.3.3.3"]);
});
