// Hostcalls of the chapter "gRPC calls".
import { limits, Status } from "proxy-wasm-types";
import type { GrpcRequest } from "../callout.ts";
import { readGrpcService } from "../grpc-service.ts";
import type { Vm } from "../vm.ts";
import { readPairs } from "./http-fields.ts";
import type { HostcallTable } from "./index.ts";

/** Classes of tokens, in their two low bits. */
const TokenClass = { HttpCall: 0, GrpcCall: 1, GrpcStream: 2 } as const;

export function grpcCallHostcalls(vm: Vm): HostcallTable {
  return { ...startingHostcalls(vm), ...tokenHostcalls(vm) };
}

/** Pointers and sizes: service, name, method, metadata, and of a call its message. */
type Ranges = readonly number[];

/** What is wrong with the arguments of a call or stream, or the request that they make. */
function requestOf(vm: Vm, ranges: Ranges, timeoutMs: number): GrpcRequest | Status {
  const { memory } = vm;
  const { callouts } = vm.services;
  const text = (at: number): string =>
    memory.readText((ranges[at] as number) >>> 0, (ranges[at + 1] as number) >>> 0);
  const service = memory.readBytes((ranges[0] as number) >>> 0, (ranges[1] as number) >>> 0);
  if (callouts === null) return Status.ParseFailure;
  const isTooLong = [1, 3, 5].some((at) => (ranges[at] as number) >>> 0 > limits.nameBytesMax);
  if (isTooLong || timeoutMs > limits.calloutTimeoutMsMax) return Status.BadArgument;
  const pairs: string[] = [];
  const isGood = readPairs(memory, (ranges[6] as number) >>> 0, (ranges[7] as number) >>> 0, pairs);
  if (!isGood) return Status.BadArgument;
  const target = readGrpcService(service, (name) => callouts.hasCluster(name));
  if (target === null) return Status.BadArgument;
  if (!callouts.hasCluster(target.cluster)) {
    // As Envoy: a name that is none, and a message that names none.
    const isName = target.cluster === service.toString("utf8");
    return isName ? Status.ParseFailure : Status.InternalFailure;
  }
  const path = `/${text(2)}/${text(4)}`;
  return { cluster: target.cluster, path, metadata: [...target.metadata, ...pairs], timeoutMs };
}

function startingHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;

  function start(ranges: Ranges, isCall: boolean, timeoutMs: number, outToken: number): Status {
    for (let i = 0; i < ranges.length; i += 2) {
      const at = (ranges[i] as number) >>> 0;
      if (!memory.contains(at, (ranges[i + 1] as number) >>> 0)) return Status.InvalidMemoryAccess;
    }
    if (!memory.writeU32(outToken >>> 0, 0)) return Status.InvalidMemoryAccess;
    const request = requestOf(vm, ranges, timeoutMs);
    if (typeof request === "number") return request;
    const root = vm.effective?.root;
    if (vm.services.callouts === null || root === undefined) return Status.ParseFailure;
    const message = isCall
      ? memory.readBytes((ranges[8] as number) >>> 0, (ranges[9] as number) >>> 0)
      : null;
    const started = root.grpc.start(vm.services.callouts, request, message);
    if (started < 0) return -started as Status;
    memory.writeU32(outToken >>> 0, started);
    return Status.Ok;
  }

  return {
    /**
     * Sends one message; the answer comes to on_grpc_receive, a failure to on_grpc_close.
     * Errors: InvalidMemoryAccess, ParseFailure (unknown cluster), BadArgument (a service that
     * names none, malformed metadata), InternalFailure (failed at once, or too many calls wait).
     */
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
      timeoutMs: number,
      outToken: number,
    ): Status => {
      const names = [service, serviceSize, name, nameSize, method, methodSize];
      const ranges = [...names, metadata, metadataSize, message, messageSize];
      return start(ranges, true, timeoutMs >>> 0, outToken);
    },

    /** Opens a stream. Errors: as proxy_grpc_call. */
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
      return start([...names, metadata, metadataSize], false, 0, outToken);
    },
  };
}

function tokenHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  const isGrpc = (token: number): boolean =>
    (token & 3) === TokenClass.GrpcCall || (token & 3) === TokenClass.GrpcStream;
  return {
    /**
     * Sends a message on a stream; `end` is the last one.
     * Errors: InvalidMemoryAccess, BadArgument (no stream's token, or too much waits to be sent),
     * NotFound (no such stream).
     */
    proxy_grpc_send(token: number, message: number, messageSize: number, end: number): Status {
      const at = message >>> 0;
      const size = messageSize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      if ((token & 3) !== TokenClass.GrpcStream) return Status.BadArgument;
      const root = vm.effective?.root;
      if (root === undefined) return Status.NotFound;
      return root.grpc.send(token >>> 0, memory.readBytes(at, size), end !== 0);
    },

    /** Gives up. Errors: BadArgument (no token of a gRPC call), NotFound (no such call). */
    proxy_grpc_cancel(token: number): Status {
      if (!isGrpc(token)) return Status.BadArgument;
      return vm.effective?.root.grpc.cancel(token >>> 0) ?? Status.NotFound;
    },

    /** Sends no more. Errors: BadArgument (no token of a gRPC call), NotFound (no such call). */
    proxy_grpc_close(token: number): Status {
      if (!isGrpc(token)) return Status.BadArgument;
      return vm.effective?.root.grpc.close(token >>> 0) ?? Status.NotFound;
    },

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
