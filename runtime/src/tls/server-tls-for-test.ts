// TLS of filter chains for tests: configurations from certificates that were made when they ran.
import type {
  DownstreamTlsConfig,
  TlsCertificateConfig,
  TlsContextConfig,
  TlsValidationConfig,
} from "../config/tls-config.ts";
import { DEFAULT_CIPHERS } from "node:tls";
import { StatsStore } from "../stats/store.ts";
import type { TestCertificate } from "../../test/certificates.ts";
import { SecretSlots } from "./secret-slots.ts";
import { TlsServerContext } from "./tls-server-context.ts";
import type { TlsServerDeps } from "./tls-server-context.ts";
import { TICKET_KEY_BYTES, TicketKeyRing } from "./ticket-keys.ts";
import { TlsFactoryStats, TlsStats } from "./tls-stats.ts";

export function certificateConfig(
  certificate: TestCertificate,
  more: Partial<TlsCertificateConfig> = {},
): TlsCertificateConfig {
  return {
    name: "",
    path: "<inline>",
    chainPem: certificate.chainPem,
    privateKeyPem: certificate.keyPem,
    pkcs12: null,
    passphrase: "",
    ocspStaple: null,
    ocspExpiresMs: 0,
    serverNames: [certificate.name],
    keyType: "ec",
    isMustStaple: false,
    ...more,
  };
}

/** Of a validation context in which nothing stands. */
export const emptyValidation: TlsValidationConfig = {
  name: "",
  path: "<inline>",
  trustedCaPem: "",
  crlPem: "",
  onlyVerifiesLeafCrl: false,
  allowsExpired: false,
  acceptsUntrusted: false,
  certificateHashes: [],
  spkiHashes: [],
  subjectAltNames: [],
  verifyDepthMax: 100,
  hidesAuthorities: false,
};

export function validationConfig(authority: TestCertificate): TlsValidationConfig {
  return { ...emptyValidation, trustedCaPem: authority.pem };
}

export function downstreamConfig(
  certificates: readonly TlsCertificateConfig[],
  more: Partial<DownstreamTlsConfig> = {},
  context: Partial<TlsContextConfig> = {},
): DownstreamTlsConfig {
  return {
    context: {
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.3",
      cipherSuites: DEFAULT_CIPHERS,
      prefersClientChaCha: false,
      curves: "X25519:P-256",
      signatureAlgorithms: "",
      alpnProtocols: [],
      certificates: certificates.map((value) => ({ kind: "inline", value })),
      validation: null,
      keyLog: null,
      ...context,
    },
    requiresClientCertificate: false,
    sessionTicketKeys: null,
    areSessionTicketsOff: false,
    isStatefulResumptionOff: false,
    sessionTimeoutMs: 7_200_000,
    ocspStaplePolicy: "lenient",
    fullScanOnSniMismatch: false,
    prefersClientCiphers: false,
    handshakeTimeoutMs: 0,
    ...more,
  };
}

/** Of a process whose one key is made of this byte. */
export function ticketKeys(...bytes: readonly number[]): TicketKeyRing {
  return new TicketKeyRing(bytes.map(ticketKey));
}

export function ticketKey(byte: number): Uint8Array {
  return new Uint8Array(TICKET_KEY_BYTES).fill(byte);
}

/** Stats stand below "listener.here.". */
export function serverContext(
  config: DownstreamTlsConfig,
  store: StatsStore = new StatsStore(),
  more: Partial<TlsServerDeps> = {},
): TlsServerContext {
  return new TlsServerContext(config, {
    secrets: new SecretSlots([], null),
    stats: new TlsStats(store, "listener.here."),
    factoryStats: new TlsFactoryStats(store, "listener.here.server_ssl_socket_factory."),
    processTicketKeys: ticketKeys(7),
    keyLog: null,
    nowMs: () => Date.now(),
    warn: () => {},
    unservedProtocols: ["h2"],
    ...more,
  });
}
