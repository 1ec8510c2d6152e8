// Tells of guests that were stopped when the turn is over in which they were: other streams wait
// for that turn, and to read a stack, write a line and post a report is most of what a trap takes.
import type { VmFailure } from "./vm-failure.ts";
import type { Vm } from "./vm.ts";

export interface TrapTeller {
  tellOf(vm: Vm, failure: VmFailure, plugin: string): void;
}

interface Item {
  readonly teller: TrapTeller;
  readonly vm: Vm;
  readonly failure: VmFailure;
  readonly plugin: string;
}

export class TrapNews {
  readonly #nextTurn: ((callback: () => void) => void) | null;
  /** Of this turn: as many as there were VMs in it at most. */
  #items: Item[] = [];
  readonly #flush: () => void;

  /** `nextTurn` null = everything is told at once. */
  constructor(nextTurn: ((callback: () => void) => void) | null) {
    this.#nextTurn = nextTurn;
    this.#flush = (): void => this.#tellAll();
  }

  add(teller: TrapTeller, vm: Vm, failure: VmFailure, plugin: string): void {
    this.#items.push({ teller, vm, failure, plugin });
    // A fault of ours may end this thread before there is another turn.
    if (this.#nextTurn === null || failure.stop === "host") this.#tellAll();
    else if (this.#items.length === 1) this.#nextTurn(this.#flush);
  }

  #tellAll(): void {
    const items = this.#items;
    this.#items = [];
    for (const { teller, vm, failure, plugin } of items) teller.tellOf(vm, failure, plugin);
  }
}
