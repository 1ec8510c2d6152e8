// Choices from a seed: what the simulated network and its peers do next. Same seed, same choices.
import { SeededRandom } from "../core/random.ts";

export class Dice {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(mix(seed));
  }

  /** Dice of its own for a part of the run, so that one part's draws do not shift another's. */
  fork(): Dice {
    return new Dice(this.#random.u32());
  }

  /** Uniform in [0, 2^32). */
  u32(): number {
    return this.#random.u32();
  }

  /** Uniform integer in [0, count); count is at most 2^24. */
  below(count: number): number {
    return (this.#random.u32() >>> 8) % count;
  }

  /** Uniform integer in [min, max]. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** Integer in [min, max] that is as likely small as large: each power of two has equal weight. */
  spread(min: number, max: number): number {
    const low = Math.log2(min + 1);
    const high = Math.log2(max + 1);
    const value = 2 ** (low + ((high - low) * this.below(1 << 16)) / (1 << 16)) - 1;
    return Math.min(max, Math.max(min, Math.round(value)));
  }

  /** True in `probability` (0..1) of the calls; draws nothing for 0. */
  chance(probability: number): boolean {
    if (probability <= 0) return false;
    return this.#random.u32() < probability * 2 ** 32;
  }

  pick<V>(values: readonly V[]): V {
    return values[this.below(values.length)] as V;
  }

  /** One of the keys, by weight; a weight of 0 is never chosen. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const names = Object.keys(weights) as K[];
    let sum = 0;
    for (const name of names) sum += weights[name];
    let at = this.below(sum);
    for (const name of names) {
      at -= weights[name];
      if (at < 0) return name;
    }
    return names[0] as K;
  }
}

/** Seeds that lie side by side give unlike streams (the finalizer of MurmurHash3). */
function mix(seed: number): number {
  let x = (seed + 0x9e3779b9) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}
