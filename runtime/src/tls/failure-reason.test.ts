// Reasons of failures, as Envoy 1.40 logged them for the same faults.
import { describe, expect, test } from "vitest";
import { failureReasonOf, strangeHelloReason } from "./failure-reason.ts";

describe("the words of a failed handshake", () => {
  test.each([
    ["ERR_SSL_HTTP_REQUEST", "268435612:SSL routines:OPENSSL_internal:HTTP_REQUEST"],
    [
      "ERR_SSL_UNSUPPORTED_PROTOCOL",
      "268435696:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL",
    ],
    ["ERR_SSL_NO_SHARED_CIPHER", "268435640:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER"],
    ["ERR_SSL_NO_SUITABLE_KEY_SHARE", "268435722:SSL routines:OPENSSL_internal:NO_SHARED_GROUP"],
    [
      "ERR_SSL_WRONG_VERSION_NUMBER",
      "268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER",
    ],
    [
      "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE",
      "268435648:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE" +
        ":peer did not provide required client certificate",
    ],
    [
      "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
      "268436504:SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA",
    ],
    [
      "ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN",
      "268436502:SSL routines:OPENSSL_internal:SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    ],
    ["ERR_SSL_NEWER_THAN_US", "268435456:SSL routines:OPENSSL_internal:NEWER_THAN_US"],
  ])("%s", (code, words) => {
    expect(failureReasonOf({ kind: "tls", code, reason: "" })).toBe(
      `TLS_error:|${words}:TLS_error_end`,
    );
  });

  test("who leaves without a word has no reason, but for a reset", () => {
    const reset =
      "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end";
    expect(failureReasonOf({ kind: "closed", code: "", reason: "" })).toBe("");
    expect(failureReasonOf({ kind: "reset", code: "ECONNRESET", reason: "" })).toBe(reset);
    expect(failureReasonOf({ kind: "reset", code: "ETIMEDOUT", reason: "" })).toBe("");
  });
});

test.each([
  ["GET / HTTP/1.1\r\n", "1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST"],
  ["PUT /", "1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST"],
  ["CONNECT a:1 ", "1000009b:SSL routines:OPENSSL_internal:HTTPS_PROXY_REQUEST"],
  ["PATCH /", "100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER"],
  ["x", "100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER"],
])("%j is no ClientHello, in the words of tls_inspector", (bytes, words) => {
  const reason = strangeHelloReason(Buffer.from(bytes));
  expect(reason).toBe(`TLS_error|error:${words}:TLS_error_end`);
});
