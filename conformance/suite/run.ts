// A run of the suite against one host.
import type { Case } from "../abi/case.ts";
import { type Batch, batchesOf, hostTraceOf, playBatch, type Result } from "./batch.ts";
import { CalloutServers } from "./callout-servers.ts";
import type { NetworkTarget } from "./targets.ts";

/** What came of a run against one host. */
export interface Run {
  readonly target: string;
  readonly version: string;
  readonly results: readonly Result[];
  /** Cases that the adapter cannot play. */
  readonly left: readonly Case[];
}

export interface RunOptions {
  /** Processes of a host at the same time. */
  readonly jobs: number;
  /** Threads of each. Default 1. */
  readonly concurrency?: number;
  /** How much longer than usual everything is waited for in the second try of what failed. Default 4. */
  readonly patience?: number;
  /** Whether the host's own trace of cases that fail is wanted, where it has one. Default false. */
  readonly trace?: boolean;
}

const PATIENCE_DEFAULT = 4;
/** Failures for which a host is asked for its trace: each is a process more. */
const TRACED_MAX = 20;
/** How often a case is in a batch whose streams may come to other threads, and how many batches. */
const COPIES = 6;
const MEETINGS_MAX = 6;

/** Streams that must meet in one VM, which is on one thread. */
function mustMeet({ scene, needs }: Case): boolean {
  const streams = (scene.play ?? []).filter((step) => "request" in step || "connect" in step);
  return streams.length > 1 && !needs.includes("threads");
}

/** Failed in the first try, and held in the second: nobody knows why. */
export function isFlaky({ problems, firstProblems = [] }: Result): boolean {
  return problems.length === 0 && firstProblems.length > 0;
}

/** Plays cases against a host, in the order of the cases. */
export async function runTarget(
  target: NetworkTarget,
  cases: readonly Case[],
  options: RunOptions,
  onResult: (result: Result) => void,
): Promise<Run> {
  const isLeft = (one: Case): boolean => one.needs.some((need) => target.cannot.has(need));
  const playable = cases.filter((one) => !isLeft(one));
  const callouts = await CalloutServers.start();
  const run = new TargetRun(target, callouts, options);
  const first = await run.play(playable, 1, (result) => {
    if (result.problems.length === 0) onResult(result);
  });
  // A machine that is busy makes what is apart come together: what fails twice has failed.
  const failed = playable.filter((one) => first.get(one)?.problems.length !== 0);
  const { trace = false, patience = PATIENCE_DEFAULT } = options;
  const second = await run.play(failed, patience, () => undefined);
  const results = new Map(first);
  for (const [one, result] of second) {
    const firstProblems = first.get(one)?.problems ?? [];
    results.set(one, { ...result, firstProblems });
    onResult({ ...result, firstProblems });
  }
  for (const one of trace ? failed.slice(0, TRACED_MAX) : []) {
    const result = results.get(one) as Result;
    if (result.problems.length > 0) results.set(one, { ...result, ...(await run.traceOf(one)) });
  }
  await callouts.stop();
  return {
    target: target.name,
    version: target.version,
    results: playable.map((one) => results.get(one) as Result),
    left: cases.filter(isLeft),
  };
}

class TargetRun {
  readonly #target: NetworkTarget;
  readonly #callouts: CalloutServers;
  readonly #jobs: number;
  readonly #concurrency: number;

  constructor(
    target: NetworkTarget,
    callouts: CalloutServers,
    { jobs, concurrency = 1 }: RunOptions,
  ) {
    this.#target = target;
    this.#callouts = callouts;
    this.#jobs = jobs;
    this.#concurrency = concurrency;
  }

  /**
   * Plays cases; those whose streams must meet, until they did. What holds although they did not is
   * as good. `onResult` is told of each case once, of some later than they were played.
   */
  async play(
    cases: readonly Case[],
    patience: number,
    onResult: (result: Result) => void,
  ): Promise<ReadonlyMap<Case, Result>> {
    const results = new Map<Case, Result>();
    const isSettled = (result: Result | undefined): boolean =>
      result !== undefined && (result.problems.length === 0 || !result.isApart);
    const note = (result: Result): void => {
      const before = results.get(result.case);
      if (isSettled(before)) return;
      results.set(result.case, result);
      if (isSettled(result)) onResult(result);
    };
    let waiting = cases;
    for (let round = 0; round < MEETINGS_MAX && waiting.length > 0; round += 1) {
      await this.#playAll(this.#copied(waiting), patience, note);
      waiting = waiting.filter((one) => !isSettled(results.get(one)));
    }
    for (const one of waiting) onResult(results.get(one) as Result);
    return results;
  }

  /** A new guest, and perhaps another thread, for each copy. */
  #copied(cases: readonly Case[]): readonly Case[] {
    if (this.#concurrency === 1) return cases;
    return cases.flatMap((one) =>
      mustMeet(one) ? Array.from({ length: COPIES }, () => one) : one,
    );
  }

  async #playAll(
    cases: readonly Case[],
    patience: number,
    onResult: (result: Result) => void,
  ): Promise<void> {
    const waiting: Batch[] = [...batchesOf(cases, { concurrency: this.#concurrency, patience })];
    const lane = async (): Promise<void> => {
      for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
        await playBatch(batch, this.#target, this.#callouts, onResult);
      }
    };
    await Promise.all(Array.from({ length: this.#jobs }, lane));
  }

  /** The host's own trace, if it has one. */
  async traceOf(one: Case): Promise<Pick<Result, "trace">> {
    if (this.#target.traceLine === undefined) return {};
    return { trace: await hostTraceOf(one, this.#target, this.#callouts, this.#concurrency) };
  }
}
