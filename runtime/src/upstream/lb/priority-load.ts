// How requests spread over priorities and healthy or degraded hosts, and when a priority panics.
// Computed once per membership by the load balancer, as in Envoy's LoadBalancerBase.
import type { PriorityHosts } from "../host-set.ts";

const OVERPROVISIONING_PERCENT = 140;

/**
 * Percentages of the requests that each priority's healthy and degraded hosts get; they sum up to
 * 100.
 */
export interface PriorityLoad {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
  /** Health is not looked at: all hosts of the priority are used. */
  readonly isInPanic: readonly boolean[];
}

/** `panicThresholdPercent` 0 switches panic off; default 50. */
export function computePriorityLoad(
  priorities: readonly PriorityHosts[],
  panicThresholdPercent: number,
): PriorityLoad {
  const health = priorities.map((p) => availability(p.healthy.length, eligibleCount(p)));
  const degraded = priorities.map((p) => availability(p.degraded.length, eligibleCount(p)));
  const available = Math.min(100, sum(health) + sum(degraded));
  const isInPanic = priorities.map(
    (p) => available < 100 && usablePercent(p) < panicThresholdPercent,
  );
  if (available === 0 && panicThresholdPercent === 0) {
    return { healthy: wholeLoadOnFirst(priorities), degraded: zeros(priorities), isInPanic };
  }
  if (isInPanic.every((panics) => panics)) {
    return { healthy: loadByHostCount(priorities), degraded: zeros(priorities), isInPanic };
  }
  return distribute(health, degraded, available, isInPanic);
}

function availability(usable: number, total: number): number {
  return total === 0 ? 0 : Math.min(100, Math.floor((OVERPROVISIONING_PERCENT * usable) / total));
}

/** Hosts that stay. */
function eligibleCount(hosts: PriorityHosts): number {
  return hosts.all.length - hosts.excludedCount;
}

function usablePercent(hosts: PriorityHosts): number {
  const eligible = eligibleCount(hosts);
  return eligible === 0 ? 0 : (100 * (hosts.healthy.length + hosts.degraded.length)) / eligible;
}

function distribute(
  health: readonly number[],
  degraded: readonly number[],
  available: number,
  isInPanic: readonly boolean[],
): PriorityLoad {
  const healthyLoad: number[] = [];
  const degradedLoad: number[] = [];
  let left = 100;
  left = share(health, available, left, healthyLoad);
  left = share(degraded, available, left, degradedLoad);
  // Rounding leaves a rest: the first priority that has anything takes it.
  const firstHealthy = health.findIndex((value) => value > 0);
  if (firstHealthy >= 0) (healthyLoad[firstHealthy] as number) += left;
  else {
    const firstDegraded = degraded.findIndex((value) => value > 0);
    if (firstDegraded >= 0) (degradedLoad[firstDegraded] as number) += left;
  }
  return { healthy: healthyLoad, degraded: degradedLoad, isInPanic };
}

function share(
  availabilities: readonly number[],
  total: number,
  load: number,
  target: number[],
): number {
  let left = load;
  for (const value of availabilities) {
    const part = total === 0 ? 0 : Math.min(left, Math.floor((value * 100) / total));
    target.push(part);
    left -= part;
  }
  return left;
}

function loadByHostCount(priorities: readonly PriorityHosts[]): readonly number[] {
  const total = sum(priorities.map((p) => p.all.length));
  if (total === 0) return wholeLoadOnFirst(priorities);
  const load: number[] = [];
  let left = 100;
  for (const hosts of priorities) {
    const part = Math.min(left, Math.floor((100 * hosts.all.length) / total));
    load.push(part);
    left -= part;
  }
  const first = priorities.findIndex((hosts) => hosts.all.length > 0);
  (load[first] as number) += left;
  return load;
}

function wholeLoadOnFirst(priorities: readonly PriorityHosts[]): readonly number[] {
  return priorities.map((_, i) => (i === 0 ? 100 : 0));
}

function zeros(priorities: readonly PriorityHosts[]): readonly number[] {
  return priorities.map(() => 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
