// The gRPC status of a finished stream, as access logs see it: %GRPC_STATUS% and the gRPC log
// filter.
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";

/**
 * HTTP statuses that stand for a gRPC status when the response has none; all others are UNKNOWN.
 */
const byHttpStatus: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
]);

const UNKNOWN = 2;
const CODE_MAX = 16;

/**
 * `grpc-status` of the trailers, else of the headers, else what the HTTP status stands for; null
 * when there was no response. -1 = the header is no valid status.
 */
export function grpcStatusOf(
  info: StreamInfo | null,
  responseHeaders: HeaderMap | null,
  responseTrailers: HeaderMap | null,
): number | null {
  const text = responseTrailers?.get("grpc-status") ?? responseHeaders?.get("grpc-status");
  if (text !== undefined) {
    const code = /^\d+$/.test(text) ? Number(text) : -1;
    return code > CODE_MAX ? -1 : code;
  }
  if (info === null || info.responseCode === 0) return null;
  return byHttpStatus.get(info.responseCode) ?? UNKNOWN;
}

/** content-type application/grpc, alone or with a suffix after "+". */
export function isGrpcRequest(requestHeaders: HeaderMap | null): boolean {
  const type = requestHeaders?.get("content-type");
  return type !== undefined && /^application\/grpc(?:\+.*)?$/.test(type);
}
