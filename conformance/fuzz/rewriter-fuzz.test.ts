// The rewriter against itself: what a module does before and after it is metered and capped must be
// the same, to the last byte of memory and to the address of a trap.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Clock } from "../../runtime/src/core/clock.ts";
import { planFuel } from "../../runtime/src/module/fuel-plan.ts";
import { rewriteModule, type RewrittenModule } from "../../runtime/src/module/rewriter.ts";
import { readModule } from "../../runtime/src/module/wasm-sections.ts";
import { FuelTank } from "../../runtime/src/wasm/fuel-tank.ts";
import { framesOf } from "../../runtime/src/wasm/guest-frames.ts";
import { createSupplies } from "../../runtime/src/wasm/helper-modules.ts";
import { moduleOf, PAGES_MAX, trees } from "./module-generator.ts";
import { check } from "./settings.ts";

interface Outcome {
  /** Results or traps of all functions with their frames; then globals and memory. */
  readonly seen: readonly unknown[];
  readonly fuel: readonly number[];
}

const GIVEN = 1e12;
const inputs: readonly (readonly [number, bigint, number])[] = [
  [0, 0n, 0],
  [1, -7n, 0.5],
  [-5, 1n << 40n, -1e300],
  [1000, 3n, Number.NaN],
];

/** Gives fuel for one run, and tells what it took. */
interface Meter {
  fill(): void;
  used(): number;
}

type MeterOf = (exports: WebAssembly.Instance["exports"], module: RewrittenModule) => Meter;

const unmetered: MeterOf = () => ({ fill: () => {}, used: () => 0 });

/** All at once. */
const whole: MeterOf = (exports, { fuelExport }) => {
  const swap = exports[fuelExport as string] as (fuel: number) => number;
  return { fill: () => swap(GIVEN), used: () => GIVEN - swap(0) };
};

const clock = new Clock({ monotonicMs: () => 0, epochMs: () => 0 });
const supplyOf = createSupplies();

/** As the host does it, seven units at a time. */
const sliced: MeterOf = (exports, module) => {
  const supply = supplyOf(() => {
    if (tank.next() !== null) throw new Error("out of fuel");
  });
  const tank = new FuelTank(exports, module, clock, supply, 7);
  tank.setBudget(GIVEN, null, "");
  return { fill: () => tank.settle(), used: () => GIVEN - tank.left };
};

type Run = (a: number, b: bigint, c: number) => unknown;

function runAll(module: RewrittenModule, functions: number, meterOf: MeterOf): Outcome {
  const { memoryImport: given } = module;
  const initial = given?.minimumPages ?? 0;
  const memory = new WebAssembly.Memory({ initial, maximum: given?.maximumPages ?? initial });
  const imports = given === null ? {} : { [given.module]: { [given.name]: memory } };
  const code = new WebAssembly.Module(module.bytes);
  const { exports } = new WebAssembly.Instance(code, imports);
  const meter = meterOf(exports, module);
  const seen: unknown[] = [];
  const fuel: number[] = [];
  for (let i = 0; i < functions; i += 1) {
    for (const input of inputs) {
      meter.fill();
      try {
        seen.push((exports[`f${i}`] as Run)(...input));
      } catch (error) {
        seen.push((error as Error).message, framesOf(error as Error, module.codeMap));
      }
      fuel.push(meter.used());
    }
  }
  for (const name of ["g0", "g1", "g2"]) seen.push((exports[name] as WebAssembly.Global).value);
  const written = Buffer.from((exports["memory"] as WebAssembly.Memory).buffer);
  seen.push(written.length, createHash("sha1").update(written).digest("hex"));
  return { seen, fuel };
}

describe("the rewriter", () => {
  test("a metered module does what the original does, traps where it does, and costs the same each time", () => {
    const programs = fc.array(fc.array(trees(6), { maxLength: 7 }), { minLength: 1, maxLength: 4 });
    const endings = { results: 0, traps: 0, slices: 0, copies: 0 };
    check(
      fc.property(programs, (functions) => {
        const bytes = moduleOf(functions);
        expect(WebAssembly.validate(bytes)).toBe(true);
        const options = { isMetered: true, memoryPagesMax: PAGES_MAX, isMemoryGiven: true };
        endings.copies += planFuel(bytes, readModule(bytes)).copiedLoops.size;
        const rewritten = rewriteModule(bytes, readModule(bytes), "memory", options);
        const { length } = functions;
        const same = rewriteModule(bytes, readModule(bytes), "memory");
        expect(same.bytes).toBe(bytes);
        const original = runAll(same, length, unmetered);
        const metered = runAll(rewritten, length, whole);
        expect(metered.seen).toEqual(original.seen);
        expect(metered.fuel.every((used) => used >= 0)).toBe(true);
        expect(runAll(rewritten, length, whole)).toEqual(metered);
        expect(runAll(rewritten, length, sliced)).toEqual(metered);
        if (metered.fuel.some((used) => used > 7)) endings.slices += 1;
        for (const value of original.seen) {
          if (typeof value === "string" && /[^0-9a-f]/.test(value)) endings.traps += 1;
          else endings.results += 1;
        }
      }),
      800,
    );
    // The generator makes both, or it proves nothing.
    expect(endings.traps).toBeGreaterThan(100);
    expect(endings.results).toBeGreaterThan(1000);
    expect(endings.slices).toBeGreaterThan(100);
    expect(endings.copies).toBeGreaterThan(100);
  });
});
