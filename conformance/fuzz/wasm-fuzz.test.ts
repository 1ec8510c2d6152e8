// Fuzzes the boundary between guests and host, and the rewriter that meters guests.
import fc from "fast-check";
import { type Callback, callbacks, existsIn, hostcalls } from "proxy-wasm-types";
import { describe, expect, test } from "vitest";
import { createFilterHost, type FilterHost } from "../../runtime/test/harness.ts";
import { loadModule } from "../../runtime/src/module/module-loader.ts";
import { readModule } from "../../runtime/src/module/wasm-sections.ts";
import { rewriteModule } from "../../runtime/src/module/rewriter.ts";
import { constant, op, WasmBuilder } from "../../runtime/src/module/wasm-builder-for-test.ts";
import { check, checkLater } from "./settings.ts";

const VERSION = "0.2.1";
const calls = hostcalls.filter((row) => existsIn(row, VERSION));
/** Callbacks of streams and plugins; those that make a guest are not what is asked here. */
const events: readonly Callback[] = callbacks.filter(
  (row) =>
    existsIn(row, VERSION) &&
    row.chapter !== "integration" &&
    row.chapter !== "memory-management" &&
    row.name !== "proxy_on_vm_start",
);

const PAGE = 65_536;
const I64_CONST = 0x42;
/** Where random bytes stand in the guest's memory. */
const NOISE_AT = 1024;

/** Addresses, sizes and numbers at the edges, and some that may work. */
const words: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, NOISE_AT, NOISE_AT + 1, NOISE_AT + 64, 4096),
  fc.constantFrom(PAGE - 4, PAGE - 1, PAGE, PAGE + 1, 0x7fff_ffff, -0x8000_0000, -1, -2, -8),
  fc.integer({ min: 0, max: 64 }),
  fc.integer(),
);

interface RandomCall {
  readonly hostcall: number;
  readonly words: readonly number[];
}

const randomCall: fc.Arbitrary<RandomCall> = fc.record({
  hostcall: fc.nat({ max: calls.length - 1 }),
  words: fc.array(words, { minLength: 12, maxLength: 12 }),
});

function codeOf(list: readonly RandomCall[]): number[] {
  return list.flatMap(({ hostcall, words: values }) => {
    const row = calls[hostcall];
    if (row === undefined) return [];
    const args = row.params.flatMap((param, at) => {
      const value = values[at] ?? 0;
      return param.type === "i64" ? [I64_CONST, ...constant(value).slice(1)] : constant(value);
    });
    const drops = row.results.length === 0 ? [] : [op.drop];
    return [...args, op.call, ...unsigned(hostcall), ...drops];
  });
}

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >>> 7];
}

/** A guest that makes these calls in each of these callbacks. */
function guestOf(plan: ReadonlyMap<string, readonly RandomCall[]>, noise: Uint8Array): Uint8Array {
  const builder = new WasmBuilder();
  for (const row of calls) {
    const params = row.params.map((param) => param.type);
    builder.importFunction("env", row.name, params, row.results);
  }
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  builder
    .memory(0, 1)
    .export("memory", "memory", 0)
    .data(NOISE_AT, [...noise]);
  const room = { params: ["i32"], results: ["i32"], code: constant(8192) };
  builder.func({ ...room, exportAs: "malloc" });
  for (const row of events) {
    const list = plan.get(row.name);
    if (list === undefined) continue;
    const answer =
      row.results.length === 0 ? [] : constant(row.name.endsWith("_configure") ? 1 : 0);
    builder.func({
      params: row.params.map((param) => param.type),
      results: row.results,
      code: [...codeOf(list), ...answer],
      exportAs: row.name,
    });
  }
  return builder.build();
}

/** Everything that can happen to a stream. */
function exercise(host: FilterHost): string {
  const body = { method: "POST", body: ["abc", "def"], trailers: { t: "1" } };
  host.request({ ...body, upstream: { body: "answer", trailers: { u: "1" } } });
  host.request();
  host.tick(50);
  const pages = host.guestMemoryBytes / PAGE;
  host.close();
  return pages <= 2048 ? "served" : `grew to ${pages} pages`;
}

describe("the boundary", () => {
  test("any calls in any callback leave a host that serves the next guest", async () => {
    const plans = fc.uniqueArray(
      fc.tuple(
        fc.constantFrom(...events.map((row) => row.name)),
        fc.array(randomCall, { maxLength: 12 }),
      ),
      { selector: ([name]) => name, minLength: 1, maxLength: 8 },
    );
    await checkLater(
      fc.asyncProperty(plans, fc.uint8Array({ maxLength: 300 }), async (plan, noise) => {
        const before = process.memoryUsage().rss;
        const outcome = await createFilterHost({
          module: guestOf(new Map(plan), noise),
          clusters: { up: { status: 200, body: "x" } },
          logLevel: "critical",
        }).then(exercise, (error: Error) => error.name);
        // Who fails in on_configure is refused, in words.
        expect(["served", "FilterStartError"]).toContain(outcome);
        expect(process.memoryUsage().rss - before).toBeLessThan(512 * 1024 * 1024);
      }),
      400,
    );
  });
});

// ---- The rewriter.

const local = { a: 0, b: 1, x: 2, y: 3, loop: 4 } as const;
const code = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  localSet: 0x21,
  localTee: 0x22,
  i32Eqz: 0x45,
  i32Sub: 0x6b,
  i32Mul: 0x6c,
  i32DivU: 0x6e,
  i32And: 0x71,
  i32Xor: 0x73,
  void: 0x40,
  bulk: 0xfc,
} as const;

type Node = { readonly kind: number; readonly value: number; readonly nodes: readonly Node[] };

const trees: fc.Memo<Node> = fc.memo((depth) =>
  fc.record({
    kind: fc.nat({ max: 13 }),
    value: fc.integer({ min: -64, max: 1000 }),
    nodes: depth > 1 ? fc.array(trees(depth - 1), { maxLength: 4 }) : fc.constant([]),
  }),
);

/** An i32 made of the two parameters and two locals. */
function expression({ kind, value, nodes }: Node): number[] {
  const get = [op.localGet, Math.abs(value) % 4];
  const other = nodes[0] === undefined ? constant(value) : expression(nodes[0]);
  const operators = [op.i32Add, code.i32Sub, code.i32Mul, code.i32DivU, code.i32And, code.i32Xor];
  return [...get, ...other, operators[kind % operators.length] as number];
}

/** Statements; `loops` counts how deep loops are, each with a counter of its own. */
function statements(nodes: readonly Node[], loops: number, callee: number): number[] {
  return nodes.flatMap((node) => statement(node, loops, callee));
}

function statement(node: Node, loops: number, callee: number): number[] {
  const { kind, value, nodes } = node;
  const inner = statements(nodes, loops, callee);
  switch (kind) {
    case 0:
    case 1:
      return [...expression(node), code.localSet, local.x + (kind & 1)];
    case 2:
    case 3: {
      const half = statements(nodes.slice(1), loops, callee);
      return [...expression(node), code.if, code.void, ...inner, code.else, ...half, op.end];
    }
    case 4:
      return [code.block, code.void, ...expression(node), code.brIf, 0, ...inner, op.end];
    case 5:
    case 6: {
      if (loops > 0) return inner;
      const counter = local.loop + loops;
      const body = statements(nodes, loops + 1, callee);
      const head = [...constant(Math.abs(value) % 9), code.localSet, counter, code.loop, code.void];
      const next = [op.localGet, counter, ...constant(1), code.i32Sub, code.localTee, counter];
      const positive = [...constant(15), code.i32And, code.brIf, 0, op.end];
      return [...head, ...body, ...next, ...positive];
    }
    case 7:
      return [
        ...expression(node),
        ...constant(4095),
        code.i32And,
        ...expression(node),
        op.i32Store,
        2,
        0,
      ];
    case 8: {
      const where = [...expression(node), ...constant(1023), code.i32And];
      return [...where, ...constant(value), ...where, code.bulk, 11, 0];
    }
    case 9: {
      const where = [...expression(node), ...constant(1023), code.i32And];
      return [...where, ...where, ...where, code.bulk, 10, 0, 0];
    }
    case 10:
      if (callee < 0) return inner;
      return [...expression(node), op.localGet, local.y, op.call, callee, code.localSet, local.x];
    case 11: {
      const table = [...expression(node), code.brTable, 2, 0, 1, 0];
      return [code.block, code.void, code.block, code.void, ...table, op.end, ...inner, op.end];
    }
    case 12:
      return [...expression(node), code.if, code.void, ...expression(node), op.return, op.end];
    default:
      return [op.localGet, local.a, code.i32Eqz, code.localSet, local.y, ...inner];
  }
}

function moduleOf(functions: readonly (readonly Node[])[]): Uint8Array {
  const builder = new WasmBuilder().memory(1, 1, 2).export("memory", "memory", 0);
  for (const [index, nodes] of functions.entries()) {
    builder.func({
      params: ["i32", "i32"],
      results: ["i32"],
      locals: ["i32", "i32", "i32", "i32", "i32"],
      code: [...statements(nodes, 0, index - 1), op.localGet, local.x],
      exportAs: `f${index}`,
    });
  }
  return builder.build();
}

interface Outcome {
  /** Results or traps of all functions, and the memory that is left. */
  readonly seen: readonly unknown[];
  readonly fuel: readonly number[];
}

const GIVEN = 1e12;

function runAll(bytes: Uint8Array, count: number, fuelExport: string | null): Outcome {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const swap = fuelExport === null ? null : (exports[fuelExport] as (fuel: number) => number);
  const seen: unknown[] = [];
  const fuel: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const run = exports[`f${i}`] as (a: number, b: number) => number;
    for (const [a, b] of [
      [0, 0],
      [1, 7],
      [-5, 1000],
    ] as const) {
      swap?.(GIVEN);
      try {
        seen.push(run(a, b));
      } catch (error) {
        seen.push((error as Error).message);
      }
      if (swap !== null) fuel.push(GIVEN - swap(0));
    }
  }
  const memory = Buffer.from((exports["memory"] as WebAssembly.Memory).buffer);
  seen.push(memory.subarray(0, 8192).toString("base64"));
  return { seen, fuel };
}

describe("the rewriter", () => {
  test("a metered module does what the original does, and costs the same each time", () => {
    const programs = fc.array(fc.array(trees(5), { maxLength: 6 }), { minLength: 1, maxLength: 3 });
    check(
      fc.property(programs, (functions) => {
        const bytes = moduleOf(functions);
        expect(WebAssembly.validate(bytes)).toBe(true);
        const options = { isMetered: true, memoryPagesMax: 2 };
        const rewritten = rewriteModule(bytes, readModule(bytes), "memory", options);
        const { length } = functions;
        const original = runAll(bytes, length, null);
        const metered = runAll(rewritten.bytes, length, rewritten.fuelExport);
        expect(metered.seen).toEqual(original.seen);
        expect(metered.fuel.every((used) => used >= 0)).toBe(true);
        expect(runAll(rewritten.bytes, length, rewritten.fuelExport)).toEqual(metered);
      }),
      600,
    );
  });

  test("bytes that are no module, or a damaged one, are errors in words", async () => {
    expect.hasAssertions();
    const good = Buffer.from(guestOf(new Map([["proxy_on_tick", []]]), new Uint8Array(0)));
    const damaged = fc
      .array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 })
      .map((changes) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.uint8Array({ maxLength: 400 }).map((tail) => Buffer.concat([good.subarray(0, 8), tail])),
      damaged,
    );
    await checkLater(
      fc.asyncProperty(bytes, async (inlineBytes) => {
        const outcome = await loadModule({ inlineBytes }).then(
          () => "loaded",
          (error: Error) => error.name,
        );
        expect(["loaded", "ModuleError"]).toContain(outcome);
      }),
      1500,
    );
  });
});
