// The hosts of a cluster by priority and health; immutable, made anew by Cluster with each
// membership.
import type { Host } from "./host.ts";

/** Hosts of one priority. */
export interface PriorityHosts {
  readonly all: readonly Host[];
  readonly healthy: readonly Host[];
  readonly degraded: readonly Host[];
  /** How many of `all` are draining: those leave, and so say nothing about the others' health. */
  readonly excludedCount: number;
}

interface GrowingPriority {
  readonly all: Host[];
  readonly healthy: Host[];
  readonly degraded: Host[];
  excludedCount: number;
}

export class HostSet {
  readonly hosts: readonly Host[];
  /** Index = priority; at least one entry, which may be empty. */
  readonly priorities: readonly PriorityHosts[];

  constructor(hosts: readonly Host[]) {
    this.hosts = hosts;
    let highest = 0;
    for (const host of hosts) highest = Math.max(highest, host.config.priority);
    const priorities: GrowingPriority[] = [];
    for (let i = 0; i <= highest; i += 1) {
      priorities.push({ all: [], healthy: [], degraded: [], excludedCount: 0 });
    }
    for (const host of hosts) {
      const entry = priorities[host.config.priority];
      if (entry === undefined) continue;
      entry.all.push(host);
      if (host.isHealthy) entry.healthy.push(host);
      else if (host.isDegraded) entry.degraded.push(host);
      else if (host.isExcluded) entry.excludedCount += 1;
    }
    this.priorities = priorities;
  }

  get healthyCount(): number {
    return this.priorities.reduce((sum, entry) => sum + entry.healthy.length, 0);
  }

  get degradedCount(): number {
    return this.priorities.reduce((sum, entry) => sum + entry.degraded.length, 0);
  }

  get excludedCount(): number {
    return this.priorities.reduce((sum, entry) => sum + entry.excludedCount, 0);
  }
}
