// The contract of a library that gives guests files in memory; server/wasi-library.ts serves it
// with @wasmer/wasi. What a guest may keep there is bounded by hostcalls/wasi-files.ts.

/** A function of WASI as the library has it; it throws where it gives up. */
export type WasiFunction = (...args: (number | bigint)[]) => number;

/** The file system of one instance. */
export interface WasiFiles {
  /** By their names, for the module's own version of WASI. */
  readonly functions: Readonly<Record<string, WasiFunction>>;
  /** The instance is there: functions may be called from now on. */
  bind(instance: WebAssembly.Instance): void;
  /** All files' bytes and the number of entries; null when the library cannot tell now. */
  measure(): { readonly bytes: number; readonly entries: number } | null;
  close(): void;
}

export interface WasiProvider {
  /** Null = the module asks for nothing of WASI. */
  create(module: WebAssembly.Module): WasiFiles | null;
}
