// What is known of a connection's TLS and of the certificates on both its ends. Read by access
// logs, x-forwarded-client-cert, routes and guests' properties; made by who ended the handshake.

/** A certificate's facts as Envoy prints them: text is latin1 (UTF-8 bytes), hex is lower case. */
export interface CertificateInfo {
  /** RFC 2253: "CN=leaf,O=Acme"; "" = the name is empty. */
  readonly subject: string;
  readonly issuer: string;
  /** Hex without leading zeros in front of the first octet. */
  readonly serial: string;
  /** Hex digests of the DER form. */
  readonly sha256: string;
  readonly sha1: string;
  /** Subject alternative names by their type, in the certificate's order. */
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emails: readonly string[];
  readonly otherNames: readonly OtherName[];
  /** Epoch milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** PEM with its line ends, not encoded. */
  readonly pem: string;
}

/** A SAN of type otherName whose value is text. */
export interface OtherName {
  /** "1.3.6.1.4.1.311.20.2.3". */
  readonly oid: string;
  readonly value: string;
}

/**
 * One connection's TLS after the handshake. Getters may compute when they are first asked, so that
 * connections nobody logs do not pay for it. Text that is not known is "".
 */
export interface TlsInfo {
  /** "TLSv1.2", "TLSv1.3". */
  readonly version: string;
  /** OpenSSL's name: "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256". */
  readonly cipher: string;
  /** Key agreement: "X25519". */
  readonly group: string;
  /** SNI: what the client asked for, what we asked the upstream for. */
  readonly serverName: string;
  /** What both sides agreed on. */
  readonly alpn: string;
  /** Hex. */
  readonly sessionId: string;
  readonly isResumed: boolean;
  /** The peer sent a certificate. */
  readonly isPeerPresented: boolean;
  /** It was checked against trusted authorities, hashes or names, and passed. */
  readonly isPeerValidated: boolean;
  /** The certificate we sent; null = none, or not known. */
  readonly local: CertificateInfo | null;
  readonly peer: CertificateInfo | null;
  /** The peer's certificates as they came, its own first. */
  readonly peerChain: readonly CertificateInfo[];
  /** Whose signature vouched for the peer, sent or trusted; null = nobody's was checked. */
  readonly peerIssuer: CertificateInfo | null;
}
