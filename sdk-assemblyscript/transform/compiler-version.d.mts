// Types of compiler-version.mjs, for tests.
export interface CompilerOptions {
  readonly bundleMajorVersion: number;
  readonly bundleMinorVersion: number;
  readonly bundlePatchVersion: number;
}

export function compilerProblem(options: CompilerOptions, wanted?: string): string | null;
