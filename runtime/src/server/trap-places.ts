// Says where in its sources a guest has trapped, as far as a source map, a line table or a debug
// file tells it: the worker has addresses, the main thread has the files. Used by trap-desk.ts.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { LoadedModule } from "../module/module-loader.ts";
import {
  mappedSources,
  type ModuleSources,
  readDebugFile,
  readModuleSources,
} from "../module/source-places.ts";
import { SourceMap, SourcesError } from "../module/source-map.ts";
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

/** A line for each frame, below what has stopped the guest; "" = no place is known. */
export function placedText(frames: readonly PlacedFrame[]): string {
  if (frames.every(({ place }) => place === "")) return "";
  return frames.map(({ name, place }) => `\n  at ${name || "?"} (${place || "?"})`).join("");
}

/** Has a module by its key, as long as it is kept. */
export type ModuleFinder = (key: string) => Promise<LoadedModule> | undefined;

/** Modules whose sources are kept: who crashes, crashes again. */
const SOURCES_KEPT = 4;
/** Source maps that came with modules, of all plugins: as many as one of them has versions. */
export const PUSHED_MAPS_KEPT = 8;
/** An optimised filter's map is some 100 KiB. */
export const PUSHED_MAP_BYTES_MAX: number = 8 * 1024 * 1024;

/** What had no room, or lost it to another one. */
export type NotKept = "source_maps" | "sources";

export class TrapPlaces {
  readonly #logger: Logger;
  readonly #find: ModuleFinder;
  readonly #onNotKept: (what: NotKept) => void;
  /** By module and debug file, the one that was used last at the end. */
  readonly #sources: Map<string, Promise<ModuleSources | null>>;
  /** By the modules' digests, the one that came last at the end. */
  readonly #maps: Map<string, string>;

  constructor(
    logger: Logger,
    find: ModuleFinder,
    onNotKept: (what: NotKept) => void = (): void => {},
  ) {
    this.#logger = logger;
    this.#find = find;
    this.#onNotKept = onNotKept;
    this.#sources = new Map();
    this.#maps = new Map();
  }

  /** A source map that came with a module, by its digest: why it is no good, "" when it is kept. */
  keepMap(sha256: string, map: Uint8Array): string {
    const text = Buffer.from(map).toString();
    if (map.length > PUSHED_MAP_BYTES_MAX) {
      this.#onNotKept("source_maps");
      return `found ${map.length} bytes, expected at most ${PUSHED_MAP_BYTES_MAX}`;
    }
    try {
      void new SourceMap(text);
    } catch (error) {
      if (!(error instanceof SourcesError)) throw error;
      return error.message;
    }
    this.#maps.delete(sha256);
    this.#maps.set(sha256, text);
    for (const oldest of this.#maps.keys()) {
      if (this.#maps.size <= PUSHED_MAPS_KEPT) break;
      this.#maps.delete(oldest);
      this.#onNotKept("source_maps");
    }
    // The module may have trapped before without one.
    this.#sources.clear();
    return "";
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
      this.#onNotKept("sources");
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
    const map = this.#maps.get(sha256);
    if (map !== undefined) return mappedSources(bytes, map, "its source map");
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
      this.#onNotKept("sources");
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
