// What is known of the certificates in force, in the main thread: /certs, when they expire, and how
// often secrets have come. Told of every change by version-applier.ts.
import { X509Certificate } from "node:crypto";
import type { JsonObject } from "../admin/admin-delegate.ts";
import type {
  DynamicSecret,
  SecretSource,
  Snapshot,
  TlsCertificateConfig,
  TlsContextConfig,
  TlsSecret,
  TlsValidationConfig,
  UpstreamSocketConfig,
} from "../config/snapshot.ts";
import { certificateOf, validationOf } from "../config/tls-secret.ts";
import { readOcspResponse } from "../config/translate/ocsp-response.ts";
import type { StatsStore } from "../stats/store.ts";
import { certificateInfoOf } from "../tls/certificate-info.ts";

const DAY_MS = 86_400_000;
/** Envoy's: hashes of nothing. */
const UNNAMED = "unnamed_cert_e3b0c442";
const UNNAMED_CA = "unnamed_ca_cert_e3b0c442";

/** A context and whose it is. */
interface Use {
  /** "listener.127.0.0.1_443.", "cluster.up." */
  readonly scope: string;
  readonly factory: "server_ssl_socket_factory" | "client_ssl_socket_factory";
  readonly context: TlsContextConfig;
  /** Keys of all its secrets. */
  readonly keys: readonly string[];
}

/** What a context has now. */
interface Known {
  readonly certificates: readonly TlsCertificateConfig[];
  readonly validation: TlsValidationConfig | null;
}

export class CertificateBook {
  readonly #store: StatsStore;
  #uses: readonly Use[] = [];
  #secrets: ReadonlyMap<string, DynamicSecret> = new Map();
  /** By scope and key: what was counted last. */
  #revisions: ReadonlyMap<string, number> = new Map();
  #firstExpiryMs: number | null = null;
  #firstOcspExpiryMs: number | null = null;

  constructor(store: StatsStore) {
    this.#store = store;
  }

  /** This is in force now. */
  update(snapshot: Snapshot): void {
    this.#uses = usesOf(snapshot);
    this.#secrets = new Map(snapshot.secrets.map((secret) => [secret.key, secret]));
    this.#countUpdates();
    this.#firstExpiryMs = null;
    this.#firstOcspExpiryMs = null;
    for (const use of this.#uses) this.#setGauges(use);
  }

  /** Whole days until the first certificate is out of date, 0 when one is; null = there is none. */
  daysUntilExpiry(nowMs: number): number | null {
    return this.#firstExpiryMs === null ? null : daysBetween(nowMs, this.#firstExpiryMs);
  }

  /** The same for OCSP responses, in seconds. */
  secondsUntilOcspExpiry(nowMs: number): number | null {
    if (this.#firstOcspExpiryMs === null) return null;
    return Math.max(0, Math.floor((this.#firstOcspExpiryMs - nowMs) / 1000));
  }

  /** envoy.admin.v3.Certificates: of contexts whose secrets have come. */
  certificates(nowMs: number): JsonObject[] {
    const known = this.#uses.map((use) => this.#known(use.context)).filter((one) => one !== null);
    return known.map(({ certificates, validation }) => ({
      ca_cert: caOf(validation).map((pem) => details(pem, validation?.path ?? "", null, nowMs)),
      cert_chain: certificates.map(({ chainPem, path, ocspStaple }) =>
        details(chainPem, path, ocspStaple, nowMs),
      ),
    }));
  }

  #countUpdates(): void {
    const revisions = new Map<string, number>();
    for (const { scope, factory, keys } of this.#uses) {
      const counter = this.#store.counter(`${scope}${factory}.ssl_context_update_by_sds`);
      for (const key of keys) {
        const place = `${scope} ${key}`;
        const revision = this.#secrets.get(key)?.revision ?? 0;
        if (revision > (this.#revisions.get(place) ?? 0) && !revisions.has(place)) counter.inc();
        revisions.set(place, revision);
      }
    }
    this.#revisions = revisions;
  }

  #setGauges({ scope, context }: Use): void {
    const known = this.#known(context);
    if (known === null) return;
    const { certificates, validation } = known;
    for (const { name, chainPem, ocspStaple, ocspExpiresMs } of certificates) {
      this.#setExpiry(scope, name || UNNAMED, chainPem);
      if (ocspStaple === null) continue;
      this.#firstOcspExpiryMs = Math.min(this.#firstOcspExpiryMs ?? ocspExpiresMs, ocspExpiresMs);
    }
    for (const pem of caOf(validation)) {
      this.#setExpiry(scope, validation?.name || UNNAMED_CA, pem);
    }
  }

  #setExpiry(scope: string, name: string, pem: string): void {
    const expiryMs = certificateInfoOf(new X509Certificate(pem)).notAfterMs;
    const stat = `${scope}ssl.certificate.${name}.expiration_unix_time_seconds`;
    this.#store.gauge(stat).set(Math.floor(expiryMs / 1000));
    this.#firstExpiryMs = Math.min(this.#firstExpiryMs ?? expiryMs, expiryMs);
  }

  /** Null while a secret is missing. */
  #known({ certificates, validation }: TlsContextConfig): Known | null {
    const values = certificates.map((source) => this.#value(source, certificateOf));
    const present = values.filter((value) => value !== null);
    const own = validation === null ? null : this.#value(validation, validationOf);
    if (present.length < values.length || (validation !== null && own === null)) return null;
    return { certificates: present, validation: own };
  }

  #value<T>(source: SecretSource<T>, pick: (secret: TlsSecret) => T | null): T | null {
    if (source.kind === "inline") return source.value;
    const secret = this.#secrets.get(source.key)?.value ?? null;
    return secret === null ? null : pick(secret);
  }
}

function usesOf({ listeners, clusters }: Snapshot): Use[] {
  const uses: Use[] = [];
  for (const listener of listeners) {
    for (const chain of [...listener.filterChains, listener.defaultFilterChain]) {
      const tls = chain?.tls ?? null;
      if (tls === null) continue;
      const keys = keysOf(tls.context, tls.sessionTicketKeys);
      const scope = `listener.${listener.statPrefix}.`;
      uses.push({ scope, factory: "server_ssl_socket_factory", context: tls.context, keys });
    }
  }
  for (const { statName, transportSockets } of clusters) {
    for (const { socket } of transportSockets) {
      const context = contextOf(socket);
      if (context === null) continue;
      const keys = keysOf(context, null);
      const scope = `cluster.${statName}.`;
      uses.push({ scope, factory: "client_ssl_socket_factory", context, keys });
    }
  }
  return uses;
}

function contextOf(socket: UpstreamSocketConfig): TlsContextConfig | null {
  if (socket.kind === "proxy_protocol") return contextOf(socket.inner);
  return socket.kind === "tls" ? socket.tls.context : null;
}

function keysOf(
  { certificates, validation }: TlsContextConfig,
  ticketKeys: SecretSource<unknown> | null,
): string[] {
  const sources = [...certificates, validation, ticketKeys];
  return sources.flatMap((source) => (source?.kind === "secret" ? [source.key] : []));
}

/** The first authority, as in Envoy; none without. */
function caOf(validation: TlsValidationConfig | null): string[] {
  const pem = validation?.trustedCaPem ?? "";
  return pem === "" ? [] : [pem];
}

/** envoy.admin.v3.CertificateDetails of the first certificate in a PEM text. */
function details(
  pem: string,
  path: string,
  ocspStaple: Uint8Array | null,
  nowMs: number,
): JsonObject {
  const info = certificateInfoOf(new X509Certificate(pem));
  const ocsp = ocspStaple === null ? "" : readOcspResponse(Buffer.from(ocspStaple));
  return {
    path,
    serial_number: info.serial,
    subject_alt_names: [
      ...info.dnsNames.map((dns) => ({ dns })),
      ...info.uris.map((uri) => ({ uri })),
      ...info.ipAddresses.map((ip_address) => ({ ip_address })),
    ],
    days_until_expiration: String(daysBetween(nowMs, info.notAfterMs)),
    valid_from: timeText(info.notBeforeMs),
    expiration_time: timeText(info.notAfterMs),
    ...(typeof ocsp === "string"
      ? {}
      : {
          ocsp_details: {
            valid_from: timeText(ocsp.validFromMs),
            expiration: timeText(ocsp.expiresMs),
          },
        }),
  };
}

function daysBetween(nowMs: number, thenMs: number): number {
  return Math.max(0, Math.floor((thenMs - nowMs) / DAY_MS));
}

/** RFC 3339 without fractions. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
