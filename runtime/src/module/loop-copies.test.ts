// Loops that are written several times do what they did, end by fuel, and pay for the same turns.
import { expect, test } from "vitest";
import { planFuel } from "./fuel-plan.ts";
import { COPIES, type CopiedLoop } from "./loop-copies.ts";
import { rewriteModule } from "./rewriter.ts";
import { constant, op, WasmBuilder } from "./wasm-builder-for-test.ts";
import { readModule } from "./wasm-sections.ts";

const VOID = 0x40;
const I32 = 0x7f;
const code = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  try: 0x06,
  catchAll: 0x19,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  localSet: 0x21,
  localTee: 0x22,
  i32And: 0x71,
  i32Sub: 0x6b,
  f64ConvertI32: 0xb7,
  misc: 0xfc,
} as const;
/** Index of a type. */
const ONE_TO_ONE = 1;
const N = 0;
const SUM = 1;
/** i32.lt_s */
const LESS = 0x48;
const nops = (count: number): number[] => Array.from({ length: count }, () => op.nop);
const add: readonly number[] = [
  op.localGet,
  SUM,
  op.localGet,
  N,
  op.i32Add,
  ...constant(3),
  op.i32Add,
  code.localSet,
  SUM,
];
/** Leaves what is left on the stack. */
const less: readonly number[] = [op.localGet, N, ...constant(1), code.i32Sub, code.localTee, N];
const turn: readonly number[] = [...add, ...less];
const again: readonly number[] = [...turn, code.brIf, 0];
const loop = (...body: readonly number[]): number[] => [code.loop, VOID, ...body, op.end];
const block = (...body: readonly number[]): number[] => [code.block, VOID, ...body, op.end];
const sum: readonly number[] = [op.localGet, SUM];
const odd: readonly number[] = [op.localGet, N, ...constant(1), code.i32And];

/** Function 1 takes an i32 and gives one; 0 does nothing. */
function moduleOf(body: readonly number[]): Buffer {
  const builder = new WasmBuilder().memory(0, 1);
  builder.func({});
  const locals = ["i32"];
  builder.func({ params: ["i32"], results: ["i32"], locals, code: body, exportAs: "run" });
  expect(builder.type(["i32"], ["i32"])).toBe(ONE_TO_ONE);
  return builder.build();
}

const copiedLoops = (bytes: Buffer): number => planFuel(bytes, readModule(bytes)).copiedLoops.size;

type Run = (n: number) => number;

interface Metered {
  readonly run: Run;
  /** Sets the fuel, and tells what was there. */
  readonly swap: (fuel: number) => number;
}

function metered(bytes: Buffer): Metered {
  const made = rewriteModule(bytes, readModule(bytes), null, { isMetered: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(made.bytes));
  return { run: exports["run"] as Run, swap: exports[made.fuelExport as string] as Run };
}

function original(bytes: Buffer): Run {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports["run"] as Run;
}

/** Out at zero. */
const labels = [4, 3, 0, 1, 1, 2];
/** A loop ends by a branch to a label of this number. */
function deep(label: number): number[] {
  const blocks = Array.from({ length: label }, () => [code.block, VOID]).flat();
  const ends = Array.from({ length: label }, () => op.end);
  const body = [...turn, code.if, VOID, code.br, 1, op.end, code.br, label];
  return [...blocks, ...loop(...body), ...ends, ...sum];
}

const cases: readonly (readonly [string, readonly number[], copied: number])[] = [
  ["a loop", [...loop(...again), ...sum], 1],
  ["a loop with a result", [code.loop, I32, ...again, ...sum, op.end], 1],
  ["one in a loop", [...loop(...loop(...again), ...odd, code.brIf, 0), ...sum], 1],
  [
    "two in a row",
    [...loop(...again), ...constant(9), code.localSet, N, ...loop(...again), ...sum],
    2,
  ],
  [
    "turns from inside of blocks, and an end by the last instruction",
    [...loop(...block(...turn, code.if, VOID, code.br, 2, op.end)), ...sum],
    1,
  ],
  [
    "a table",
    [
      ...block(
        ...loop(
          ...block(...block(...turn, code.brTable, ...labels), ...add, code.br, 1),
          code.br,
          0,
        ),
      ),
      ...sum,
    ],
    1,
  ],
  [
    "a value that goes out, and values below",
    [
      ...constant(1000),
      code.block,
      I32,
      code.loop,
      VOID,
      ...sum,
      ...turn,
      ...constant(3),
      LESS,
      code.brIf,
      1,
      op.drop,
      code.br,
      0,
      op.end,
      op.unreachable,
      op.end,
      op.i32Add,
    ],
    1,
  ],
  ["a return", [...loop(...turn, code.if, VOID, code.br, 1, op.end, ...sum, op.return), ...sum], 1],
  [
    "numbers that saturate",
    [...loop(...sum, code.f64ConvertI32, code.misc, 2, code.localSet, SUM, ...again), ...sum],
    1,
  ],
  ["a label of 125", deep(125), 1],
  ["one that takes two bytes in a copy", deep(126), 0],
  [
    "a loop that takes a value",
    [...constant(5), code.loop, ONE_TO_ONE, ...again, op.end, ...sum, op.i32Add],
    0,
  ],
  ["512 bytes", [...loop(...nops(511 - again.length), ...again), ...sum], 1],
  ["513 bytes", [...loop(...nops(512 - again.length), ...again), ...sum], 0],
  ["no turns", [...loop(...turn, op.drop), ...sum], 0],
  ["a call", [...loop(op.call, 0, ...again), ...sum], 0],
  [
    "a bulk operation",
    [...loop(...constant(0), ...constant(0), ...constant(8), code.misc, 11, 0, ...again), ...sum],
    0,
  ],
  ["growing", [...loop(...constant(0), 0x40, 0, op.drop, ...again), ...sum], 0],
  ["a catch", [...loop(code.try, VOID, code.catchAll, op.end, ...again), ...sum], 0],
];

test.each(cases)("%s: it is copied or not, and does the same", (_name, body, copied) => {
  const bytes = moduleOf(body);
  expect(copiedLoops(bytes)).toBe(copied);
  const { run, swap } = metered(bytes);
  swap(1e9);
  const plain = original(bytes);
  for (let n = 1; n < 4 * COPIES; n += 1) expect([n, run(n)]).toEqual([n, plain(n)]);
});

/** Tells what a number of turns costs. */
function costsOf(body: readonly number[]): (turns: number) => number {
  const { run, swap } = metered(moduleOf(body));
  return (turns) => {
    swap(1e6);
    run(turns);
    return 1e6 - swap(0);
  };
}

test("turns behind the first ones are paid for as many at once, each at the price of one", () => {
  const small = costsOf([...loop(...again), ...sum]);
  const big = costsOf([...loop(...nops(64), ...again), ...sum]);
  for (let turns = 1; turns < 5 * COPIES; turns += 1) {
    const groups = Math.floor((turns - 1) / COPIES);
    // Whoever calls a short function pays for its path. A longer one does so at its entry, here for
    // 300 instructions of the first turns.
    expect([turns, small(turns)]).toEqual([turns, groups * COPIES]);
    expect([turns, big(turns)]).toEqual([turns, 1 + 4 + groups * COPIES * 2]);
  }
});

test("a loop around another one pays for the first turns of that, taken or not", () => {
  const one = [...constant(1), code.localSet, N];
  const untilNine = [...sum, ...constant(9), LESS, code.brIf, 0];
  const outer = [...loop(...one, ...loop(...nops(40), ...again), ...untilNine), ...sum];
  // Three turns, each of a path of four times 50.
  expect(costsOf(outer)(0)).toBe(3 * (1 + 3));
});

test("a copied loop without an end stops when there is no fuel", () => {
  const endless = [...loop(...turn, op.drop, code.br, 0), op.unreachable];
  expect(copiedLoops(moduleOf(endless))).toBe(1);
  const { run, swap } = metered(moduleOf(endless));
  swap(1000);
  // What V8 says where nobody supplies fuel.
  expect(() => run(0)).toThrow("dereferencing a null pointer");
  expect(swap(0)).toBe(-COPIES);
});

test("copies add no more to a module than they may", () => {
  const bytes = moduleOf([...loop(...again), ...loop(...again), ...sum]);
  const planned = (bytesMax: number): number =>
    planFuel(bytes, readModule(bytes), bytesMax).copiedLoops.size;
  const { begin, from, end } = [
    ...planFuel(bytes, readModule(bytes)).copiedLoops.values(),
  ][0] as CopiedLoop;
  // A block around all, and one around each copy, with a way out; the way back.
  const growth = from - begin + (COPIES - 1) * (end - from) + COPIES * 5 + 3;
  expect([0, growth - 1, growth, 2 * growth - 1, 2 * growth].map(planned)).toEqual([0, 0, 1, 1, 2]);
});
