// Chooses the streams whose callbacks are timed: two looks at the clock cost as much as a cheap
// callback. The distance between two of them is random, so that traffic which repeats itself cannot
// hide from it.

/** A linear congruence: its high bits are random enough, and it costs nothing. */
const FACTOR = 1_664_525;
const SUMMAND = 1_013_904_223;

export class StreamSampler {
  /** Of so many streams one is timed, on average; 0 = none. */
  readonly #every: number;
  #seed: number = SUMMAND;
  #left: number = 0;

  constructor(every: number) {
    this.#every = every;
    this.#left = every === 0 ? 0 : this.#next();
  }

  /** 0: the next stream is not timed. Else for how many it stands. */
  choose(): number {
    if (this.#left === 0) return 0;
    this.#left -= 1;
    if (this.#left > 0) return 0;
    this.#left = this.#next();
    return this.#every;
  }

  /** From 1 to twice the distance less 1, each as likely. */
  #next(): number {
    this.#seed = (Math.imul(this.#seed, FACTOR) + SUMMAND) | 0;
    return 1 + ((this.#seed >>> 8) % (this.#every * 2 - 1));
  }
}
