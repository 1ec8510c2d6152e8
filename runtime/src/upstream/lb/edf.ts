// Earliest deadline first: picks hosts in proportion to weights that may change between picks.
// Used by round robin and least request when weights differ.
import type { Host } from "../host.ts";

/** A binary heap over parallel arrays; ties go to the entry that waited longer. */
export class EdfScheduler {
  readonly #hosts: Host[];
  readonly #deadlines: number[];
  readonly #orders: number[];
  readonly #weightOf: (host: Host) => number;
  #now: number = 0;
  #nextOrder: number = 0;

  /**
   * `weightOf` must be above 0. `skip` picks are made at once so that workers do not start alike.
   */
  constructor(hosts: readonly Host[], weightOf: (host: Host) => number, skip: number) {
    this.#hosts = [];
    this.#deadlines = [];
    this.#orders = [];
    this.#weightOf = weightOf;
    for (const host of hosts) this.#add(host);
    for (let i = 0; i < skip; i += 1) this.pick();
  }

  /** Null when there are no hosts. */
  pick(): Host | null {
    const host = this.#hosts[0];
    if (host === undefined) return null;
    this.#now = this.#deadlines[0] as number;
    this.#deadlines[0] = this.#now + 1 / this.#weightOf(host);
    this.#orders[0] = this.#nextOrder;
    this.#nextOrder += 1;
    this.#sink();
    return host;
  }

  #add(host: Host): void {
    let at = this.#hosts.length;
    this.#hosts.push(host);
    this.#deadlines.push(this.#now + 1 / this.#weightOf(host));
    this.#orders.push(this.#nextOrder);
    this.#nextOrder += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(): void {
    const count = this.#hosts.length;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= count) return;
      const right = left + 1;
      const child = right < count && this.#isBefore(right, left) ? right : left;
      if (!this.#isBefore(child, at)) return;
      this.#swap(at, child);
      at = child;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const left = this.#deadlines[a] as number;
    const right = this.#deadlines[b] as number;
    if (left !== right) return left < right;
    return (this.#orders[a] as number) < (this.#orders[b] as number);
  }

  #swap(a: number, b: number): void {
    const host = this.#hosts[a] as Host;
    const deadline = this.#deadlines[a] as number;
    const order = this.#orders[a] as number;
    this.#hosts[a] = this.#hosts[b] as Host;
    this.#deadlines[a] = this.#deadlines[b] as number;
    this.#orders[a] = this.#orders[b] as number;
    this.#hosts[b] = host;
    this.#deadlines[b] = deadline;
    this.#orders[b] = order;
  }
}

/** True when at least two weights differ. */
export function weightsDiffer(hosts: readonly Host[]): boolean {
  for (const host of hosts) if (host.weight !== hosts[0]?.weight) return true;
  return false;
}
