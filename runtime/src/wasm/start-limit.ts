// How long the steps of a plugin's start may compute: much where nobody waits for them, little in a
// worker that serves. Asked by wasm-host.ts and vm-slot.ts.
import type { ProbedStart } from "../config/snapshot.ts";
import type { WasmPolicy } from "../config/wasm-policy.ts";

/** For each step: the VM's making, _initialize, main, on_vm_start, on_configure. */
export interface StartLimit {
  /** Null = no matter how long. */
  readonly ms: number | null;
  /** The policy's word for it. */
  readonly word: "start_time_ms" | "live_start_time_ms";
}

type TimePolicy = Pick<WasmPolicy, "startTimeMs" | "liveStartTimeMs">;

/** A step may compute for so many times what a whole start took. */
const MEASURED_FACTOR = 4;
/** So many times live_start_time_ms has a start of which only the beginning was measured. */
const UNSEEN_FACTOR = 5;

/** Of a start that no stream waits for. */
export function startLimit({ startTimeMs }: TimePolicy): StartLimit {
  return { ms: startTimeMs, word: "start_time_ms" };
}

/** Of a start among streams, when one was measured before; undefined = none was. */
export function liveStartLimit(policy: TimePolicy, measured: ProbedStart | undefined): StartLimit {
  const { startTimeMs, liveStartTimeMs } = policy;
  if (startTimeMs === null || liveStartTimeMs === null || measured === undefined) {
    return startLimit(policy);
  }
  const leastMs = measured.isWhole ? liveStartTimeMs : liveStartTimeMs * UNSEEN_FACTOR;
  const ms = Math.max(leastMs, Math.ceil(measured.computedMs * MEASURED_FACTOR));
  return ms < startTimeMs ? { ms, word: "live_start_time_ms" } : startLimit(policy);
}
