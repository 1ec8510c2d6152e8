// Why a VM stopped for good; made by vm.ts, told to the failure policy and to the log.
import { TRAP_MODULE_NAME } from "./vm-services.ts";

export class VmFailure {
  /** Lower-case, without full stop. */
  readonly reason: string;
  /** The guest's frames, innermost first, at most 20; "" = unknown. */
  readonly backtrace: string;

  constructor(reason: string, backtrace: string) {
    this.reason = reason;
    this.backtrace = backtrace;
  }
}

const FRAMES_MAX = 20;
/** How frames of any module are told from ours. */
const MODULE_FRAME = "wasm://";

/** Of an error that a guest's trap or stack overflow made. */
export function failureOf(error: Error): VmFailure {
  const frames = (error.stack ?? "")
    .split("\n")
    .filter((line) => line.includes(MODULE_FRAME) && !line.includes(TRAP_MODULE_NAME))
    .map((line) => line.trim());
  return new VmFailure(error.message, frames.slice(0, FRAMES_MAX).join("\n"));
}
