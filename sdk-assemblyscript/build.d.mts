// Types of build.mjs, for tests and scripts.
import type { ResidentAsc } from "./asc.mjs";

export { ResidentAsc } from "./asc.mjs";

/** One thing that the compiler said. */
export interface Diagnostic {
  readonly severity: "error" | "warning" | "info" | "pedantic";
  /** `TS2322`, `AS109`; "" when there is none. */
  readonly code: string;
  readonly message: string;
  /** As the compiler names it, from the filter's folder; "" when it is about no place. */
  readonly file: string;
  /** From 1; 0 when it is about no place. */
  readonly line: number;
  readonly column: number;
  /** The piece of source, several lines; "" when there is none. */
  readonly frame: string;
}

export interface BuildOptions {
  /** Default "release". */
  readonly mode?: "release" | "debug";
  /** Further folders whose files go into the module: a change there compiles it anew. */
  readonly sources?: readonly string[];
  /** That which compiles; default one that is started for it, and ended. */
  readonly resident?: ResidentAsc | undefined;
}

export interface BuiltFilter {
  readonly name: string;
  readonly mode: "release" | "debug";
  /** Paths. */
  readonly wasm: string;
  readonly map: string;
  /** JSON Schema of the configuration; null when there is no @config class. */
  readonly schema: string | null;
  /** True when nothing had changed and nothing was compiled. */
  readonly isCached: boolean;
  readonly warnings: readonly Diagnostic[];
}

/** Rejects with a BuildError. */
export function buildFilter(folder: string, options?: BuildOptions): Promise<BuiltFilter>;

/**
 * What the compiler says of a filter, without making a module; errors among it do not reject. Rejects
 * with a BuildError when the compiler crashed or took too long.
 */
export function checkFilter(
  folder: string,
  options?: Pick<BuildOptions, "resident">,
): Promise<readonly Diagnostic[]>;

/** Name of the filter in a folder: that of its release module, else the folder's. */
export function filterName(folder: string): string;

export class BuildError extends Error {
  /** What the compiler said; empty when the module it made is not fit for a proxy. */
  readonly diagnostics: readonly Diagnostic[];
}

export function parseDiagnostics(output: string): Diagnostic[];

/** `path(line,column): error TS2322: message`, as tsc writes it. */
export function diagnosticLine(diagnostic: Diagnostic): string;

/** All of them, each with its piece of source. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[]): string;

export interface ModuleSize {
  readonly bytes: number;
  /** Without custom sections: what a proxy keeps. */
  readonly stripped: number;
  /** In their order. */
  readonly sections: readonly { readonly name: string; readonly bytes: number }[];
  /** From the largest; one without a name has its index for one, as "#12". */
  readonly functions: readonly {
    readonly index: number;
    readonly name: string;
    readonly bytes: number;
  }[];
}

export function moduleSize(bytes: Uint8Array): ModuleSize;

/** Bytes of a module without its custom sections: what a proxy keeps of it. */
export function strippedSize(bytes: Uint8Array): number;
