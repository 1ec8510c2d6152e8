// Finds what tells the sources of a module: the source map that it names, or the one beside its
// file. Debug sections (DWARF) would be another SourcePlaces here. Asked for after a trap only.
import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ByteReader } from "./byte-reader.ts";
import { SourceMap, SourceMapError, type SourcePlaces } from "./source-map.ts";
import { readModule } from "./wasm-sections.ts";
import type { FunctionBody, ModuleStructure } from "./wasm-sections.ts";

/** A map of the largest module we load is not larger. */
const MAP_BYTES_MAX = 64 * 1024 * 1024;
const DATA_URL = /^data:application\/json[^,]*?(;base64)?,(.*)$/s;

/** Where a module's functions stand, and what is known of their sources. */
export class ModuleSources {
  readonly #structure: ModuleStructure;
  readonly #places: SourcePlaces;

  constructor(structure: ModuleStructure, places: SourcePlaces) {
    this.#structure = structure;
    this.#places = places;
  }

  /** `file:line:column` of an offset in a function; "" = not known. */
  textOf(functionIndex: number, offset: number): string {
    const { importedFunctions, bodies } = this.#structure;
    const body: FunctionBody | undefined = bodies[functionIndex - importedFunctions];
    if (body === undefined || offset < body.start || offset > body.end) return "";
    const place = this.#places.placeOf(offset, body.start);
    return place === null ? "" : `${place.file}:${place.line}:${place.column}`;
  }
}

/**
 * `file` is where the module was read, "" = from nowhere. Null when nothing tells its sources.
 * Throws SourceMapError, with the map's path, when what is there is no good.
 */
export async function readModuleSources(
  bytes: Uint8Array,
  file: string,
): Promise<ModuleSources | null> {
  const structure = readModule(bytes);
  const url = mapUrlOf(bytes, structure);
  const inline = DATA_URL.exec(url);
  if (inline !== null) {
    const [, base64, data = ""] = inline;
    const text = base64 ? Buffer.from(data, "base64").toString() : decodeURIComponent(data);
    return new ModuleSources(structure, mapOf(text, "the module's own source map"));
  }
  const path = mapPathOf(url, file);
  const text = path === "" ? null : await readMap(path);
  return text === null ? null : new ModuleSources(structure, mapOf(text, path));
}

function mapOf(text: string, name: string): SourceMap {
  try {
    return new SourceMap(text);
  } catch (error) {
    if (!(error instanceof SourceMapError)) throw error;
    throw new SourceMapError(`${name}: ${error.message}`);
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
async function readMap(path: string): Promise<string | null> {
  try {
    const { size } = await stat(path);
    if (size > MAP_BYTES_MAX) {
      throw new SourceMapError(`${path}: found ${size} bytes, expected at most ${MAP_BYTES_MAX}`);
    }
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof SourceMapError) throw error;
    return null;
  }
}
