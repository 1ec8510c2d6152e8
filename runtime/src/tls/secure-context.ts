// Makes node:tls contexts of what the configuration says; for both sides.
import { createSecureContext } from "node:tls";
import type { SecureContext, SecureContextOptions } from "node:tls";
import type {
  TlsCertificateConfig,
  TlsContextConfig,
  TlsValidationConfig,
} from "../config/tls-config.ts";
import { trustOptions } from "./peer-validation.ts";

/** Node's types do not know it, Node does: certificates of [] instead of those of the system. */
const trustsNobody: Pick<SecureContextOptions, "ca"> = { ca: [] };

/** `more` adds what only one side has. Throws when OpenSSL refuses something. */
export function makeSecureContext(
  config: TlsContextConfig,
  certificates: readonly TlsCertificateConfig[],
  validation: TlsValidationConfig | null,
  more: SecureContextOptions = {},
): SecureContext {
  const keys = certificates.filter(({ pkcs12 }) => pkcs12 === null);
  const bundles = certificates.filter(({ pkcs12 }) => pkcs12 !== null);
  return createSecureContext({
    minVersion: config.minVersion,
    maxVersion: config.maxVersion,
    ciphers: config.cipherSuites,
    ecdhCurve: config.curves,
    ...(config.signatureAlgorithms === "" ? {} : { sigalgs: config.signatureAlgorithms }),
    cert: keys.map(({ chainPem }) => chainPem),
    key: keys.map(({ privateKeyPem }) => privateKeyPem),
    ...(bundles.length === 0 ? {} : { pfx: bundles.map(pfxOf) }),
    ...trustsNobody,
    ...(validation === null ? {} : trustOptions(validation)),
    ...more,
  });
}

function pfxOf({ pkcs12, passphrase }: TlsCertificateConfig): { buf: Buffer; passphrase: string } {
  return { buf: Buffer.from(pkcs12 as Uint8Array), passphrase };
}
