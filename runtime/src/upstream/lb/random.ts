// RANDOM: any host, whatever its weight, as in Envoy.
import type { Random } from "../../core/random.ts";
import type { Host } from "../host.ts";
import type { HostPicker } from "./load-balancer.ts";

export class RandomPicker implements HostPicker {
  readonly #hosts: readonly Host[];
  readonly #random: Random;

  constructor(hosts: readonly Host[], random: Random) {
    this.#hosts = hosts;
    this.#random = random;
  }

  pick(): Host | null {
    const count = this.#hosts.length;
    return count === 0 ? null : (this.#hosts[this.#random.u32() % count] as Host);
  }
}
