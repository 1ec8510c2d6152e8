// Clients, upstreams and tunnels that do not always take what has come for them.
import type { Dice } from "../../src/engine-sim/dice.ts";
import type { IoHandle } from "../../src/engine/network-engine.ts";
import type { Party } from "./party.ts";

/** Someone who reads for some milliseconds, and then does not for some. */
export class SlowReader {
  readonly #party: Party;
  readonly #dice: Dice;
  readonly #subject: number;
  readonly #io: IoHandle;
  /** The connection is there and still its reader's. */
  readonly #isThere: () => boolean;

  constructor(party: Party, dice: Dice, subject: number, io: IoHandle, isThere: () => boolean) {
    this.#party = party;
    this.#dice = dice;
    this.#subject = subject;
    this.#io = io;
    this.#isThere = isThere;
  }

  start(): void {
    this.#later("pause", 60, () => {
      this.#io.readDisable(true);
      this.#later("resume", 150, () => {
        this.#io.readDisable(false);
        this.start();
      });
    });
  }

  #later(kind: string, msMax: number, callback: () => void): void {
    this.#party.later(this.#dice.spread(1, msMax), kind, this.#subject, () => {
      if (this.#isThere()) callback();
    });
  }
}
