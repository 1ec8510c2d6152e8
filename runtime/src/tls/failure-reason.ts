// Why TLS failed, in the words that Envoy takes from BoringSSL: logs and alerts are searched for
// them. %DOWNSTREAM_TRANSPORT_FAILURE_REASON%, %UPSTREAM_TRANSPORT_FAILURE_REASON%.
import type { TlsFailure } from "../engine/tls.ts";

/** BoringSSL's numbers of reasons that a connection meets; recorded from Envoy 1.40. */
const reasons: Readonly<Record<string, number>> = {
  CERTIFICATE_VERIFY_FAILED: 125,
  DECRYPTION_FAILED_OR_BAD_RECORD_MAC: 139,
  HTTPS_PROXY_REQUEST: 155,
  HTTP_REQUEST: 156,
  NO_SHARED_CIPHER: 184,
  PEER_DID_NOT_RETURN_A_CERTIFICATE: 192,
  UNSUPPORTED_PROTOCOL: 240,
  WRONG_CURVE: 243,
  WRONG_VERSION_NUMBER: 247,
  NO_SHARED_GROUP: 266,
};

/** Numbers of alerts (RFC 8446, section 6); BoringSSL adds 1000. */
const alerts: Readonly<Record<string, number>> = {
  UNEXPECTED_MESSAGE: 10,
  BAD_RECORD_MAC: 20,
  RECORD_OVERFLOW: 22,
  HANDSHAKE_FAILURE: 40,
  BAD_CERTIFICATE: 42,
  UNSUPPORTED_CERTIFICATE: 43,
  CERTIFICATE_REVOKED: 44,
  CERTIFICATE_EXPIRED: 45,
  CERTIFICATE_UNKNOWN: 46,
  ILLEGAL_PARAMETER: 47,
  UNKNOWN_CA: 48,
  ACCESS_DENIED: 49,
  DECODE_ERROR: 50,
  DECRYPT_ERROR: 51,
  PROTOCOL_VERSION: 70,
  INSUFFICIENT_SECURITY: 71,
  INTERNAL_ERROR: 80,
  INAPPROPRIATE_FALLBACK: 86,
  USER_CANCELLED: 90,
  NO_RENEGOTIATION: 100,
  UNSUPPORTED_EXTENSION: 110,
  UNRECOGNIZED_NAME: 112,
  BAD_CERTIFICATE_STATUS_RESPONSE: 113,
  CERTIFICATE_REQUIRED: 116,
  NO_APPLICATION_PROTOCOL: 120,
};

/** What OpenSSL calls otherwise. */
const renamed: Readonly<Record<string, string>> = {
  NO_SUITABLE_KEY_SHARE: "NO_SHARED_GROUP",
  NO_SUITABLE_GROUPS: "NO_SHARED_GROUP",
  UNKNOWN_PROTOCOL: "UNSUPPORTED_PROTOCOL",
  UNSUPPORTED_SSL_VERSION: "UNSUPPORTED_PROTOCOL",
};

const details: Readonly<Record<string, string>> = {
  PEER_DID_NOT_RETURN_A_CERTIFICATE: "peer did not provide required client certificate",
};

/** BoringSSL keeps the alerts of SSL 3.0 apart; OpenSSL says "SSL/TLS" for those. */
const ssl3Alerts: ReadonlySet<number> = new Set([10, 20, 30, 40, 41, 42, 43, 44, 45, 46, 47]);

/** BoringSSL's library number for SSL, where its error codes have it. */
const SSL_LIBRARY = 0x1000_0000;

/** "" when the peer has ended without a word of TLS: Envoy has no reason for that. */
export function failureReasonOf({ kind, code }: TlsFailure): string {
  if (kind === "reset") return resetText(code);
  if (kind !== "tls") return "";
  const name = code.replace(/^ERR_(SSL|OSSL)_/, "");
  const alert = alerts[name.replace(/^(SSLV3|SSL\/TLS|TLSV1|TLSV13)_ALERT_/, "")];
  if (alert !== undefined && name.includes("ALERT_")) return alertText(alert, name);
  const reason = renamed[name] ?? name;
  return reasonText(reason, details[reason] ?? "");
}

/** Why `bytes`, the first of a connection, are no ClientHello: as tls_inspector says it. */
export function strangeHelloReason(bytes: Buffer): string {
  const text = bytes.toString("latin1", 0, WORD_BYTES);
  const word = plainWords.find(({ starts }) => starts.some((start) => text.startsWith(start)));
  const reason = word?.reason ?? "WRONG_VERSION_NUMBER";
  const number = (SSL_LIBRARY + (reasons[reason] ?? 0)).toString(16);
  return `TLS_error|error:${number}:SSL routines:OPENSSL_internal:${reason}:TLS_error_end`;
}

/** BoringSSL looks at so many bytes. */
const WORD_BYTES = 5;
const plainWords = [
  { starts: ["GET ", "POST ", "HEAD ", "PUT "], reason: "HTTP_REQUEST" },
  { starts: ["CONNE"], reason: "HTTPS_PROXY_REQUEST" },
];

/** BoringSSL's library number for the system, and Linux's for ECONNRESET. */
const resetNumber = 0x200_0000 + 104;

function resetText(code: string): string {
  if (code !== "ECONNRESET") return "";
  const words = "system library:OPENSSL_internal:Connection reset by peer";
  return `TLS_error:|${resetNumber}:${words}:TLS_error_end`;
}

/** `detail` is what Envoy adds; "" = nothing. What has no number there has 0. */
export function reasonText(reason: string, detail: string): string {
  const number = SSL_LIBRARY + (reasons[reason] ?? 0);
  const added = detail === "" ? "" : `:${detail}`;
  return `TLS_error:|${number}:SSL routines:OPENSSL_internal:${reason}${added}:TLS_error_end`;
}

function alertText(alert: number, name: string): string {
  const what = name.slice(name.indexOf("ALERT_"));
  const family = ssl3Alerts.has(alert) ? "SSLV3" : "TLSV1";
  const number = SSL_LIBRARY + 1000 + alert;
  return `TLS_error:|${number}:SSL routines:OPENSSL_internal:${family}_${what}:TLS_error_end`;
}
