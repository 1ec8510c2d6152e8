// Why a VM stopped for good; made by vm.ts, told to the failure policy, to stats and to the log.
import { frameText, type GuestFrame, type GuestStack } from "./guest-frames.ts";
import type { TrapStream } from "./trap-report.ts";

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
  /** Of the plugin; "" with it. */
  readonly version: string;
  /** Of the context; 0 = none. */
  readonly contextId: number;
  /** Null = the context is of none. */
  readonly stream: TrapStream | null;
  /** Name of the callback; "" = the initialisation, or not known. */
  readonly callback: string;
  /** Null = not metered. */
  readonly fuelUsed: number | null;
  readonly budget: number;
  /** What it computed, in ms, once it had used 100,000 fuel; 0 = it had not. */
  readonly computedMs: number;
  /** Of the guest's memory, 64 KiB each. */
  readonly pages: number;
}

export class VmFailure {
  /** Lower-case, without full stop. */
  readonly reason: string;
  readonly stop: StopKind;
  /** Null = unknown. */
  readonly stack: GuestStack | null;
  /** Null = it was not in the guest. */
  readonly place: StopPlace | null;

  constructor(
    reason: string,
    stop: StopKind,
    stack: GuestStack | null = null,
    place: StopPlace | null = null,
  ) {
    this.reason = reason;
    this.stop = stop;
    this.stack = stack;
    this.place = place;
  }

  get frames(): readonly GuestFrame[] {
    return this.stack?.frames ?? [];
  }

  /** "unreachable [trap] in proxy_on_tick", for whoever names plugin and module. */
  get summary(): string {
    const { place } = this;
    if (place === null) return this.reason;
    return `${this.reason} [${this.stop}] in ${place.callback || "its initialisation"}`;
  }

  /**
   * "unreachable [trap] in proxy_on_tick of plugin a, used 5 of 100 fuel, 3 pages, module a.wasm",
   * and frames.
   */
  describe(moduleName: string): string {
    const { place } = this;
    const trace = this.frames.map((frame) => `\n${frameText(frame)}`).join("");
    const tail = `, module ${moduleName}${trace}`;
    if (place === null) return `${this.reason} [${this.stop}]${tail}`;
    const callback = place.callback === "" ? "its initialisation" : place.callback;
    const whose = place.plugin === "" ? "" : ` of plugin ${place.plugin}`;
    const fuel = place.fuelUsed === null ? "" : `, used ${place.fuelUsed} of ${place.budget} fuel`;
    const where = `in ${callback}${whose}${fuel}, ${place.pages} pages`;
    return `${this.reason} [${this.stop}] ${where}${tail}`;
  }
}
