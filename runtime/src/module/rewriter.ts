// Changes a module's bytes so that the host can run it safely; called by module-loader.ts.
//
// Edits only drop a section or append to one: no index of a function, global or memory ever
// changes, so names, tables, exports and code stay valid untouched. Whoever adds an edit that
// touches code, globals or function lists gives `assemble` the new contents of that section.
import { ByteReader } from "./byte-reader.ts";
import { SectionId, sectionOrder } from "./wasm-sections.ts";
import type { ModuleStructure, Section } from "./wasm-sections.ts";

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
}

interface NewExport {
  readonly name: string;
  readonly kind: number;
  readonly index: number;
}

/** New contents by section id; null drops the section. */
type SectionEdits = ReadonlyMap<SectionId, Uint8Array | null>;

const KIND_FUNCTION = 0;
const KIND_MEMORY = 2;

/**
 * Takes out the start section: its function would run, and call imports, before the instance
 * and its memory can be reached. The function is exported instead. A memory that the module
 * does not export is exported too.
 */
export function rewriteModule(
  bytes: Uint8Array,
  structure: ModuleStructure,
  memoryExport: string | null,
): RewrittenModule {
  const added: NewExport[] = [];
  const edits = new Map<SectionId, Uint8Array | null>();
  let startExport: string | null = null;
  if (structure.startFunction !== null) {
    startExport = freeName(structure, "headgate_start");
    added.push({ name: startExport, kind: KIND_FUNCTION, index: structure.startFunction });
    edits.set(SectionId.Start, null);
  }
  const memoryName = memoryExport ?? freeName(structure, "memory");
  if (memoryExport === null) added.push({ name: memoryName, kind: KIND_MEMORY, index: 0 });
  if (added.length === 0) return { bytes, startExport, memoryExport: memoryName };

  edits.set(SectionId.Export, appendExports(bytes, structure, added));
  return { bytes: assemble(bytes, structure, edits), startExport, memoryExport: memoryName };
}

/** The wished name, with underscores until no export of the module has it. */
function freeName(structure: ModuleStructure, wished: string): string {
  let name = wished;
  while (structure.exports.some((entry) => entry.name === name)) name += "_";
  return name;
}

/** The export section's contents with entries at its end. */
function appendExports(
  bytes: Uint8Array,
  structure: ModuleStructure,
  added: readonly NewExport[],
): Uint8Array {
  const entries = added.map((entry) => {
    const name = Buffer.from(entry.name);
    return Buffer.concat([leb(name.length), name, Buffer.from([entry.kind]), leb(entry.index)]);
  });
  const section = structure.sections.find((candidate) => candidate.id === SectionId.Export);
  if (section === undefined) return Buffer.concat([leb(added.length), ...entries]);
  const reader = new ByteReader(bytes, section.contentStart, section.end);
  const count = reader.count();
  const old = bytes.subarray(reader.at, section.end);
  return Buffer.concat([leb(count + added.length), old, ...entries]);
}

/** The module with sections replaced, dropped, or put in where they belong. */
function assemble(bytes: Uint8Array, structure: ModuleStructure, edits: SectionEdits): Uint8Array {
  const first = structure.sections[0];
  const parts: Uint8Array[] = [bytes.subarray(0, first === undefined ? bytes.length : first.start)];
  const pending = newSections(structure, edits);
  for (const section of structure.sections) {
    if (section.id !== SectionId.Custom) {
      while (pending.length > 0 && rank(pending[0] as SectionId) < rank(section.id)) {
        putNew(parts, edits, pending);
      }
    }
    putOld(parts, bytes, section, edits);
  }
  while (pending.length > 0) putNew(parts, edits, pending);
  return Buffer.concat(parts);
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
  // Custom sections share one id and are never edited.
  const contents = section.id === SectionId.Custom ? undefined : edits.get(section.id);
  if (contents === undefined) parts.push(bytes.subarray(section.start, section.end));
  else if (contents !== null) putSection(parts, section.id, contents);
}

function putSection(parts: Uint8Array[], id: SectionId, contents: Uint8Array): void {
  parts.push(Buffer.from([id]), leb(contents.length), contents);
}

function rank(id: SectionId): number {
  return sectionOrder.indexOf(id);
}

/** An unsigned LEB128 number of 32 bits. */
function leb(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
