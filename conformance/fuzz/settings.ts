// How long the fuzzers run, and from which seed; README.md beside it.
import fc from "fast-check";
import { vi } from "vitest";

// A busy machine takes longer for the same number.
vi.setConfig({ testTimeout: 600_000 });

const runs = process.env["FUZZ_RUNS"];
const seed = process.env["FUZZ_SEED"];
const seconds = process.env["FUZZ_SECONDS"];

/** The same for all properties of a file, and told before the first: a run can be played again. */
const chosen = seed === "random" ? Date.now() & 0x7fffffff : Number(seed ?? 20_240_607);
process.stdout.write(`fuzz: FUZZ_SEED=${chosen} FUZZ_RUNS=${runs ?? 1}\n`);

interface Parameters {
  readonly numRuns: number;
  readonly seed: number;
  readonly interruptAfterTimeLimit?: number;
}

/** `secondsInCi` 0 = by number there, too. */
function parameters(count: number, secondsInCi: number): Parameters {
  const isCi = (process.env["CI"] ?? "") !== "" && runs === undefined;
  const limit = Number(seconds ?? (isCi ? secondsInCi : 0));
  if (limit > 0) {
    const interruptAfterTimeLimit = limit * 1000;
    return { numRuns: Number.MAX_SAFE_INTEGER, seed: chosen, interruptAfterTimeLimit };
  }
  const numRuns = Math.max(1, Math.round(count * Number(runs ?? 1)));
  return { numRuns, seed: chosen };
}

/**
 * A property that runs `count` times, in CI too, with a fixed seed. FUZZ_RUNS multiplies, FUZZ_SEED is
 * a number or "random"; FUZZ_SECONDS is the time of each property, whatever the number. What fails
 * is printed with its seed and path, and shrunk.
 */
export function check<T>(property: fc.IRawProperty<T, false>, count: number): void {
  fc.assert(property, parameters(count, 0));
}

/** As check, for a property that takes its time; in CI for a time, where one is given. */
export async function checkLater<T>(
  property: fc.IAsyncProperty<T>,
  count: number,
  secondsInCi: number = 0,
): Promise<void> {
  await fc.assert(property, parameters(count, secondsInCi));
}
