// Who pays for small functions: their callers, but never all of a circle of calls.
import { expect, test } from "vitest";
import { rewriteModule } from "./rewriter.ts";
import { constant, op, WasmBuilder } from "./wasm-builder-for-test.ts";
import { readModule } from "./wasm-sections.ts";

const FUEL = 1000;
/** What V8 says where nobody supplies fuel. */
const NO_SUPPLY = "dereferencing a null pointer";
const LOOP = [0x03, 0x40];
type Swap = (fuel: number) => number;

interface Outcome {
  readonly stop: string;
  readonly left: number;
}

/** Functions that call those of their row in turn, each with a loop of one turn in front, or behind. */
function run(graph: readonly (readonly number[])[], isBehind = false): Outcome {
  const builder = new WasmBuilder().memory(0, 1);
  for (const [at, callees] of graph.entries()) {
    const parts = [[...LOOP, op.end], callees.flatMap((callee) => [op.call, callee])];
    const code = (isBehind ? parts.toReversed() : parts).flat();
    builder.func({ code, exportAs: `f${at}` });
  }
  return outcomeOf(builder, (f0) => f0());
}

function outcomeOf(builder: WasmBuilder, work: (f0: (n?: number) => void) => void): Outcome {
  const bytes = builder.build();
  const structure = readModule(bytes);
  const rewritten = rewriteModule(bytes, structure, null, { isMetered: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(rewritten.bytes));
  const swap = exports[rewritten.fuelExport as string] as Swap;
  swap(FUEL);
  try {
    work(exports["f0"] as (n?: number) => void);
    return { stop: "", left: swap(0) };
  } catch (error) {
    return { stop: (error as Error).message, left: swap(0) };
  }
}

function hasCircle(graph: readonly (readonly number[])[], at: number, above: number[]): boolean {
  if (above.includes(at)) return true;
  return (graph[at] ?? []).some((callee) => hasCircle(graph, callee, [...above, at]));
}

test("whatever three functions call each other, a circle ends by fuel, nothing else does", () => {
  const counts = { circles: 0, others: 0 };
  for (let bits = 0; bits < 512; bits += 1) {
    const graph = [0, 1, 2].map((row) =>
      [0, 1, 2].filter((callee) => ((bits >> (row * 3 + callee)) & 1) === 1),
    );
    const { stop, left } = run(graph);
    const isEndless = hasCircle(graph, 0, []);
    counts[isEndless ? "circles" : "others"] += 1;
    expect([bits, stop]).toEqual([bits, isEndless ? NO_SUPPLY : ""]);
    expect(left < 0).toBe(isEndless);
  }
  expect(counts).toEqual({ circles: 427, others: 85 });
});

test("a call of a small function costs nothing of its own, its loop does", () => {
  const alone = run([[]]);
  const caller = run([[1, 1, 1], []]);
  expect(FUEL - alone.left).toBe(1);
  // Its own loop's turn and those of three calls; nobody pays for the entries.
  expect(FUEL - caller.left).toBe(4);
});

test("a circle ends by fuel as well when its calls stand in front of its loops", () => {
  for (let bits = 0; bits < 16; bits += 1) {
    const graph = [0, 1].map((row) =>
      [0, 1].filter((callee) => ((bits >> (row * 2 + callee)) & 1) === 1),
    );
    const stop = hasCircle(graph, 0, []) ? NO_SUPPLY : "";
    expect([bits, run(graph, true).stop]).toEqual([bits, stop]);
  }
});

const CALLS = 10;
const NO_VALUE = 0x40;
const more = { block: 0x02, if: 0x04, brIf: 0x0d, i32Sub: 0x6b } as const;

/** What it costs that a function, whose code begins with `front`, calls itself ten times. */
function costOfCalls(front: readonly number[]): number {
  const again = [op.localGet, 0, ...constant(1), more.i32Sub, op.call, 0];
  const code = [...front, op.localGet, 0, more.if, NO_VALUE, ...again, op.end];
  const builder = new WasmBuilder().memory(0, 1);
  builder.func({ params: ["i32"], code, exportAs: "f0" });
  return FUEL - outcomeOf(builder, (f0) => f0(CALLS - 1)).left;
}

test("where a function surely comes to a loop, that alone pays, and its path with it", () => {
  const loop = [...LOOP, op.end];
  expect(costOfCalls([])).toBe(CALLS);
  expect(costOfCalls(loop)).toBe(CALLS);
  expect(costOfCalls([more.block, NO_VALUE, ...constant(0), op.drop, ...loop, op.end])).toBe(CALLS);
  // It may go past the loop, or stop in front of it.
  const leave = [op.localGet, 0, more.brIf, 0];
  expect(costOfCalls([more.block, NO_VALUE, ...leave, ...loop, op.end])).toBe(CALLS + 1);
  const inside = [op.localGet, 0, more.if, NO_VALUE, ...loop, op.end];
  expect(costOfCalls(inside)).toBe(CALLS + CALLS - 1);
  // Each turn of a loop pays for what is outside of it, which is little or pays for itself.
  const long = Array.from({ length: 40 }, () => [...constant(0), op.drop]).flat();
  expect(costOfCalls([...loop, ...long])).toBe(3 * CALLS);
});

test("what fills, copies and grows tables pays for each entry", () => {
  const builder = new WasmBuilder().memory(0, 1).emptyTable("externref", 0, 100);
  const null_ = [0xd0, 0x6f];
  const fill = [...constant(0), ...null_, ...constant(100), 0xfc, 17, 0];
  const copy = [...constant(0), ...constant(50), ...constant(50), 0xfc, 14, 0, 0];
  const grow = [...null_, ...constant(20), 0xfc, 15, 0, op.drop];
  builder.func({ code: [...fill, ...copy, ...grow], exportAs: "f0" });
  expect(FUEL - outcomeOf(builder, (f0) => f0()).left).toBe(170);
});

test("throwing costs 500, and a function that might throw no more than others", () => {
  const builder = new WasmBuilder().memory(0, 1).tag([]);
  const mayThrow = [op.localGet, 0, 0x04, 0x40, 0x08, 0, op.end];
  const code = [0x06, 0x40, ...mayThrow, 0x19, op.end];
  builder.func({ params: ["i32"], code, exportAs: "f0" });
  expect(FUEL - outcomeOf(builder, (f0) => f0(0)).left).toBe(0);
  expect(FUEL - outcomeOf(builder, (f0) => f0(1)).left).toBe(500);
});
