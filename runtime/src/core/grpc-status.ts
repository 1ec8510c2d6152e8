// The little that rooms must know of gRPC to answer its requests and to count as Envoy does.
import { HeaderId } from "./header-names.ts";
import type { HeaderMap } from "./header-map.ts";

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

/** The gRPC status that stands for an HTTP one (gRPC, http-grpc-status-mapping.md). */
export function grpcStatusOfHttp(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

/** A grpc-message: bytes outside 0x20..0x7d and "%" become %XX. Envoy's set, without "~". */
export function grpcMessage(text: string): string {
  return text.replace(/[^ -$&-}]/g, (char) => {
    const code = char.charCodeAt(0) & 0xff;
    return `%${(code + 256).toString(16).slice(1).toUpperCase()}`;
  });
}
