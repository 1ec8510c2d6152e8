// The contexts that a guest knows, by id: every live root and stream context of one VM.
import type { Context } from "./context.ts";

/**
 * Ids come one after another, so their low bits spread them evenly: a stream costs two writes to
 * come and a short walk to go, and allocates nothing here.
 */
const SLOTS_FIRST = 16;
const SLOTS_MAX = 1024;
const ID_MAX = 0x7fffffff;

export class ContextTable {
  #slots: (Context | null)[];
  /** One less than there are slots. */
  #mask: number = SLOTS_FIRST - 1;
  #lastId: number = 0;
  #size: number = 0;

  constructor() {
    this.#slots = Array.from({ length: SLOTS_FIRST }, () => null);
  }

  get size(): number {
    return this.#size;
  }

  /** Gives the context its id and keeps it. */
  add(context: Context): void {
    let id = this.#lastId;
    do {
      id = id === ID_MAX ? 1 : id + 1;
    } while (id < this.#lastId && this.get(id) !== null);
    this.#lastId = id;
    context.id = id;
    if (this.#size > this.#mask && this.#mask < SLOTS_MAX - 1) this.#grow();
    const slot = id & this.#mask;
    context.nextInSlot = this.#slots[slot] as Context | null;
    this.#slots[slot] = context;
    this.#size += 1;
  }

  /** Most VMs have few streams at a time, and those that wait have none. */
  #grow(): void {
    const contexts = this.all();
    this.#slots = Array.from({ length: (this.#mask + 1) * 4 }, () => null);
    this.#mask = this.#slots.length - 1;
    for (const context of contexts) {
      const slot = context.id & this.#mask;
      context.nextInSlot = this.#slots[slot] as Context | null;
      this.#slots[slot] = context;
    }
  }

  /** Null when no live context has this id. */
  get(id: number): Context | null {
    let context = this.#slots[id & this.#mask] as Context | null;
    while (context !== null && context.id !== id) context = context.nextInSlot;
    return context;
  }

  /** Does nothing when it is not there. */
  remove(context: Context): void {
    const slot = context.id & this.#mask;
    let before: Context | null = null;
    let at = this.#slots[slot] as Context | null;
    while (at !== null && at !== context) {
      before = at;
      at = at.nextInSlot;
    }
    if (at === null) return;
    if (before === null) this.#slots[slot] = at.nextInSlot;
    else before.nextInSlot = at.nextInSlot;
    at.nextInSlot = null;
    this.#size -= 1;
  }

  /** Those that are alive now, whatever becomes of them meanwhile. */
  all(): Context[] {
    const found: Context[] = [];
    for (let context of this.#slots) {
      for (; context !== null; context = context.nextInSlot) found.push(context);
    }
    return found;
  }

  clear(): void {
    this.#slots.fill(null);
    this.#size = 0;
  }
}
