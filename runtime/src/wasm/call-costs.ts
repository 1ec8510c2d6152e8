// What a plugin's version costs, by callback: calls, fuel, time, hostcalls, bytes, callouts. A row
// of numbers for each callback, in the memory of version-counts.ts, written by one thread.
import { callbacks } from "proxy-wasm-types";
import { callbackName } from "./guest-mark.ts";

/** Numbers of a row, by their names in stats. */
export const costFields = ["calls", "fuel", "ns", "hostcalls", "bytes", "callouts"] as const;
export type CostField = (typeof costFields)[number];
/** Sums over all calls of something. */
export type Costs = Readonly<Record<CostField, number>>;

const FIELDS: number = costFields.length;
/** Row 0 is of callbacks without a name: toolchains merge equal functions. */
const ROWS: number = callbacks.length + 1;
const PAGES_AT: number = ROWS * FIELDS;
export const COST_CELLS: number = PAGES_AT + 1;

/** One thread's. */
export class CallCosts {
  readonly #cells: Float64Array;
  readonly #at: number;

  /** `at`: where its cells begin, among others that are written with them. */
  constructor(cells: Float64Array, at = 0) {
    this.#cells = cells;
    this.#at = at;
  }

  /** Of one call of the callback with that mark. */
  add(
    mark: number,
    fuel: number,
    ns: number,
    hostcalls: number,
    bytes: number,
    callouts: number,
  ): void {
    const cells = this.#cells;
    const at = this.#at + mark * FIELDS;
    cells[at] = (cells[at] as number) + 1;
    cells[at + 1] = (cells[at + 1] as number) + fuel;
    // Mostly there is none: a stream in many has its time taken.
    if (ns !== 0) cells[at + 2] = (cells[at + 2] as number) + ns;
    cells[at + 3] = (cells[at + 3] as number) + hostcalls;
    cells[at + 4] = (cells[at + 4] as number) + bytes;
    if (callouts !== 0) cells[at + 5] = (cells[at + 5] as number) + callouts;
  }

  /** Of the memory of the VM that serves. */
  setPages(pages: number): void {
    this.#cells[this.#at + PAGES_AT] = pages;
  }
}

/** Costs by callback, of those that were called. */
export interface CostTotals {
  /** Names as in the ABI, "other" for those that cannot be told apart. */
  readonly byCallback: ReadonlyMap<string, Costs>;
  readonly all: Costs;
  /** Of all threads' memories, 64 KiB each. */
  readonly pages: number;
}

/** `sums`: the cells of all threads, added. */
export function readCosts(sums: Float64Array): CostTotals {
  const byCallback = new Map<string, Costs>();
  for (let row = 0; row < ROWS; row += 1) {
    if (sums[row * FIELDS] === 0) continue;
    byCallback.set(callbackName(row) || "other", costsAt(sums, row));
  }
  const all = sumOfCosts([...byCallback.values()]);
  return { byCallback, all, pages: sums[PAGES_AT] as number };
}

export function sumOfCosts(rows: readonly Costs[]): Costs {
  const sum = { calls: 0, fuel: 0, ns: 0, hostcalls: 0, bytes: 0, callouts: 0 };
  for (const row of rows) for (const field of costFields) sum[field] += row[field];
  return sum;
}

function costsAt(sums: Float64Array, row: number): Costs {
  const [calls = 0, fuel = 0, ns = 0, hostcalls = 0, bytes = 0, callouts = 0] = sums.subarray(
    row * FIELDS,
    row * FIELDS + FIELDS,
  );
  return { calls, fuel, ns, hostcalls, bytes, callouts };
}
