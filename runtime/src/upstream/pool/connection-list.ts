// The connections of one pool in no order; each knows its place, so that one that ends leaves at
// once however many there are.

/** Something that has a place in such a list. */
export interface Listed {
  /** The list's own; -1 = in none. */
  listIndex: number;
}

export class ConnectionList<T extends Listed> {
  readonly items: T[];

  constructor() {
    this.items = [];
  }

  get count(): number {
    return this.items.length;
  }

  /** Undefined when there is none. */
  get last(): T | undefined {
    return this.items[this.items.length - 1];
  }

  add(item: T): void {
    item.listIndex = this.items.length;
    this.items.push(item);
  }

  /** The last one takes the place of the one that goes. */
  remove(item: T): void {
    const last = this.items.pop() as T;
    if (last !== item) {
      this.items[item.listIndex] = last;
      last.listIndex = item.listIndex;
    }
    item.listIndex = -1;
  }
}
