// Types of asc.mjs, for tests.
export interface AscTurn {
  /** Names what is made, its path for instance: under one name nobody else works at the same time. */
  readonly target: string;
  /** True when there is nothing to do; asked before, and again after waiting for others. */
  readonly isMade: () => boolean;
  /** For one run of asc. Default 90,000. */
  readonly timeMaxMs?: number;
}

/** Arguments as on asc's command line; resolves with what it said, or rejects with AscError. */
export type Asc = (
  args: readonly string[],
  cwd: string,
  /** Added to the environment. */
  env?: Readonly<Record<string, string>>,
) => Promise<string>;

/** What `work` resolved with; null when `isMade` was true, without any work. */
export function withCompiler<T>(turn: AscTurn, work: (asc: Asc) => Promise<T>): Promise<T | null>;

export class AscError extends Error {
  /** What asc said before it ended. */
  readonly output: string;
}
