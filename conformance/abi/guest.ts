// Guests for the ABI's tables: a module with chosen callbacks that makes chosen calls, and tells what it
// saw by report-code.ts. Made from the tables, so a row that is wrong there cannot be called.
import {
  abiVersions,
  type AbiVersion,
  findCallback,
  findHostcall,
  findToolchainImport,
  type Hostcall,
  type Param,
} from "proxy-wasm-types";
import { constant, op, WasmBuilder } from "../../runtime/src/module/wasm-builder-for-test.ts";
import { littleEndian, load, ReportCode } from "./report-code.ts";

/** What an earlier call of the same guest wrote to its out parameter at place `out`, 32 bits. */
export interface Told {
  readonly of: Call;
  readonly out: number;
}

/** Bytes that are made for the guest's tag. */
export type BytesOfTag = (tag: string) => Uint8Array;

/**
 * Bytes for a pointer and its size, a number or an i64 for every other parameter. "$CASE" in a text
 * is the tag of the guest: a name that no other guest on the same host uses.
 */
export type Argument = string | Uint8Array | number | bigint | Told | BytesOfTag;

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

/** A handle that another call told: a token, an id. */
export function told(of: Call, out: number = 0): Told {
  return { of, out };
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
  /** It ends by a trap, after its report. */
  readonly traps?: true;
  /** It does not end, after its report. */
  readonly loops?: true;
}

export interface GuestOptions {
  readonly version: AbiVersion;
  /** Default "c00000a". */
  readonly tag?: string;
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
  readonly shape?: Shape;
}

/** What is unusual about a module. */
export type Shape =
  | "imported memory"
  /** Without it the allocator gives nothing. */
  | "start section"
  | "custom sections"
  | "more exports"
  /** In each callback, before its calls. */
  | "growing memory"
  | "no version"
  | "unknown version"
  | "unknown import"
  /** A hostcall with one parameter more than it has. */
  | "wrong import"
  | "no module"
  | "half"
  | "nothing";

/** Where a call may write: OUT_BYTES, all UNTOUCHED before the first call. */
export const OUT_BYTES = 32;
/** The first address behind the guest's memory. */
export const END = 262_144;
export const UNTOUCHED = 0xee;

/** Below, null pointers may write. */
const HEAP_NEXT = 68;
/** The arguments of a callback. */
const ARGUMENTS = 128;
export const ARGUMENTS_MAX = 5;
/** Records of calls: a status in four bytes, then OUT_BYTES. */
const CALLS = 1024;
export const CALL_BYTES = 36;
const CALLS_MAX = 400;
const DATA = 32_768;
const DATA_END = 65_536;
const HEAP = 131_072;

const I64_CONST = 0x42;
const SUBTRACT = 0x6b;
/** memory.grow */
const GROW = [0x40, 0];
/** loop, br 0, end */
const ENDLESS = [0x03, 0x40, 0x0c, 0x00, 0x0b];
export const DEFAULT_TAG = "c00000a";
/** Hostcalls that are refused while these run: their report comes with the next one. */
const INITIALISING = new Set(["_initialize", "_start", "main", "__main_void"]);
const REPORTING = ["proxy_log", "proxy_get_current_time_nanoseconds"];

export interface Guest {
  readonly tag: string;
  readonly bytes: Buffer;
  /** Exports that report, with the number of their parameters and the calls they make. */
  readonly callbacks: readonly GuestCallback[];
  readonly calls: readonly Call[];
}

export interface GuestCallback {
  readonly name: string;
  readonly parameters: number;
  readonly calls: readonly Call[];
}

export function makeGuest(options: GuestOptions): Guest {
  return new GuestMaker(options).make();
}

type Operand = number | bigint | Told;

class GuestMaker {
  readonly #options: GuestOptions;
  readonly #builder: WasmBuilder;
  readonly #imports: Map<string, number>;
  readonly #calls: Call[];
  readonly #tag: string;
  #report: ReportCode | null;
  #dataAt: number;

  constructor(options: GuestOptions) {
    this.#options = options;
    this.#builder = new WasmBuilder();
    this.#imports = new Map();
    this.#calls = [];
    this.#tag = options.tag ?? DEFAULT_TAG;
    this.#report = null;
    this.#dataAt = DATA;
  }

  make(): Guest {
    const { version, callbacks = {}, allocatorCalls } = this.#options;
    const names = Object.keys(callbacks);
    const calls = names.flatMap((name) => callbacks[name]?.calls ?? []);
    for (const { name } of allocatorCalls === undefined ? calls : [...calls, allocatorCalls]) {
      this.#import(name);
    }
    for (const name of REPORTING) this.#import(name);
    const builder = this.#builder;
    const { shape } = this.#options;
    if (shape === "unknown import") builder.importFunction("env", "proxy_nobody_has", [], ["i32"]);
    if (shape === "wrong import") {
      const { params, results } = rowOf("proxy_done");
      const types = [...params.map(({ type }) => type), "i32"];
      builder.importFunction("env", "proxy_done", types, results);
    }
    this.#makeMemory();
    const [log = 0, time = 0] = REPORTING.map((name) => this.#imports.get(name));
    this.#report = new ReportCode(builder, { tag: this.#tag, log, time, end: END });
    const marker = abiVersions.find((facts) => facts.version === version)?.marker as string;
    if (shape === "unknown version") builder.func({ exportAs: "proxy_abi_version_9_9_9" });
    else if (shape !== "no version") builder.func({ exportAs: marker });
    if (shape === "start section") {
      const code = [...constant(HEAP_NEXT), ...constant(HEAP), ...store()];
      builder.start(builder.func({ code }));
    }
    if (shape === "custom sections") builder.custom("nobody", [1, 2, 3]).custom("", []);
    if (shape === "more exports") builder.global(7).export("seven", "global", 0);
    this.#makeAllocator();
    const made = names.map((name, index) => this.#makeCallback(name, index));
    const records = this.#calls.length * CALL_BYTES;
    builder.data(
      CALLS,
      Array.from({ length: records }, () => UNTOUCHED),
    );
    if (this.#dataAt > DATA_END) throw new Error("too many bytes");
    const bytes = shaped(builder.build(), shape);
    return { tag: this.#tag, bytes, callbacks: made, calls: this.#calls };
  }

  #makeMemory(): void {
    const { shape } = this.#options;
    const pages = END / 65_536;
    if (shape === "imported memory") this.#builder.importMemory("env", "memory", 0, pages);
    else this.#builder.memory(0, pages);
    this.#builder.export("memory", "memory", 0);
    const first = shape === "start section" ? 0 : HEAP;
    this.#builder.data(HEAP_NEXT, littleEndian(first));
  }

  #import(name: string): void {
    if (this.#imports.has(name)) return;
    const row = rowOf(name);
    const types = row.params.map((param) => param.type);
    const [from, own] = importOf(name);
    this.#imports.set(name, this.#builder.importFunction(from, own, types, row.results));
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
        SUBTRACT,
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

  #makeCallback(name: string, index: number): GuestCallback {
    const { version, callbacks = {}, wrongSignature } = this.#options;
    const row = findCallback(name, version);
    if (row === undefined) throw new Error(`no callback ${name} in ${version}`);
    const script = callbacks[name] as CallbackScript;
    const params = row.params.map((param) => param.type);
    const calls = script.calls ?? [];
    const code = params.flatMap((_, i) => [
      ...constant(ARGUMENTS + 4 * i),
      op.localGet,
      i,
      ...store(),
    ]);
    if (this.#options.shape === "growing memory") code.push(...constant(1), ...GROW, op.drop);
    const first = this.#calls.length;
    code.push(...calls.flatMap((one) => this.#callAndRecord(one)));
    code.push(...this.#reportOf(name, index, params.length, first));
    const byDefault = row.whenAbsent === "true" ? 1 : 0;
    if (script.traps === true) code.push(op.unreachable);
    else if (script.loops === true) code.push(...ENDLESS, op.unreachable);
    else if (row.results.length > 0) code.push(...constant(script.answer ?? byDefault));
    const isWrong = name === wrongSignature;
    this.#builder.func({
      params: isWrong ? [...params, "i64"] : params,
      results: row.results,
      code: isWrong ? [op.unreachable] : code,
      exportAs: name,
    });
    return { name, parameters: params.length, calls };
  }

  /** "|", number and arguments; for each call ";", its record, and "," with what pointers show. */
  #reportOf(name: string, index: number, parameters: number, first: number): number[] {
    const report = this.#report as ReportCode;
    const number = [...constant(ARGUMENTS - 4), ...constant(index), ...store()];
    const code = [...number, ...report.char("|"), ...report.hex(ARGUMENTS - 4, 4)];
    code.push(...report.hex(ARGUMENTS, 4 * parameters));
    for (const [i, one] of this.#calls.slice(first).entries()) {
      const record = CALLS + (first + i) * CALL_BYTES;
      code.push(...report.char(";"), ...report.hex(record, CALL_BYTES));
      if (one.isRaw) continue;
      for (const place of pointerPlaces(rowOf(one.name))) {
        code.push(...report.char(","), ...report.pointed(record + 4 + place));
      }
    }
    return INITIALISING.has(name) ? code : [...code, ...report.flush()];
  }

  #callAndRecord(one: Call): number[] {
    const record = CALLS + this.#calls.push(one) * CALL_BYTES - CALL_BYTES;
    if (this.#calls.length > CALLS_MAX) throw new Error("too many calls");
    const row = rowOf(one.name);
    const operands = one.isRaw
      ? (one.args.slice() as Operand[])
      : this.#spread(row, one.args, record + 4);
    for (const [i, value] of one.replaced) operands[i] = value;
    if (operands.length !== row.params.length) {
      throw new Error(`${one.name}: ${operands.length} parameters, expected ${row.params.length}`);
    }
    const code = [...constant(record)];
    for (const [i, operand] of operands.entries()) {
      if (typeof operand === "object") code.push(...load(this.#addressOf(operand)));
      else if ((row.params[i] as Param).type === "i64") {
        code.push(I64_CONST, ...signedLeb64(BigInt(operand)));
      } else code.push(...constant(Number(BigInt.asIntN(32, BigInt(operand)))));
    }
    code.push(op.call, this.#imports.get(one.name) as number);
    // What has no result was good when it comes back.
    return [...code, ...(row.results.length === 0 ? constant(0) : []), ...store()];
  }

  #addressOf({ of, out }: Told): number {
    const index = this.#calls.indexOf(of);
    if (index < 0) throw new Error(`${of.name} is not called before what it tells is used`);
    return CALLS + index * CALL_BYTES + 4 + (outPlaces(rowOf(of.name))[out] as number);
  }

  /** Puts bytes in memory, and gives each out parameter its place. */
  #spread(row: Pick<Hostcall, "params">, args: readonly Argument[], out: number): Operand[] {
    const operands: Operand[] = [];
    const places = outPlaces(row);
    let next = 0;
    for (const [i, param] of row.params.entries()) {
      const { meaning } = param;
      if (meaning.startsWith("out-")) operands.push(out + (places.shift() as number));
      else if (meaning === "struct") {
        const bytes = this.#bytesOf(args[next] ?? "");
        next += 1;
        operands.push(param.name === "vectors" ? this.#vector(bytes) : this.#place(bytes));
      } else if (meaning === "pointer") {
        const bytes = this.#bytesOf(args[next] ?? "");
        next += 1;
        operands.push(this.#place(bytes), bytes.length);
      } else if (row.params[i - 1]?.meaning !== "pointer") {
        operands.push(args[next] as Operand);
        next += 1;
      }
    }
    return operands;
  }

  #bytesOf(argument: Argument): Buffer {
    if (typeof argument === "string") return Buffer.from(argument.replaceAll("$CASE", this.#tag));
    return Buffer.from(typeof argument === "function" ? argument(this.#tag) : (argument as Buffer));
  }

  /** One vector of WASI: an address and a size. */
  #vector(bytes: Buffer): number {
    const address = this.#place(bytes);
    return this.#place(Buffer.from([...littleEndian(address), ...littleEndian(bytes.length)]));
  }

  #place(bytes: Buffer): number {
    if (bytes.length === 0) return 0;
    const at = this.#dataAt;
    this.#builder.data(at, [...bytes]);
    this.#dataAt += bytes.length;
    return at;
  }
}

function shaped(bytes: Buffer, shape: Shape | undefined): Buffer {
  if (shape === "no module") return Buffer.from("no module");
  if (shape === "half") return bytes.subarray(0, bytes.length / 2);
  return shape === "nothing" ? Buffer.alloc(0) : bytes;
}

/** What guests import: a hostcall, or with its module's name a function of WASI or a compiler. */
export function rowOf(name: string): Pick<Hostcall, "params" | "results"> {
  const row = findHostcall(name) ?? findToolchainImport(...importOf(name));
  if (row === undefined) throw new Error(`no hostcall ${name}`);
  return row;
}

/** "wasi_unstable.fd_write" is that module's fd_write; what names no module is of "env". */
function importOf(name: string): readonly [module: string, name: string] {
  const dot = name.indexOf(".");
  return dot < 0 ? ["env", name] : [name.slice(0, dot), name.slice(dot + 1)];
}

/** Whether it answers an errno. */
export function isOfWasi(name: string): boolean {
  return name.startsWith("wasi_");
}

/** The room of an out parameter in a record. */
export function outSize({ meaning, name }: Param): number {
  if (meaning === "out-struct") return name === "fdstat" ? 24 : 16;
  return meaning === "out-u64" ? 8 : 4;
}

/** Where each out parameter stands in a record, behind the status. */
export function outPlaces(row: Pick<Hostcall, "params">): number[] {
  const places: number[] = [];
  let place = 0;
  for (const param of row.params) {
    if (!param.meaning.startsWith("out-")) continue;
    places.push(place);
    place += outSize(param);
  }
  return places;
}

/** Those of them that point to bytes. */
export function pointerPlaces(row: Pick<Hostcall, "params">): number[] {
  const meanings = row.params.map(({ meaning }) => meaning).filter((m) => m.startsWith("out-"));
  return outPlaces(row).filter((_, i) => meanings[i] === "out-pointer");
}

function store(offset: number = 0): number[] {
  return [op.i32Store, 0, offset];
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
