// Who pays for small functions: their callers, but never all of a circle of calls.
import { expect, test } from "vitest";
import { rewriteModule } from "./rewriter.ts";
import { op, WasmBuilder } from "./wasm-builder-for-test.ts";
import { readModule } from "./wasm-sections.ts";

const FUEL = 1000;
const LOOP = [0x03, 0x40];
type Swap = (fuel: number) => number;

interface Outcome {
  readonly stop: string;
  readonly left: number;
}

/** Functions that call those of their row in turn, each with a loop of one turn in front. */
function run(graph: readonly (readonly number[])[]): Outcome {
  const builder = new WasmBuilder().memory(0, 1);
  for (const [at, callees] of graph.entries()) {
    const code = [...LOOP, op.end, ...callees.flatMap((callee) => [op.call, callee])];
    builder.func({ code, exportAs: `f${at}` });
  }
  const bytes = builder.build();
  const structure = readModule(bytes);
  const rewritten = rewriteModule(bytes, structure, null, { isMetered: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(rewritten.bytes));
  const swap = exports[rewritten.fuelExport as string] as Swap;
  swap(FUEL);
  try {
    (exports["f0"] as () => void)();
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
    expect([bits, stop]).toEqual([bits, isEndless ? "unreachable" : ""]);
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
