// Finds what tells the sources of a module: the source map that it names, the one beside its file,
// its line table (DWARF), or a debug file: the same code with what was stripped. After a trap only.
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { demangle } from "../wasm/demangle.ts";
import { ByteReader, WasmFormatError } from "./byte-reader.ts";
import { DebugLines } from "./debug-lines.ts";
import { readFunctionNames } from "./function-names.ts";
import { SourceMap, type SourcePlaces, SourcesError } from "./source-map.ts";
import { readModule, SectionId } from "./wasm-sections.ts";
import type { FunctionBody, ModuleStructure } from "./wasm-sections.ts";

/** A map of the largest module we load is not larger. */
const MAP_BYTES_MAX = 64 * 1024 * 1024;
/** With debug sections a module is ten to thirty times as large. */
const DEBUG_BYTES_MAX = 512 * 1024 * 1024;
const DATA_URL = /^data:application\/json[^,]*?(;base64)?,(.*)$/s;
const noNames: ReadonlyMap<number, string> = new Map();

/** Where a module's functions stand, and what is known of their sources. */
export class ModuleSources {
  readonly #structure: ModuleStructure;
  readonly #places: SourcePlaces | null;
  readonly #names: ReadonlyMap<number, string>;
  /** From offsets of the module to those of the file that tells its sources. */
  readonly #shift: number;

  constructor(
    structure: ModuleStructure,
    places: SourcePlaces | null,
    names: ReadonlyMap<number, string>,
    shift: number,
  ) {
    this.#structure = structure;
    this.#places = places;
    this.#names = names;
    this.#shift = shift;
  }

  /** `file:line:column` of an offset in a function; "" = not known. */
  textOf(functionIndex: number, moduleOffset: number): string {
    const { importedFunctions, bodies } = this.#structure;
    const offset = moduleOffset + this.#shift;
    const body: FunctionBody | undefined = bodies[functionIndex - importedFunctions];
    if (body === undefined || offset < body.start || offset > body.end) return "";
    const place = this.#places?.placeOf(offset, body.start) ?? null;
    return place === null ? "" : `${place.file}:${place.line}:${place.column}`;
  }

  /** The function that the offset is in; -1 = none. */
  functionAt(offset: number): number {
    const { importedFunctions, bodies } = this.#structure;
    const at = bodies.findIndex(({ start, end }) => {
      return offset + this.#shift >= start && offset + this.#shift < end;
    });
    return at < 0 ? -1 : at + importedFunctions;
  }

  /** As people wrote it, from the debug file; "" = not known. */
  nameOf(functionIndex: number): string {
    return demangle(this.#names.get(functionIndex) ?? "");
  }
}

/**
 * `file` is where the module was read, "" = from nowhere. Null when nothing tells its sources.
 * Throws SourcesError, with the path of what is there and is no good.
 */
export async function readModuleSources(
  bytes: Uint8Array,
  file: string,
): Promise<ModuleSources | null> {
  const structure = readModule(bytes);
  const places = await placesOf(bytes, structure, file);
  return places === null ? null : new ModuleSources(structure, places, noNames, 0);
}

/** The same from a debug file, whose code must be the module's, byte for byte. */
export async function readDebugFile(bytes: Uint8Array, debugFile: string): Promise<ModuleSources> {
  const debug = await readBounded(debugFile, DEBUG_BYTES_MAX);
  if (debug === null) throw new SourcesError(`${debugFile}: cannot be read`);
  try {
    const structure = readModule(debug);
    const [found, expected] = [codeOf(debug, structure), codeOf(bytes, readModule(bytes))];
    if (found.sha256 !== expected.sha256) {
      const what = `found code of sha256 ${found.sha256}, expected ${expected.sha256}`;
      throw new SourcesError(`${debugFile}: is not of the module that runs: ${what}`);
    }
    const places = await placesOf(debug, structure, debugFile);
    const names = readFunctionNames(debug, structure);
    return new ModuleSources(structure, places, names, found.start - expected.start);
  } catch (error) {
    if (!(error instanceof WasmFormatError)) throw error;
    throw new SourcesError(`${debugFile}: ${error.message}`);
  }
}

/** The same from a source map that stands elsewhere. */
export async function readMapFile(bytes: Uint8Array, mapFile: string): Promise<ModuleSources> {
  const text = await readBounded(mapFile, MAP_BYTES_MAX);
  if (text === null) throw new SourcesError(`${mapFile}: cannot be read`);
  return mappedSources(bytes, text.toString(), mapFile);
}

/** The same from the text of a source map; errors call it `name`. */
export function mappedSources(bytes: Uint8Array, text: string, name: string): ModuleSources {
  return new ModuleSources(readModule(bytes), mapOf(text, name), noNames, 0);
}

function codeOf(
  bytes: Uint8Array,
  { sections }: ModuleStructure,
): { readonly start: number; readonly sha256: string } {
  const code = sections.find(({ id }) => id === SectionId.Code);
  const start = code?.contentStart ?? 0;
  const contents = bytes.subarray(start, code?.end ?? 0);
  return { start, sha256: createHash("sha256").update(contents).digest("hex") };
}

async function placesOf(
  bytes: Uint8Array,
  structure: ModuleStructure,
  file: string,
): Promise<SourcePlaces | null> {
  const url = mapUrlOf(bytes, structure);
  const inline = DATA_URL.exec(url);
  if (inline !== null) {
    const [, base64, data = ""] = inline;
    const text = base64 ? Buffer.from(data, "base64").toString() : decodeURIComponent(data);
    return mapOf(text, "the module's own source map");
  }
  const path = mapPathOf(url, file);
  const text = path === "" ? null : await readBounded(path, MAP_BYTES_MAX);
  return text === null ? linesOf(bytes, structure) : mapOf(text.toString(), path);
}

function linesOf(bytes: Uint8Array, structure: ModuleStructure): DebugLines | null {
  try {
    return DebugLines.read(bytes, structure);
  } catch (error) {
    if (!(error instanceof WasmFormatError)) throw error;
    throw new SourcesError(`the module's own line table: ${error.message}`);
  }
}

function mapOf(text: string, name: string): SourceMap {
  try {
    return new SourceMap(text);
  } catch (error) {
    if (!(error instanceof SourcesError)) throw error;
    throw new SourcesError(`${name}: ${error.message}`);
  }
}

/** Of the custom section sourceMappingURL; "" = there is none. */
function mapUrlOf(bytes: Uint8Array, structure: ModuleStructure): string {
  const section = structure.sections.find(({ name }) => name === "sourceMappingURL");
  if (section === undefined) return "";
  const reader = new ByteReader(bytes, section.contentStart, section.end);
  reader.name();
  return reader.name();
}

/** Nothing is fetched for it: a file, relative to the module's, or the one beside it. */
function mapPathOf(url: string, file: string): string {
  if (file === "") return "";
  if (url.startsWith("file:")) return fileURLToPath(url);
  const isFile = url !== "" && !/^[a-z][a-z0-9+.-]*:/i.test(url);
  return isFile ? resolve(dirname(file), url) : `${file}.map`;
}

/** Null when there is none. */
async function readBounded(path: string, bytesMax: number): Promise<Buffer | null> {
  try {
    const { size } = await stat(path);
    if (size > bytesMax) {
      throw new SourcesError(`${path}: found ${size} bytes, expected at most ${bytesMax}`);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof SourcesError) throw error;
    return null;
  }
}
