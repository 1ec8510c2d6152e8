// Hostcalls of the chapter "HTTP calls".
import { limits, Status } from "proxy-wasm-types";
import { HeaderMap } from "../../core/header-map.ts";
import type { GuestMemory } from "../memory.ts";
import type { Vm } from "../vm.ts";
import { readPairs } from "./http-fields.ts";
import type { HostcallTable } from "./index.ts";

export function httpCallHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    /**
     * Sends a request to a cluster; the answer comes to the root context's on_http_call_response.
     * The token is written whatever comes of it: 0 when nothing was sent.
     * Errors: InvalidMemoryAccess, BadArgument (unknown cluster, a pseudo header is missing, a
     * timeout of 2^31 ms or more, a malformed list), InternalFailure (failed at once, or too many
     * calls wait).
     */
    proxy_http_call(
      clusterPointer: number,
      clusterSize: number,
      headersPointer: number,
      headersSize: number,
      bodyPointer: number,
      bodySize: number,
      trailersPointer: number,
      trailersSize: number,
      timeoutMs: number,
      outToken: number,
    ): Status {
      const isInside =
        memory.contains(clusterPointer >>> 0, clusterSize >>> 0) &&
        memory.contains(headersPointer >>> 0, headersSize >>> 0) &&
        memory.contains(bodyPointer >>> 0, bodySize >>> 0) &&
        memory.contains(trailersPointer >>> 0, trailersSize >>> 0) &&
        memory.writeU32(outToken >>> 0, 0);
      if (!isInside) return Status.InvalidMemoryAccess;
      const headers = readMap(memory, headersPointer >>> 0, headersSize >>> 0);
      const trailers = readMap(memory, trailersPointer >>> 0, trailersSize >>> 0);
      const callouts = vm.services.callouts;
      const root = vm.effective?.root;
      const cluster = memory.readText(clusterPointer >>> 0, clusterSize >>> 0);
      if (callouts === null || root === undefined) return Status.BadArgument;
      if (headers === null || trailers === null) return Status.BadArgument;
      if (!callouts.hasCluster(cluster)) return Status.BadArgument;
      if (timeoutMs >>> 0 > limits.calloutTimeoutMsMax) return Status.BadArgument;
      if (!isComplete(headers)) return Status.BadArgument;

      const body = memory.readBytes(bodyPointer >>> 0, bodySize >>> 0);
      if (body.length > 0) headers.set("content-length", String(body.length));
      const started = root.startHttpCall(callouts, {
        cluster,
        headers,
        body,
        trailers: trailers.size === 0 ? null : trailers,
        timeoutMs: timeoutMs >>> 0,
      });
      if (started < 0) return -started as Status;
      memory.writeU32(outToken >>> 0, started);
      return Status.Ok;
    },
  };
}

/** Null when the list is malformed. The range must be inside. */
function readMap(memory: GuestMemory, pointer: number, size: number): HeaderMap | null {
  const pairs: string[] = [];
  if (!readPairs(memory, pointer, size, pairs)) return null;
  const map = new HeaderMap();
  for (let i = 0; i < pairs.length; i += 2) map.append(pairs[i] as string, pairs[i + 1] as string);
  return map;
}

function isComplete(headers: HeaderMap): boolean {
  return headers.method !== null && headers.path !== null && headers.authority !== null;
}
