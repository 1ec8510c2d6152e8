// Hostcalls of the chapter "Streams": resume, close, answer. All take effect after the callback.
import { limits, Status, StreamType } from "proxy-wasm-types";
import type { LocalReply } from "../../filter/http-filter.ts";
import type { Vm } from "../vm.ts";
import { readPairs } from "./http-fields.ts";
import type { HostcallTable } from "./index.ts";

/** Statuses that gRPC knows; SDKs send -1 for "not set". */
const GRPC_STATUS_MAX = 16;

/** What the host does for one, in nanoseconds. */
const LOCAL_RESPONSE_FUEL = 1000;

export function streamHostcalls(vm: Vm): HostcallTable {
  return {
    /**
     * Resumes a paused direction. Also when nothing is paused the answer is Ok.
     * Errors: BadArgument (no such stream type), Unimplemented (upstream, as in Envoy).
     */
    proxy_continue_stream(type: number): Status {
      switch (type >>> 0) {
        case StreamType.HttpRequest:
        case StreamType.HttpResponse:
          vm.effective?.continueStream(type === StreamType.HttpRequest);
          return Status.Ok;
        case StreamType.Downstream:
          vm.effective?.continueDownstream();
          return Status.Ok;
        case StreamType.Upstream:
          return Status.Unimplemented;
        default:
          return Status.BadArgument;
      }
    },

    /**
     * Resets an HTTP stream; closes a TCP stream's connection when all is written.
     * Errors: BadArgument (no such stream type).
     */
    proxy_close_stream(type: number): Status {
      if (type >>> 0 > StreamType.Upstream) return Status.BadArgument;
      const isHttp = type === StreamType.HttpRequest || type === StreamType.HttpResponse;
      if (isHttp) vm.effective?.closeStream();
      else vm.effective?.closeConnection();
      return Status.Ok;
    },

    /** 0.1.0. */
    proxy_continue_request(): Status {
      vm.effective?.continueStream(true);
      return Status.Ok;
    },

    /** 0.1.0. */
    proxy_continue_response(): Status {
      vm.effective?.continueStream(false);
      return Status.Ok;
    },

    /** 0.1.0: has the route of the request chosen again. */
    proxy_clear_route_cache(): Status {
      vm.effective?.clearRouteCache();
      return Status.Ok;
    },

    ...localResponse(vm),
  };
}

function localResponse(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    /**
     * Answers the request from here; the callback's own answer does not count any more.
     * Errors: InvalidMemoryAccess, BadArgument (headers that are malformed or hold line breaks;
     * Envoy takes the first as no headers and writes the second out).
     */
    proxy_send_local_response(
      code: number,
      detailsPointer: number,
      detailsSize: number,
      bodyPointer: number,
      bodySize: number,
      headersPointer: number,
      headersSize: number,
      grpcStatus: number,
    ): Status {
      const detailsAt = detailsPointer >>> 0;
      const bodyAt = bodyPointer >>> 0;
      const headersAt = headersPointer >>> 0;
      const isInside =
        memory.contains(detailsAt, detailsSize >>> 0) &&
        memory.contains(bodyAt, bodySize >>> 0) &&
        memory.contains(headersAt, headersSize >>> 0);
      if (!isInside) return Status.InvalidMemoryAccess;
      vm.charge(LOCAL_RESPONSE_FUEL);
      const headers: string[] = [];
      if (!readPairs(memory, headersAt, headersSize >>> 0, headers)) return Status.BadArgument;
      const detailsLength = Math.min(detailsSize >>> 0, limits.localReplyDetailsBytesMax);
      const reply: LocalReply = {
        status: code >>> 0,
        body: memory.readText(bodyAt, bodySize >>> 0),
        headers: headers.length === 0 ? null : headers,
        grpcStatus: grpcStatus >>> 0 <= GRPC_STATUS_MAX ? grpcStatus : -1,
        details: memory.readText(detailsAt, detailsLength).replace(/\s/g, "_"),
        responseFlags: 0,
      };
      vm.effective?.sendLocalReply(reply);
      return Status.Ok;
    },
  };
}
