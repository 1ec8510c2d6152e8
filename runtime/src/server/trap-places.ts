// Says where in its sources a guest has trapped, when a source map is there: the worker has logged
// the trap with addresses, the main thread has the files. Used by server.ts.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { LoadedModule } from "../module/module-loader.ts";
import { type ModuleSources, readModuleSources } from "../module/source-places.ts";
import { SourceMapError } from "../module/source-map.ts";
import type { GuestTrap } from "../wasm/guest-frames.ts";

export class TrapPlaces {
  readonly #logger: Logger;
  readonly #find: (key: string) => Promise<LoadedModule> | undefined;
  /** Of the module that trapped last: who crashes, crashes again. */
  #key: string = "";
  #sources: Promise<ModuleSources | null> = Promise.resolve(null);

  /** `find` has a module by its key, as long as it is kept. */
  constructor(logger: Logger, find: (key: string) => Promise<LoadedModule> | undefined) {
    this.#logger = logger;
    this.#find = find;
  }

  /** Logs the places of the frames; nothing when no place is known. */
  async report(trap: GuestTrap): Promise<void> {
    if (!this.#logger.enabled(LogLevel.Error) || trap.frames.length === 0) return;
    if (this.#key !== trap.moduleKey) {
      this.#key = trap.moduleKey;
      this.#sources = this.#read(trap);
    }
    const sources = await this.#sources;
    if (sources === null) return;
    const places = trap.frames.map(({ index, offset }) => sources.textOf(index, offset));
    if (places.every((place) => place === "")) return;
    const lines = trap.frames.map(({ name }, at) => {
      const place = places[at] === "" ? "?" : places[at];
      return `\n  at ${name === "" ? "?" : name} (${place})`;
    });
    const what = `wasm vm of plugin ${trap.plugin} failed in its sources`;
    this.#logger.log(LogLevel.Error, `${what}, module ${trap.moduleName}${lines.join("")}`);
  }

  async #read({ moduleKey, moduleName }: GuestTrap): Promise<ModuleSources | null> {
    const module = await this.#find(moduleKey)?.catch(() => undefined);
    if (module === undefined) return null;
    // A map beside another module than the one that runs would tell lies.
    const isStill = (await digestOf(moduleName)) === module.sha256;
    try {
      return await readModuleSources(module.bytes, isStill ? moduleName : "");
    } catch (error) {
      if (!(error instanceof SourceMapError)) throw error;
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
