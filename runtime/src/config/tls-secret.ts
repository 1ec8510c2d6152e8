// What a secret is to whoever expects one of a kind: one of another kind is none.
import type { TlsCertificateConfig, TlsSecret, TlsValidationConfig } from "./tls-config.ts";

export function certificateOf(secret: TlsSecret): TlsCertificateConfig | null {
  return secret.kind === "certificate" ? secret.certificate : null;
}

export function validationOf(secret: TlsSecret): TlsValidationConfig | null {
  return secret.kind === "validation" ? secret.validation : null;
}

export function ticketKeysOf(secret: TlsSecret): readonly Uint8Array[] | null {
  return secret.kind === "ticket_keys" ? secret.keys : null;
}
