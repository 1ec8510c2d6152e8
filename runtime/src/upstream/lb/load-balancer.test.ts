import { expect, test } from "vitest";
import type { HostConfig } from "../../config/snapshot.ts";
import { SeededRandom } from "../../core/random.ts";
import { StatsStore } from "../../stats/store.ts";
import { HostStats } from "../cluster-stats.ts";
import { HostSet } from "../host-set.ts";
import { Host } from "../host.ts";
import { hostConfig, rawTransport } from "../upstream-for-test.ts";
import { LoadBalancer, type LoadBalancerOptions } from "./load-balancer.ts";
import { computePriorityLoad } from "./priority-load.ts";

const store = new StatsStore({ slotsMax: 20_000 });

function host(port: number, overrides: Partial<HostConfig> = {}): Host {
  const address = { address: "127.0.0.1", port, family: "ipv4" } as const;
  const stats = new HostStats(store, "lb", String(port));
  return new Host(hostConfig(port, overrides), [address], `127.0.0.1:${port}`, stats, rawTransport);
}

function balancer(
  hosts: readonly Host[],
  options: Partial<LoadBalancerOptions> = {},
  seed = 1,
): { lb: LoadBalancer; panics: () => number } {
  const all = {
    policy: "round_robin",
    choiceCount: 2,
    activeRequestBias: 1,
    panicThresholdPercent: 50,
    ...options,
  } as const;
  const panic = new StatsStore({ slotsMax: 2000 }).counter("lb_healthy_panic");
  const lb = new LoadBalancer(new HostSet(hosts), all, new SeededRandom(seed), panic);
  return { lb, panics: () => panic.value };
}

function picks(lb: LoadBalancer, count: number): Map<number, number> {
  const result = new Map<number, number>();
  for (let i = 0; i < count; i += 1) {
    const port = lb.chooseHost()?.addresses[0]?.port ?? 0;
    result.set(port, (result.get(port) ?? 0) + 1);
  }
  return result;
}

test("round robin takes every host in turn, from a random first one", () => {
  const hosts = [host(1), host(2), host(3)];
  const { lb } = balancer(hosts);
  const order = [1, 2, 3, 4, 5, 6].map(() => lb.chooseHost()?.addresses[0]?.port);
  expect(order.slice(0, 3)).toEqual(order.slice(3));
  expect(new Set(order)).toEqual(new Set([1, 2, 3]));
  const firsts = new Set<number | undefined>();
  for (let seed = 1; seed < 30; seed += 1) {
    firsts.add(balancer(hosts, {}, seed * 0x9e37_79b1).lb.chooseHost()?.addresses[0]?.port);
  }
  expect(firsts.size).toBe(3);
});

test("round robin follows weights exactly over a round, without bursts", () => {
  const { lb } = balancer([host(1, { weight: 3 }), host(2, { weight: 1 })]);
  expect(picks(lb, 400)).toEqual(
    new Map([
      [1, 300],
      [2, 100],
    ]),
  );
  let inRow = 0;
  let longest = 0;
  for (let i = 0; i < 100; i += 1) {
    inRow = lb.chooseHost()?.addresses[0]?.port === 1 ? inRow + 1 : 0;
    longest = Math.max(longest, inRow);
  }
  expect(longest).toBe(3);
});

test("least request takes the less busy of two random hosts", () => {
  const busy = host(1);
  const free = host(2);
  busy.activeRequests = 5;
  const { lb } = balancer([busy, free], { policy: "least_request" });
  const result = picks(lb, 1000);
  // The busy one only when both draws hit it.
  expect(result.get(1)).toBeGreaterThan(180);
  expect(result.get(1)).toBeLessThan(320);
});

test("least request with weights: weight by active requests to the power of the bias", () => {
  const light = host(1, { weight: 1 });
  const heavy = host(2, { weight: 4 });
  heavy.activeRequests = 3;
  const even = picks(balancer([light, heavy], { policy: "least_request" }).lb, 400);
  expect(even.get(1)).toBeGreaterThan(195);
  expect(even.get(1)).toBeLessThan(205);
  const options = { policy: "least_request", activeRequestBias: 0 } as const;
  expect(picks(balancer([light, heavy], options).lb, 500).get(2)).toBeCloseTo(400, -1);
  const squared = { policy: "least_request", activeRequestBias: 2 } as const;
  expect(picks(balancer([light, heavy], squared).lb, 500).get(1)).toBeCloseTo(400, -1);
});

test("random takes all hosts whatever their weight", () => {
  const { lb } = balancer([host(1, { weight: 100 }), host(2)], { policy: "random" });
  const result = picks(lb, 1000);
  expect(result.get(1)).toBeGreaterThan(400);
  expect(result.get(2)).toBeGreaterThan(400);
});

test("no hosts: null for every policy, and a panic is counted", () => {
  for (const policy of ["round_robin", "least_request", "random"] as const) {
    const { lb, panics } = balancer([], { policy });
    expect(lb.chooseHost()).toBeNull();
    expect(panics()).toBe(1);
  }
});

test("unhealthy hosts get nothing while enough others are healthy", () => {
  const hosts = [
    host(1),
    host(2, { health: "unhealthy" }),
    host(3),
    host(4, { health: "timeout" }),
  ];
  const { lb, panics } = balancer(hosts);
  expect(picks(lb, 100)).toEqual(
    new Map([
      [1, 50],
      [3, 50],
    ]),
  );
  expect(panics()).toBe(0);
});

test("below the panic threshold health is ignored and counted", () => {
  const hosts = [host(1), host(2, { health: "unhealthy" }), host(3, { health: "unhealthy" })];
  const { lb, panics } = balancer(hosts);
  expect(picks(lb, 30).size).toBe(3);
  expect(panics()).toBe(30);
  const without = balancer(hosts, { panicThresholdPercent: 0 });
  expect(picks(without.lb, 30)).toEqual(new Map([[1, 30]]));
  expect(without.panics()).toBe(0);
});

test("nobody healthy and panic off: null", () => {
  const { lb, panics } = balancer([host(1, { health: "unhealthy" })], { panicThresholdPercent: 0 });
  expect(lb.chooseHost()).toBeNull();
  expect(panics()).toBe(0);
});

test("priorities: 1.4 times the healthy share stays, the rest spills over", () => {
  const first = [1, 2, 3, 4].map((port) => host(port, port <= 2 ? {} : { health: "unhealthy" }));
  const second = [5, 6].map((port) => host(port, { priority: 1 }));
  const set = new HostSet([...first, ...second]);
  expect(computePriorityLoad(set.priorities, 50)).toEqual({
    healthy: [70, 30],
    degraded: [0, 0],
    isInPanic: [false, false],
  });
  const { lb } = balancer([...first, ...second]);
  const result = picks(lb, 2000);
  const spilled = (result.get(5) ?? 0) + (result.get(6) ?? 0);
  expect(spilled).toBeGreaterThan(500);
  expect(spilled).toBeLessThan(700);
  expect(result.has(3)).toBe(false);
});

test("degraded hosts take what the healthy ones cannot", () => {
  const set = new HostSet([host(1), host(2, { health: "degraded" })]);
  expect(computePriorityLoad(set.priorities, 50)).toMatchObject({ healthy: [70], degraded: [30] });
});

test("hosts that drain do not count: a half that is leaving is no reason to panic", () => {
  const leaving = { health: "draining" } as const;
  const hosts = [host(1, leaving), host(2), host(3, leaving)];
  expect(computePriorityLoad(new HostSet(hosts).priorities, 50)).toEqual({
    healthy: [100],
    degraded: [0],
    isInPanic: [false],
  });
  const { lb } = balancer(hosts);
  expect([...picks(lb, 10).keys()]).toEqual([2]);
  const sick = [...hosts.slice(0, 1), host(2, { health: "timeout" })];
  expect(new Set(picks(balancer(sick).lb, 10).keys())).toEqual(new Set([1, 2]));
});

test("all priorities in panic share by their number of hosts", () => {
  const bad = { health: "unhealthy" } as const;
  const hosts = [host(1, bad), host(2, bad), host(3, bad), host(4, { ...bad, priority: 1 })];
  expect(computePriorityLoad(new HostSet(hosts).priorities, 50)).toEqual({
    healthy: [75, 25],
    degraded: [0, 0],
    isInPanic: [true, true],
  });
});
