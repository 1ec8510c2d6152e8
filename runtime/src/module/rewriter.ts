// Changes a module's bytes so that the host can run it safely; called by module-loader.ts.
//
// Sections are dropped, replaced or get more at their end: no index of a function, global or memory
// ever changes, so names, tables and exports stay valid untouched. (A memory that becomes an import
// is the only one, and has index 0 before and after.)
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter, leb } from "./byte-writer.ts";
import { type CodeMap, sameCode } from "../wasm/code-map.ts";
import type { MemoryImport } from "./check-imports.ts";
import { CodeMapWriter } from "./code-map-writer.ts";
import { readTables, tableMaxima } from "./engine-room.ts";
import { type FuelParts, meterFuel } from "./fuel-meter.ts";
import { sectionOf, SectionId, sectionOrder } from "./wasm-sections.ts";
import type { ModuleStructure, Section } from "./wasm-sections.ts";
import { readMemoryLimits } from "./wasm-types.ts";

export interface RewriteOptions {
  /** The guest pays fuel for what it does. Default false. */
  readonly isMetered?: boolean;
  /** The most pages of 64 KiB that each memory of its own may have. Default: as the module says. */
  readonly memoryPagesMax?: number;
  /** The host gives the module its memory, which then may be used again. Default false. */
  readonly isMemoryGiven?: boolean;
}

export interface RewrittenModule {
  /** The very bytes that came in when nothing had to change. */
  readonly bytes: Uint8Array;
  /**
   * The export that holds the module's start function, to be called once after instantiation
   * and before _initialize; null when there was none.
   */
  readonly startExport: string | null;
  /** The export of the guest's memory: the module's own, or one that was added. */
  readonly memoryExport: string;
  /** What is given in the place of the module's own memory; null = nothing is. */
  readonly memoryImport: MemoryImport | null;
  /** The export `swap(f64) -> f64` that sets the fuel and tells what was left; null = unmetered. */
  readonly fuelExport: string | null;
  /** The same as `refill(i32) -> i32`. */
  readonly refillExport: string | null;
  /** The global that holds the function which the guest calls when its fuel is used up. */
  readonly supplyExport: string | null;
  /** From addresses of the new code to those of the old one. */
  readonly codeMap: CodeMap;
}

interface NewExport {
  readonly name: string;
  readonly kind: number;
  readonly index: number;
}

/** New contents by section id; null drops the section. */
type SectionEdits = Map<SectionId, Uint8Array | null>;

/** No guest imports from a module of this name: the inspector knows all that may be. */
const GIVEN_MEMORY = { module: "headgate", name: "memory" } as const;

const KIND_FUNCTION = 0;
const KIND_MEMORY = 2;
const KIND_GLOBAL = 3;
const HAS_MAXIMUM = 1;

/**
 * Takes out the start section: its function would run, and call imports, before the instance
 * and its memory can be reached. The function is exported instead. A memory that the module
 * does not export is exported too. With options, code is metered, memories are capped, and the
 * module's memory becomes an import.
 */
export function rewriteModule(
  bytes: Uint8Array,
  structure: ModuleStructure,
  memoryExport: string | null,
  options: RewriteOptions = {},
): RewrittenModule {
  const added: NewExport[] = [];
  const edits: SectionEdits = new Map();
  let startExport: string | null = null;
  if (structure.startFunction !== null) {
    startExport = freeName(structure, "headgate_start");
    added.push({ name: startExport, kind: KIND_FUNCTION, index: structure.startFunction });
    edits.set(SectionId.Start, null);
  }
  const memoryName = memoryExport ?? freeName(structure, "memory");
  if (memoryExport === null) added.push({ name: memoryName, kind: KIND_MEMORY, index: 0 });
  if (options.memoryPagesMax !== undefined) {
    capMemories(bytes, structure, options.memoryPagesMax, edits);
    capTables(bytes, structure, edits);
  }
  const memoryImport =
    options.isMemoryGiven === true ? importMemory(bytes, structure, edits) : null;
  const isMetered = options.isMetered === true && structure.bodies.length > 0;
  const fuelExport = isMetered ? freeName(structure, "headgate_fuel") : null;
  const refillExport = isMetered ? freeName(structure, "headgate_refill") : null;
  const supplyExport = isMetered ? freeName(structure, "headgate_supply") : null;
  let metered: FuelParts | null = null;
  if (fuelExport !== null && refillExport !== null && supplyExport !== null) {
    metered = meter(bytes, structure, edits);
    const index = metered.swapFunction;
    added.push({ name: fuelExport, kind: KIND_FUNCTION, index });
    added.push({ name: refillExport, kind: KIND_FUNCTION, index: index + 1 });
    added.push({ name: supplyExport, kind: KIND_GLOBAL, index: metered.supplyGlobal });
  }
  const fuel = { fuelExport, refillExport, supplyExport };
  const names = { startExport, memoryExport: memoryName, memoryImport, ...fuel };
  if (added.length > 0) {
    const entries = added.map((entry) => {
      const name = Buffer.from(entry.name);
      return Buffer.concat([leb(name.length), name, Buffer.from([entry.kind]), leb(entry.index)]);
    });
    edits.set(SectionId.Export, append(bytes, structure, SectionId.Export, entries));
  }
  if (edits.size === 0) return { bytes, ...names, codeMap: sameCode };
  const assembled = assemble(bytes, structure, edits, metered?.hints ?? null);
  const codeMap = codeMapOf(structure, assembled, metered?.map ?? null);
  return { bytes: assembled.bytes, ...names, codeMap };
}

/** Without fuel the code has moved as a whole. */
function codeMapOf(
  structure: ModuleStructure,
  { codeStart }: Assembled,
  metered: CodeMapWriter | null,
): CodeMap {
  if (metered !== null) return metered.finish(codeStart);
  const whole = new CodeMapWriter(1);
  const code = sectionOf(structure, SectionId.Code);
  if (code !== null) whole.add(0, code.contentStart);
  return whole.finish(codeStart);
}

/** Meters all code. */
function meter(bytes: Uint8Array, structure: ModuleStructure, edits: SectionEdits): FuelParts {
  const parts = meterFuel(bytes, structure);
  edits.set(SectionId.Type, append(bytes, structure, SectionId.Type, parts.types));
  edits.set(SectionId.Function, append(bytes, structure, SectionId.Function, parts.declarations));
  edits.set(SectionId.Global, append(bytes, structure, SectionId.Global, parts.globals));
  edits.set(SectionId.Code, parts.code);
  return parts;
}

/** The engine itself then refuses to grow beyond: memory.grow answers -1. */
function capMemories(
  bytes: Uint8Array,
  structure: ModuleStructure,
  pagesMax: number,
  edits: SectionEdits,
): void {
  const section = sectionOf(structure, SectionId.Memory);
  if (section === null) return;
  const out = new ByteWriter(section.end - section.contentStart + 16);
  const reader = new ByteReader(bytes, section.contentStart, section.end);
  const count = reader.count();
  let hasChanged = false;
  out.u32(count);
  for (let left = count; left > 0; left -= 1) {
    const flags = bytes[reader.at] as number;
    const { minimumPages, maximumPages } = readMemoryLimits(reader);
    if (maximumPages === null || maximumPages > pagesMax) hasChanged = true;
    out.u8(flags | HAS_MAXIMUM);
    out.u32(minimumPages);
    out.u32(Math.min(maximumPages ?? pagesMax, pagesMax));
  }
  if (hasChanged) edits.set(SectionId.Memory, out.bytes);
}

/** As memories: table.grow answers -1. */
function capTables(bytes: Uint8Array, structure: ModuleStructure, edits: SectionEdits): void {
  const tables = readTables(bytes, structure);
  const maxima = tableMaxima(tables);
  if (tables.every(({ limits }, at) => limits.maximumPages === maxima[at])) return;
  const out = new ByteWriter(tables.length * 16);
  out.u32(tables.length);
  for (const [at, { start, limitsStart, limitsEnd, end, limits }] of tables.entries()) {
    out.copy(bytes, start, limitsStart);
    out.u8((bytes[limitsStart] as number) | HAS_MAXIMUM);
    out.u32(limits.minimumPages);
    out.u32(maxima[at] as number);
    out.copy(bytes, limitsEnd, end);
  }
  edits.set(SectionId.Table, out.bytes);
}

/** Makes an import of the module's only memory, with its limits as they are now; null = not so. */
function importMemory(
  bytes: Uint8Array,
  structure: ModuleStructure,
  edits: SectionEdits,
): MemoryImport | null {
  const section = sectionOf(structure, SectionId.Memory);
  const [memory, another] = structure.memories;
  if (section === null || memory === undefined || another !== undefined) return null;
  if (memory.isShared || memory.is64) return null;
  const own = edits.get(SectionId.Memory) ?? bytes.subarray(section.contentStart, section.end);
  const limits = new ByteReader(own, 1, own.length);
  const { minimumPages, maximumPages } = readMemoryLimits(limits);
  const { module, name } = GIVEN_MEMORY;
  const names = [module, name].map((text) => Buffer.concat([leb(text.length), Buffer.from(text)]));
  const entry = Buffer.concat([...names, Buffer.from([KIND_MEMORY]), own.subarray(1, limits.at)]);
  edits.set(SectionId.Import, append(bytes, structure, SectionId.Import, [entry]));
  edits.set(SectionId.Memory, null);
  return { module, name, minimumPages, maximumPages };
}

/** The wished name, with underscores until no export of the module has it. */
function freeName(structure: ModuleStructure, wished: string): string {
  let name = wished;
  while (structure.exports.some((entry) => entry.name === name)) name += "_";
  return name;
}

/** The contents of a section that is a vector, with entries at its end. */
function append(
  bytes: Uint8Array,
  structure: ModuleStructure,
  id: SectionId,
  entries: readonly Uint8Array[],
): Uint8Array {
  const section = sectionOf(structure, id);
  if (section === null) return Buffer.concat([leb(entries.length), ...entries]);
  const reader = new ByteReader(bytes, section.contentStart, section.end);
  const count = reader.count();
  const old = bytes.subarray(reader.at, section.end);
  return Buffer.concat([leb(count + entries.length), old, ...entries]);
}

interface Assembled {
  readonly bytes: Uint8Array;
  /** Where the contents of the code section stand; 0 = there is none. */
  readonly codeStart: number;
}

/**
 * The module with sections replaced, dropped, or put in where they belong; `hints` is the contents
 * of a custom section, which must stand before the code.
 */
function assemble(
  bytes: Uint8Array,
  structure: ModuleStructure,
  edits: SectionEdits,
  hints: Uint8Array | null,
): Assembled {
  const first = structure.sections[0];
  const parts: Uint8Array[] = [bytes.subarray(0, first === undefined ? bytes.length : first.start)];
  const pending = newSections(structure, edits);
  let codeStart = 0;
  for (const section of structure.sections) {
    if (section.id !== SectionId.Custom) {
      while (pending.length > 0 && rank(pending[0] as SectionId) < rank(section.id)) {
        putNew(parts, edits, pending);
      }
    }
    if (section.id === SectionId.Code && hints !== null) {
      putSection(parts, SectionId.Custom, hints);
    }
    putOld(parts, bytes, section, edits);
    if (section.id === SectionId.Code) {
      const size = edits.get(section.id)?.length ?? section.end - section.contentStart;
      codeStart = parts.reduce((sum, part) => sum + part.length, 0) - size;
    }
  }
  while (pending.length > 0) putNew(parts, edits, pending);
  return { bytes: Buffer.concat(parts), codeStart };
}

/** Ids of edited sections that the module does not have yet, in the order of sections. */
function newSections(structure: ModuleStructure, edits: SectionEdits): SectionId[] {
  const present = new Set(structure.sections.map((section) => section.id));
  return sectionOrder.filter((id) => edits.has(id) && !present.has(id));
}

function putNew(parts: Uint8Array[], edits: SectionEdits, pending: SectionId[]): void {
  const id = pending.shift() as SectionId;
  const contents = edits.get(id);
  if (contents !== undefined && contents !== null) putSection(parts, id, contents);
}

function putOld(
  parts: Uint8Array[],
  bytes: Uint8Array,
  section: Section,
  edits: SectionEdits,
): void {
  // Custom sections share one id and are never edited, but those that tell offsets of old code go.
  const isCustom = section.id === SectionId.Custom;
  if (isCustom && edits.has(SectionId.Code) && pointsIntoCode(section.name)) return;
  const contents = isCustom ? undefined : edits.get(section.id);
  if (contents === undefined) parts.push(bytes.subarray(section.start, section.end));
  else if (contents !== null) putSection(parts, section.id, contents);
}

function putSection(parts: Uint8Array[], id: SectionId, contents: Uint8Array): void {
  parts.push(Buffer.from([id]), leb(contents.length), contents);
}

function rank(id: SectionId): number {
  return sectionOrder.indexOf(id);
}

/** Branch hints, which V8 heeds, and what tells lines of source code. */
function pointsIntoCode(name: string): boolean {
  const isHint = name.startsWith("metadata.code.");
  return isHint || name.startsWith(".debug_") || name === "sourceMappingURL";
}
