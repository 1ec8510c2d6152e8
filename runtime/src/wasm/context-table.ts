// The contexts that a guest knows, by id: every live root and stream context of one VM.
import type { Context } from "./context.ts";

/**
 * Ids come one after another, so their low bits spread them evenly: a stream costs two writes to
 * come and a short walk to go, and allocates nothing here.
 */
const SLOTS = 1024;
const ID_MAX = 0x7fffffff;

export class ContextTable {
  readonly #slots: (Context | null)[];
  #lastId: number = 0;
  #size: number = 0;

  constructor() {
    this.#slots = Array.from({ length: SLOTS }, () => null);
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
    const slot = id & (SLOTS - 1);
    context.nextInSlot = this.#slots[slot] as Context | null;
    this.#slots[slot] = context;
    this.#size += 1;
  }

  /** Null when no live context has this id. */
  get(id: number): Context | null {
    let context = this.#slots[id & (SLOTS - 1)] as Context | null;
    while (context !== null && context.id !== id) context = context.nextInSlot;
    return context;
  }

  /** Does nothing when it is not there. */
  remove(context: Context): void {
    const slot = context.id & (SLOTS - 1);
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
