// Hostcalls of the chapter "gRPC calls". No call can be made yet: the answers are Envoy's for a
// cluster it does not know and for tokens of calls that do not exist.
import { Status } from "proxy-wasm-types";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

/** Classes of tokens, in their two low bits. */
const TokenClass = { HttpCall: 0, GrpcCall: 1, GrpcStream: 2 } as const;

export function grpcCallHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;

  /** The checks that calls and streams share: five pairs of pointer and size at most. */
  function refuse(ranges: readonly number[], outToken: number): Status {
    for (let i = 0; i < ranges.length; i += 2) {
      const pointer = (ranges[i] as number) >>> 0;
      const size = (ranges[i + 1] as number) >>> 0;
      if (!memory.contains(pointer, size)) return Status.InvalidMemoryAccess;
    }
    if (!memory.writeU32(outToken >>> 0, 0)) return Status.InvalidMemoryAccess;
    return Status.ParseFailure;
  }

  return {
    /** Errors: InvalidMemoryAccess, ParseFailure (unknown cluster). */
    proxy_grpc_call: (
      service: number,
      serviceSize: number,
      name: number,
      nameSize: number,
      method: number,
      methodSize: number,
      metadata: number,
      metadataSize: number,
      message: number,
      messageSize: number,
      _timeoutMs: number,
      outToken: number,
    ): Status => {
      const names = [service, serviceSize, name, nameSize, method, methodSize];
      return refuse([...names, metadata, metadataSize, message, messageSize], outToken);
    },

    /** Errors: InvalidMemoryAccess, ParseFailure (unknown cluster). */
    proxy_grpc_stream: (
      service: number,
      serviceSize: number,
      name: number,
      nameSize: number,
      method: number,
      methodSize: number,
      metadata: number,
      metadataSize: number,
      outToken: number,
    ): Status => {
      const names = [service, serviceSize, name, nameSize, method, methodSize];
      return refuse([...names, metadata, metadataSize], outToken);
    },

    ...tokenHostcalls(vm),
  };
}

function tokenHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    /** Errors: InvalidMemoryAccess, BadArgument (no stream's token), NotFound (no such stream). */
    proxy_grpc_send(token: number, message: number, messageSize: number, _end: number): Status {
      if (!memory.contains(message >>> 0, messageSize >>> 0)) return Status.InvalidMemoryAccess;
      return (token & 3) === TokenClass.GrpcStream ? Status.NotFound : Status.BadArgument;
    },

    /** Errors: BadArgument (no token of a gRPC call), NotFound (no such call). */
    proxy_grpc_cancel: (token: number): Status => answerForToken(token),

    /** Errors: BadArgument (no token of a gRPC call), NotFound (no such call). */
    proxy_grpc_close: (token: number): Status => answerForToken(token),

    /**
     * Tells how the last callout ended: the gRPC status and its message, or 11 and "reset" while a
     * failed HTTP call is told. Errors: InvalidMemoryAccess.
     */
    proxy_get_status(outCode: number, outPointer: number, outSize: number): Status {
      const root = vm.effective?.root;
      const code = root?.calloutStatus ?? 0;
      if (!memory.writeU32(outCode >>> 0, code)) return Status.InvalidMemoryAccess;
      const message = root?.calloutMessage ?? "";
      const done = memory.returnText(message, outPointer >>> 0, outSize >>> 0);
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}

function answerForToken(token: number): Status {
  const kind = token & 3;
  const isGrpc = kind === TokenClass.GrpcCall || kind === TokenClass.GrpcStream;
  return isGrpc ? Status.NotFound : Status.BadArgument;
}
