// Decides whether a request that failed is sent once more. Policies (retry_on and its kin) are
// refused by the configuration for now; they will be further questions here. Asked by Router per
// failure.
import { StreamResetReason } from "../upstream/pool/conn-pool.ts";

/** What is known about an attempt that was reset. */
export interface FailedAttempt {
  /** Streams that the connection carried before. */
  readonly streamsBefore: number;
  /** Anything of the body or trailers was handed to the connection. */
  readonly wasBodySent: boolean;
  /** Anything of a response came, an informational one included. */
  readonly hasResponse: boolean;
}

export class RetryState {
  #isStaleRetryUsed: boolean = false;

  /** For the next request. */
  reset(): void {
    this.#isStaleRetryUsed = false;
  }

  /**
   * A kept connection that closed before it answered was most likely closed by the peer for its
   * idleness while the request was on its way. Sent again once, when that cannot do a thing twice:
   * the method is idempotent (RFC 9110, 9.2.2) and nothing of a body is lost.
   */
  takeStaleRetry(
    method: string | null,
    reason: StreamResetReason,
    attempt: FailedAttempt,
  ): boolean {
    if (this.#isStaleRetryUsed) return false;
    if (reason !== StreamResetReason.ConnectionTermination) return false;
    if (attempt.streamsBefore === 0 || attempt.wasBodySent || attempt.hasResponse) return false;
    if (!isIdempotent(method)) return false;
    this.#isStaleRetryUsed = true;
    return true;
  }
}

function isIdempotent(method: string | null): boolean {
  switch (method) {
    case "GET":
    case "HEAD":
    case "PUT":
    case "DELETE":
    case "OPTIONS":
    case "TRACE":
      return true;
    default:
      return false;
  }
}
