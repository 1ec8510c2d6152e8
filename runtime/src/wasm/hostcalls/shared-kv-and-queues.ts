// Hostcalls of the chapter "Shared key-value stores and queues": one store for the process.
import { limits, Status } from "proxy-wasm-types";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

/** What the store that all workers share takes, in nanoseconds: a lock and a copy. */
const SHARED_FUEL = 1500;
/** A queue's name is looked for among those of all guests, and its consumer told to all threads. */
const REGISTER_FUEL = 10_000;

export function sharedHostcalls(vm: Vm): HostcallTable {
  return { ...dataHostcalls(vm), ...queueHostcalls(vm) };
}

function dataHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  const { sharedId } = vm.settings;
  const { services } = vm;
  return {
    /** Errors: NotFound (no such key), InvalidMemoryAccess. */
    proxy_get_shared_data(
      keyPointer: number,
      keySize: number,
      outPointer: number,
      outSize: number,
      outCas: number,
    ): Status {
      vm.charge(SHARED_FUEL);
      const at = keyPointer >>> 0;
      const size = keySize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      const entry = services.shared.get(sharedId, memory.readText(at, size));
      if (entry === undefined) return Status.NotFound;
      if (!memory.contains(outCas >>> 0, 4)) return Status.InvalidMemoryAccess;
      if (!memory.returnBytes(entry.value, outPointer >>> 0, outSize >>> 0)) {
        return Status.InvalidMemoryAccess;
      }
      memory.writeU32(outCas >>> 0, entry.cas);
      return Status.Ok;
    },

    /**
     * Sets a value; `cas` 0 does it without a condition.
     * Errors: CasMismatch, InvalidMemoryAccess, InternalFailure (too long, or the store is full).
     */
    proxy_set_shared_data(
      keyPointer: number,
      keySize: number,
      valuePointer: number,
      valueSize: number,
      cas: number,
    ): Status {
      vm.charge(SHARED_FUEL);
      const at = keyPointer >>> 0;
      const size = keySize >>> 0;
      const valueAt = valuePointer >>> 0;
      const bytes = valueSize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      if (!memory.contains(valueAt, bytes)) return Status.InvalidMemoryAccess;
      const isTooLong = size > limits.sharedKeyBytesMax || bytes > limits.sharedValueBytesMax;
      if (isTooLong) return Status.InternalFailure;
      const key = memory.readText(at, size);
      return services.shared.set(sharedId, key, memory.readBytes(valueAt, bytes), cas >>> 0);
    },
  };
}

function queueHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  const { vmId, sharedId } = vm.settings;
  const { services } = vm;
  return {
    /** Errors: InvalidMemoryAccess, InternalFailure (the name is too long, or there is no room). */
    proxy_register_shared_queue(namePointer: number, nameSize: number, outToken: number): Status {
      vm.charge(REGISTER_FUEL);
      const at = namePointer >>> 0;
      const size = nameSize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      const root = vm.effective?.root;
      if (root === undefined || size > limits.sharedKeyBytesMax) return Status.InternalFailure;
      const token = root.registerQueue(memory.readText(at, size));
      if (token === 0) return Status.InternalFailure;
      return memory.writeU32(outToken >>> 0, token) ? Status.Ok : Status.InvalidMemoryAccess;
    },

    /** An empty vm_id is the guest's own. Errors: NotFound, InvalidMemoryAccess. */
    proxy_resolve_shared_queue(
      vmIdPointer: number,
      vmIdSize: number,
      namePointer: number,
      nameSize: number,
      outToken: number,
    ): Status {
      vm.charge(SHARED_FUEL);
      const vmIdAt = vmIdPointer >>> 0;
      const at = namePointer >>> 0;
      if (!memory.contains(vmIdAt, vmIdSize >>> 0)) return Status.InvalidMemoryAccess;
      if (!memory.contains(at, nameSize >>> 0)) return Status.InvalidMemoryAccess;
      const named = memory.readUtf8(vmIdAt, vmIdSize >>> 0);
      const name = memory.readText(at, nameSize >>> 0);
      const space = named === "" || named === vmId ? sharedId : named;
      const token = services.shared.resolveQueue(space, name);
      if (token === 0) return Status.NotFound;
      return memory.writeU32(outToken >>> 0, token) ? Status.Ok : Status.InvalidMemoryAccess;
    },

    /** Errors: NotFound (no such queue), InvalidMemoryAccess, InternalFailure (no room). */
    proxy_enqueue_shared_queue(token: number, pointer: number, size: number): Status {
      vm.charge(SHARED_FUEL);
      const at = pointer >>> 0;
      const bytes = size >>> 0;
      if (!memory.contains(at, bytes)) return Status.InvalidMemoryAccess;
      if (!services.shared.hasQueue(token >>> 0)) return Status.NotFound;
      if (bytes > limits.sharedValueBytesMax) return Status.InternalFailure;
      return services.shared.enqueue(token >>> 0, memory.readBytes(at, bytes));
    },

    /** Errors: NotFound (no such queue), Empty, InvalidMemoryAccess. */
    proxy_dequeue_shared_queue(token: number, outPointer: number, outSize: number): Status {
      vm.charge(SHARED_FUEL);
      if (!services.shared.hasQueue(token >>> 0)) return Status.NotFound;
      // Before an item is taken: nobody could put it back.
      if (!memory.contains(outPointer >>> 0, 4) || !memory.contains(outSize >>> 0, 4)) {
        return Status.InvalidMemoryAccess;
      }
      const item = services.shared.dequeue(token >>> 0);
      if (item === undefined) return Status.Empty;
      const done = memory.returnBytes(item, outPointer >>> 0, outSize >>> 0);
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}
