// Hostcalls of the chapter "Logging".
import { limits, LogLevel, Status } from "proxy-wasm-types";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

export function loggingHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    /**
     * Writes a message to the host's log; what is longer than 64 KiB is cut, and what comes too
     * often is dropped.
     * Errors: BadArgument (no such level), InvalidMemoryAccess.
     */
    proxy_log(level: number, pointer: number, size: number): Status {
      if (level >>> 0 > LogLevel.Critical) return Status.BadArgument;
      const at = pointer >>> 0;
      const length = size >>> 0;
      if (!memory.contains(at, length)) return Status.InvalidMemoryAccess;
      if (!vm.wantsLine(level)) return Status.Ok;
      vm.logLine(level, memory.readUtf8(at, Math.min(length, limits.logMessageBytesMax)));
      return Status.Ok;
    },

    /** Tells the lowest level that is logged; 6 = none. Errors: InvalidMemoryAccess. */
    proxy_get_log_level(outLevel: number): Status {
      const done = memory.writeU32(outLevel >>> 0, vm.log.level);
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}
