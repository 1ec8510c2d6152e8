// The local replies that the connection manager makes of its own accord. Used by ActiveStream and
// ConnectionManager; local-reply.ts turns them into HTTP.
import type { CodecError } from "../codec/codec.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import type { LocalReply } from "../filter/http-filter.ts";

function reply(status: number, body: string, details: string, responseFlags = 0): LocalReply {
  return { status, body, headers: null, grpcStatus: -1, details, responseFlags };
}

const overloaded = reply(503, "envoy overloaded", "overload");
const idleFlag = ResponseFlag.StreamIdleTimeout;

export const replies: Readonly<{
  requestIdle: LocalReply;
  responseIdle: LocalReply;
  requestTimeout: LocalReply;
  requestHeld: LocalReply;
  requestDuration: LocalReply;
  responseDuration: LocalReply;
  upgradeRefused: LocalReply;
  overloaded: LocalReply;
  overloadedMarked: LocalReply;
}> = {
  /** Timeouts answer 408 while the request is still coming, 504 when the upstream is slow. */
  requestIdle: reply(408, "stream timeout", "stream_idle_timeout", idleFlag),
  responseIdle: reply(504, "stream timeout", "stream_idle_timeout", idleFlag),
  requestTimeout: reply(408, "request timeout", "request_overall_timeout"),
  /** All of it has come, and a filter holds it. */
  requestHeld: reply(504, "request timeout", "request_overall_timeout"),
  requestDuration: reply(408, "downstream duration timeout", "max_duration_timeout"),
  responseDuration: reply(504, "downstream duration timeout", "max_duration_timeout"),
  upgradeRefused: reply(403, "", "upgrade_failed"),
  overloaded,
  /** With append_local_overload. */
  overloadedMarked: { ...overloaded, headers: ["x-envoy-local-overloaded", "true"] },
};

/** A head that takes too long; the codec answers it as it answers wrong bytes. */
export const headTimeout: CodecError = {
  status: 408,
  body: "request header timeout",
  details: "request_header_timeout",
};

/** The answer to what a codec found wrong. */
export function replyToCodecError(error: CodecError): LocalReply {
  const flags = error === headTimeout ? 0 : ResponseFlag.DownstreamProtocolError;
  return reply(error.status, error.body, error.details, flags);
}
