// Says where in its sources a guest has trapped, as far as a source map, a line table or a debug
// file tells it: the worker has addresses, the main thread has the files. Used by trap-desk.ts.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { LoadedModule } from "../module/module-loader.ts";
import { type ModuleSources, readDebugFile, readModuleSources } from "../module/source-places.ts";
import { SourcesError } from "../module/source-map.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";

/** A frame of a guest with what is known of it. */
export interface PlacedFrame {
  /** "" = it has no name. */
  readonly name: string;
  readonly index: number;
  readonly offset: number;
  /** `file:line:column`, "" = not known. */
  readonly place: string;
}

/** Has a module by its key, as long as it is kept. */
export type ModuleFinder = (key: string) => Promise<LoadedModule> | undefined;

/** Modules whose sources are kept: who crashes, crashes again. */
const SOURCES_KEPT = 4;

export class TrapPlaces {
  readonly #logger: Logger;
  readonly #find: ModuleFinder;
  /** By module and debug file, the one that was used last at the end. */
  readonly #sources: Map<string, Promise<ModuleSources | null>>;

  constructor(logger: Logger, find: ModuleFinder) {
    this.#logger = logger;
    this.#find = find;
    this.#sources = new Map();
  }

  /** The frames of a trap. */
  async framesOf(trap: GuestTrap): Promise<PlacedFrame[]> {
    const sources = trap.frames.length === 0 ? null : await this.#sourcesOf(trap);
    return trap.frames.map(({ name, index, offset }) => ({
      name: name === "" ? (sources?.nameOf(index) ?? "") : name,
      index,
      offset,
      place: sources?.textOf(index, offset) ?? "",
    }));
  }

  #sourcesOf(trap: GuestTrap): Promise<ModuleSources | null> {
    const key = JSON.stringify([trap.moduleKey, trap.debugFile]);
    const sources = this.#sources.get(key) ?? this.#read(trap);
    this.#sources.delete(key);
    this.#sources.set(key, sources);
    for (const oldest of this.#sources.keys()) {
      if (this.#sources.size <= SOURCES_KEPT) break;
      this.#sources.delete(oldest);
    }
    return sources;
  }

  async #read({ moduleKey, moduleName, debugFile }: GuestTrap): Promise<ModuleSources | null> {
    const module = await this.#find(moduleKey)?.catch(() => undefined);
    if (module === undefined) return null;
    const { bytes, sha256 } = module;
    if (debugFile !== "") {
      const debug = await this.#unlessBad(moduleName, () => readDebugFile(bytes, debugFile));
      if (debug !== null) return debug;
    }
    // A map beside another module than the one that runs would tell lies.
    const isStill = (await digestOf(moduleName)) === sha256;
    return await this.#unlessBad(moduleName, () =>
      readModuleSources(bytes, isStill ? moduleName : ""),
    );
  }

  async #unlessBad(
    moduleName: string,
    read: () => Promise<ModuleSources | null>,
  ): Promise<ModuleSources | null> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof SourcesError)) throw error;
      const text = `module ${moduleName}: its sources are not known: ${error.message}`;
      this.#logger.log(LogLevel.Warning, text);
      return null;
    }
  }
}

async function digestOf(file: string): Promise<string> {
  try {
    const bytes = await readFile(file);
    return createHash("sha256").update(bytes).digest("hex");
  } catch {
    return "";
  }
}
