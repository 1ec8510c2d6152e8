// Which cells of the shared circuit-breaker memory a cluster has: the same ones as long as its name
// is in the configuration, so that what old connections hold is counted on. Main thread.

export class SharedIndexes {
  readonly #max: number;
  readonly #byName: Map<string, number>;
  /** Of clusters that are gone, the longest gone first: their last streams may still count. */
  readonly #free: number[];
  #next: number;

  constructor(max: number) {
    this.#max = max;
    this.#byName = new Map();
    this.#free = [];
    this.#next = 0;
  }

  /** How many clusters there may be. */
  get max(): number {
    return this.#max;
  }

  /** The cells of a cluster; the caller has asked `hasRoomFor`. */
  get(cluster: string): number {
    const known = this.#byName.get(cluster);
    if (known !== undefined) return known;
    let index = this.#next;
    if (index < this.#max) this.#next += 1;
    else index = this.#free.shift() ?? 0;
    this.#byName.set(cluster, index);
    return index;
  }

  hasRoomFor(clusters: readonly string[]): boolean {
    const fresh = clusters.filter((name) => !this.#byName.has(name)).length;
    return fresh <= this.#max - this.#next + this.#free.length;
  }

  /** These clusters are in force, and no others. */
  retain(clusters: readonly string[]): void {
    const names = new Set(clusters);
    for (const [name, index] of this.#byName) {
      if (names.has(name)) continue;
      this.#byName.delete(name);
      this.#free.push(index);
    }
  }
}
