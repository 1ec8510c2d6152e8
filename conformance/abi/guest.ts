// Guests for the ABI's tables: a module with chosen callbacks that notes what it is told, makes chosen
// calls, and keeps what came of them in its memory, where the test reads it. Made from the tables, so
// a row that is wrong there cannot be called.
import {
  abiVersions,
  type AbiVersion,
  findCallback,
  findHostcall,
  type Hostcall,
  type Param,
} from "proxy-wasm-types";
import { constant, op, WasmBuilder } from "../../runtime/src/module/wasm-builder-for-test.ts";

/** Bytes for a pointer and its size, a number or an i64 for every other parameter. */
export type Argument = string | Uint8Array | number | bigint;

/** One call. Out parameters are not among `args`, unless the call is `raw`. */
export interface Call {
  readonly name: string;
  readonly args: readonly Argument[];
  /** All parameters as they are, addresses and sizes too. */
  readonly isRaw: boolean;
  /** Parameters that are something else than what was made for them, by their index. */
  readonly replaced: ReadonlyMap<number, number>;
}

/** A call whose pointers and out parameters are made for it. */
export function call(name: string, ...args: readonly Argument[]): Call {
  return { name, args, isRaw: false, replaced: new Map() };
}

/** A call with every parameter as it stands here. */
export function raw(name: string, ...args: readonly (number | bigint)[]): Call {
  return { name, args, isRaw: true, replaced: new Map() };
}

/** The same call with other parameters: index and value in turns. */
export function replacing(one: Call, ...changes: readonly (readonly [number, number])[]): Call {
  return { ...one, replaced: new Map(changes) };
}

export interface CallbackScript {
  /** What it answers. Default: what Envoy takes for an absent callback (0, or 1 for a truth). */
  readonly answer?: number;
  readonly calls?: readonly Call[];
}

export interface GuestOptions {
  readonly version: AbiVersion;
  /** By their names; what is not here is not exported. */
  readonly callbacks?: Readonly<Record<string, CallbackScript>>;
  /** Default: gives room. "zero" answers 0, "outside" an address behind the memory, "trap" traps. */
  readonly allocator?: "room" | "zero" | "outside" | "trap";
  /** Name of the allocator. Default "malloc". */
  readonly allocatorName?: string;
  /** A hostcall that the allocator makes before it answers. */
  readonly allocatorCalls?: Call;
  /** Callbacks that are exported with one parameter more than they have. */
  readonly wrongSignature?: string;
}

/** Where a call may write: OUT_BYTES, all UNTOUCHED before the first call. */
export const OUT_BYTES = 32;
/** The first address behind the guest's memory. */
export const END = 262_144;
export const UNTOUCHED = 0xee;

/** Below, null pointers may write. */
export const TRACE_COUNT = 64;
const HEAP_NEXT = 68;
/** Records of calls: a status in four bytes, then OUT_BYTES. */
export const CALLS = 1024;
export const CALL_BYTES = 36;
const CALLS_MAX = 400;
/** Records of callbacks: a number, then five arguments. */
export const TRACE = 16_384;
export const TRACE_BYTES = 24;
const DATA = 32_768;
const HEAP = 131_072;

const I64_CONST = 0x42;
const LOCAL_SET = 0x21;
const MULTIPLY = 0x6c;

export interface Guest {
  readonly bytes: Buffer;
  /** In the order of their records. */
  readonly calls: readonly Call[];
  /** The names that the numbers of the trace stand for. */
  readonly names: readonly string[];
  /** How many parameters a callback has. */
  readonly parameters: (name: string) => number;
}

export function makeGuest(options: GuestOptions): Guest {
  return new GuestMaker(options).make();
}

class GuestMaker {
  readonly #options: GuestOptions;
  readonly #builder: WasmBuilder;
  readonly #imports: Map<string, number>;
  readonly #calls: Call[];
  #dataAt: number;

  constructor(options: GuestOptions) {
    this.#options = options;
    this.#builder = new WasmBuilder();
    this.#imports = new Map();
    this.#calls = [];
    this.#dataAt = DATA;
  }

  make(): Guest {
    const { version, callbacks = {}, allocatorCalls } = this.#options;
    const names = Object.keys(callbacks);
    const calls = names.flatMap((name) => callbacks[name]?.calls ?? []);
    for (const { name } of allocatorCalls === undefined ? calls : [...calls, allocatorCalls]) {
      this.#import(name);
    }
    const builder = this.#builder;
    builder.memory(0, END / 65_536).export("memory", "memory", 0);
    builder.data(HEAP_NEXT, littleEndian(HEAP));
    builder.data(
      CALLS,
      Array.from({ length: CALLS_MAX * CALL_BYTES }, () => UNTOUCHED),
    );
    const marker = abiVersions.find((facts) => facts.version === version)?.marker;
    builder.func({ exportAs: marker as string });
    this.#makeAllocator();
    for (const [index, name] of names.entries()) this.#makeCallback(name, index);
    const parameters = (name: string): number => findCallback(name, version)?.params.length ?? 0;
    return { bytes: builder.build(), calls: this.#calls, names, parameters };
  }

  #import(name: string): void {
    if (this.#imports.has(name)) return;
    const row = rowOf(name);
    const types = row.params.map((param) => param.type);
    this.#imports.set(name, this.#builder.importFunction("env", name, types, row.results));
  }

  #makeAllocator(): void {
    const { allocator = "room", allocatorName = "malloc", allocatorCalls } = this.#options;
    const answers = {
      // The next free address, which the new end takes the place of.
      room: [
        ...constant(HEAP_NEXT),
        ...load(HEAP_NEXT),
        op.localGet,
        0,
        op.i32Add,
        ...store(),
        ...load(HEAP_NEXT),
        op.localGet,
        0,
        0x6b,
      ],
      zero: constant(0),
      outside: constant(END - 1),
      trap: [op.unreachable],
    };
    const calls = allocatorCalls === undefined ? [] : this.#callAndRecord(allocatorCalls);
    this.#builder.func({
      params: ["i32"],
      results: ["i32"],
      code: [...calls, ...answers[allocator]],
      exportAs: allocatorName,
    });
  }

  #makeCallback(name: string, index: number): void {
    const { version, callbacks = {}, wrongSignature } = this.#options;
    const row = findCallback(name, version);
    if (row === undefined) throw new Error(`no callback ${name} in ${version}`);
    const script = callbacks[name] as CallbackScript;
    const params = row.params.map((param) => param.type);
    const at = params.length;
    // Where the record begins; then the number and each argument.
    const trace = [
      ...load(TRACE_COUNT),
      ...constant(TRACE_BYTES),
      MULTIPLY,
      ...constant(TRACE),
      op.i32Add,
      LOCAL_SET,
      at,
      op.localGet,
      at,
      ...constant(index),
      ...store(),
    ];
    for (let i = 0; i < params.length; i += 1) {
      trace.push(op.localGet, at, op.localGet, i, ...store(4 + 4 * i));
    }
    trace.push(...constant(TRACE_COUNT), ...load(TRACE_COUNT), ...constant(1), op.i32Add);
    trace.push(...store());
    const calls = (script.calls ?? []).flatMap((one) => this.#callAndRecord(one));
    const byDefault = row.whenAbsent === "true" ? 1 : 0;
    const answer = row.results.length === 0 ? [] : constant(script.answer ?? byDefault);
    this.#builder.func({
      params: name === wrongSignature ? [...params, "i64"] : params,
      results: row.results,
      locals: name === wrongSignature ? ["i32", "i32"] : ["i32"],
      code: name === wrongSignature ? [op.unreachable] : [...trace, ...calls, ...answer],
      exportAs: name,
    });
  }

  #callAndRecord(one: Call): number[] {
    const record = CALLS + this.#calls.push(one) * CALL_BYTES - CALL_BYTES;
    if (this.#calls.length > CALLS_MAX) throw new Error("too many calls");
    const row = rowOf(one.name);
    const operands = one.isRaw ? [...one.args] : this.#spread(row, one.args, record + 4);
    for (const [i, value] of one.replaced) operands[i] = value;
    if (operands.length !== row.params.length) {
      throw new Error(`${one.name}: ${operands.length} parameters, expected ${row.params.length}`);
    }
    const code = [...constant(record)];
    for (const [i, operand] of operands.entries()) {
      const value = constant(Number(BigInt.asIntN(32, BigInt(operand as number | bigint))));
      if ((row.params[i] as Param).type === "i32") code.push(...value);
      else code.push(I64_CONST, ...signedLeb64(BigInt(operand as number | bigint)));
    }
    code.push(op.call, this.#imports.get(one.name) as number, ...store());
    return code;
  }

  /** Puts bytes in memory, and gives each out parameter its place. */
  #spread(row: Hostcall, args: readonly Argument[], out: number): (number | bigint)[] {
    const operands: (number | bigint)[] = [];
    let next = 0;
    let place = out;
    for (const [i, param] of row.params.entries()) {
      const { meaning } = param;
      if (meaning.startsWith("out-")) {
        operands.push(place);
        place += meaning === "out-u64" ? 8 : 4;
      } else if (meaning === "pointer") {
        const bytes = Buffer.from((args[next] ?? "") as string | Uint8Array);
        next += 1;
        operands.push(this.#place(bytes), bytes.length);
      } else if (row.params[i - 1]?.meaning !== "pointer") {
        operands.push(args[next] as number | bigint);
        next += 1;
      }
    }
    return operands;
  }

  #place(bytes: Buffer): number {
    if (bytes.length === 0) return 0;
    const at = this.#dataAt;
    this.#builder.data(at, [...bytes]);
    this.#dataAt += bytes.length;
    return at;
  }
}

export function rowOf(name: string): Hostcall {
  const row = findHostcall(name);
  if (row === undefined) throw new Error(`no hostcall ${name}`);
  return row;
}

function load(address: number): number[] {
  return [...constant(address), op.i32Load, 0, 0];
}

function store(offset: number = 0): number[] {
  return [op.i32Store, 0, offset];
}

function littleEndian(value: number): number[] {
  return [value, value >>> 8, value >>> 16, value >>> 24].map((byte) => byte & 0xff);
}

function signedLeb64(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asIntN(64, value);
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const isLast = (rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0);
    bytes.push(isLast ? byte : byte | 0x80);
    if (isLast) return bytes;
  }
}
