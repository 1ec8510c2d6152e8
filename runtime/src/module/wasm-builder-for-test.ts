// A tiny assembler of wasm modules, for tests of rooms that load guests.

/** Bytes of instructions that tests use. */
export const op = {
  unreachable: 0x00,
  nop: 0x01,
  end: 0x0b,
  return: 0x0f,
  call: 0x10,
  drop: 0x1a,
  localGet: 0x20,
  i32Load: 0x28,
  i32Store: 0x36,
  i32Const: 0x41,
  i32Add: 0x6a,
} as const;

const typeBytes: Readonly<Record<string, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  externref: 0x6f,
  exnref: 0x69,
};
const kinds = { function: 0, table: 1, memory: 2, global: 3 } as const;

export interface FunctionSpec {
  readonly params?: readonly string[];
  readonly results?: readonly string[];
  /** Instructions without the last `end`. Default: none. */
  readonly code?: readonly number[];
  /** Types of locals. Default: none. */
  readonly locals?: readonly string[];
  /** Default: not exported. */
  readonly exportAs?: string;
}

/** Collects parts in any order and puts the sections in theirs. Functions: imports come first. */
export class WasmBuilder {
  readonly #types: number[][] = [];
  readonly #imports: number[][] = [];
  readonly #functions: number[][] = [];
  readonly #bodies: number[][] = [];
  readonly #memories: number[][] = [];
  readonly #globals: number[][] = [];
  readonly #exports: number[][] = [];
  readonly #data: number[][] = [];
  readonly #tables: number[][] = [];
  readonly #elements: number[][] = [];
  readonly #tags: number[][] = [];
  #hasPassiveData = false;
  readonly #customs: number[][] = [];
  #importedFunctions = 0;
  #start: number | null = null;

  /** Returns the function's index. All imports must be made before the first `func`. */
  importFunction(
    module: string,
    name: string,
    params: readonly string[],
    results: readonly string[],
  ): number {
    const type = this.#type(params, results);
    this.#imports.push([...text(module), ...text(name), kinds.function, ...leb(type)]);
    this.#importedFunctions += 1;
    return this.#importedFunctions - 1;
  }

  importMemory(module: string, name: string, ...limits: readonly number[]): this {
    this.#imports.push([...text(module), ...text(name), kinds.memory, ...limits]);
    return this;
  }

  importGlobal(module: string, name: string): this {
    this.#imports.push([...text(module), ...text(name), kinds.global, 0x7f, 0]);
    return this;
  }

  /** Returns the function's index. */
  func(spec: FunctionSpec): number {
    const index = this.#importedFunctions + this.#functions.length;
    this.#functions.push(leb(this.#type(spec.params ?? [], spec.results ?? [])));
    const locals = (spec.locals ?? []).flatMap((name) => [1, typeBytes[name] as number]);
    const code = [...leb(locals.length / 2), ...locals, ...(spec.code ?? []), op.end];
    this.#bodies.push([...leb(code.length), ...code]);
    if (spec.exportAs !== undefined) this.export(spec.exportAs, "function", index);
    return index;
  }

  /** Limits as bytes: flags, minimum and, with flag 1, maximum. */
  memory(...limits: readonly number[]): this {
    this.#memories.push([...limits]);
    return this;
  }

  /** An i32 constant; returns nothing to index by, tests export it by order. */
  global(value: number): this {
    this.#globals.push([0x7f, 0, op.i32Const, ...signedLeb(value), op.end]);
    return this;
  }

  /** A global that code may set, with the instructions of its first value. */
  mutableGlobal(type: string, value: readonly number[]): this {
    this.#globals.push([typeBytes[type] as number, 1, ...value, op.end]);
    return this;
  }

  /** A table of these functions. */
  table(functions: readonly number[]): this {
    this.#tables.push([0x70, 0, ...leb(functions.length)]);
    const items = functions.flatMap((index) => leb(index));
    this.#elements.push([0, op.i32Const, 0, op.end, ...leb(functions.length), ...items]);
    return this;
  }

  /** An empty table; limits as they stand in the binary: a flag, the minimum, the maximum. */
  emptyTable(type: string, ...limits: readonly number[]): this {
    this.#tables.push([typeBytes[type] as number, ...limits]);
    return this;
  }

  /** One whose entries begin as null functions, said by an expression. */
  nullTable(...limits: readonly number[]): this {
    this.#tables.push([0x40, 0, 0x70, ...limits, 0xd0, 0x70, op.end]);
    return this;
  }

  /** A kind of exception. */
  tag(params: readonly string[]): this {
    this.#tags.push([0, ...leb(this.#type(params, []))]);
    return this;
  }

  /** A type with one mutable field of i32; its index. */
  structType(): number {
    this.#types.push([0x5f, 1, 0x7f, 1]);
    return this.#types.length - 1;
  }

  /** A segment for memory.init. */
  passiveData(bytes: readonly number[]): this {
    this.#data.push([1, ...leb(bytes.length), ...bytes]);
    this.#hasPassiveData = true;
    return this;
  }

  export(name: string, kind: keyof typeof kinds, index: number): this {
    this.#exports.push([...text(name), kinds[kind], ...leb(index)]);
    return this;
  }

  start(index: number): this {
    this.#start = index;
    return this;
  }

  /** An active segment at an address. */
  data(address: number, bytes: readonly number[]): this {
    const at = [op.i32Const, ...signedLeb(address), op.end];
    this.#data.push([0, ...at, ...leb(bytes.length), ...bytes]);
    return this;
  }

  custom(name: string, contents: readonly number[]): this {
    this.#customs.push([...text(name), ...contents]);
    return this;
  }

  build(): Buffer {
    const bytes: number[] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const vectors: readonly (readonly [number, readonly number[][]])[] = [
      [1, this.#types],
      [2, this.#imports],
      [3, this.#functions],
      [4, this.#tables],
      [5, this.#memories],
      [13, this.#tags],
      [6, this.#globals],
      [7, this.#exports],
    ];
    for (const [id, entries] of vectors) bytes.push(...vectorSection(id, entries));
    if (this.#start !== null) bytes.push(...section(8, leb(this.#start)));
    bytes.push(...vectorSection(9, this.#elements));
    if (this.#hasPassiveData) bytes.push(...section(12, leb(this.#data.length)));
    bytes.push(...vectorSection(10, this.#bodies), ...vectorSection(11, this.#data));
    for (const custom of this.#customs) bytes.push(...section(0, custom));
    return Buffer.from(bytes);
  }

  /** Index of a type, for call_indirect. */
  type(params: readonly string[], results: readonly string[]): number {
    return this.#type(params, results);
  }

  #type(params: readonly string[], results: readonly string[]): number {
    const bytes = [0x60, ...typeVector(params), ...typeVector(results)];
    const found = this.#types.findIndex((known) => known.join() === bytes.join());
    if (found !== -1) return found;
    this.#types.push(bytes);
    return this.#types.length - 1;
  }
}

/** A builder with what every guest has: marker, memory of one page, and an allocator. */
export function guestBuilder(prepare?: (builder: WasmBuilder) => void): WasmBuilder {
  const builder = new WasmBuilder();
  prepare?.(builder);
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  builder.memory(0, 1).export("memory", "memory", 0);
  builder.func({
    params: ["i32"],
    results: ["i32"],
    code: constant(1024),
    exportAs: "malloc",
  });
  return builder;
}

/** `i32.const value`. */
export function constant(value: number): number[] {
  return [op.i32Const, ...signedLeb(value)];
}

/** Stores an i32 constant at an address. */
export function store(address: number, value: number): number[] {
  return [...constant(address), ...constant(value), op.i32Store, 2, 0];
}

function vectorSection(id: number, entries: readonly number[][]): number[] {
  if (entries.length === 0) return [];
  return section(id, [...leb(entries.length), ...entries.flat()]);
}

function section(id: number, contents: readonly number[]): number[] {
  return [id, ...leb(contents.length), ...contents];
}

function typeVector(names: readonly string[]): number[] {
  return [...leb(names.length), ...names.map((name) => typeBytes[name] as number)];
}

function text(value: string): number[] {
  const bytes = [...Buffer.from(value)];
  return [...leb(bytes.length), ...bytes];
}

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

function signedLeb(value: number): number[] {
  const rest = value >> 7;
  const isLast = (rest === 0 && (value & 0x40) === 0) || (rest === -1 && (value & 0x40) !== 0);
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signedLeb(rest)];
}
