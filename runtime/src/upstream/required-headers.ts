// What filters behind the router must leave in a request; checked where it goes to its connection.
import type { HeaderMap } from "../core/header-map.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import type { LocalReply } from "../filter/http-filter.ts";

/** Null = no request line lacks anything. */
export function replyWithoutHeader(headers: HeaderMap): LocalReply | null {
  const name = missingHeader(headers);
  if (name === "") return null;
  return {
    status: 503,
    body: `missing required header: ${name}`,
    headers: null,
    grpcStatus: -1,
    details: `filter_removed_required_request_headers{missing_required_header:_${name}}`,
    responseFlags: ResponseFlag.DownstreamProtocolError,
  };
}

function missingHeader(headers: HeaderMap): string {
  const { method } = headers;
  if (method === null) return ":method";
  if (method === "CONNECT") return headers.authority === null ? ":authority" : "";
  return headers.path === null ? ":path" : "";
}
