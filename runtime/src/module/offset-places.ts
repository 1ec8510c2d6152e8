// Finds function and source line of offsets that somebody else has printed: for
// `headgate filter symbolicate`.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { demangle } from "../wasm/demangle.ts";
import { WasmFormatError } from "./byte-reader.ts";
import { readFunctionNames } from "./function-names.ts";
import { ModuleError } from "./module-error.ts";
import { ModuleSources, readDebugFile, readMapFile, readModuleSources } from "./source-places.ts";
import { readModule } from "./wasm-sections.ts";

export interface FoundPlace {
  /** Index of the function, imports first; -1 = the offset is in none. */
  readonly function: number;
  /** "" = not known, as is `file`. */
  readonly name: string;
  readonly file: string;
  /** From 1 on, as is `column`; 0 = not known. */
  readonly line: number;
  readonly column: number;
}

const PLACE = /^(.*):(\d+):(\d+)$/s;
const MODULE_MAGIC = Buffer.from("\0asm");

export class OffsetPlaces {
  readonly #sources: ModuleSources;
  readonly #names: ReadonlyMap<number, string>;
  /** Something tells lines. */
  readonly hasSources: boolean;

  private constructor(
    sources: ModuleSources,
    names: ReadonlyMap<number, string>,
    hasSources: boolean,
  ) {
    this.#sources = sources;
    this.#names = names;
    this.hasSources = hasSources;
  }

  /**
   * `mapFile` is a source map, or the module before it was stripped; "" = what the module names or
   * has beside it. Throws ModuleError or SourcesError.
   */
  static async read(bytes: Uint8Array, file: string, mapFile: string): Promise<OffsetPlaces> {
    try {
      const structure = readModule(bytes);
      const names = readFunctionNames(bytes, structure);
      const sources = await sourcesOf(bytes, file, mapFile);
      const known = sources ?? new ModuleSources(structure, null, names, 0);
      return new OffsetPlaces(known, names, sources !== null);
    } catch (error) {
      if (!(error instanceof WasmFormatError)) throw error;
      throw new ModuleError(file, [error.message]);
    }
  }

  /** `index` -1 = it is looked for. */
  find(index: number, offset: number): FoundPlace {
    const at = index >= 0 ? index : this.#sources.functionAt(offset);
    const name = demangle(this.#names.get(at) ?? "") || this.#sources.nameOf(at);
    const text = this.#sources.textOf(at, offset);
    const [, file = "", line = "0", column = "0"] = PLACE.exec(text) ?? [];
    return { function: at, name, file, line: Number(line), column: Number(column) };
  }
}

async function sourcesOf(
  bytes: Uint8Array,
  file: string,
  mapFile: string,
): Promise<ModuleSources | null> {
  if (mapFile === "") {
    const own = await readModuleSources(bytes, file);
    // The module names a map by the name that it was built under.
    const beside = `${file}.map`;
    return own === null && existsSync(beside) ? await readMapFile(bytes, beside) : own;
  }
  const head = (await readFile(mapFile)).subarray(0, MODULE_MAGIC.length);
  const isModule = MODULE_MAGIC.equals(head);
  return isModule ? await readDebugFile(bytes, mapFile) : await readMapFile(bytes, mapFile);
}
