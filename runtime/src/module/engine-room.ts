// What a module may have the engine keep outside of its memory, which no cap of pages bounds:
// tables, more memories, exceptions. Asked by inspect.ts; rewriter.ts writes the caps of tables.
import { ByteReader } from "./byte-reader.ts";
import { InstructionWalker } from "./instruction-walker.ts";
import { type ModuleStructure, sectionOf, SectionId } from "./wasm-sections.ts";
import {
  type FunctionType,
  type MemoryLimits,
  readMemoryLimits,
  readTypeSection,
  readValueType,
} from "./wasm-types.ts";

/** Entries of all tables, of some 30 bytes each: what 64 MB of code have functions. */
export const TABLE_ENTRIES_MAX: number = 1 << 20;
const END = 0x0b;
const TABLE_WITH_VALUE = 0x40;
/** As types are read, with the two heap types of exceptions by their numbers. */
const EXCEPTION: RegExp = /^(?:null)?exnref$|^\(ref (?:null )?-(?:23|12)\)$/;

export interface TableEntry {
  readonly type: string;
  readonly limits: MemoryLimits;
  /** Offsets of the entry, and of the limits in it. */
  readonly start: number;
  readonly limitsStart: number;
  readonly limitsEnd: number;
  readonly end: number;
}

/** Why a module could take memory without a bound. */
export function engineRoomProblems(bytes: Uint8Array, structure: ModuleStructure): string[] {
  const problems: string[] = [];
  // A second import is told as such.
  const imported = structure.imports.filter(({ kind }) => kind === "memory").length;
  const memories = structure.memories.length - Math.max(0, imported - 1);
  if (memories > 1) problems.push(`found ${memories} memories, expected one`);
  const tables = readTables(bytes, structure);
  const entries = tables.reduce((sum, { limits }) => sum + limits.minimumPages, 0);
  if (entries > TABLE_ENTRIES_MAX) {
    const expected = `expected at most ${TABLE_ENTRIES_MAX}`;
    problems.push(`found tables of ${entries} entries at the start, ${expected}`);
  }
  const keepers = [
    ...tables.filter(({ type }) => EXCEPTION.test(type)).map(() => "a table"),
    ...globalTypes(bytes, structure)
      .filter((type) => EXCEPTION.test(type))
      .map(() => "a global"),
    ...tagTypes(bytes, structure)
      .filter(({ params }) => params.some((type) => EXCEPTION.test(type)))
      .map(() => "another exception"),
  ];
  for (const keeper of new Set(keepers)) {
    problems.push(`keeps exceptions (exnref) in ${keeper}, expected in locals only`);
  }
  return problems;
}

/** Of the module's own tables. */
export function readTables(bytes: Uint8Array, structure: ModuleStructure): readonly TableEntry[] {
  const section = sectionOf(structure, SectionId.Table);
  if (section === null) return [];
  const reader = new ByteReader(bytes, section.contentStart, section.end);
  const tables: TableEntry[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    const start = reader.at;
    const hasValue = bytes[start] === TABLE_WITH_VALUE;
    if (hasValue) reader.skip(2);
    const type = readValueType(reader);
    const limitsStart = reader.at;
    const limits = readMemoryLimits(reader);
    const limitsEnd = reader.at;
    if (hasValue) skipExpression(bytes, reader);
    tables.push({ type, limits, start, limitsStart, limitsEnd, end: reader.at });
  }
  return tables;
}

/** The most entries of each, so that all of them together stay within the limit. */
export function tableMaxima(tables: readonly TableEntry[]): readonly number[] {
  const least = tables.reduce((sum, { limits }) => sum + limits.minimumPages, 0);
  const most = tables.map(({ limits }) => limits.maximumPages ?? Infinity);
  const growing = tables.filter(({ limits }, at) => (most[at] ?? 0) > limits.minimumPages);
  const share = Math.floor((TABLE_ENTRIES_MAX - least) / growing.length);
  return tables.map(({ limits }, at) => Math.min(most[at] ?? 0, limits.minimumPages + share));
}

function globalTypes(bytes: Uint8Array, structure: ModuleStructure): string[] {
  const section = sectionOf(structure, SectionId.Global);
  if (section === null) return [];
  const reader = new ByteReader(bytes, section.contentStart, section.end);
  const types: string[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    types.push(readValueType(reader));
    reader.skip(1);
    skipExpression(bytes, reader);
  }
  return types;
}

function tagTypes(bytes: Uint8Array, structure: ModuleStructure): FunctionType[] {
  const section = sectionOf(structure, SectionId.Tag);
  const typeSection = sectionOf(structure, SectionId.Type);
  if (section === null || typeSection === null) return [];
  const types = readTypeSection(new ByteReader(bytes, typeSection.contentStart, typeSection.end));
  const reader = new ByteReader(bytes, section.contentStart, section.end);
  const found: FunctionType[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    reader.skip(1);
    const type = types[reader.u32()];
    if (type !== undefined && type !== null) found.push(type);
  }
  return found;
}

/** A constant one: without blocks. */
function skipExpression(bytes: Uint8Array, reader: ByteReader): void {
  const walker = new InstructionWalker(bytes);
  while (bytes[reader.at] !== END) reader.skip(walker.next(reader.at) - reader.at);
  reader.skip(1);
}
