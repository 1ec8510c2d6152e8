// Writes the code section of a module with its fuel checks; called by rewriter.ts.
//
// A check is `fuel = fuel - price; if (fuel < 0) call the supply`: a function of the host, in a
// global, that gives more fuel, or traps, which no guest can catch. A branch hint tells V8 that it
// hardly happens: without, its optimised code keeps everything ready for the call.
//
// The counter is a global behind all of the module's own, so that no index changes. Two functions
// behind all others set it and answer with what was in it (4.6 ns, a tenth of the price of a
// WebAssembly.Global): `swap(f64) -> f64`, and `refill(i32) -> i32`, which is for budgets that fit,
// as those of callbacks do: small integers come and go without a number on the heap.
import { ByteWriter, leb, signedLeb } from "./byte-writer.ts";
import { CodeMapWriter } from "./code-map-writer.ts";
import { planFuel } from "./fuel-plan.ts";
import type { FuelPlan } from "./fuel-plan.ts";
import { SiteKind } from "./fuel-sites.ts";
import { copiesGrowth, writeCopies } from "./loop-copies.ts";
import type { FunctionBody, ModuleStructure } from "./wasm-sections.ts";

const op = {
  if: 0x04,
  end: 0x0b,
  localGet: 0x20,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Const: 0x41,
  i64Const: 0x42,
  i64LessSigned: 0x53,
  i32ShiftRight: 0x76,
  i64Subtract: 0x7d,
  i64ShiftRight: 0x88,
  i64ExtendUnsigned: 0xad,
  f64ConvertI64: 0xb9,
  i64ExtendSigned: 0xac,
  callRef: 0x14,
  refNull: 0xd0,
  misc: 0xfc,
} as const;
/** i64.trunc_sat_f64_s and i32.trunc_sat_f64_s, behind the prefix. */
const TRUNCATE_SATURATED = 6;
const TRUNCATE_SATURATED_I32 = 2;
const NO_RESULT = 0x40;
const I32 = 0x7f;
const I64 = 0x7e;
const F64 = 0x7c;
const FUNCTION_TYPE = 0x60;
const MUTABLE = 1;
const NULLABLE_REF = 0x63;
/** Behind an offset, one byte: the branch is not likely. */
const UNLIKELY: Uint8Array = Uint8Array.of(1, 0);
/** A bulk operation costs its length >> 9: 512 bytes take about a nanosecond. */
const BULK_SHIFT = 9;

/** What a metered module gets at the ends of its sections. */
export interface FuelParts {
  /** Contents of the code section, with the functions `swap` and `refill` as its last. */
  readonly code: Uint8Array;
  /** Entries for the type, function and global sections. */
  readonly types: readonly Uint8Array[];
  readonly declarations: readonly Uint8Array[];
  readonly globals: readonly Uint8Array[];
  /** Index of `swap`; that of `refill` follows. */
  readonly swapFunction: number;
  /** Index of the global that holds the supply. */
  readonly supplyGlobal: number;
  /** Contents of the custom section with branch hints, its name first. */
  readonly hints: Uint8Array;
  /** Where the old code stands in `code`, counted from its beginning. */
  readonly map: CodeMapWriter;
}

export function meterFuel(bytes: Uint8Array, structure: ModuleStructure): FuelParts {
  const writer = new MeteredCode(bytes, structure, planFuel(bytes, structure));
  const code = writer.write();
  const supplyType = signedLeb(structure.typeCount + 2);
  const supply = [NULLABLE_REF, ...supplyType, MUTABLE, op.refNull, ...supplyType, op.end];
  return {
    code,
    types: [
      ...[F64, I32].map((type) => Uint8Array.of(FUNCTION_TYPE, 1, type, 1, type)),
      Uint8Array.of(FUNCTION_TYPE, 0, 0),
    ],
    declarations: [leb(structure.typeCount), leb(structure.typeCount + 1)],
    // 0 and null: a host that forgets to give fuel gets a trap, not a guest without end.
    globals: [Uint8Array.of(I64, MUTABLE, op.i64Const, 0, op.end), Uint8Array.from(supply)],
    swapFunction: structure.functions.length,
    supplyGlobal: structure.globalCount + 1,
    hints: writer.hints,
    map: writer.map,
  };
}

class MeteredCode {
  readonly map: CodeMapWriter;
  readonly #bytes: Uint8Array;
  readonly #bodies: readonly FunctionBody[];
  readonly #imported: number;
  readonly #plan: FuelPlan;
  readonly #out: ByteWriter;
  /** Index of the global, encoded. */
  readonly #fuel: Uint8Array;
  /** Behind the price on the stack: subtract, store, and call the supply below zero. */
  readonly #tail: Uint8Array;
  /** From the branch in it to its end. */
  readonly #supplySize: number;
  /** Functions with hints, and how many. */
  readonly #hints: ByteWriter;
  #hinted: number = 0;
  readonly #checks: Map<number, Uint8Array>;

  constructor(bytes: Uint8Array, structure: ModuleStructure, plan: FuelPlan) {
    this.#bytes = bytes;
    this.#bodies = structure.bodies;
    this.#plan = plan;
    this.#out = new ByteWriter(bytes.length + plan.sites.count * 20);
    // A body has a pair at its beginning, and one behind each of its sites.
    this.map = new CodeMapWriter(plan.sites.count + 2 * structure.bodies.length);
    const fuel = leb(structure.globalCount);
    this.#fuel = fuel;
    const store = [op.i64Subtract, op.globalSet, ...fuel, op.globalGet, ...fuel];
    const supply = leb(structure.globalCount + 1);
    const call = [op.globalGet, ...supply, op.callRef, ...leb(structure.typeCount + 2)];
    const ask = [op.if, NO_RESULT, ...call, op.end];
    this.#tail = Uint8Array.from([...store, op.i64Const, 0, op.i64LessSigned, ...ask]);
    this.#supplySize = ask.length;
    this.#hints = new ByteWriter(plan.sites.count * 6);
    this.#imported = structure.importedFunctions;
    this.#checks = new Map();
  }

  write(): Uint8Array {
    const out = this.#out;
    out.u32(this.#bodies.length + 2);
    for (let i = 0; i < this.#bodies.length; i += 1) this.#writeBody(i);
    for (const added of [this.#swapBody(), this.#refillBody()]) {
      out.u32(added.length);
      out.put(added);
    }
    return out.bytes;
  }

  get hints(): Uint8Array {
    const name = Buffer.from("metadata.code.branch_hint");
    return Buffer.concat([leb(name.length), name, leb(this.#hinted), this.#hints.bytes]);
  }

  /** The old counter as a number, while the parameter becomes the new one. */
  #swapBody(): Uint8Array {
    const before = [op.globalGet, ...this.#fuel, op.f64ConvertI64];
    const after = [op.localGet, 0, op.misc, TRUNCATE_SATURATED, op.globalSet, ...this.#fuel];
    return Uint8Array.from([0, ...before, ...after, op.end]);
  }

  /** The same in 32 bits: a counter beyond them comes as the least or the most of them. */
  #refillBody(): Uint8Array {
    const old = [op.globalGet, ...this.#fuel, op.f64ConvertI64];
    const before = [...old, op.misc, TRUNCATE_SATURATED_I32];
    const after = [op.localGet, 0, op.i64ExtendSigned, op.globalSet, ...this.#fuel];
    return Uint8Array.from([0, ...before, ...after, op.end]);
  }

  #writeBody(index: number): void {
    const bytes = this.#bytes;
    const out = this.#out;
    const { sites, firstSites, codeStarts, copiedLoops } = this.#plan;
    const { start, end } = this.#bodies[index] as FunctionBody;
    const codeStart = codeStarts[index] as number;
    let site = firstSites[index] as number;
    const lastSite = firstSites[index + 1] as number;
    if (this.#plan.isEntryFree(index)) site += 1;
    if (site === lastSite) {
      out.u32(end - start);
      this.map.add(out.size, start);
      out.copy(bytes, start, end);
      return;
    }
    const locals = this.#localsOf(index, site, lastSite);
    const declared = this.#declarations(start, codeStart, locals);
    let size = declared.length + end - codeStart;
    for (let i = site; i < lastSite; i += 1) size += this.#growthAt(i, locals);
    out.u32(size);
    this.map.add(out.size, start);
    const bodyStart = out.size;
    out.put(declared);
    this.map.add(out.size, codeStart);
    let at = codeStart;
    this.#hinted += 1;
    this.#hints.u32(this.#imported + index);
    this.#hints.u32(lastSite - site);
    for (; site < lastSite; site += 1) {
      const loop = copiedLoops.get(site);
      const code = this.#codeOf(site, locals);
      const position = loop?.begin ?? (sites.positions[site] as number);
      out.copy(bytes, at, position);
      let codeEnd: number;
      if (loop === undefined) {
        out.put(code);
        codeEnd = out.size;
        this.map.add(codeEnd, position);
        at = position;
      } else {
        codeEnd = writeCopies(out, this.map, bytes, loop, code);
        at = loop.end + 1;
      }
      this.#hints.u32(codeEnd - this.#supplySize - bodyStart);
      this.#hints.put(UNLIKELY);
    }
    out.copy(bytes, at, end);
  }

  #growthAt(site: number, locals: BulkLocals): number {
    const loop = this.#plan.copiedLoops.get(site);
    return this.#codeOf(site, locals).length + (loop === undefined ? 0 : copiesGrowth(loop));
  }

  /** Locals that keep lengths of bulk operations. */
  #localsOf(index: number, from: number, to: number): BulkLocals {
    let hasNarrow = false;
    let hasWide = false;
    for (let site = from; site < to; site += 1) {
      const kind = this.#plan.sites.kinds[site];
      if (kind === SiteKind.Bulk || kind === SiteKind.Entries) hasNarrow = true;
      else if (kind === SiteKind.BulkWide) hasWide = true;
    }
    const next = this.#plan.localCounts[index] as number;
    return { hasNarrow, hasWide, narrow: leb(next), wide: leb(hasNarrow ? next + 1 : next) };
  }

  /** The declarations of locals with ours behind; `start` and `codeStart` are those of the body. */
  #declarations(start: number, codeStart: number, locals: BulkLocals): Uint8Array {
    const added = (locals.hasNarrow ? 1 : 0) + (locals.hasWide ? 1 : 0);
    if (added === 0) return this.#bytes.subarray(start, codeStart);
    const out = new ByteWriter(codeStart - start + 8);
    let groups = 0;
    let at = start;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[at] as number;
      at += 1;
      groups |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    out.u32(groups + added);
    out.copy(this.#bytes, at, codeStart);
    if (locals.hasNarrow) out.put(Uint8Array.of(1, I32));
    if (locals.hasWide) out.put(Uint8Array.of(1, I64));
    return out.bytes;
  }

  #codeOf(site: number, locals: BulkLocals): Uint8Array {
    const { kinds, costs } = this.#plan.sites;
    const kind = kinds[site];
    if (kind === SiteKind.Bulk) return this.#bulkCode(locals.narrow, byBytes);
    if (kind === SiteKind.BulkWide) return this.#bulkCode(locals.wide, byWideBytes);
    if (kind === SiteKind.Entries) return this.#bulkCode(locals.narrow, byEntries);
    const cost = costs[site] as number;
    let code = this.#checks.get(cost);
    if (code === undefined) {
      const price = [op.globalGet, ...this.#fuel, op.i64Const, ...signedLeb(cost)];
      code = Uint8Array.from([...price, ...this.#tail]);
      this.#checks.set(cost, code);
    }
    return code;
  }

  /** The length stays on the stack. */
  #bulkCode(local: Uint8Array, price: readonly number[]): Uint8Array {
    const length = [op.localTee, ...local, op.globalGet, ...this.#fuel, op.localGet, ...local];
    return Uint8Array.from([...length, ...price, ...this.#tail]);
  }
}

const byBytes: readonly number[] = [
  op.i32Const,
  BULK_SHIFT,
  op.i32ShiftRight,
  op.i64ExtendUnsigned,
];
const byWideBytes: readonly number[] = [op.i64Const, BULK_SHIFT, op.i64ShiftRight];
/** Each takes 5 to 10 nanoseconds. */
const byEntries: readonly number[] = [op.i64ExtendUnsigned];

interface BulkLocals {
  readonly hasNarrow: boolean;
  readonly hasWide: boolean;
  /** Their indexes, encoded. */
  readonly narrow: Uint8Array;
  readonly wide: Uint8Array;
}
