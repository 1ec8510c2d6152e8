// What may be wrong with a peer's HTTP/1 bytes, as constants: the parser and the chunk decoder
// answer with a number, the connections look the CodecError up. Nothing is allocated for a bad
// peer.
import type { CodecError } from "../codec.ts";

/**
 * Answers of the parsing functions: an offset when all went well, otherwise one of these. Texts of
 * the details are Envoy 1.40's.
 */
export const ParseResult = {
  /** The bytes so far are fine; the rest has not come. */
  More: -1,
  CodecError: -2,
  InvalidCharacters: -3,
  ContentLengthAndChunked: -4,
  InvalidTransferEncoding: -5,
  HeadersTooLarge: -6,
  TooManyHeaders: -7,
  UnexpectedUnderscore: -8,
  LowVersion: -9,
  InvalidUrl: -10,
  InvalidScheme: -11,
  InvalidAuthority: -12,
  BodyDisallowed: -13,
  ConnectionHeaderRejected: -14,
} as const;

function badRequest(details: string): CodecError {
  return Object.freeze({ status: 400, details, body: "Bad Request" });
}

function tooLarge(details: string): CodecError {
  return Object.freeze({ status: 431, details, body: "Request Header Fields Too Large" });
}

const codecError: CodecError = badRequest("http1.codec_error");

/** Index = negated ParseResult. */
const errors: readonly CodecError[] = [
  codecError,
  codecError,
  codecError,
  badRequest("http1.invalid_characters"),
  badRequest("http1.content_length_and_chunked_not_allowed"),
  Object.freeze({
    status: 501,
    details: "http1.invalid_transfer_encoding",
    body: "Not Implemented",
  }),
  tooLarge("http1.headers_too_large"),
  tooLarge("http1.too_many_headers"),
  badRequest("http1.unexpected_underscore"),
  Object.freeze({ status: 426, details: "low_version", body: "Upgrade Required" }),
  badRequest("http1.invalid_url"),
  badRequest("http1.invalid_scheme"),
  badRequest("http.invalid_authority"),
  badRequest("http1.body_disallowed"),
  badRequest("http1.connection_header_rejected"),
];

/** The constant for a negative ParseResult other than More. */
export function codecErrorOf(result: number): CodecError {
  return errors[-result] ?? codecError;
}
