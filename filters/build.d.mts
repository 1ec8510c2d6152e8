// Types of build.mjs, for tests.
export interface BuildOptions {
  /** Default "release". */
  readonly mode?: "release" | "debug";
}

export interface BuiltFilter {
  readonly name: string;
  readonly mode: "release" | "debug";
  /** Path of the module. */
  readonly wasm: string;
  /** Path of its source map. */
  readonly map: string;
  /** True when nothing had to be compiled. */
  readonly isCached: boolean;
  /** What the compiler said; "" when it was content. */
  readonly warnings: string;
}

export function buildFilter(folder: string, options?: BuildOptions): Promise<BuiltFilter>;
export function findFilters(): string[];
export function strippedSize(bytes: Uint8Array): number;
