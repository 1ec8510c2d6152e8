// TLS of filter chains and clusters as the workers get it; part of snapshot.ts. Everything is
// resolved: files are read, keys are decrypted, names are OpenSSL's. Times are milliseconds.
import type { CidrConfig, StringMatchConfig } from "./route-config.ts";

export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

/** CommonTlsContext. */
export interface TlsContextConfig {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** For node:tls `ciphers`, those of TLS 1.3 included: "TLS_AES_128_GCM_SHA256:...". */
  readonly cipherSuites: string;
  /** A client that prefers ChaCha20 gets it: `[A|B]` in the configuration. */
  readonly prefersClientChaCha: boolean;
  /** For node:tls `ecdhCurve`: "X25519:P-256". */
  readonly curves: string;
  /** For node:tls `sigalgs`; "" = OpenSSL's. */
  readonly signatureAlgorithms: string;
  /** In order of preference. */
  readonly alpnProtocols: readonly string[];
  /** In their order. [] only for clusters that present none. */
  readonly certificates: readonly SecretSource<TlsCertificateConfig>[];
  /** Null = the peer's certificate is not looked at. */
  readonly validation: SecretSource<TlsValidationConfig> | null;
  readonly keyLog: TlsKeyLogConfig | null;
}

/**
 * Something that is known, or the key of one of Snapshot.secrets: then it may be missing for now,
 * and another one comes without a new version.
 */
export type SecretSource<T> =
  | { readonly kind: "inline"; readonly value: T }
  | { readonly kind: "secret"; readonly key: string };

/** A secret that comes by SDS, or from files that are watched. */
export interface DynamicSecret {
  /** SecretSource.key. */
  readonly key: string;
  /** From 1; another number for each change of `value`. 0 = none came yet. */
  readonly revision: number;
  /** Null = none came yet. */
  readonly value: TlsSecret | null;
}

export type TlsSecret =
  | { readonly kind: "certificate"; readonly certificate: TlsCertificateConfig }
  | { readonly kind: "validation"; readonly validation: TlsValidationConfig }
  | { readonly kind: "ticket_keys"; readonly keys: readonly Uint8Array[] };

/** A certificate with its private key. */
export interface TlsCertificateConfig {
  /** Of the secret that it is; "" = it stands in the context. */
  readonly name: string;
  /** The file that the chain came from, else "<inline>"; for people. */
  readonly path: string;
  /** Leaf first; of PKCS#12 the leaf alone. */
  readonly chainPem: string;
  /** Not encrypted; "" with PKCS#12. */
  readonly privateKeyPem: string;
  /** Key and chain in place of the two above; null = none. */
  readonly pkcs12: Uint8Array | null;
  /** Of `pkcs12`. */
  readonly passphrase: string;
  /** DER of an OCSP response; null = none. */
  readonly ocspStaple: Uint8Array | null;
  /** When `ocspStaple` is out of date, in epoch milliseconds; 0 = never, or there is none. */
  readonly ocspExpiresMs: number;
  /** Lower-case names that a client's SNI may ask for: DNS names, else the common name. */
  readonly serverNames: readonly string[];
  readonly keyType: "rsa" | "ec" | "ed25519";
  /** The leaf says that it must be stapled (RFC 7633). */
  readonly isMustStaple: boolean;
}

/** CertificateValidationContext. */
export interface TlsValidationConfig {
  /** Of the secret that it is; "" = it stands in the context. */
  readonly name: string;
  /** The file of `trustedCaPem`, else "<inline>"; for people. */
  readonly path: string;
  /** "" = none: whoever has one of the hashes is let in; nothing is asked when there are none. */
  readonly trustedCaPem: string;
  /** "" = none. */
  readonly crlPem: string;
  readonly onlyVerifiesLeafCrl: boolean;
  readonly allowsExpired: boolean;
  /** trust_chain_verification: ACCEPT_UNTRUSTED. */
  readonly acceptsUntrusted: boolean;
  /** SHA-256 of the leaf, lower-case hex. With `spkiHashes`: one of all is enough. */
  readonly certificateHashes: readonly string[];
  /** SHA-256 of the leaf's public key, base64. */
  readonly spkiHashes: readonly string[];
  /** One of them is enough; [] = any name. */
  readonly subjectAltNames: readonly SubjectAltNameMatchConfig[];
  /** Certificates between the leaf and the trusted one; default 100. */
  readonly verifyDepthMax: number;
  /** Clients are not told which authorities are trusted. */
  readonly hidesAuthorities: boolean;
}

export interface SubjectAltNameMatchConfig {
  readonly kind: "dns" | "uri" | "email" | "ip_address" | "other_name";
  /** Only with "other_name": "1.3.6.1.4.1.311.20.2.3". */
  readonly oid: string;
  readonly match: StringMatchConfig;
}

/** Secrets of connections, for those who look into captured traffic. */
export interface TlsKeyLogConfig {
  readonly path: string;
  /** Null = connections of all addresses. */
  readonly localCidrs: readonly CidrConfig[] | null;
  readonly remoteCidrs: readonly CidrConfig[] | null;
}

/** DownstreamTlsContext. */
export interface DownstreamTlsConfig {
  readonly context: TlsContextConfig;
  readonly requiresClientCertificate: boolean;
  /** Null = made by the process, the same for all workers, and new ones from time to time. */
  readonly sessionTicketKeys: SecretSource<readonly Uint8Array[]> | null;
  readonly areSessionTicketsOff: boolean;
  /** Without session ids of TLS 1.2. */
  readonly isStatefulResumptionOff: boolean;
  /** Default 7200000. */
  readonly sessionTimeoutMs: number;
  readonly ocspStaplePolicy: "lenient" | "strict" | "must_staple";
  /** With an SNI that no certificate has: look for one that fits the client's algorithms. */
  readonly fullScanOnSniMismatch: boolean;
  /** In place of the server's order. */
  readonly prefersClientCiphers: boolean;
  /** The chain's transport_socket_connect_timeout; 0 = for ever. */
  readonly handshakeTimeoutMs: number;
}

/** UpstreamTlsContext. */
export interface UpstreamTlsConfig {
  readonly context: TlsContextConfig;
  /** "" = none. */
  readonly sni: string;
  /** The host's name in place of `sni`, where it has one. */
  readonly autoHostSni: boolean;
  /** The certificate must have the name that was sent as SNI. */
  readonly autoSniSanValidation: boolean;
  /** Sessions kept for resumption; default 1, 0 = none. */
  readonly sessionKeysMax: number;
  readonly enforcesRsaKeyUsage: boolean;
}

export type UpstreamSocketConfig =
  | { readonly kind: "raw_buffer" }
  | { readonly kind: "tls"; readonly tls: UpstreamTlsConfig }
  | UpstreamProxyProtocolConfig;

/** A PROXY header in front of everything, that of TLS included. */
export interface UpstreamProxyProtocolConfig {
  readonly kind: "proxy_protocol";
  readonly version: "v1" | "v2";
  readonly inner: UpstreamSocketConfig;
  /** Which TLVs of the downstream's header are passed on (v2 only). */
  readonly passThroughTlvs: "none" | "all" | readonly number[];
  /** Requests whose TLVs differ share no connection. */
  readonly areTlvsKey: boolean;
  /** In front of those that are passed on. */
  readonly addedTlvs: readonly ProxyTlvConfig[];
}

export interface ProxyTlvConfig {
  readonly type: number;
  readonly value: Uint8Array;
}

/** How to talk to the endpoints of a cluster that it matches. */
export interface TransportSocketConfig {
  /** For stats; "" for the cluster's own `transport_socket`. */
  readonly name: string;
  /** All of it must stand in the endpoint's metadata; {} matches every endpoint. */
  readonly match: TransportSocketMatch;
  readonly socket: UpstreamSocketConfig;
}

/** Metadata below "envoy.transport_socket_match": values in JSON, so that equal ones are equal. */
export type TransportSocketMatch = Readonly<Record<string, string>>;
