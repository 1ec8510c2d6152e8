// What the guest's checks and the host's tank agree on.
import { expect, test } from "vitest";
import { Clock } from "../core/clock.ts";
import { rewriteModule } from "../module/rewriter.ts";
import { constant, op, WasmBuilder } from "../module/wasm-builder-for-test.ts";
import { readModule } from "../module/wasm-sections.ts";
import { FuelTank } from "./fuel-tank.ts";
import { createSupplies, createTrap, type HostCallback } from "./helper-modules.ts";

const clock = new Clock({ monotonicMs: () => 0, epochMs: () => 0 });
const supplyOf = createSupplies();
const trap = createTrap();
const loop = [0x03, 0x40];
const br = 0x0c;
/** Each turn pays for itself: with a try in it, a loop is not copied. */
const endless = [...loop, 0x06, 0x40, 0x19, op.end, br, 0, op.end];

interface Rig {
  /** How often the guest came for fuel. */
  readonly asked: () => number;
  readonly tank: FuelTank;
  readonly run: () => void;
}

function rig(code: readonly number[], supply: ((tank: FuelTank) => void) | null): Rig {
  const builder = new WasmBuilder().memory(0, 1);
  // Types beyond what one byte of a signed number holds.
  for (let i = 0; i < 70; i += 1) builder.func({ params: Array<string>(i).fill("i64") });
  builder.func({ code, exportAs: "run" });
  const bytes = builder.build();
  const rewritten = rewriteModule(bytes, readModule(bytes), null, { isMetered: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(rewritten.bytes));
  let asked = 0;
  const callback: HostCallback = () => {
    asked += 1;
    if (supply !== null) supply(tank);
    else if (tank.next() !== null) trap();
  };
  const tank = new FuelTank(exports, rewritten, clock, supplyOf(callback), 1000);
  return { asked: () => asked, tank, run: exports["run"] as () => void };
}

test("a budget comes in slices, and ends where it would at once", () => {
  const { asked, tank, run } = rig(endless, null);
  tank.setBudget(10_000, null, "");
  expect(run).toThrow(new WebAssembly.RuntimeError("unreachable"));
  // Ten slices; the first one is in the tank, and the last call finds that there is no more.
  expect([asked(), tank.left]).toEqual([10, -1]);
  expect(tank.settle()).toBe(10_001);
  tank.setBudget(500, null, "");
  expect(run).toThrow("unreachable");
  expect([asked(), tank.left]).toEqual([11, -1]);
});

test("work that the host takes fuel for counts, also beyond a slice", () => {
  const { tank, run } = rig(endless, null);
  tank.setBudget(10_000, null, "");
  tank.take(4000);
  expect(tank.left).toBe(6000);
  expect(run).toThrow("unreachable");
  expect(tank.left).toBe(-1);
  tank.settle();
  tank.take(10_005);
  expect(tank.left).toBe(-5);
  expect(run).toThrow("unreachable");
  expect([tank.left, tank.settle(), tank.left]).toEqual([-6, 10_006, 10_000]);
});

test("what a full stack ends with cannot be caught by the guest that wanted fuel", () => {
  const [tryBlock, catchAll] = [0x06, 0x19];
  const inner = [tryBlock, 0x40, ...loop, br, 0, op.end, catchAll, op.end];
  const { asked, tank, run } = rig([...loop, ...inner, br, 0, op.end], () => {
    // Once is enough; else the guest would go on for ever.
    if (asked() > 1) trap();
    const deeper = (depth: number): number => deeper(depth + 1) + 1;
    deeper(0);
  });
  tank.setBudget(10_000, null, "");
  expect(run).toThrow(RangeError);
  expect(asked()).toBe(1);
});

test("each check tells the engine that to want fuel is not likely", () => {
  const builder = new WasmBuilder().memory(0, 1);
  builder.importFunction("env", "f", [], []);
  builder.func({ code: endless });
  const fill = [...constant(0), ...constant(0), ...constant(9), 0xfc, 11, 0];
  builder.func({ code: [...loop, ...fill, ...loop, br, 1, op.end, op.end] });
  // Written several times, with one check behind; and one at the entry.
  builder.func({ code: [...loop, br, 0, op.end] });
  const bytes = builder.build();
  const rewritten = rewriteModule(bytes, readModule(bytes), null, { isMetered: true });
  const { sections, bodies } = readModule(rewritten.bytes);
  const hints = sections.find(({ name }) => name === "metadata.code.branch_hint");
  const code = sections.find(({ id }) => id === 10);
  expect(hints?.end).toBe(code?.start);
  const content = rewritten.bytes.subarray(hints?.contentStart ?? 0, hints?.end ?? 0).subarray(26);
  // Functions of small modules have small numbers, of a byte each: with 1 import, 1 to 3.
  const offsets: number[][] = [];
  let at = 1;
  for (let left = content[0] as number; left > 0; left -= 1) {
    expect(content[at]).toBe(offsets.length + 1);
    const places = Array.from({ length: content[at + 1] as number }, (_, i) => at + 2 + i * 3);
    for (const place of places) expect([...content.subarray(place + 1, place + 3)]).toEqual([1, 0]);
    offsets.push(places.map((place) => content[place] as number));
    at += 2 + places.length * 3;
  }
  expect(at).toBe(content.length);
  expect(offsets.map(({ length }) => length)).toEqual([1, 3, 2]);
  for (const [index, places] of offsets.entries()) {
    for (const place of places) {
      const from = (bodies[index]?.start ?? 0) + place;
      // i64.lt_s, and an `if` without result.
      expect([...rewritten.bytes.subarray(from - 1, from + 2)]).toEqual([0x53, 0x04, 0x40]);
    }
  }
});
