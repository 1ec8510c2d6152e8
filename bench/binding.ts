// Which processors the processes of a bench run on.
import { availableParallelism } from "node:os";
import { findBinary } from "./target.ts";

/**
 * Commands in front of those of targets and of clients: a target that never waits for its processor,
 * and always finds work, costs the same a request from run to run. Empty where that cannot be.
 */
export interface Binding {
  readonly target: readonly string[];
  readonly client: readonly string[];
}

export function bindingOf(isFree: boolean): Binding {
  const taskset = findBinary("TASKSET_BIN", "taskset");
  const last = availableParallelism() - 1;
  if (isFree || taskset === undefined || last < 1) return { target: [], client: [] };
  return { target: [taskset, "-c", `${last}`], client: [taskset, "-c", `0-${last - 1}`] };
}
