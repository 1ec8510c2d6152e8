// Hostcalls of the chapter "Foreign functions": what the host offers by name.
import { limits, Status } from "proxy-wasm-types";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

export function foreignFunctionHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    /**
     * Calls a function of the host by name, on the context whose callback runs (the effective one
     * is of no account here). Both out pointers may be 0. Known: clear_route_cache.
     * Errors: NotFound (no such function), InvalidMemoryAccess.
     */
    proxy_call_foreign_function: (
      namePointer: number,
      nameSize: number,
      argumentsPointer: number,
      argumentsSize: number,
      outPointer: number,
      outSize: number,
    ): Status => {
      const at = namePointer >>> 0;
      const size = nameSize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      if (!memory.contains(argumentsPointer >>> 0, argumentsSize >>> 0)) {
        return Status.InvalidMemoryAccess;
      }
      if (size > limits.nameBytesMax) return Status.NotFound;
      if (memory.readText(at, size) !== "clear_route_cache") return Status.NotFound;
      vm.current?.clearRouteCache();
      const isWritten =
        (outPointer === 0 || memory.writeU32(outPointer >>> 0, 0)) &&
        (outSize === 0 || memory.writeU32(outSize >>> 0, 0));
      return isWritten ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}
