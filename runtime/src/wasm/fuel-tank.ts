// The fuel of one metered instance, as the host sees it. Used by vm.ts.
import type { Clock } from "../core/clock.ts";
import type { CompiledModule } from "./compiled-module.ts";
import type { HostCallback } from "./helper-modules.ts";

type Swap = (fuel: number) => number;

/**
 * Of a budget, a guest gets so much at once: a tenth of a millisecond mostly, and two where loads
 * miss every cache. The thread's time, which takes a microsecond to read, is looked at in between.
 */
const SLICE = 100_000;

/**
 * Full between entries into the guest: one call behind each tells what it used and fills the tank
 * for the next. (One before and one behind, in f64, cost 80 ns more for a stream of three entries.)
 */
export class FuelTank {
  readonly #swap: Swap;
  readonly #refill: Swap;
  readonly #clock: Clock;
  readonly #sliceMax: number;
  #budget: number = 0;
  /** What each entry begins with. */
  #slice: number = 0;
  /** Fuel that the running entry got so far. */
  #given: number = 0;
  #timeMaxMs: number = Infinity;
  /** The thread's time when the entry's first slice was used up; -1 = it is not. */
  #sinceMs: number = -1;
  #usedMs: number = 0;

  /** Of the policy, for messages. */
  #timeWord: string = "";

  /** `supply`, one of createSupplies, is called from within the guest, and shall ask `next`. */
  constructor(
    exports: WebAssembly.Instance["exports"],
    names: Pick<CompiledModule, "fuelExport" | "refillExport" | "supplyExport">,
    clock: Clock,
    supply: HostCallback,
    sliceMax: number = SLICE,
  ) {
    const of = (name: string | null): unknown => exports[name as string];
    this.#swap = of(names.fuelExport) as Swap;
    this.#refill = of(names.refillExport) as Swap;
    (of(names.supplyExport) as WebAssembly.Global).value = supply;
    this.#clock = clock;
    this.#sliceMax = sliceMax;
  }

  /** What each entry may use from now on, and how long it may compute; `timeWord` limits that. */
  setBudget(fuel: number, timeMaxMs: number | null, timeWord: string): void {
    this.#budget = fuel;
    this.#timeMaxMs = timeMaxMs ?? Infinity;
    this.#timeWord = timeWord;
    this.#slice = Math.min(fuel, this.#sliceMax);
    this.settle();
  }

  get budget(): number {
    return this.#budget;
  }

  /** What was used since the tank was full; it is full again. */
  settle(): number {
    const settle = this.#refill;
    const used = this.#given - settle(this.#slice);
    this.#given = this.#slice;
    if (this.#sinceMs >= 0) this.#sinceMs = -1;
    return used;
  }

  /** Below zero when more was used than there was. */
  get left(): number {
    const left = this.#swap(0);
    this.#swap(left);
    return this.#budget - this.#given + left;
  }

  take(fuel: number): void {
    this.#swap(this.#swap(0) - fuel);
  }

  get timeMaxMs(): number {
    return this.#timeMaxMs;
  }

  /** Milliseconds of computing since the first slice was used up, when last looked at. */
  get usedMs(): number {
    return this.#sinceMs < 0 ? 0 : this.#usedMs;
  }

  /** Null = there is time left; else the word of the policy that says how much there was. */
  get timeIsUp(): string | null {
    return this.usedMs > this.#timeMaxMs ? this.#timeWord : null;
  }

  /** From within the guest: gives it the next slice, or says why it must stop. */
  next(): string | null {
    const { left } = this;
    if (left < 0) return "out of fuel";
    const nowMs = this.#clock.threadMs();
    if (this.#sinceMs < 0) this.#sinceMs = nowMs;
    this.#usedMs = nowMs - this.#sinceMs;
    if (this.timeIsUp !== null) {
      const ms = this.#usedMs.toFixed(0);
      return `out of time: computed for ${ms} ms of ${this.#timeMaxMs} (${this.#timeWord})`;
    }
    const slice = Math.min(left, this.#sliceMax);
    this.#given += slice - this.#swap(slice);
    return null;
  }
}
