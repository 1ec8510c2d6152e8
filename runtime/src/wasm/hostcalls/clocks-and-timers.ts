// Hostcalls of the chapter "Clocks and timers".
import { Status } from "proxy-wasm-types";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

export function clockHostcalls(vm: Vm): HostcallTable {
  return {
    /** Tells the wall clock in nanoseconds since the Unix epoch. Errors: InvalidMemoryAccess. */
    proxy_get_current_time_nanoseconds(outTime: number): Status {
      const done = vm.memory.writeU64(outTime >>> 0, wallClockNs(vm));
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },

    /** Sets the period of on_tick of the effective context's root; 0 stops it. */
    proxy_set_tick_period_milliseconds(periodMs: number): Status {
      vm.effective?.root.setTickPeriod(periodMs >>> 0);
      return Status.Ok;
    },
  };
}

/**
 * The clock is read anew: a guest that waits in a loop for time to pass would never end with the
 * time of the turn.
 */
export function wallClockNs(vm: Vm): number {
  const clock = vm.services.clock;
  clock.update();
  return toNanoseconds(clock.epochMs());
}

export function monotonicNs(vm: Vm): number {
  const clock = vm.services.clock;
  clock.update();
  return toNanoseconds(clock.nowMs);
}

/** Exact to what a double holds: 256 ns for times since the epoch. */
export function toNanoseconds(milliseconds: number): number {
  return Math.max(0, Math.round(milliseconds * 1e6));
}
