// A reader of the sections of a wasm binary that say what a module needs and offers.
import { ByteReader, WasmFormatError } from "./byte-reader.ts";
import { readMemoryLimits, readTypeSection, readValueType } from "./wasm-types.ts";
import type { FunctionType, MemoryLimits } from "./wasm-types.ts";

/** Ids of sections as they stand in the binary. */
export const SectionId = {
  Custom: 0,
  Type: 1,
  Import: 2,
  Function: 3,
  Table: 4,
  Memory: 5,
  Global: 6,
  Export: 7,
  Start: 8,
  Element: 9,
  Code: 10,
  Data: 11,
  DataCount: 12,
  Tag: 13,
} as const;
export type SectionId = (typeof SectionId)[keyof typeof SectionId];

/** The order in which sections must stand: tags and the data count came later than their ids. */
export const sectionOrder: readonly SectionId[] = [
  SectionId.Type,
  SectionId.Import,
  SectionId.Function,
  SectionId.Table,
  SectionId.Memory,
  SectionId.Tag,
  SectionId.Global,
  SectionId.Export,
  SectionId.Start,
  SectionId.Element,
  SectionId.DataCount,
  SectionId.Code,
  SectionId.Data,
];

export interface Section {
  readonly id: SectionId;
  /** Of a custom section; empty for all others. */
  readonly name: string;
  /** Where the id stands. */
  readonly start: number;
  /** Where the contents begin: behind id and size, for a custom section before its name. */
  readonly contentStart: number;
  readonly end: number;
}

export type EntityKind = "function" | "table" | "memory" | "global" | "tag";

export interface ImportEntry {
  readonly module: string;
  readonly name: string;
  readonly kind: EntityKind;
  /** Of a function; null for everything else. */
  readonly type: FunctionType | null;
  /** Of a memory; null for everything else. */
  readonly memory: MemoryLimits | null;
}

export interface ExportEntry {
  readonly name: string;
  readonly kind: EntityKind;
  readonly index: number;
  /** Of a function; null for everything else. */
  readonly type: FunctionType | null;
}

/** Offsets of a function's body: local declarations and code, without its size. */
export interface FunctionBody {
  readonly start: number;
  readonly end: number;
}

export interface ModuleStructure {
  readonly sections: readonly Section[];
  readonly imports: readonly ImportEntry[];
  readonly exports: readonly ExportEntry[];
  /** Imported ones first. */
  readonly memories: readonly MemoryLimits[];
  /** Types of all functions, imported ones first. */
  readonly functions: readonly FunctionType[];
  readonly importedFunctions: number;
  /** Entries of the type section, those of recursive groups each for itself. */
  readonly typeCount: number;
  /** Imported ones and its own. */
  readonly globalCount: number;
  /** Of the functions the module defines, in order. */
  readonly bodies: readonly FunctionBody[];
  /** Index of the start function; null without a start section. */
  readonly startFunction: number | null;
}

const entityKinds: readonly EntityKind[] = ["function", "table", "memory", "global", "tag"];
const HEADER_SIZE = 8;

/** Reads a module. Throws WasmFormatError; the code itself is not validated, that is V8's work. */
export function readModule(bytes: Uint8Array): ModuleStructure {
  const sections = readSections(bytes);
  const types = readEach(bytes, sections, SectionId.Type, readTypeSection) ?? [];
  const imports =
    readEach(bytes, sections, SectionId.Import, (reader) => readImports(reader, types)) ?? [];
  const functions = imports.flatMap((entry) => (entry.type === null ? [] : [entry.type]));
  const importedFunctions = functions.length;
  readEach(bytes, sections, SectionId.Function, (reader) => {
    for (let left = reader.count(); left > 0; left -= 1) {
      functions.push(typeAt(types, reader.u32(), reader));
    }
  });
  const memories = imports.flatMap((entry) => (entry.memory === null ? [] : [entry.memory]));
  readEach(bytes, sections, SectionId.Memory, (reader) => {
    for (let left = reader.count(); left > 0; left -= 1) memories.push(readMemoryLimits(reader));
  });
  const importedGlobals = imports.filter((entry) => entry.kind === "global").length;
  const exports =
    readEach(bytes, sections, SectionId.Export, (reader) => readExports(reader, functions)) ?? [];
  const startFunction = readEach(bytes, sections, SectionId.Start, (reader) => reader.u32());
  const bodies = readEach(bytes, sections, SectionId.Code, readBodies) ?? [];
  if (bodies.length !== functions.length - importedFunctions) {
    const declared = functions.length - importedFunctions;
    throw new WasmFormatError(bytes.length, `${bodies.length} bodies of ${declared} functions`);
  }
  return {
    sections,
    imports,
    exports,
    memories,
    functions,
    importedFunctions,
    typeCount: types.length,
    globalCount: importedGlobals + countOf(bytes, sections, SectionId.Global),
    bodies,
    startFunction,
  };
}

export function sectionOf(structure: ModuleStructure, id: SectionId): Section | null {
  return structure.sections.find((candidate) => candidate.id === id) ?? null;
}

/** Contents of the custom sections of a name, without the name. */
export function customSections(
  bytes: Uint8Array,
  structure: ModuleStructure,
  name: string,
): readonly ByteReader[] {
  const found = structure.sections.filter((s) => s.id === SectionId.Custom && s.name === name);
  return found.map((section) => {
    const reader = new ByteReader(bytes, section.contentStart, section.end);
    reader.name();
    return reader;
  });
}

function readSections(bytes: Uint8Array): readonly Section[] {
  checkHeader(bytes);
  const sections: Section[] = [];
  const reader = new ByteReader(bytes, HEADER_SIZE);
  let lastRank = -1;
  while (!reader.isAtEnd) {
    const start = reader.at;
    const id = reader.u8() as SectionId;
    const size = reader.u32();
    const contentStart = reader.skip(size);
    if (id !== SectionId.Custom) {
      const rank = sectionOrder.indexOf(id);
      if (rank === -1) throw new WasmFormatError(start, `unknown section ${id}`);
      if (rank <= lastRank) throw new WasmFormatError(start, `section ${id} is out of order`);
      lastRank = rank;
    }
    const isCustom = id === SectionId.Custom;
    const name = isCustom ? new ByteReader(bytes, contentStart, reader.at).name() : "";
    sections.push({ id, name, start, contentStart, end: reader.at });
  }
  return sections;
}

function checkHeader(bytes: Uint8Array): void {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEADER_SIZE));
  const magic = head.toString("latin1", 0, 4);
  if (magic !== "\0asm") {
    const found = JSON.stringify(magic);
    throw new WasmFormatError(0, `not a wasm module: begins with ${found}, expected "\\u0000asm"`);
  }
  const version = head.toString("hex", 4, HEADER_SIZE);
  if (version === "0d000100") {
    throw new WasmFormatError(4, "a wasm component was found, expected a core module");
  }
  if (version !== "01000000") {
    throw new WasmFormatError(4, `wasm version ${version || "missing"}, expected 01000000`);
  }
}

/** Runs `read` over the contents of a section; null when the module has none of this id. */
function readEach<T>(
  bytes: Uint8Array,
  sections: readonly Section[],
  id: SectionId,
  read: (reader: ByteReader) => T,
): T | null {
  const section = sections.find((candidate) => candidate.id === id);
  if (section === undefined) return null;
  const reader = new ByteReader(bytes, section.contentStart, section.end);
  const result = read(reader);
  reader.expectEnd(`section ${id}`);
  return result;
}

/** Entries of a section that is a vector; 0 when the module has none. */
function countOf(bytes: Uint8Array, sections: readonly Section[], id: SectionId): number {
  const section = sections.find((candidate) => candidate.id === id);
  if (section === undefined) return 0;
  return new ByteReader(bytes, section.contentStart, section.end).count();
}

function readImports(
  reader: ByteReader,
  types: readonly (FunctionType | null)[],
): readonly ImportEntry[] {
  const imports: ImportEntry[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    const module = reader.name();
    const name = reader.name();
    const kind = readKind(reader);
    let type: FunctionType | null = null;
    let memory: MemoryLimits | null = null;
    if (kind === "function") type = typeAt(types, reader.u32(), reader);
    else if (kind === "memory") memory = readMemoryLimits(reader);
    else readRestOfImport(reader, kind);
    imports.push({ module, name, kind, type, memory });
  }
  return imports;
}

function readRestOfImport(reader: ByteReader, kind: EntityKind): void {
  if (kind === "table") {
    readValueType(reader);
    readMemoryLimits(reader);
  } else if (kind === "global") {
    readValueType(reader);
    reader.u8();
  } else {
    reader.u8();
    reader.u32();
  }
}

function readExports(
  reader: ByteReader,
  functions: readonly FunctionType[],
): readonly ExportEntry[] {
  const exports: ExportEntry[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    const name = reader.name();
    const kind = readKind(reader);
    const index = reader.u32();
    const type = kind === "function" ? typeAt(functions, index, reader) : null;
    exports.push({ name, kind, index, type });
  }
  return exports;
}

function readBodies(reader: ByteReader): readonly FunctionBody[] {
  const bodies: FunctionBody[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    const size = reader.u32();
    const start = reader.skip(size);
    bodies.push({ start, end: reader.at });
  }
  return bodies;
}

function readKind(reader: ByteReader): EntityKind {
  const start = reader.at;
  const byte = reader.u8();
  const kind = entityKinds[byte];
  if (kind === undefined) throw new WasmFormatError(start, `unknown kind ${byte}`);
  return kind;
}

function typeAt(
  types: readonly (FunctionType | null)[],
  index: number,
  reader: ByteReader,
): FunctionType {
  const type = types[index];
  if (type === undefined || type === null) {
    throw new WasmFormatError(reader.at, `index ${index} is no function's`);
  }
  return type;
}
