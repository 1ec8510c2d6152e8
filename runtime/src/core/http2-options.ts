// What configures the HTTP/2 side of a cluster; plain data of the snapshot.

export interface Http2ClientOptions {
  /** Streams that may run at once on a connection, if the peer allows as many. Default 2^29-1. */
  readonly streamsMax: number;
  /** Bytes that a peer may send on a stream before they are read. Default 1 MiB. */
  readonly streamWindowBytes: number;
  /** The same for all streams of a connection together. Default 16 MiB. */
  readonly connectionWindowBytes: number;
  /** Bytes of the table that compresses the peer's headers. Default 4096. */
  readonly headerTableBytes: number;
  /** Bytes of a response's head. Default 60 KiB. */
  readonly headBytesMax: number;
  /** Header lines of a response's head. Default 100. */
  readonly headersMax: number;
}

const KIB = 1024;

export const defaultHttp2Options: Http2ClientOptions = {
  streamsMax: 536_870_911,
  streamWindowBytes: KIB * KIB,
  connectionWindowBytes: 16 * KIB * KIB,
  headerTableBytes: 4096,
  headBytesMax: 60 * KIB,
  headersMax: 100,
};
