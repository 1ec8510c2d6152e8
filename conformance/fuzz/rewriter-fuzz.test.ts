// The rewriter against itself: what a module does before and after it is metered and capped must be
// the same, to the last byte of memory and to the address of a trap.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rewriteModule, type RewrittenModule } from "../../runtime/src/module/rewriter.ts";
import { readModule } from "../../runtime/src/module/wasm-sections.ts";
import { type CodeMap, sameCode } from "../../runtime/src/wasm/code-map.ts";
import { framesOf } from "../../runtime/src/wasm/guest-frames.ts";
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

type Run = (a: number, b: bigint, c: number) => unknown;

function runAll(
  bytes: Uint8Array,
  functions: number,
  map: CodeMap,
  fuelExport: string | null,
  given: RewrittenModule["memoryImport"] = null,
): Outcome {
  const initial = given?.minimumPages ?? 0;
  const memory = new WebAssembly.Memory({ initial, maximum: given?.maximumPages ?? initial });
  const imports = given === null ? {} : { [given.module]: { [given.name]: memory } };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
  const swap = fuelExport === null ? null : (exports[fuelExport] as (fuel: number) => number);
  const seen: unknown[] = [];
  const fuel: number[] = [];
  for (let i = 0; i < functions; i += 1) {
    for (const input of inputs) {
      swap?.(GIVEN);
      try {
        seen.push((exports[`f${i}`] as Run)(...input));
      } catch (error) {
        seen.push((error as Error).message, framesOf(error as Error, map));
      }
      if (swap !== null) fuel.push(GIVEN - swap(0));
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
    const endings = { results: 0, traps: 0 };
    check(
      fc.property(programs, (functions) => {
        const bytes = moduleOf(functions);
        expect(WebAssembly.validate(bytes)).toBe(true);
        const options = { isMetered: true, memoryPagesMax: PAGES_MAX, isMemoryGiven: true };
        const rewritten = rewriteModule(bytes, readModule(bytes), "memory", options);
        const { length } = functions;
        const original = runAll(bytes, length, sameCode, null);
        const { bytes: made, codeMap, fuelExport, memoryImport } = rewritten;
        const metered = runAll(made, length, codeMap, fuelExport, memoryImport);
        expect(metered.seen).toEqual(original.seen);
        expect(metered.fuel.every((used) => used >= 0)).toBe(true);
        const again = runAll(made, length, codeMap, fuelExport, memoryImport);
        expect(again).toEqual(metered);
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
  });
});
