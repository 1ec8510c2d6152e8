// Choices from a seed, so that a run's faults can be had again.
import { SeededRandom } from "../../runtime/src/core/random.ts";

export class Random {
  readonly #numbers: SeededRandom;

  constructor(seed: number) {
    this.#numbers = new SeededRandom(seed);
  }

  next32(): number {
    return this.#numbers.u32();
  }

  /** At least 0, below 1. */
  next(): number {
    return this.next32() / 0x1_0000_0000;
  }

  /** An integer, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.next() * choices.length)] as T;
  }
}
