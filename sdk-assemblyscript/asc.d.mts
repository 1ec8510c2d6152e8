// Types of asc.mjs, for tests.
export interface AscTurn {
  /** Names what is made, its path for instance: under one name nobody else works at the same time. */
  readonly target: string;
  /** True when there is nothing to do; asked before, and again after waiting for others. */
  readonly isMade: () => boolean;
  /** For one run of asc. Default 90,000. */
  readonly timeMaxMs?: number;
  /** That which compiles; default one that is started for it, and ended. */
  readonly resident?: ResidentAsc | undefined;
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

/**
 * asc in a child process, loaded at once and kept: it compiles again in a fraction of the time. One
 * compile after the other. Its process is replaced when it has grown, when the compiler or the
 * transform on disk have changed, when it crashed or took too long.
 */
export class ResidentAsc {
  /** Defaults: 200 compiles, 1 GiB. */
  constructor(limits?: { readonly compilesMax?: number; readonly rssBytesMax?: number });
  /** Of the compiler's process; null = there is none now. */
  get pid(): number | null;
  /** As Asc; `timeMaxMs` ends it. */
  compile(
    args: readonly string[],
    cwd: string,
    env: Readonly<Record<string, string>>,
    timeMaxMs: number,
  ): Promise<string>;
  /** Ends what runs. */
  stop(): void;
}
