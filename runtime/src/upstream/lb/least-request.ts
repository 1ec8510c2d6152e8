// LEAST_REQUEST: the least busy of a few random hosts; by weight and load (EDF) when weights
// differ.
import type { Random } from "../../core/random.ts";
import type { Host } from "../host.ts";
import { EdfScheduler, weightsDiffer } from "./edf.ts";
import type { HostPicker } from "./load-balancer.ts";

export class LeastRequestPicker implements HostPicker {
  readonly #hosts: readonly Host[];
  readonly #random: Random;
  readonly #choiceCount: number;
  readonly #edf: EdfScheduler | null;

  /** `choiceCount` default 2; `bias` default 1: weight / (active + 1) ^ bias. */
  constructor(hosts: readonly Host[], random: Random, choiceCount: number, bias: number) {
    this.#hosts = hosts;
    this.#random = random;
    this.#choiceCount = Math.max(1, choiceCount);
    this.#edf = weightsDiffer(hosts)
      ? new EdfScheduler(hosts, weightFunction(bias), random.u32() % hosts.length)
      : null;
  }

  pick(): Host | null {
    if (this.#edf !== null) return this.#edf.pick();
    const count = this.#hosts.length;
    if (count === 0) return null;
    let best = this.#hosts[this.#random.u32() % count] as Host;
    for (let i = 1; i < this.#choiceCount; i += 1) {
      const other = this.#hosts[this.#random.u32() % count] as Host;
      if (other.activeRequests < best.activeRequests) best = other;
    }
    return best;
  }
}

function weightFunction(bias: number): (host: Host) => number {
  if (bias === 0) return (host) => host.weight;
  if (bias === 1) return (host) => host.weight / (host.activeRequests + 1);
  return (host) => host.weight / (host.activeRequests + 1) ** bias;
}
