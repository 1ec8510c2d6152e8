// Chooses a host for a request: priorities and panic here, the policy within a group of hosts in a
// picker. Made by Cluster with each membership.
import type { ClusterConfig } from "../../config/snapshot.ts";
import type { Random } from "../../core/random.ts";
import type { Counter } from "../../stats/store.ts";
import type { HostSet } from "../host-set.ts";
import type { Host } from "../host.ts";
import { LeastRequestPicker } from "./least-request.ts";
import { computePriorityLoad, type PriorityLoad } from "./priority-load.ts";
import { RandomPicker } from "./random.ts";
import { RoundRobinPicker } from "./round-robin.ts";

/** The policy among hosts of one priority and health. */
export interface HostPicker {
  /** Null when there are no hosts. */
  pick(): Host | null;
}

/** What a policy needs to know. */
export interface LoadBalancerOptions {
  readonly policy: ClusterConfig["lbPolicy"];
  readonly choiceCount: number;
  readonly activeRequestBias: number;
  readonly panicThresholdPercent: number;
}

export class LoadBalancer {
  readonly #load: PriorityLoad;
  readonly #healthy: readonly HostPicker[];
  readonly #degraded: readonly HostPicker[];
  /** Null where the priority does not panic. */
  readonly #all: readonly (HostPicker | null)[];
  readonly #random: Random;
  readonly #panicCounter: Counter;
  /** The one picker that gets everything, which is the usual case; null = look at the loads. */
  readonly #only: HostPicker | null;

  constructor(hosts: HostSet, options: LoadBalancerOptions, random: Random, panic: Counter) {
    const load = computePriorityLoad(hosts.priorities, options.panicThresholdPercent);
    const make = (group: readonly Host[]): HostPicker => makePicker(group, options, random);
    this.#load = load;
    this.#healthy = hosts.priorities.map((p) => make(p.healthy));
    this.#degraded = hosts.priorities.map((p) => make(p.degraded));
    this.#all = hosts.priorities.map((p, i) => (load.isInPanic[i] === true ? make(p.all) : null));
    this.#random = random;
    this.#panicCounter = panic;
    const first = load.healthy[0] === 100 && load.isInPanic[0] === false;
    this.#only = first ? (this.#healthy[0] as HostPicker) : null;
  }

  /** Null when no host may get the request. */
  chooseHost(): Host | null {
    if (this.#only !== null) return this.#only.pick();
    const hash = (this.#random.u32() % 100) + 1;
    const { healthy, degraded } = this.#load;
    let reached = 0;
    for (let i = 0; i < healthy.length; i += 1) {
      reached += healthy[i] as number;
      if (reached >= hash) return this.#pickIn(i, this.#healthy);
    }
    for (let i = 0; i < degraded.length; i += 1) {
      reached += degraded[i] as number;
      if (reached >= hash) return this.#pickIn(i, this.#degraded);
    }
    return null;
  }

  #pickIn(priority: number, usual: readonly HostPicker[]): Host | null {
    const all = this.#all[priority];
    if (all === null || all === undefined) return (usual[priority] as HostPicker).pick();
    this.#panicCounter.inc();
    return all.pick();
  }
}

function makePicker(
  hosts: readonly Host[],
  options: LoadBalancerOptions,
  random: Random,
): HostPicker {
  switch (options.policy) {
    case "round_robin":
      return new RoundRobinPicker(hosts, random);
    case "least_request":
      return new LeastRequestPicker(hosts, random, options.choiceCount, options.activeRequestBias);
    case "random":
      return new RandomPicker(hosts, random);
  }
}
