// Options of the HTTP/1 codecs: made by config/ from Http1ProtocolOptions, read by codec/http1.

/** Limits and leniencies of the HTTP/1 codecs; from Http1ProtocolOptions and the HCM or cluster. */
export interface Http1CodecOptions {
  /**
   * Bytes of a message head, default 60 KiB (HCM max_request_headers_kb); includes the first line.
   */
  readonly headBytesMax: number;
  /** Header lines, default 100. */
  readonly headersMax: number;
  /** Server: HTTP/1.0 requests are served instead of answered with 426. */
  readonly acceptHttp10: boolean;
  /** Host for HTTP/1.0 requests without one; "" = none. */
  readonly defaultHostForHttp10: string;
  /** Absolute-form targets set :authority and :path; default true. */
  readonly allowAbsoluteUrl: boolean;
  /** Both Content-Length and chunked: drop the length instead of refusing; default false. */
  readonly allowChunkedLength: boolean;
  /** Trailers are handed on; default false: they are dropped. */
  readonly enableTrailers: boolean;
  /** Case of header names that are written: "lower" (default), "proper" or "preserve". */
  readonly headerCase: "lower" | "proper" | "preserve";
  /** What to do with header names that contain "_". */
  readonly underscores: "allow" | "reject" | "drop";
}
