// Valid modules made of random trees: control flow, loops, branch tables, calls, memory, globals,
// numbers of three types, bulk operations, traps. Each run of one ends: loops count down, and functions
// call only those before them.
import fc from "fast-check";
import { constant, op, WasmBuilder } from "../../runtime/src/module/wasm-builder-for-test.ts";

/** What a piece of code is made of; code reads it as it needs it. */
export interface Tree {
  readonly kind: number;
  readonly value: number;
  readonly nodes: readonly Tree[];
}

export const trees: fc.Memo<Tree> = fc.memo((depth) =>
  fc.record({
    kind: fc.nat({ max: 1000 }),
    value: fc.oneof(fc.integer({ min: -64, max: 1000 }), fc.integer()),
    nodes: depth > 1 ? fc.array(trees(depth - 1), { maxLength: 5 }) : fc.constant([]),
  }),
);

type Type = "i32" | "i64" | "f64";
const types: readonly Type[] = ["i32", "i64", "f64"];

const code = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  callIndirect: 0x11,
  select: 0x1b,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i64Const: 0x42,
  i32Eqz: 0x45,
  i64Eqz: 0x50,
  i32Sub: 0x6b,
  i32RemU: 0x70,
  i32And: 0x71,
  void: 0x40,
  misc: 0xfc,
} as const;

const typeCode: Readonly<Record<Type, number>> = { i32: 0x7f, i64: 0x7e, f64: 0x7c };
/** Parameters, then as many locals of the same types, then counters of loops. */
const PARAMS: readonly Type[] = ["i32", "i64", "f64"];
const COUNTERS_AT = 6;
const LOOPS_MAX = 2;
/** Behind what the first copies of a loop do. */
const ROUNDS_MAX = 6;
export const PAGES_MAX = 3;
const BYTES = 65_536;
const PASSIVE_BYTES = 40;

/** Opcodes from two numbers of a type to one of it; division and remainder may trap. */
const binary: Readonly<Record<Type, readonly number[]>> = {
  i32: [0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78],
  i64: [0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a],
  f64: [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5],
};
/** From one number of a type to one of it. Which NaN comes out is nowhere to be seen. */
const unary: Readonly<Record<Type, readonly number[]>> = {
  i32: [0x45, 0x67, 0x68, 0x69, 0xc0, 0xc1],
  i64: [0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4],
  f64: [0x99, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f],
};
/** From two numbers of a type to an i32. */
const comparisons: Readonly<Record<Type, readonly number[]>> = {
  i32: [0x46, 0x47, 0x48, 0x49, 0x4a, 0x4d, 0x4f],
  i64: [0x51, 0x52, 0x53, 0x54, 0x57, 0x5a],
  f64: [0x61, 0x62, 0x63, 0x64, 0x65, 0x66],
};
/** From another type: the operand's, then the opcode; truncations of f64 may trap. */
const conversions: Readonly<Record<Type, readonly (readonly [Type, ...number[]])[]>> = {
  i32: [
    ["i64", 0xa7],
    ["f64", 0xaa],
    ["f64", 0xab],
    ["f64", code.misc, 2],
    ["i64", 0x50],
  ],
  i64: [
    ["i32", 0xac],
    ["i32", 0xad],
    ["f64", 0xb0],
    ["f64", code.misc, 6],
  ],
  f64: [
    ["i32", 0xb7],
    ["i32", 0xb8],
    ["i64", 0xb9],
    ["i64", 0xba],
  ],
};
/** Opcode and alignment. */
const loads: Readonly<Record<Type, readonly (readonly [number, number])[]>> = {
  i32: [
    [0x28, 2],
    [0x2c, 0],
    [0x2d, 0],
    [0x2e, 1],
    [0x2f, 1],
  ],
  i64: [
    [0x29, 3],
    [0x30, 0],
    [0x33, 1],
    [0x34, 2],
    [0x35, 2],
  ],
  f64: [[0x2b, 3]],
};
const stores: Readonly<Record<"i32" | "i64", readonly (readonly [number, number])[]>> = {
  i32: [
    [0x36, 2],
    [0x3a, 0],
    [0x3b, 1],
  ],
  i64: [
    [0x37, 3],
    [0x3c, 0],
    [0x3e, 2],
  ],
};

const NOTHING: Tree = { kind: 0, value: 1, nodes: [] };

function pick<T>(list: readonly T[], by: number): T {
  return list[Math.abs(by) % list.length] as T;
}

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

function constantOf(type: Type, value: number): number[] {
  const signed = constant(value).slice(1);
  if (type === "i32") return constant(value);
  if (type === "i64") return [code.i64Const, ...signed];
  return [...constant(value), 0xb7];
}

/** One function's code. Labels are counted from the innermost: `depth` of them are open. */
class FunctionWriter {
  readonly #index: number;
  readonly #result: Type;
  readonly #typeIndexes: readonly number[];
  readonly #functions: number;
  #loops: number = 0;
  /** For each open label what goes there: its depth is its place from the end. */
  readonly #labels: (Type | "nothing")[] = [];

  constructor(index: number, functions: number, typeIndexes: readonly number[]) {
    this.#index = index;
    this.#functions = functions;
    this.#typeIndexes = typeIndexes;
    this.#result = resultOf(index);
  }

  write(nodes: readonly Tree[]): number[] {
    return [...this.#statements(nodes), ...this.#expression(this.#result, nodes[0] ?? NOTHING)];
  }

  #statements(nodes: readonly Tree[]): number[] {
    return nodes.flatMap((node) => this.#statement(node));
  }

  #inside(label: Type | "nothing", write: () => number[]): number[] {
    this.#labels.push(label);
    const written = write();
    this.#labels.pop();
    return [...written, op.end];
  }

  #statement(node: Tree): number[] {
    const { kind, value, nodes } = node;
    const first = nodes[0] ?? NOTHING;
    const rest = nodes.slice(1);
    const type = pick(types, value);
    switch (kind % 17) {
      case 0:
      case 1:
        return [...this.#expression(type, first), code.localSet, slot(type, value)];
      case 2:
        return [...this.#expression(type, first), code.globalSet, types.indexOf(type)];
      case 3:
      case 4:
        return this.#store(node);
      case 5:
        return [
          ...this.#condition(first),
          code.if,
          code.void,
          ...this.#inside("nothing", () => [
            ...this.#statements(rest.slice(0, 2)),
            code.else,
            ...this.#statements(rest.slice(2)),
          ]),
        ];
      case 6:
        return [code.block, code.void, ...this.#inside("nothing", () => this.#statements(nodes))];
      case 7:
      case 8:
        return this.#loop(node);
      case 9:
        return this.#branch(node);
      case 10:
        return this.#branchTable(node);
      case 11:
        return this.#bulk(node);
      case 12:
        return [...this.#expression(type, first), op.drop];
      case 13:
        return [
          ...this.#condition(first),
          code.if,
          code.void,
          ...this.#inside("nothing", () => [...this.#expression(this.#result, first), op.return]),
        ];
      case 14:
        // Seldom: what is behind it is never reached.
        return Math.abs(value) % 8 === 0
          ? [...this.#condition(first), code.if, code.void, code.unreachable, op.end]
          : [];
      case 15:
        return [...constant(Math.abs(value) % 2), code.memoryGrow, 0, op.drop];
      default:
        return this.#statements(rest);
    }
  }

  #store({ kind, value, nodes }: Tree): number[] {
    const type = kind % 2 === 0 ? "i32" : "i64";
    const [opcode, align] = pick(stores[type], value);
    const content = this.#expression(type, nodes[1] ?? NOTHING);
    return [...this.#address(nodes[0] ?? NOTHING), ...content, opcode, align, 0];
  }

  /** Mostly inside the first page, now and then anywhere. */
  #address(node: Tree): number[] {
    const address = this.#expression("i32", node);
    return node.kind % 9 === 0 ? address : [...address, ...constant(4095), code.i32And];
  }

  /** block { loop { if the counter is 0, leave; count down; ...; again } } */
  #loop({ value, nodes }: Tree): number[] {
    if (this.#loops >= LOOPS_MAX) return this.#statements(nodes);
    const counter = COUNTERS_AT + this.#loops;
    this.#loops += 1;
    const head = [op.localGet, counter, code.i32Eqz, code.brIf, 1];
    const down = [op.localGet, counter, ...constant(1), code.i32Sub, code.localSet, counter];
    const body = this.#inside("nothing", () => [
      code.loop,
      code.void,
      ...this.#inside("nothing", () => [...head, ...down, ...this.#statements(nodes), code.br, 0]),
    ]);
    this.#loops -= 1;
    const rounds = constant(Math.abs(value) % (ROUNDS_MAX + 1));
    return [...rounds, code.localSet, counter, code.block, code.void, ...body];
  }

  /** To any label, also back to the head of a loop, which counts. */
  #branch({ value, nodes }: Tree): number[] {
    if (this.#labels.length === 0) return [];
    const depth = Math.abs(value) % this.#labels.length;
    const takes = this.#labels.at(-1 - depth) ?? "nothing";
    const condition = this.#condition(nodes[0] ?? NOTHING);
    if (takes === "nothing") return [...condition, code.brIf, depth];
    return [
      ...this.#expression(takes, nodes[1] ?? NOTHING),
      ...condition,
      code.brIf,
      depth,
      op.drop,
    ];
  }

  /** A block with a loop, of one type both: it is left from the head with one value, or at its end. */
  #loopOf(type: Type, { value, nodes }: Tree): number[] {
    const [first = NOTHING, second = NOTHING, third = NOTHING] = nodes;
    if (this.#loops >= LOOPS_MAX) return this.#expression(type, first);
    const counter = COUNTERS_AT + this.#loops;
    this.#loops += 1;
    const head = [op.localGet, counter, code.i32Eqz, code.brIf, 1, op.drop];
    const down = [op.localGet, counter, ...constant(1), code.i32Sub, code.localSet, counter];
    const body = this.#inside(type, () => [
      code.loop,
      typeCode[type],
      ...this.#inside("nothing", () => [
        // Nothing that could go back to the loop before it has counted.
        ...this.#leaf(type, first),
        ...head,
        ...down,
        ...this.#statements(nodes.slice(2)),
        ...this.#condition(third),
        code.brIf,
        0,
        ...this.#expression(type, second),
      ]),
    ]);
    this.#loops -= 1;
    const rounds = [...constant(Math.abs(value) % (ROUNDS_MAX + 1)), code.localSet, counter];
    return [...rounds, code.block, typeCode[type], ...body];
  }

  #branchTable({ value, nodes }: Tree): number[] {
    const depths = [...this.#labels.keys()].filter((at) => this.#labels.at(-1 - at) === "nothing");
    if (depths.length === 0) return [];
    const count = Math.abs(value) % 5;
    const labels = Array.from({ length: count + 1 }, (_, i) => pick(depths, i * 7 + count));
    const by = this.#expression("i32", nodes[0] ?? NOTHING);
    // What follows a branch cannot be reached, but must fit: an arm of its own ends it.
    const table = [...by, code.brTable, ...leb(count), ...labels.map((label) => label + 1)];
    return [...this.#condition(nodes[1] ?? NOTHING), code.if, code.void, ...table, op.end];
  }

  #bulk({ kind, value, nodes }: Tree): number[] {
    const [to, from, length] = [0, 1, 2].map((at) => this.#address(nodes[at] ?? NOTHING));
    const place = [...(to ?? []), ...(from ?? [])];
    switch (kind % 4) {
      case 0:
        return [...place, ...(length ?? []), code.misc, 11, 0];
      case 1:
        return [...place, ...(length ?? []), code.misc, 10, 0, 0];
      case 2: {
        const part = [
          ...constant(Math.abs(value) % 8),
          ...constant(Math.abs(value) % PASSIVE_BYTES),
        ];
        return [...(to ?? []), ...part, code.misc, 8, 0, 0];
      }
      default:
        return Math.abs(value) % 4 === 0 ? [code.misc, 9, 0] : [];
    }
  }

  #condition(node: Tree): number[] {
    return [...this.#expression("i32", node), ...constant(1), code.i32And];
  }

  #expression(type: Type, node: Tree): number[] {
    const { kind, value, nodes } = node;
    const [first = NOTHING, second = NOTHING, third = NOTHING] = nodes;
    if (nodes.length === 0) return this.#leaf(type, node);
    switch (kind % 14) {
      case 0:
      case 1:
      case 2:
        return [
          ...this.#expression(type, first),
          ...this.#expression(type, second),
          pick(binary[type], value),
        ];
      case 3:
        return [...this.#expression(type, first), pick(unary[type], value)];
      case 4: {
        const [from, ...opcodes] = pick(conversions[type], value);
        return [...this.#expression(from, first), ...opcodes];
      }
      case 5: {
        const [opcode, align] = pick(loads[type], value);
        return [...this.#address(first), opcode, align, 0];
      }
      case 6:
      case 7:
        return this.#call(type, node);
      case 8:
        return [
          ...this.#condition(first),
          code.if,
          typeCode[type],
          ...this.#inside(type, () => [
            ...this.#expression(type, second),
            code.else,
            ...this.#expression(type, third),
          ]),
        ].flat();
      case 9:
        return [
          ...this.#expression(type, first),
          ...this.#expression(type, second),
          ...this.#condition(third),
          code.select,
        ];
      case 10: {
        if (type !== "i32") return this.#expression(type, first);
        const of = pick(types, value);
        const opcode = pick(comparisons[of], kind);
        return [...this.#expression(of, first), ...this.#expression(of, second), opcode];
      }
      case 11:
        if (type !== "i32") return this.#expression(type, second);
        return value % 3 === 0
          ? [...constant(Math.abs(value) % 3), code.memoryGrow, 0]
          : [code.memorySize, 0];
      case 12:
        return this.#loopOf(type, node);
      default:
        return [...this.#expression(type, first), code.localTee, slot(type, value)];
    }
  }

  #leaf(type: Type, { kind, value }: Tree): number[] {
    if (kind % 3 === 0) return constantOf(type, value);
    if (kind % 3 === 1) return [op.localGet, slot(type, value)];
    return [code.globalGet, types.indexOf(type)];
  }

  /** Only functions before this one: directly, or through the table, with a type that may not fit. */
  #call(type: Type, { kind, value, nodes }: Tree): number[] {
    const callees = Array.from({ length: this.#index }, (_, i) => i);
    const fitting = callees.filter((i) => resultOf(i) === type);
    const callee = fitting.length === 0 ? undefined : pick(fitting, value);
    if (callee === undefined || this.#loops > 0) return this.#leaf(type, { kind, value, nodes });
    const args = PARAMS.flatMap((param, at) => this.#expression(param, nodes[at] ?? NOTHING));
    if (kind % 2 === 0) return [...args, op.call, callee];
    const typeIndex = this.#typeIndexes[types.indexOf(type)] as number;
    const where =
      Math.abs(value) % 11 === 0
        ? constant(this.#functions + 1)
        : [...this.#expression("i32", nodes[3] ?? NOTHING), ...constant(this.#index), code.i32RemU];
    return [...args, ...where, code.callIndirect, ...leb(typeIndex), 0];
  }
}

/** A parameter or the local behind the parameters of that type. */
function slot(type: Type, value: number): number {
  return types.indexOf(type) + (Math.abs(value) % 2) * types.length;
}

export function resultOf(index: number): Type {
  return types[index % types.length] as Type;
}

/** Exports `f0`, `f1`, ..., which take an i32, an i64 and an f64; `memory`; `g0` to `g2`. */
export function moduleOf(functions: readonly (readonly Tree[])[]): Uint8Array {
  const builder = new WasmBuilder().memory(1, 1, PAGES_MAX).export("memory", "memory", 0);
  builder.data(100, [1, 2, 3, 250, 251, 252]);
  builder.passiveData(Array.from({ length: PASSIVE_BYTES }, (_, i) => i * 5));
  const typeIndexes = types.map((type) => builder.type(PARAMS, [type]));
  for (const [index, type] of types.entries()) {
    builder.mutableGlobal(
      type,
      type === "f64" ? [0x44, 0, 0, 0, 0, 0, 0, 0, 64] : constantOf(type, 7),
    );
    builder.export(`g${index}`, "global", index);
  }
  const counters: Type[] = Array.from({ length: LOOPS_MAX }, () => "i32");
  for (const [index, nodes] of functions.entries()) {
    builder.func({
      params: PARAMS,
      results: [resultOf(index)],
      locals: [...types, ...counters],
      code: new FunctionWriter(index, functions.length, typeIndexes).write(nodes),
      exportAs: `f${index}`,
    });
  }
  builder.table(functions.map((_, index) => index));
  return builder.build();
}

export const pageBytes: number = BYTES;
