// The project of a filter as these commands find it: its folder, and the SDK and tools that it has
// installed. Nothing of these is part of the program.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UsageError } from "../args.ts";

const SDK = "@headgate/sdk-assemblyscript";

/** As `build.d.mts` of the SDK, which no room knows, says more fully. */
export interface Diagnostic {
  readonly severity: string;
  readonly code: string;
  readonly message: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface BuiltModule {
  readonly name: string;
  readonly mode: "release" | "debug";
  readonly wasm: string;
  readonly map: string;
  readonly schema: string | null;
  readonly isCached: boolean;
  readonly warnings: readonly Diagnostic[];
}

export interface ModuleSize {
  readonly bytes: number;
  readonly stripped: number;
  readonly sections: readonly { readonly name: string; readonly bytes: number }[];
  readonly functions: readonly { readonly name: string; readonly bytes: number }[];
}

/** A compiler that stays loaded, for commands that compile again and again. */
export interface Compiler {
  stop(): void;
}

/** What these commands call of the project's SDK. */
export interface SdkBuild {
  readonly ResidentAsc: new () => Compiler;
  filterName(folder: string): string;
  buildFilter(
    folder: string,
    options: { readonly mode: BuiltModule["mode"]; readonly resident?: Compiler },
  ): Promise<BuiltModule>;
  checkFilter(
    folder: string,
    options?: { readonly resident?: Compiler },
  ): Promise<readonly Diagnostic[]>;
  moduleSize(bytes: Uint8Array): ModuleSize;
  diagnosticLine(diagnostic: Diagnostic): string;
  formatDiagnostics(diagnostics: readonly Diagnostic[]): string;
}

export class Project {
  readonly folder: string;
  readonly #require: NodeJS.Require;

  /** Throws UsageError when there is no filter in the folder. */
  constructor(folder: string) {
    this.folder = resolve(folder);
    if (!existsSync(join(this.folder, "assembly", "index.ts"))) {
      const expected = "expected the folder of a filter (headgate filter new makes one)";
      throw new UsageError(`${folder}: found no assembly/index.ts, ${expected}`);
    }
    this.#require = createRequire(join(this.folder, "package.json"));
  }

  async sdk(): Promise<SdkBuild> {
    const path = join(this.folderOf(SDK), "build.mjs");
    return (await import(pathToFileURL(path).href)) as SdkBuild;
  }

  /** Of an installed package. Throws UsageError. */
  folderOf(name: string): string {
    try {
      return dirname(this.#require.resolve(`${name}/package.json`));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
      throw new UsageError(`${name} is not installed in ${this.folder}: run "npm install" there`);
    }
  }
}

/** A path as it is told: from where the command was given. */
export function shownPath(path: string): string {
  return relative(process.cwd(), path) || ".";
}

/** With its place from where the command was given, so that editors find it. */
export function shownDiagnostic(diagnostic: Diagnostic, { folder }: Project): Diagnostic {
  const path = join(folder, diagnostic.file);
  // Files of packages are named from the compiler's own root.
  const isThere = diagnostic.file !== "" && existsSync(path);
  return isThere ? { ...diagnostic, file: shownPath(path) } : diagnostic;
}

/** At most one; "." when there is none. */
export function oneFolder(positionals: readonly string[]): string {
  if (positionals.length > 1) {
    throw new UsageError(`expected one FOLDER, found ${positionals.length}`);
  }
  return positionals[0] ?? ".";
}

/** Tells on a terminal what takes longer than a second. */
export async function told<T>(what: string, work: Promise<T>): Promise<T> {
  const { stderr } = process;
  let isTold = false;
  const timer = setTimeout(() => {
    isTold = stderr.isTTY;
    if (isTold) stderr.write(`${what} ...`);
  }, 1000);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    // Back to the line's start, and all of it gone.
    if (isTold) stderr.write("\r\x1b[K");
  }
}
