// Hostcalls of the chapter "Foreign functions". What there is to call: ../foreign-functions.ts.
import { limits, Status } from "proxy-wasm-types";
import { foreignFunctions } from "../foreign-functions.ts";
import { nativeFunctions, type TextFunction } from "../native-functions.ts";
import type { GuestMemory } from "../memory.ts";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

const NOTHING: Buffer = Buffer.alloc(0);

/** The result's place; out pointers that are 0 are left out, a failed call tells 0 and 0. */
function tell(memory: GuestMemory, result: Buffer, outPointer: number, outSize: number): boolean {
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

/** As tell, of text; `done` a number: the function failed. */
function tellText(
  memory: GuestMemory,
  done: string | Status,
  outPointer: number,
  outSize: number,
): Status {
  const isFailure = typeof done === "number";
  const text = isFailure ? "" : done;
  const isTold =
    outPointer === 0 || outSize === 0
      ? tell(memory, Buffer.from(text, "latin1"), outPointer, outSize)
      : memory.returnText(text, outPointer, outSize);
  if (!isTold) return Status.InvalidMemoryAccess;
  return isFailure ? done : Status.Ok;
}

export function foreignFunctionHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  const nativeOnly = vm.settings.native === null ? null : nativeFunctions;
  // Guests call mostly the same one, by the same text: 20 ns less than the table.
  let lastName = "";
  let lastTextual: TextFunction | undefined;
  const findTextual = (name: string): TextFunction | undefined => {
    if (nativeOnly === null) return undefined;
    if (name !== lastName) {
      lastName = name;
      lastTextual = nativeOnly.get(name);
    }
    return lastTextual;
  };

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
      const name = memory.readUsualText(at, size);
      const textual = findTextual(name);
      const called = textual === undefined ? foreignFunctions.get(name) : undefined;
      const context = vm.current;
      if (context === null) return Status.NotFound;
      if (textual === undefined && called === undefined) return Status.NotFound;
      // Before anything is done: what is done cannot be told otherwise.
      const canTell =
        (outPointer === 0 || memory.contains(outPointer >>> 0, 4)) &&
        (outSize === 0 || memory.contains(outSize >>> 0, 4));
      if (!canTell) return Status.InvalidMemoryAccess;
      if (textual !== undefined) {
        const done = textual(context, memory.readUsualText(argsAt, argsSize));
        return tellText(memory, done, outPointer >>> 0, outSize >>> 0);
      }
      if (called === undefined) return Status.NotFound;
      const result = called(context, memory.readBytes(argsAt, argsSize));
      const isFailure = typeof result === "number";
      const isTold = tell(memory, isFailure ? NOTHING : result, outPointer >>> 0, outSize >>> 0);
      if (!isTold) return Status.InvalidMemoryAccess;
      return isFailure ? result : Status.Ok;
    },
  };
}
