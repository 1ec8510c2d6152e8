// What a stream takes on the wire, framing included: Envoy's BytesMeter. A codec counts in one that
// begins anew with each stream of its connection.

export class BytesMeter {
  /** Bytes that came for the stream: head, chunk sizes, body, trailers. */
  received = 0;
  /** Bytes that were written for it. */
  sent = 0;
  /** Of `sent`, the header lines of the final head. */
  headersSent = 0;

  reset(): void {
    this.received = 0;
    this.sent = 0;
    this.headersSent = 0;
  }

  /** Takes over the counts of another one. */
  copy(other: BytesMeter): void {
    this.received = other.received;
    this.sent = other.sent;
    this.headersSent = other.headersSent;
  }
}

/** Who knows the bytes of a stream at any time. */
export interface BytesSource {
  readonly bytes: BytesMeter;
}
