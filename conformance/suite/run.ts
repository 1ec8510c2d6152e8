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
  /** Whether the host's own trace of cases that fail is wanted, where it has one. Default false. */
  readonly trace?: boolean;
}

/** For the second try of what failed. */
const PATIENCE = 4;
/** Failures for which a host is asked for its trace: each is a process more. */
const TRACED_MAX = 20;

/** Streams that must meet in one VM, which is on one thread. */
function hasSeveral({ scene }: Case): boolean {
  return (scene.play ?? []).filter((step) => "request" in step || "connect" in step).length > 1;
}

/** Plays cases against a host, in the order of the cases. */
export async function runTarget(
  target: NetworkTarget,
  cases: readonly Case[],
  { jobs, concurrency = 1, trace = false }: RunOptions,
  onResult: (result: Result) => void,
): Promise<Run> {
  const isLeft = (one: Case): boolean =>
    one.needs.some((need) => target.cannot.has(need)) || (concurrency > 1 && hasSeveral(one));
  const playable = cases.filter((one) => !isLeft(one));
  const callouts = await CalloutServers.start();
  const results = new Map<Case, Result>();
  const playAll = async (batches: readonly Batch[], isLast: boolean): Promise<void> => {
    const waiting = [...batches];
    const lane = async (): Promise<void> => {
      for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
        await playBatch(batch, target, callouts, (result) => {
          results.set(result.case, result);
          if (isLast || result.problems.length === 0) onResult(result);
        });
      }
    };
    await Promise.all(Array.from({ length: jobs }, lane));
  };
  await playAll(batchesOf(playable, { concurrency, patience: 1 }), false);
  // A machine that is busy makes what is apart come together: what fails twice has failed.
  const failed = playable.filter((one) => results.get(one)?.problems.length !== 0);
  await playAll(batchesOf(failed, { concurrency, patience: PATIENCE }), true);
  const isTraced = trace && target.traceLine !== undefined;
  for (const one of isTraced ? failed.slice(0, TRACED_MAX) : []) {
    const result = results.get(one) as Result;
    if (result.problems.length === 0) continue;
    const lines = await hostTraceOf(one, target, callouts, concurrency);
    results.set(one, { ...result, trace: lines });
  }
  await callouts.stop();
  return {
    target: target.name,
    version: target.version,
    results: playable.map((one) => results.get(one) as Result),
    left: cases.filter(isLeft),
  };
}
