// Ends a run that hangs. Nothing in a run takes real time: one that does not come to its end has a fault like any other,
// and is told by its step.
import { createContext, Script } from "node:vm";
import type { Dice } from "../../src/engine-sim/dice.ts";
import { SimLoop } from "../../src/engine-sim/sim-loop.ts";

/** Steps of a run; the longest of thousands had 100,000. */
const stepsMax = 2_000_000;
/** Seconds become minutes where the machine has a lot to do. */
const realMsMax = 60_000;

/** Calls `work`. Throws when it does not come back: the last way out, for what never ends in one step. */
export function withinTime(work: () => void, limitMs: number = realMsMax): void {
  // Only an engine of its own thread can end what never gives the thread back; node:vm has one.
  const context = createContext({ work });
  new Script("work()").runInContext(context, { timeout: limitMs });
}

/** Whether withinTime() has ended what it called. */
export function isTimeout(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
}

/** A loop that fails where it makes more steps than any run does. */
export class WatchedLoop extends SimLoop {
  readonly #stepsMax: number;

  constructor(dice: Dice, limit: number = stepsMax) {
    super(dice);
    this.#stepsMax = limit;
  }

  override step(): boolean {
    if (this.steps >= this.#stepsMax) throw new Error(`the run does not end: ${this.describe()}`);
    return super.step();
  }
}
