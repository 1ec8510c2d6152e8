// Addresses of rewritten code are those of the module as it came.
import { expect, test } from "vitest";
import { originalOffset, sameCode } from "../wasm/code-map.ts";
import { framesOf } from "../wasm/guest-frames.ts";
import { InstructionWalker } from "./instruction-walker.ts";
import { planFuel } from "./fuel-plan.ts";
import { COPIES } from "./loop-copies.ts";
import { rewriteModule } from "./rewriter.ts";
import type { RewrittenModule } from "./rewriter.ts";
import { constant, guestBuilder, op, WasmBuilder } from "./wasm-builder-for-test.ts";
import { readModule } from "./wasm-sections.ts";

const LOOP = 0x03;
const BR_IF = 0x0d;
const LOCAL_TEE = 0x22;
const VOID = 0x40;
const FILL = [0xfc, 11, 0];

/**
 * Loops, a bulk operation with a local of ours, a call, and a trap at the end. Then a loop that is
 * copied: it follows addresses in memory.
 */
function builder(): WasmBuilder {
  const made = guestBuilder();
  const fill = [...constant(0), ...constant(7), ...constant(64), ...FILL];
  const loop = [LOOP, VOID, ...fill, op.localGet, 0, BR_IF, 0, op.end];
  const inner = made.func({ params: ["i32"], locals: ["i32"], code: [...loop, op.unreachable] });
  const twice = [LOOP, VOID, ...loop, op.localGet, 0, BR_IF, 0, op.end];
  const code = [...twice, op.localGet, 0, op.call, inner, op.nop];
  made.func({ params: ["i32"], code, exportAs: "run" });
  const load = [op.localGet, 0, op.i32Load, 2, 0, LOCAL_TEE, 0];
  const follow = [LOOP, VOID, ...load, BR_IF, 0, op.end, op.nop];
  made.func({ params: ["i32"], code: follow, exportAs: "follow" });
  return made;
}

function rewrite(bytes: Uint8Array, isMetered: boolean): RewrittenModule {
  return rewriteModule(bytes, readModule(bytes), "memory", { isMetered, memoryPagesMax: 4 });
}

/** Where each instruction of the module's own functions begins. */
function instructions(bytes: Uint8Array, functions: number): number[] {
  const { bodies } = readModule(bytes);
  const walker = new InstructionWalker(bytes);
  return bodies.slice(0, functions).flatMap(({ start, end }) => {
    const found: number[] = [];
    let groups = walker.u32(start);
    let at = walker.after;
    for (; groups > 0; groups -= 1) {
      walker.u32(at);
      at = walker.valueType(walker.after);
    }
    for (; at < end; at = walker.next(at)) found.push(at);
    return found;
  });
}

/** A loop's instructions as often as they are written; then comes the check at the first of them. */
function withCopies(old: Uint8Array, plain: readonly number[]): number[] {
  const [loop, ...others] = planFuel(old, readModule(old)).copiedLoops.values();
  if (loop === undefined || others.length > 0) throw new Error("one loop should be copied");
  const { from, end } = loop;
  const copy = plain.filter((at) => at >= from && at <= end);
  const copies = Array.from({ length: COPIES }, () => copy).flat();
  const [before, after] = [plain.filter((at) => at < from), plain.filter((at) => at >= end)];
  return [...before, ...copies, from, ...after];
}

test.each([true, false])("each instruction is found again, in order; metered: %s", (isMetered) => {
  const old = builder().build();
  const { bytes, codeMap } = rewrite(old, isMetered);
  const { bodies } = readModule(old);
  const plain = instructions(old, bodies.length);
  const expected = isMetered ? withCopies(old, plain) : plain;
  const seen = instructions(bytes, bodies.length).map((at) => originalOffset(codeMap, at));
  // What was put in has the address of the instruction behind it.
  expect(seen.filter((at, i) => at !== seen[i - 1])).toEqual(expected);
  // The memory's maximum alone moves all code.
  expect(bytes.length).toBeGreaterThan(old.length);
});

test("a trap has the same frames in the rewritten module", () => {
  const old = builder().build();
  const { bytes, codeMap, fuelExport } = rewrite(old, true);
  const framesIn = (module: Uint8Array, map: typeof codeMap, fuel: string | null): unknown => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module));
    if (fuel !== null) (exports[fuel] as (fuel: number) => number)(1e9);
    try {
      (exports["run"] as (a: number) => void)(0);
    } catch (error) {
      return framesOf(error as Error, map);
    }
    return "no trap";
  };
  const before = framesIn(old, sameCode, null);
  expect(before).toMatchObject([{ index: 2 }, { index: 3 }]);
  expect(framesIn(bytes, codeMap, fuelExport)).toEqual(before);
});

test("a trap in any copy of a loop has the address that it has in the loop", () => {
  const old = builder().build();
  const { bytes, codeMap, fuelExport } = rewrite(old, true);
  const trapOf = (module: Uint8Array, map: typeof codeMap, turns: number): unknown => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module));
    if (map !== sameCode) (exports[fuelExport as string] as (fuel: number) => number)(1e9);
    const words = new Uint32Array((exports["memory"] as WebAssembly.Memory).buffer);
    for (let turn = 1; turn < turns; turn += 1) words[turn] = 4 * turn + 4;
    words[turns] = 1e6;
    try {
      (exports["follow"] as (a: number) => void)(4);
    } catch (error) {
      return framesOf(error as Error, map);
    }
    return "no trap";
  };
  const before = trapOf(old, sameCode, 1);
  expect(before).toMatchObject([{ index: 4 }]);
  for (let turns = 1; turns < 2 * COPIES + 2; turns += 1) {
    expect([turns, trapOf(bytes, codeMap, turns)]).toEqual([turns, before]);
  }
});

test("fuel that ends in a copied loop is told at the loop's first instruction", () => {
  const old = builder().build();
  const { bytes, codeMap, fuelExport } = rewrite(old, true);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  (exports[fuelExport as string] as (fuel: number) => number)(1000);
  new Uint32Array((exports["memory"] as WebAssembly.Memory).buffer)[1] = 4;
  let offset = 0;
  try {
    (exports["follow"] as (a: number) => void)(4);
  } catch (error) {
    offset = framesOf(error as Error, codeMap)[0]?.offset ?? 0;
  }
  const [loop] = planFuel(old, readModule(old)).copiedLoops.values();
  expect(offset).toBe(loop?.from);
});

test("fuel that ends in a loop is told at the loop's first instruction", () => {
  const old = builder().build();
  const { bytes, codeMap, fuelExport } = rewrite(old, true);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  (exports[fuelExport as string] as (fuel: number) => number)(1000);
  let offset = 0;
  try {
    (exports["run"] as (a: number) => void)(1);
  } catch (error) {
    offset = framesOf(error as Error, codeMap)[0]?.offset ?? 0;
  }
  const { bodies } = readModule(old);
  expect(offset).toBeGreaterThan(bodies[3]?.start ?? Infinity);
  // The loop and its block type stand before it, or it is the bulk operation.
  expect([
    [...old.subarray(offset - 2, offset)],
    [...old.subarray(offset, offset + 3)],
  ]).toContainEqual(old[offset] === 0xfc ? FILL : [LOOP, VOID]);
});

test("a module that was not changed has no map, and none is needed", () => {
  const bytes = new WasmBuilder().memory(1, 1, 2).export("memory", "memory", 0).build();
  expect(rewrite(bytes, false).codeMap).toBe(sameCode);
  expect(originalOffset(sameCode, 77)).toBe(77);
});
