// The contract of connection pools: the router asks a host's pool for a stream and is answered
// once.
import type { RequestEncoder, ResponseDecoder } from "../../codec/codec.ts";
import type { TlsInfo } from "../../core/tls-info.ts";
import type { Host } from "../host.ts";

// The router may not import the codec's room; what it must know of streams it finds here.
export { StreamResetReason } from "../../codec/codec.ts";
export type { RequestEncoder, ResponseDecoder } from "../../codec/codec.ts";

/** Why a pool could not give a stream. */
export const PoolFailureReason = {
  /** A circuit breaker: answered 503 UO. */
  Overflow: 0,
  /** The peer refused or closed before the connection was up. */
  RemoteConnectionFailure: 1,
  /** We gave up on the connection (drain, host removed). */
  LocalConnectionFailure: 2,
  /** connect_timeout. */
  Timeout: 3,
} as const;
export type PoolFailureReason = (typeof PoolFailureReason)[keyof typeof PoolFailureReason];

/** What a ready stream stands on; facts for logs, stats and the stale-connection retry. */
export interface PooledConnection {
  readonly protocol: number;
  /** Unique in the process. */
  readonly connectionId: number;
  /** "ip:port" of our side. */
  readonly localAddress: string;
  /** Null = plain text. */
  readonly tls: TlsInfo | null;
  /** Streams that this connection carried before this one. */
  readonly streamsBefore: number;
}

/** The asker (the router's UpstreamRequest, an async call). Exactly one of the two comes. */
export interface PoolCallbacks {
  /** The decoder that will get the response; asked when a connection is given. */
  readonly decoder: ResponseDecoder;
  /**
   * The encoder is the connection's, not the stream's: the asker lets go of it when the response
   * and the request are complete, after resetStream, and at decoder.onResetStream.
   */
  onPoolReady(encoder: RequestEncoder, host: Host, connection: PooledConnection): void;
  /** `transportFailure` is the system's reason, "" when there is none. */
  onPoolFailure(reason: PoolFailureReason, host: Host, transportFailure: string): void;
}

/** A request that waits for a connection; may be given up. */
export interface PendingStream {
  cancel(): void;
}

export interface ConnPool {
  /**
   * Asks for a stream. When a connection is free onPoolReady comes before this returns, and the
   * answer is null; otherwise the answer is the handle of the wait. A failure may come before this
   * returns.
   *
   * `avoidIdle` is for the second attempt after a kept connection turned out to be dead: idle
   * connections, which were kept even longer, are closed first.
   */
  newStream(callbacks: PoolCallbacks, avoidIdle: boolean): PendingStream | null;
  /** Closes idle connections and lets busy ones finish; no new streams. */
  drain(): void;
  /** Closes everything at once. */
  close(): void;
  readonly activeStreams: number;
  readonly connectionCount: number;
}

/** A pool of whatever version of HTTP. */
export interface HttpPool extends ConnPool {
  /** It only keeps connections for later. */
  readonly isIdle: boolean;
}
