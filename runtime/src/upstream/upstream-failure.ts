// What the client, the access log and the flags say about an upstream that failed, byte for byte as
// Envoy 1.40 does. Used by Router and AsyncClient.
import { ResponseFlag } from "../core/response-flags.ts";
import { PoolFailureReason, StreamResetReason } from "./pool/conn-pool.ts";

/** One way to fail. */
export interface UpstreamFailure {
  /** Envoy's text of the reason. */
  readonly text: string;
  readonly status: number;
  readonly responseFlag: number;
  /** Adds x-envoy-overloaded. */
  readonly isOverload: boolean;
  /** Whole body of the answer. */
  readonly body: string;
  /** Details before and after the response's start when there is no transport failure reason. */
  readonly detailsBefore: string;
  readonly detailsAfter: string;
}

function failure(text: string, status: number, responseFlag: number): UpstreamFailure {
  const word = text.replaceAll(" ", "_");
  return {
    text,
    status,
    responseFlag,
    isOverload: responseFlag === ResponseFlag.UpstreamOverflow,
    body: `upstream connect error or disconnect/reset before headers. reset reason: ${text}`,
    detailsBefore: `upstream_reset_before_response_started{${word}}`,
    detailsAfter: `upstream_reset_after_response_started{${word}}`,
  };
}

const connectionFailed = ResponseFlag.UpstreamConnectionFailure;
const overflow = failure("overflow", 503, ResponseFlag.UpstreamOverflow);
const remoteConnectionFailure = failure("remote connection failure", 503, connectionFailed);
const localConnectionFailure = failure("local connection failure", 503, connectionFailed);
const connectionTimeout = failure("connection timeout", 503, connectionFailed);
const localReset = failure("local reset", 503, ResponseFlag.LocalReset);
const localRefused = failure("local refused stream reset", 503, ResponseFlag.LocalReset);
const remoteReset = failure("remote reset", 503, ResponseFlag.UpstreamRemoteReset);
const remoteRefused = failure("remote refused stream reset", 503, ResponseFlag.UpstreamRemoteReset);
const connectionTermination = failure(
  "connection termination",
  503,
  ResponseFlag.UpstreamConnectionTermination,
);
const protocolError = failure("protocol error", 502, ResponseFlag.UpstreamProtocolError);

export function failureOfReset(reason: StreamResetReason): UpstreamFailure {
  switch (reason) {
    case StreamResetReason.LocalReset:
      return localReset;
    case StreamResetReason.LocalRefusedStreamReset:
      return localRefused;
    case StreamResetReason.RemoteReset:
      return remoteReset;
    case StreamResetReason.RemoteRefusedStreamReset:
      return remoteRefused;
    case StreamResetReason.ConnectionFailure:
      return remoteConnectionFailure;
    case StreamResetReason.ConnectionTimeout:
      return connectionTimeout;
    case StreamResetReason.ConnectionTermination:
      return connectionTermination;
    case StreamResetReason.Overflow:
      return overflow;
    case StreamResetReason.ProtocolError:
      return protocolError;
  }
}

export function failureOfPool(reason: PoolFailureReason): UpstreamFailure {
  switch (reason) {
    case PoolFailureReason.Overflow:
      return overflow;
    case PoolFailureReason.RemoteConnectionFailure:
      return remoteConnectionFailure;
    case PoolFailureReason.LocalConnectionFailure:
      return localConnectionFailure;
    case PoolFailureReason.Timeout:
      return connectionTimeout;
  }
}

/** Response code details; `transportFailure` "" = none. White space becomes "_". */
export function failureDetails(
  kind: UpstreamFailure,
  hasResponseStarted: boolean,
  transportFailure: string,
): string {
  const details = hasResponseStarted ? kind.detailsAfter : kind.detailsBefore;
  if (transportFailure === "") return details;
  return `${details.slice(0, -1)}|${transportFailure.replaceAll(/\s/g, "_")}}`;
}

/** Headers of an answer that tells of a failure; 0 attempts are not told. */
export function failureHeaders(showsOverload: boolean, attempts: number): readonly string[] | null {
  if (attempts === 0) return showsOverload ? ["x-envoy-overloaded", "true"] : null;
  const counted = ["x-envoy-attempt-count", String(attempts)];
  return showsOverload ? ["x-envoy-overloaded", "true", ...counted] : counted;
}
