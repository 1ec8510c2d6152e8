// Hostcalls of the chapter "Foreign functions". What there is to call: ../foreign-functions.ts.
import { limits, Status } from "proxy-wasm-types";
import { foreignFunctions } from "../foreign-functions.ts";
import { nativeFunctions } from "../native-functions.ts";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

const NOTHING: Buffer = Buffer.alloc(0);

export function foreignFunctionHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  const nativeOnly = vm.settings.native === null ? null : nativeFunctions;

  /** The result's place; out pointers that are 0 are left out, a failed call tells 0 and 0. */
  function tell(result: Buffer, outPointer: number, outSize: number): boolean {
    let pointer = 0;
    if (result.length > 0 && outPointer !== 0) {
      pointer = memory.allocate(result.length);
      if (pointer === 0) return false;
      memory.writeBytes(pointer, result);
    }
    if (outPointer !== 0) memory.writeU32(outPointer, pointer);
    if (outSize !== 0) memory.writeU32(outSize, result.length);
    return true;
  }

  return {
    /**
     * Calls a function of the host by name, on the context whose callback runs (the effective one
     * is of no account here). Both out pointers may be 0.
     * Errors: NotFound (no such function), InvalidMemoryAccess, and those of the function.
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
      const argsAt = argumentsPointer >>> 0;
      const argsSize = argumentsSize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      if (!memory.contains(argsAt, argsSize)) return Status.InvalidMemoryAccess;
      if (size > limits.nameBytesMax) return Status.NotFound;
      const name = memory.readText(at, size);
      const called = foreignFunctions.get(name) ?? nativeOnly?.get(name);
      if (called === undefined || vm.current === null) return Status.NotFound;
      // Before anything is done: what is done cannot be told otherwise.
      const canTell =
        (outPointer === 0 || memory.contains(outPointer >>> 0, 4)) &&
        (outSize === 0 || memory.contains(outSize >>> 0, 4));
      if (!canTell) return Status.InvalidMemoryAccess;
      const result = called(vm.current, memory.readBytes(argsAt, argsSize));
      const isFailure = typeof result === "number";
      const isTold = tell(isFailure ? NOTHING : result, outPointer >>> 0, outSize >>> 0);
      if (!isTold) return Status.InvalidMemoryAccess;
      return isFailure ? result : Status.Ok;
    },
  };
}
