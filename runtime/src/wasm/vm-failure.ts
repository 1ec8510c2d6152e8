// Why a VM stopped for good; made by vm.ts, told to the failure policy, to stats and to the log.
import { TRAP_MODULE_NAME } from "./vm-services.ts";

/** What stopped a guest; last word of the counters `wasm.<plugin>.stopped.<kind>`. */
export type StopKind =
  /** It used more fuel than its budget. */
  | "fuel"
  /** Unreachable code, an address outside, a division by zero ... */
  | "trap"
  /** A stack without room. */
  | "stack"
  /** A trap while its memory was as large as it may be: most likely it found none. */
  | "memory"
  /** proc_exit. */
  | "exit"
  /** It did what it may not, it refused to start, or a fault of ours. */
  | "host";

/** Where the guest was, and what it had used. */
export interface StopPlace {
  /** "" when the VM was being made. */
  readonly plugin: string;
  /** Name of the callback; "" = the initialisation, or not known. */
  readonly callback: string;
  /** Null = not metered. */
  readonly fuelUsed: number | null;
  readonly budget: number;
  /** Of the guest's memory, 64 KiB each. */
  readonly pages: number;
}

export class VmFailure {
  /** Lower-case, without full stop. */
  readonly reason: string;
  readonly stop: StopKind;
  /** The guest's frames, innermost first, at most 20; "" = unknown. */
  readonly backtrace: string;
  /** Null = it was not in the guest. */
  readonly place: StopPlace | null;

  constructor(reason: string, stop: StopKind, backtrace = "", place: StopPlace | null = null) {
    this.reason = reason;
    this.stop = stop;
    this.backtrace = backtrace;
    this.place = place;
  }

  /**
   * "unreachable [trap] in proxy_on_tick of plugin a, used 5 of 100 fuel, 3 pages, module a.wasm",
   * and frames.
   */
  describe(moduleName: string): string {
    const { place } = this;
    const trace = this.backtrace === "" ? "" : `\n${this.backtrace}`;
    const tail = `, module ${moduleName}${trace}`;
    if (place === null) return `${this.reason} [${this.stop}]${tail}`;
    const callback = place.callback === "" ? "its initialisation" : place.callback;
    const whose = place.plugin === "" ? "" : ` of plugin ${place.plugin}`;
    const fuel = place.fuelUsed === null ? "" : `, used ${place.fuelUsed} of ${place.budget} fuel`;
    const where = `in ${callback}${whose}${fuel}, ${place.pages} pages`;
    return `${this.reason} [${this.stop}] ${where}${tail}`;
  }
}

const FRAMES_MAX = 20;
/** How frames of any module are told from ours. */
const MODULE_FRAME = "wasm://";

/** Of an error that a guest's trap or stack overflow made: functions by their names. */
export function backtraceOf(error: Error): string {
  const frames = (error.stack ?? "")
    .split("\n")
    .filter((line) => line.includes(MODULE_FRAME) && !line.includes(TRAP_MODULE_NAME))
    .map(frameText);
  return frames.slice(0, FRAMES_MAX).join("\n");
}

/**
 * `  at name (function 12)`: offsets are those of the metered code, which nobody has. Without a
 * name section V8 has none to tell.
 */
function frameText(line: string): string {
  const [, name = "", index = "?"] =
    /at (?:(.*) \()?wasm:.*wasm-function\[(\d+)\]/.exec(line) ?? [];
  return `  at ${name === "" ? "?" : name} (function ${index})`;
}
