// Reads DWARF's line table (.debug_line, versions 2 to 5): clang, Rust and TinyGo write it. Parsed
// in the main thread after a trap. Used by source-places.ts.
import { WasmFormatError } from "./byte-reader.ts";
import type { ByteReader } from "./byte-reader.ts";
import {
  type DebugTexts,
  type LineUnit,
  readAddedFile,
  readLineUnit,
  word,
} from "./debug-line-header.ts";
import type { SourcePlace, SourcePlaces } from "./source-map.ts";
import { customSections, type ModuleStructure, SectionId } from "./wasm-sections.ts";

/** A debug build of Rust's has some 60,000; kept at 16 bytes each. */
const ROWS_MAX = 4_194_304;
/** Numbers of a row: address, file, line, column. */
const FIELDS = 4;
/** What the linker writes where a function has gone: 0, or the last addresses. */
const GONE_FROM = 0xffff_fff0;

/** Rows whose addresses grow; a linker puts them in any order. */
interface Sequence {
  readonly start: number;
  readonly end: number;
  /** Rows, from the first to before the last. */
  readonly first: number;
  readonly last: number;
}

/** Standard opcodes by name; others are passed over by the number of their operands. */
const Opcode = {
  Extended: 0,
  Copy: 1,
  AdvancePc: 2,
  AdvanceLine: 3,
  SetFile: 4,
  SetColumn: 5,
  ConstAddPc: 8,
  FixedAdvancePc: 9,
} as const;
const Extended = { EndSequence: 1, SetAddress: 2, DefineFile: 3 } as const;

export class DebugLines implements SourcePlaces {
  readonly #codeStart: number;
  readonly #rowsMax: number;
  readonly #files: string[];
  readonly #rows: number[];
  readonly #sequences: Sequence[];

  /** Throws WasmFormatError. Null = the module has no line table. */
  static read(
    bytes: Uint8Array,
    structure: ModuleStructure,
    rowsMax: number = ROWS_MAX,
  ): DebugLines | null {
    const code = structure.sections.find(({ id }) => id === SectionId.Code);
    const tables = customSections(bytes, structure, ".debug_line");
    if (code === undefined || tables.length === 0) return null;
    const [lineText = null] = customSections(bytes, structure, ".debug_line_str");
    const [text = null] = customSections(bytes, structure, ".debug_str");
    const lines = new DebugLines(code.contentStart, rowsMax);
    for (const table of tables) lines.#readTable(table, { lineText, text });
    lines.#sequences.sort((a, b) => a.start - b.start);
    return lines;
  }

  private constructor(codeStart: number, rowsMax: number) {
    this.#codeStart = codeStart;
    this.#rowsMax = rowsMax;
    this.#files = [];
    this.#rows = [];
    this.#sequences = [];
  }

  #readTable(table: ByteReader, texts: DebugTexts): void {
    while (!table.isAtEnd) {
      const unit = readLineUnit(table, texts);
      if (unit !== null) this.#run(unit);
    }
  }

  /** The program of a unit: a small machine whose rows are the table. */
  #run(unit: LineUnit): void {
    const { program, opcodeBase, lineBase, lineRange, instructionBytes } = unit;
    const state = new LineState(this.#rows.length / FIELDS);
    const advance = (special: number): void => {
      state.address += Math.floor((special - opcodeBase) / lineRange) * instructionBytes;
    };
    while (!program.isAtEnd) {
      const opcode = program.u8();
      if (opcode >= opcodeBase) {
        advance(opcode);
        state.line += lineBase + ((opcode - opcodeBase) % lineRange);
        this.#addRow(state, program.at);
      } else if (opcode === Opcode.Extended) this.#runExtended(unit, state);
      else if (opcode === Opcode.Copy) this.#addRow(state, program.at);
      else if (opcode === Opcode.AdvancePc) state.address += program.u32() * instructionBytes;
      else if (opcode === Opcode.AdvanceLine) state.line += program.s33();
      else if (opcode === Opcode.SetFile) state.file = program.u32();
      else if (opcode === Opcode.SetColumn) state.column = program.u32();
      else if (opcode === Opcode.ConstAddPc) advance(255);
      else if (opcode === Opcode.FixedAdvancePc) state.address += program.u8() + program.u8() * 256;
      else for (let left = unit.operands[opcode] ?? 0; left > 0; left -= 1) program.u64();
    }
    this.#files.push(...unit.files);
  }

  #runExtended({ program, files }: LineUnit, state: LineState): void {
    const size = program.u32();
    if (size === 0) return;
    const end = program.skip(size) + size;
    program.at = end - size;
    const opcode = program.u8();
    if (opcode === Extended.SetAddress) state.address = word(program);
    else if (opcode === Extended.DefineFile) files.push(readAddedFile(program));
    else if (opcode === Extended.EndSequence) {
      this.#endSequence(state);
      state.begin(this.#rows.length / FIELDS);
    }
    program.at = end;
  }

  #addRow(state: LineState, at: number): void {
    if (this.#rows.length >= this.#rowsMax * FIELDS) {
      throw new WasmFormatError(at, `a line table of more than ${this.#rowsMax} rows`);
    }
    // Files of the unit are put behind those of the units before it.
    this.#rows.push(state.address, this.#files.length + state.file, state.line, state.column);
  }

  #endSequence({ first, address }: LineState): void {
    const last = this.#rows.length / FIELDS;
    const start = this.#rows[first * FIELDS] ?? 0;
    const isGone = first === last || start === 0 || start >= GONE_FROM;
    if (isGone) this.#rows.length = first * FIELDS;
    else this.#sequences.push({ start, end: address, first, last });
  }

  placeOf(offset: number, from: number): SourcePlace | null {
    const address = offset - this.#codeStart;
    const found = lastWhere(this.#sequences.length, (at) => this.#startOf(at) <= address);
    const sequence = this.#sequences[found];
    if (sequence === undefined || address >= sequence.end) return null;
    const { first, last } = sequence;
    let row = first + lastWhere(last - first, (at) => this.#field(first + at, 0) <= address);
    // Line 0 is what the compiler made itself: the row before it is the nearest of the source.
    while (row > first && this.#field(row, 2) === 0) row -= 1;
    const line = this.#field(row, 2);
    if (row < first || line === 0 || this.#field(row, 0) + this.#codeStart < from) return null;
    const file = this.#files[this.#field(row, 1)] ?? "";
    return file === "" ? null : { file, line, column: Math.max(1, this.#field(row, 3)) };
  }

  #startOf(sequence: number): number {
    return this.#sequences[sequence]?.start ?? 0;
  }

  #field(row: number, field: number): number {
    return this.#rows[row * FIELDS + field] as number;
  }
}

/** The machine's registers. */
class LineState {
  address: number = 0;
  file: number = 1;
  line: number = 1;
  column: number = 0;
  /** The first row of the sequence. */
  first: number;

  constructor(first: number) {
    this.first = first;
  }

  begin(first: number): void {
    this.address = 0;
    this.file = 1;
    this.line = 1;
    this.column = 0;
    this.first = first;
  }
}

/** Of `count` that are in order the last one for which it holds; -1 = for none. */
function lastWhere(count: number, holds: (at: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
