// Places in the code where fuel is paid: fuel-plan.ts finds them, fuel-meter.ts writes there.

export const SiteKind = {
  /** A fixed price. */
  Check: 0,
  /** A price by the length on the stack, an i32, of a bulk operation. */
  Bulk: 1,
  /** The same with an i64. */
  BulkWide: 2,
  /** A price for each entry of a table or array: the length is an i32. */
  Entries: 3,
} as const;

/** Places in the code where fuel is paid, in order. */
export class SiteList {
  positions: Int32Array;
  /** Lengths of paths until the end of planning, then prices. */
  costs: Int32Array;
  kinds: Uint8Array;
  count: number = 0;

  constructor() {
    this.positions = new Int32Array(1 << 12);
    this.costs = new Int32Array(1 << 12);
    this.kinds = new Uint8Array(1 << 12);
  }

  /** The site's index. */
  add(position: number, kind: number): number {
    const at = this.count;
    if (at === this.positions.length) this.#grow();
    this.positions[at] = position;
    this.costs[at] = 0;
    this.kinds[at] = kind;
    this.count += 1;
    return at;
  }

  /** A longer path from this site was found. */
  raise(site: number, path: number): void {
    if (path > (this.costs[site] as number)) this.costs[site] = path;
  }

  #grow(): void {
    const size = this.positions.length * 2;
    const positions = new Int32Array(size);
    positions.set(this.positions);
    const costs = new Int32Array(size);
    costs.set(this.costs);
    const kinds = new Uint8Array(size);
    kinds.set(this.kinds);
    this.positions = positions;
    this.costs = costs;
    this.kinds = kinds;
  }
}
