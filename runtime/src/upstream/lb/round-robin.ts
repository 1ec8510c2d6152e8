// ROUND_ROBIN: one after the other, or by weight (EDF) when weights differ. Starts at a random
// host.
import type { Random } from "../../core/random.ts";
import type { Host } from "../host.ts";
import { EdfScheduler, weightsDiffer } from "./edf.ts";
import type { HostPicker } from "./load-balancer.ts";

export class RoundRobinPicker implements HostPicker {
  readonly #hosts: readonly Host[];
  readonly #edf: EdfScheduler | null;
  #next: number = 0;

  constructor(hosts: readonly Host[], random: Random) {
    this.#hosts = hosts;
    this.#next = hosts.length === 0 ? 0 : random.u32() % hosts.length;
    this.#edf = weightsDiffer(hosts) ? new EdfScheduler(hosts, (h) => h.weight, this.#next) : null;
  }

  pick(): Host | null {
    if (this.#edf !== null) return this.#edf.pick();
    const count = this.#hosts.length;
    if (count === 0) return null;
    const host = this.#hosts[this.#next] as Host;
    this.#next = this.#next + 1 === count ? 0 : this.#next + 1;
    return host;
  }
}
