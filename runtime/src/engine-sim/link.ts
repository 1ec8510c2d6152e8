// One direction's share of the network's badness for one connection, drawn when it is made. Asked
// by the socket at whose end the bytes arrive.
import type { Dice } from "./dice.ts";
import type { FaultProfile, Range } from "./fault-profile.ts";

/** Reads of a connection with tiny reads. */
const tinyReadBytes = 16;

/** What happened, for tests and for those who judge the outcome. */
export interface FaultCounts {
  refused: number;
  unreachable: number;
  lost: number;
  cut: number;
  hung: number;
  stalls: number;
  shortReads: number;
  shortWrites: number;
}

export class Link {
  /** Bytes that fit between writer and reader. */
  readonly capacity: number;
  /** Nothing arrives any more. */
  isHanging: boolean = false;
  readonly #dice: Dice;
  readonly #profile: FaultProfile;
  readonly #counts: FaultCounts;
  readonly #hasTinyReads: boolean;

  constructor(dice: Dice, profile: FaultProfile, counts: FaultCounts) {
    const [min, max] = profile.kernelBytes;
    this.capacity = dice.spread(min, max);
    this.#dice = dice;
    this.#profile = profile;
    this.#counts = counts;
    this.#hasTinyReads = dice.chance(profile.tinyReadsChance);
  }

  latencyMs(): number {
    const { latencyMs, stallChance, stallMs } = this.#profile;
    const plain = inRange(this.#dice, latencyMs);
    if (!this.#dice.chance(stallChance)) return plain;
    this.#counts.stalls += 1;
    return plain + inRange(this.#dice, stallMs);
  }

  /** How soon a writer learns that there is room. */
  wakeMs(): number {
    return inRange(this.#dice, this.#profile.latencyMs);
  }

  /** At most `most`, which is not 0. */
  readSize(most: number): number {
    const dice = this.#dice;
    if (this.#hasTinyReads) return Math.min(most, dice.between(1, tinyReadBytes));
    if (!dice.chance(this.#profile.shortReadChance)) return most;
    this.#counts.shortReads += 1;
    return dice.spread(1, most);
  }

  /** At most `most`, which may be 0. */
  writeSize(most: number): number {
    if (most === 0 || !this.#dice.chance(this.#profile.shortWriteChance)) return most;
    this.#counts.shortWrites += 1;
    return this.#dice.spread(0, most);
  }

  dropsUnread(): boolean {
    return this.#dice.chance(this.#profile.resetDropsUnreadChance);
  }

  keepsOrderOfReset(): boolean {
    return !this.#dice.chance(this.#profile.resetDropsUnreadChance);
  }
}

/** In tenths of a unit. */
export function inRange(dice: Dice, [min, max]: Range): number {
  return dice.between(Math.round(min * 10), Math.round(max * 10)) / 10;
}
