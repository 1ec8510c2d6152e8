// Which cells of shared memory a cluster has (circuit breakers), or a listener (connections): the
// same ones as long as its name is in the configuration, so that what old connections hold is
// counted on. Main thread.

export class SharedIndexes {
  readonly #max: number;
  readonly #byName: Map<string, number>;
  /** Of names that are gone, the longest gone first: their last streams may still count. */
  readonly #free: number[];
  #next: number = 0;

  constructor(max: number) {
    this.#max = max;
    this.#byName = new Map();
    this.#free = [];
  }

  /** How many names there may be. */
  get max(): number {
    return this.#max;
  }

  /** The cells of a name; the caller has asked `hasRoomFor`. */
  get(name: string): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    let index = this.#next;
    if (index < this.#max) this.#next += 1;
    else index = this.#free.shift() ?? 0;
    this.#byName.set(name, index);
    return index;
  }

  hasRoomFor(names: readonly string[]): boolean {
    const fresh = names.filter((name) => !this.#byName.has(name)).length;
    return fresh <= this.#max - this.#next + this.#free.length;
  }

  /** These are in force, and no others. */
  retain(kept: readonly string[]): void {
    const names = new Set(kept);
    for (const [name, index] of this.#byName) {
      if (names.has(name)) continue;
      this.#byName.delete(name);
      this.#free.push(index);
    }
  }
}
