// The head of a unit of DWARF's line table: how its program is coded, and its files. Versions 2 to
// 5. Used by debug-lines.ts.
import { ByteReader, WasmFormatError } from "./byte-reader.ts";

/** Where DWARF keeps texts, as far as a line table asks for them. */
export interface DebugTexts {
  /** The contents of .debug_line_str and .debug_str; null = the module has none. */
  readonly lineText: ByteReader | null;
  readonly text: ByteReader | null;
}

/** What the program of a unit needs to know. */
export interface LineUnit {
  readonly instructionBytes: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** How many numbers follow an opcode, from 1 on. */
  readonly operands: readonly number[];
  /** By the number that the program uses. */
  readonly files: string[];
  /** The program, up to the unit's end. */
  readonly program: ByteReader;
}

const VERSION_LEAST = 2;
const VERSION_MOST = 5;
const LENGTH_64 = 0xffff_ffff;
const LENGTH_RESERVED = 0xffff_fff0;

/** What an entry of a list of version 5 tells. */
const Content = { Path: 1, Directory: 2 } as const;

export function u16(reader: ByteReader): number {
  return reader.u8() + reader.u8() * 256;
}

export function word(reader: ByteReader): number {
  return u16(reader) + u16(reader) * 65_536;
}

/** Up to the NUL that ends it. */
export function zeroText(reader: ByteReader): string {
  const start = reader.at;
  while (reader.u8() !== 0);
  return Buffer.from(reader.bytes.subarray(start, reader.at - 1)).toString();
}

/** The unit at the reader, which moves behind it; null for a version that is not known. */
export function readLineUnit(reader: ByteReader, texts: DebugTexts): LineUnit | null {
  const start = reader.at;
  const length = word(reader);
  if (length === LENGTH_64) throw new WasmFormatError(start, "a line table of 64-bit DWARF");
  if (length >= LENGTH_RESERVED) throw new WasmFormatError(start, "a unit of an unknown kind");
  const from = reader.skip(length);
  const head = new ByteReader(reader.bytes, from, reader.at);
  const version = u16(head);
  if (version < VERSION_LEAST || version > VERSION_MOST) return null;
  if (version === VERSION_MOST) head.skip(2);
  const headBytes = word(head);
  const programAt = head.skip(headBytes);
  const program = new ByteReader(reader.bytes, programAt + headBytes, reader.at);
  const fields = new ByteReader(reader.bytes, programAt, programAt + headBytes);
  return readFields(fields, version, program, texts);
}

function readFields(
  reader: ByteReader,
  version: number,
  program: ByteReader,
  texts: DebugTexts,
): LineUnit {
  const instructionBytes = reader.u8();
  // Operations per instruction, from version 4 on, and whether rows are statements.
  reader.skip(version >= 4 ? 2 : 1);
  const lineBase = (reader.u8() << 24) >> 24;
  const rangeAt = reader.at;
  const lineRange = reader.u8();
  if (lineRange === 0) throw new WasmFormatError(rangeAt, "a line table whose lines have no range");
  const opcodeBase = reader.u8();
  const operands = [0];
  for (let opcode = 1; opcode < opcodeBase; opcode += 1) operands.push(reader.u8());
  const files = version === VERSION_MOST ? newFiles(reader, texts) : oldFiles(reader);
  return { instructionBytes, lineBase, lineRange, opcodeBase, operands, files, program };
}

/** Up to version 4: texts without a count, numbered from 1; folder 0 is where the compiler ran. */
function oldFiles(reader: ByteReader): string[] {
  const folders = [""];
  for (;;) {
    const folder = zeroText(reader);
    if (folder === "") break;
    folders.push(folder);
  }
  const files = [""];
  for (;;) {
    const name = zeroText(reader);
    if (name === "") return files;
    files.push(joined(folders[reader.u32()] ?? "", name));
    // When it was changed, and its size.
    reader.u64();
    reader.u64();
  }
}

/** Of DW_LNS's extended opcode that adds a file while the program runs. */
export function readAddedFile(reader: ByteReader): string {
  return zeroText(reader);
}

/** Folder 0 is where the compiler ran: names from there on are short, and tell nothing else. */
function newFiles(reader: ByteReader, texts: DebugTexts): string[] {
  const folders = readList(reader, texts).map(({ path }) => path);
  folders[0] = "";
  return readList(reader, texts).map(({ path, folder }) => joined(folders[folder] ?? "", path));
}

interface ListEntry {
  readonly path: string;
  readonly folder: number;
}

/** A list says first which fields its entries have. */
function readList(reader: ByteReader, texts: DebugTexts): ListEntry[] {
  const formats: (readonly [number, number])[] = [];
  for (let left = reader.u8(); left > 0; left -= 1) formats.push([reader.u32(), reader.u32()]);
  const entries: ListEntry[] = [];
  // An entry without fields takes no bytes: there is nothing to count them by.
  const count = formats.length === 0 ? 0 : reader.count();
  for (let left = count; left > 0; left -= 1) {
    let path = "";
    let folder = 0;
    for (const [content, form] of formats) {
      const value = readForm(reader, form, texts);
      if (content === Content.Path) path = String(value);
      else if (content === Content.Directory) folder = Number(value);
    }
    entries.push({ path, folder });
  }
  return entries;
}

/** DW_FORM_*: those that line tables use. */
function readForm(reader: ByteReader, form: number, texts: DebugTexts): string | number {
  switch (form) {
    case 0x08:
      return zeroText(reader);
    case 0x1f:
      return textAt(texts.lineText, word(reader));
    case 0x0e:
      return textAt(texts.text, word(reader));
    case 0x0b:
      return reader.u8();
    case 0x05:
      return u16(reader);
    case 0x06:
      return word(reader);
    case 0x07:
      return passOver(reader, 8);
    case 0x1e:
      return passOver(reader, 16);
    case 0x0f:
      return reader.u64();
    case 0x09:
      return passOver(reader, reader.u32());
    default:
      throw new WasmFormatError(reader.at, `a line table with form 0x${form.toString(16)}`);
  }
}

/** What no table of files needs reads as 0. */
function passOver(reader: ByteReader, bytes: number): 0 {
  reader.skip(bytes);
  return 0;
}

function textAt(section: ByteReader | null, offset: number): string {
  if (section === null) return "";
  const start = section.at + offset;
  if (start >= section.end) throw new WasmFormatError(section.at, `no text at ${offset}`);
  return zeroText(new ByteReader(section.bytes, start, section.end));
}

function joined(folder: string, name: string): string {
  return folder === "" || name.startsWith("/") ? name : `${folder}/${name}`;
}
