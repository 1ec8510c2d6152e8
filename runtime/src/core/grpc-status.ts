// The little that the router must know of gRPC to count a host's successes as Envoy does.
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";

const grpcType = "application/grpc";

/** True for content-type application/grpc, alone or with a suffix behind "+". */
export function isGrpcRequest(headers: HeaderMap): boolean {
  const type = headers.getById(HeaderId.ContentType);
  if (type === undefined || !type.startsWith(grpcType)) return false;
  return type.length === grpcType.length || type.charCodeAt(grpcType.length) === 0x2b;
}

/**
 * True for the statuses that stand for an HTTP 5xx (unknown, deadline exceeded, unimplemented,
 * internal, unavailable, data loss) and for an absent or unreadable one.
 */
export function isGrpcError(status: string | undefined): boolean {
  switch (status) {
    case "2":
    case "4":
    case "12":
    case "13":
    case "14":
    case "15":
    case undefined:
      return true;
    default:
      return !/^\d+$/.test(status);
  }
}
