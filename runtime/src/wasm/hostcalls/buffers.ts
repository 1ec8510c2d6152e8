// Hostcalls of the chapter "Buffers".
import { BufferType, Status } from "proxy-wasm-types";
import type { BufferQueue } from "../../core/buffer-queue.ts";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

const EMPTY: Buffer = Buffer.alloc(0);

/** Bodies of streams: absent ones read as empty, as in Envoy. */
function isBody(type: number): boolean {
  return type <= BufferType.UpstreamData;
}

/** A buffer as a guest may read it; null = there is none of this kind now. */
function readableBuffer(vm: Vm, type: number): BufferQueue | Uint8Array | null {
  const context = vm.effective;
  if (context === null) return null;
  if (isBody(type)) return context.bodyOf(type) ?? EMPTY;
  switch (type) {
    case BufferType.HttpCallResponseBody:
      return context.root.calloutBody;
    case BufferType.GrpcCallMessage:
      return context.root.grpc.message ?? EMPTY;
    case BufferType.VmConfiguration:
      return vm.settings.vmConfiguration;
    case BufferType.PluginConfiguration:
      return context.root.isConfiguring ? context.plugin.configuration : null;
    default:
      return context.root.foreignArguments;
  }
}

export function bufferHostcalls(vm: Vm): HostcallTable {
  return { ...readingHostcalls(vm), ...changingHostcalls(vm) };
}

function readingHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    /**
     * Copies a part of a buffer; offset and size are cut to what is there.
     *
     *            offset        max_size
     *              v   <-------------------->
     *   { a b c d [e f g h i j k] }
     *              ^-- copied to memory of the guest; its address and size are returned
     *
     * Errors: BadArgument (no such type), NotFound (no such buffer now), InvalidMemoryAccess.
     */
    proxy_get_buffer_bytes(
      type: number,
      offset: number,
      maxSize: number,
      outPointer: number,
      outSize: number,
    ): Status {
      if (type >>> 0 > BufferType.ForeignFunctionArguments) return Status.BadArgument;
      const buffer = readableBuffer(vm, type >>> 0);
      if (buffer === null) return Status.NotFound;
      const start = Math.min(offset >>> 0, buffer.length);
      const size = Math.min(maxSize >>> 0, buffer.length - start);
      const pointer = memory.returnRoom(size, outPointer >>> 0, outSize >>> 0);
      if (pointer < 0) return Status.InvalidMemoryAccess;
      if (size === 0) return Status.Ok;
      if (buffer instanceof Uint8Array) {
        memory.writeBytes(pointer, buffer.subarray(start, start + size));
      } else buffer.copyTo(memory.bytes, pointer, start, size);
      return Status.Ok;
    },

    /**
     * Tells the size of a buffer; the flags are 0.
     * Errors: BadArgument (no such type), NotFound (no such buffer now), InvalidMemoryAccess.
     */
    proxy_get_buffer_status(type: number, outSize: number, outFlags: number): Status {
      if (type >>> 0 > BufferType.ForeignFunctionArguments) return Status.BadArgument;
      const buffer = readableBuffer(vm, type >>> 0);
      if (buffer === null) return Status.NotFound;
      if (!memory.writeU32(outSize >>> 0, buffer.length)) return Status.InvalidMemoryAccess;
      return memory.writeU32(outFlags >>> 0, 0) ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}

function changingHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    /**
     * Puts bytes in place of a part of a body.
     *
     *   offset 0, size 0         prepends
     *   offset at the end or on  appends
     *   everything else          the part is cut to what is there and replaced
     *
     * Errors: BadArgument (no such type, a buffer that cannot be changed now, or a body above its
     * limit), NotFound (no such buffer now), InvalidMemoryAccess.
     */
    proxy_set_buffer_bytes(
      type: number,
      offset: number,
      size: number,
      pointer: number,
      length: number,
    ): Status {
      const kind = type >>> 0;
      if (kind > BufferType.ForeignFunctionArguments) return Status.BadArgument;
      const at = pointer >>> 0;
      const bytes = length >>> 0;
      if (!memory.contains(at, bytes)) return Status.InvalidMemoryAccess;
      const context = vm.effective;
      if (context === null) return Status.NotFound;
      if (!isBody(kind)) {
        return readableBuffer(vm, kind) === null ? Status.NotFound : Status.BadArgument;
      }
      const body = context.bodyOf(kind);
      if (body === null) return Status.BadArgument;
      const before = body.length;
      if (!vm.limits.allows("bodyBytes", before + bytes, context.plugin)) {
        return Status.BadArgument;
      }
      if (offset === 0 && size >>> 0 >= before) memory.refill(body, at, bytes);
      else {
        const copy = body.take(bytes);
        memory.copyTo(copy, at, bytes);
        replacePart(body, offset >>> 0, size >>> 0, copy);
      }
      if (body.length !== before) context.onBodyResized(kind);
      return Status.Ok;
    },
  };
}

function replacePart(body: BufferQueue, offset: number, size: number, bytes: Buffer): void {
  if (offset >= body.length && offset > 0) body.append(bytes);
  else if (offset === 0) {
    body.drain(size);
    body.prepend(bytes);
  } else body.replace(offset, size, bytes);
}
